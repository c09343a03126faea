"""A few lines first, and then the search that they speak for, on the same tree."""

from collections.abc import Callable

from search.backup import mean
from search.best_of_n import best_of_n
from search.budget import Budget
from search.mcts import credit, weigh_priors
from search.requests import Search
from search.tree import Tree


def auto(
    tree: Tree,
    *,
    lines: int,
    then: Callable[[Tree], Search],
    parallel: int = 1,
    depth: int = 16,
    budget: Budget | None = None,
) -> Search:
    """Draw `lines` lines from the root, judge their steps, and go on with the search that `then` makes of the tree.

    A step back ends a line and leaves no node: it is for the search after it to say whether one is taken.
    """
    yield from best_of_n(
        tree, n=lines, parallel=parallel, depth=depth, judged="steps", certainty=1.0, budget=budget or Budget()
    )
    return (yield from then(tree))


def take_up(tree: Tree, width: int) -> None:
    """Make lines that were drawn and judged a tree that a search over steps can go on with.

    Judged steps are backed up, siblings get their priors, and what has fewer than `width` children may be expanded
    once more.
    """
    for node in tree.nodes:
        weigh_priors(tree, node.id)
        if node.status == "open":
            credit(tree, [node.id] if node.judged is not None else [], mean)
            node.quota = node.expansions + (len(node.children) < width)
