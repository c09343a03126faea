"""The strategies by name. Each makes a search from the same settings; one that is another with an argument is that."""

from collections.abc import Callable

from coat.errors import no_such
from coat.settings import Settings
from search import Budget, Search, Tree, beam, best_of_n, mcts

Strategy = Callable[[Tree, Settings, int, Budget], Search]
"""(tree, settings, most steps, budget) -> search."""


def _coat(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return mcts(
        tree,
        simulations=settings.simulations,
        width=settings.width,
        parallel=settings.parallel,
        exploration=settings.exploration,
        threshold=settings.threshold,
        depth=depth,
        retries=settings.retries,
        widening=settings.widening,
        certainty=settings.certainty,
        episodes=settings.episodes,
        distinct=settings.distinct,
        budget=budget,
    )


def _best_of_n(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return best_of_n(tree, n=settings.width, parallel=settings.parallel, depth=depth, budget=budget)


def _greedy(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return best_of_n(tree, n=1, depth=depth, temperature=0.0, budget=budget)


def _majority(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return best_of_n(tree, n=settings.width, parallel=settings.parallel, depth=depth, judged=False, budget=budget)


def _beam(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return beam(
        tree,
        keep=settings.keep,
        width=settings.width,
        parallel=settings.parallel,
        depth=depth,
        distinct=settings.distinct,
        budget=budget,
    )


def _self_backtracking(tree: Tree, settings: Settings, depth: int, budget: Budget) -> Search:
    return best_of_n(
        tree,
        n=settings.width,
        parallel=settings.parallel,
        depth=depth,
        backtracks=settings.backtracks,
        budget=budget,
    )


STRATEGIES: dict[str, tuple[Strategy, str]] = {
    "coat": (_coat, "Monte Carlo tree search with recall and stepping back (CoAT, arXiv 2502.02390)"),
    "best_of_n": (_best_of_n, "--width independent lines, the best answer by summed value"),
    "majority": (_majority, "--width independent lines, the answer that most of them give (arXiv 2203.11171)"),
    "beam": (_beam, "level by level, the --keep best judged states go on, --width steps from each"),
    "self_backtracking": (
        _self_backtracking,
        "--width lines, then --backtracks times as many from one step before the mistakes (arXiv 2502.04404)",
    ),
    "greedy": (_greedy, "one line at temperature 0"),
}


def get(name: str) -> Strategy:
    """The strategy called `name`.

    Raises:
        InputError: there is no such strategy.
    """
    if name not in STRATEGIES:
        raise no_such("strategy", "strategies", name, STRATEGIES)
    return STRATEGIES[name][0]
