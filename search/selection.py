"""Which child to follow: the formulas, each once."""

import math
from collections.abc import Callable, Sequence

Select = Callable[[float, int, float, int, float], float]
"""(value, visits, prior, visits of the parent, exploration) -> score; the child with the highest is followed."""


def uct(value: float, visits: int, prior: float, parent_visits: int, exploration: float) -> float:
    """UCT, Kocsis & Szepesvári 2006: value + c·sqrt(ln N(parent) / N(child)); unvisited children come first.

    CoAT (arXiv 2502.02390) uses this form with c = 1.

    >>> round(uct(0.5, 4, 0.0, 16, 1.0), 4)
    1.3326
    >>> uct(0.0, 0, 0.3, 16, 1.0)
    inf
    """
    if not visits:
        return math.inf
    return value + exploration * math.sqrt(math.log(max(1, parent_visits)) / visits)


def puct(value: float, visits: int, prior: float, parent_visits: int, exploration: float) -> float:
    """PUCT as in AlphaZero (Silver et al. 2017): value + c·prior·sqrt(N(parent)) / (1 + N(child)).

    >>> round(puct(0.5, 3, 0.4, 16, 1.5), 4)
    1.1
    """
    return value + exploration * prior * math.sqrt(parent_visits) / (1 + visits)


def priors(mean_logprobs: Sequence[float]) -> list[float]:
    """Softmax over siblings' mean token log-probabilities.

    >>> [round(p, 3) for p in priors([math.log(0.2), math.log(0.6)])]
    [0.25, 0.75]
    """
    return softmax(mean_logprobs, 1.0)


def softmax(values: Sequence[float], temperature: float) -> list[float]:
    """exp(value / temperature), scaled to a sum of 1.

    >>> [round(each, 3) for each in softmax([1.0, 0.9], 0.1)]
    [0.731, 0.269]
    """
    top = max(values, default=0.0)
    weights = [math.exp((each - top) / temperature) for each in values]
    return [weight / sum(weights) for weight in weights]
