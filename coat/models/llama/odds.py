"""Drawing tokens: the likeliest next tokens at a place, what a draw picks each of them with, and the draw.

Everything but the draw itself is done for all rows of a batch at once: for each row by itself, in Python or in calls of
llama.cpp's samplers, it takes as long as a small model's decode.
"""

import random

import numpy as np
import numpy.typing as npt

from coat.models import Draw, Sampling

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Knobs = tuple[float, int, float]

LEAST_ODDS = 64
"""Tokens of which the odds are kept, or as many as top-k asks for."""

CHUNK = 64
"""Logits of which only the maximum is looked at first; fewer where the vocabulary is small."""

BLOCK = 1 << 17
"""Logits that are looked at in one go."""


class Odds:
    """The likeliest next tokens at one place, best first, and of equal ones the lowest id first.

    `ids` and `logits` have shape (k,). `normaliser` is log Σ exp over the whole vocabulary, so that
    `logit - normaliser` is a log-probability.
    """

    __slots__ = ("_knobs", "_shares", "ids", "logits", "normaliser")

    def __init__(self, ids: Ids, logits: Floats, normaliser: float) -> None:
        self.ids = ids
        self.logits = logits
        self.normaliser = normaliser
        self._knobs: Knobs | None = None
        self._shares: Doubles = np.empty(0)

    def shares(self, sampling: Sampling) -> Doubles:
        """What a draw with `sampling` picks each of `ids` with, shape (k,)."""
        if self._knobs != knobs(sampling):
            self.note(knobs(sampling), shares(self.logits[None], sampling)[0])
        return self._shares

    def penalised(self, sampling: Sampling, ids: frozenset[int], alpha: float) -> Doubles:
        """What a draw picks each of `ids` with where `alpha` is taken off the logits of some, shape (k,).

        Those beyond the `k` likeliest stay out of reach.
        """
        logits = self.logits - np.isin(self.ids, list(ids)).astype(np.float32) * np.float32(alpha)
        order = np.argsort(-logits, kind="stable")
        found = np.empty(len(order))
        found[order] = shares(logits[order][None], sampling)[0]
        return found

    def note(self, knobs: Knobs, shares: Doubles) -> None:
        """Keep the shares that were reckoned for `knobs`."""
        self._knobs, self._shares = knobs, shares

    def logprob(self, at: int) -> float:
        """The log-probability of the token in place `at`."""
        return float(self.logits[at]) - self.normaliser


def read(logits: Floats, k: int, sampling: Sampling | None = None) -> list[Odds]:
    """The odds of each row of `logits`, shape (rows, vocabulary), and what a draw with `sampling` picks each with."""
    k = min(k, logits.shape[1])
    step = max(1, BLOCK // logits.shape[1])
    found: list[Odds] = []
    for start in range(0, len(logits), step):
        rows = logits[start : start + step]
        tops = _tops(rows, k)
        values = rows[np.arange(len(rows))[:, None], tops]
        odds = list(map(Odds, tops, values, log_sum_exp(rows).tolist()))
        if sampling is not None:
            for each, row in zip(odds, shares(values, sampling), strict=True):
                each.note(knobs(sampling), row)
        found += odds
    return found


def knobs(sampling: Sampling) -> Knobs:
    """What of `sampling` the shares depend on."""
    return sampling.temperature, sampling.top_k, sampling.top_p


def shares(logits: Floats, sampling: Sampling) -> Doubles:
    """What a draw picks each of `logits` with, shape (rows, k), each row's best first.

    >>> shares(np.log([[4, 2, 1, 1]]), Sampling(temperature=1, top_k=2, top_p=1)).round(3).tolist()
    [[0.667, 0.333, 0.0, 0.0]]
    """
    heat = logits.astype(np.float64) - logits[:, :1]
    kept = min(sampling.top_k or LEAST_ODDS, heat.shape[1])
    if sampling.temperature <= 0:
        kept = 1
    found = np.exp(heat / (sampling.temperature if sampling.temperature > 0 else 1))
    found[:, kept:] = 0
    if sampling.top_p < 1:
        likely = np.exp(heat[:, :kept])
        before = (np.cumsum(likely, axis=1) - likely) / likely.sum(axis=1, keepdims=True)
        found[:, :kept][before >= sampling.top_p] = 0
    found /= found.sum(axis=1, keepdims=True)
    return found


def log_sum_exp(logits: Floats) -> Doubles:
    """log Σ exp of each row, the normaliser that turns a logit into a log-probability; shape (rows,).

    >>> log_sum_exp(np.zeros((1, 8), np.float32)).round(4).tolist()
    [2.0794]
    """
    top = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - top).sum(axis=1).astype(np.float64)
    found: Doubles = np.log(sums) + top[:, 0]
    return found


def _tops(logits: Floats, k: int) -> Ids:
    """The ids of the `k` highest logits of each row, best first, of equal ones the lowest id first; shape (rows, k).

    The k-th highest maximum of chunks bounds the k-th highest logit from below, and only the few logits above it are
    sorted. The logits of a chunk lie apart, so that numpy compares whole lines of them.
    """
    rows, vocabulary = logits.shape
    chunk = max(1, min(CHUNK, vocabulary // (2 * k)))
    chunks = vocabulary // chunk
    highest = logits[:, : chunks * chunk].reshape(rows, chunk, chunks).max(axis=1)
    bounds = np.partition(highest, chunks - k, axis=1)[:, chunks - k]
    return np.stack([_best(row, np.flatnonzero(row >= bound), k) for row, bound in zip(logits, bounds, strict=True)])


def _best(row: Floats, ids: Ids, k: int) -> Ids:
    return ids[np.argsort(-row[ids], kind="stable")[:k]]


class Sampler:
    """Draws tokens with a random state of its own.

    `penalised` are the tokens from which the sampling's penalty is taken off.
    """

    def __init__(self, sampling: Sampling, seed: int, penalised: frozenset[int] = frozenset()) -> None:
        self._sampling, self._penalised = sampling, penalised
        self._random = random.Random(seed)
        self._count = 0

    def draw(self, odds: Odds) -> tuple[int, float]:
        """A token and its log-probability, which no penalty changes."""
        at = pick(shares_at(odds, self._sampling, self._penalised, self._count), self._random)
        self._count += 1
        return int(odds.ids[at]), odds.logprob(at)

    def complete(self) -> Draw:
        """Nothing is noted of what was drawn."""
        return ()


def shares_at(odds: Odds, sampling: Sampling, penalised: frozenset[int], count: int) -> Doubles:
    """What each of the odds' tokens is picked with, as the token after `count` others."""
    if sampling.penalty is None or count >= sampling.penalty.tokens:
        return odds.shares(sampling)
    return odds.penalised(sampling, penalised, sampling.penalty.alpha)


def pick(weights: Doubles, chance: random.Random) -> int:
    """A place, each with a probability in proportion to its weight."""
    sums = weights.cumsum()
    return int(sums.searchsorted(chance.random() * sums[-1], side="right"))
