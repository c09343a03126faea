"""Beam search over steps: level by level, the best judged states go on; and DVTS, which keeps independent subtrees."""

from collections.abc import Sequence

from search.budget import Budget
from search.levels import levels
from search.requests import Search
from search.tree import Tree


def beam(
    tree: Tree,
    *,
    keep: int,
    width: int,
    parallel: int = 1,
    depth: int = 16,
    lookahead: int = 0,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """On each level, expand the `keep` best judged open states by `width` steps and judge these; see `levels`.

    A state that the model steps back from is dropped.
    """

    def best(tree: Tree, found: Sequence[int]) -> list[tuple[int, int]]:
        going = [node for node in found if tree[node].status == "open"]
        return [(node, width) for node in sorted(going, key=lambda node: -value(tree, node))[:keep]]

    return levels(
        tree,
        best,
        first=width,
        parallel=parallel,
        depth=depth,
        lookahead=lookahead,
        distinct=distinct,
        budget=budget,
    )


def dvts(
    tree: Tree,
    *,
    n: int,
    width: int,
    parallel: int = 1,
    depth: int = 16,
    lookahead: int = 0,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """Diverse verifier tree search (Beeching et al. 2024; arXiv 2502.06703): `n` / `width` independent subtrees.

    The first `n` steps are dealt out to the subtrees in their order, `width` to each. Each then goes on with the best
    of its steps by `width` more, until that is an answer. Every answer on the way counts in the end.
    """
    home: dict[int, int] = {}

    def best_of_each(tree: Tree, found: Sequence[int]) -> list[tuple[int, int]]:
        subtrees: dict[int, list[int]] = {}
        for place, node in enumerate(found):
            above = (home[each.id] for each in tree.up(node)[1:] if each.id in home)
            home[node] = next(above, place // width)
            subtrees.setdefault(home[node], []).append(node)
        return [(max(nodes, key=lambda node: value(tree, node)), width) for nodes in subtrees.values()]

    return levels(
        tree,
        best_of_each,
        first=n,
        parallel=parallel,
        depth=depth,
        lookahead=lookahead,
        apart=True,
        distinct=distinct,
        budget=budget,
    )


def value(tree: Tree, node: int) -> float:
    """What the evaluator said of `node`; 0 where it said nothing."""
    return tree[node].judged or 0.0
