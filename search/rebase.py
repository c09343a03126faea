"""REBASE: reward-balanced search, which shares a budget of samples over the live states by what they are worth."""

import math
from collections.abc import Sequence

from search.beam import value
from search.budget import Budget
from search.levels import levels
from search.requests import Search
from search.selection import softmax
from search.tree import Tree


def rebase(
    tree: Tree,
    *,
    n: int,
    balance: float = 0.1,
    parallel: int = 1,
    depth: int = 16,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """REBASE (arXiv 2408.00724): `n` samples a level, less those that have ended in an answer.

    The open states of a level share them in proportion to exp(value / `balance`), by largest remainders, so that the
    shares add up (the paper rounds each). A state without a share is given up.
    """
    left = n

    def share_out(tree: Tree, found: Sequence[int]) -> list[tuple[int, int]]:
        nonlocal left
        left -= sum(tree[node].status == "terminal" for node in found)
        live = [node for node in found if tree[node].status == "open"]
        return list(zip(live, shares([value(tree, node) for node in live], left, balance), strict=True))

    return levels(
        tree,
        lambda tree, found: [(node, share) for node, share in share_out(tree, found) if share],
        first=n,
        parallel=parallel,
        depth=depth,
        apart=True,
        distinct=distinct,
        budget=budget,
    )


def shares(values: Sequence[float], n: int, balance: float) -> list[int]:
    """`n` in whole parts, in proportion to exp(value / balance); the largest remainders are rounded up.

    >>> shares([0.9, 0.8, 0.1], 8, 0.1)
    [6, 2, 0]
    """
    exact = [max(0, n) * weight for weight in softmax(values, balance)]
    parts = [math.floor(each) for each in exact]
    missing = round(sum(exact)) - sum(parts)
    for place in sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])[:missing]:
        parts[place] += 1
    return parts
