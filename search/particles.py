"""Particle filtering: after every step, lines of reasoning are drawn anew in proportion to what they are worth."""

import random
from collections import Counter
from collections.abc import Sequence

from search.beam import value
from search.budget import Budget
from search.levels import levels
from search.requests import Search
from search.selection import softmax
from search.tree import Tree


def particles(
    tree: Tree,
    *,
    n: int,
    balance: float = 1.0,
    seed: int = 0,
    parallel: int = 1,
    depth: int = 16,
    budget: Budget | None = None,
) -> Search:
    """Particle filtering for inference scaling (arXiv 2502.01618): `n` lines, each a particle that takes a step.

    After every step `n` particles are drawn, with replacement, in proportion to exp(value / `balance`); lines that have
    ended in an answer are drawn too, and stay. Lines drawn more than once go on apart.
    """
    lot = random.Random(seed)
    ended: list[int] = []

    def draw(tree: Tree, found: Sequence[int]) -> list[tuple[int, int]]:
        pool = [*ended, *found]
        if not pool:
            return []
        drawn = lot.choices(pool, softmax([value(tree, node) for node in pool], balance), k=n)
        ended[:] = [node for node in drawn if tree[node].status == "terminal"]
        return list(Counter(node for node in drawn if tree[node].status == "open").items())

    return levels(tree, draw, first=n, parallel=parallel, depth=depth, apart=True, budget=budget)
