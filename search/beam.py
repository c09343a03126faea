"""Beam search over steps: level by level, the best judged states go on."""

from collections import deque
from collections.abc import Sequence

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Expand, Expansion, Request, Search
from search.tree import Tree


def beam(
    tree: Tree,
    *,
    keep: int,
    width: int,
    parallel: int = 1,
    depth: int = 16,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """On each level, expand the `keep` best judged open states above `depth` by `width` steps and judge these.

    Equal steps after one state are merged, with `distinct` they are not drawn at all. A state that the model steps back
    from is dropped.
    """
    budget = budget or Budget()
    states = [0]
    while states:
        found: list[int] = []
        waiting = deque(states)
        outstanding: deque[tuple[Request, int, int]] = deque()
        fresh: list[Request] = []
        while True:
            while waiting and len(outstanding) < parallel:
                granted = budget.reserve(width, alone=not outstanding)
                if not granted:
                    break
                fresh.append(Expand(waiting.popleft(), granted, distinct=distinct))
                outstanding.append((fresh[-1], granted, 0))
            if not outstanding:
                break
            reply = yield tuple(fresh)
            fresh.clear()
            request, granted, tokens = outstanding.popleft()
            tokens += reply.tokens
            if isinstance(request, Expand) and isinstance(reply, Expansion):
                tree[request.node].expansions += 1
                if children := grow(tree, request.node, reply):
                    fresh.append(Evaluate(tuple(children)))
                    outstanding.append((fresh[-1], granted, tokens))
                    continue
            elif isinstance(request, Evaluate) and not isinstance(reply, Expansion):
                judge(tree, request.nodes, reply)
                credit(tree, request.nodes, mean)
                found += request.nodes
            budget.settle(granted, tokens)
        states = best(tree, [node for node in found if tree[node].depth < depth], keep)
    return tree


def best(tree: Tree, nodes: Sequence[int], keep: int) -> list[int]:
    """The `keep` open nodes of the highest judged values, best first; of equal ones the older."""
    going = [node for node in nodes if tree[node].status == "open"]
    return sorted(going, key=lambda node: -(tree[node].judged or 0.0))[:keep]
