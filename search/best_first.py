"""Best-first search: the best judged state anywhere in the tree is expanded next."""

import heapq
from collections import deque

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.tree import Tree


def best_first(
    tree: Tree,
    *,
    simulations: int,
    width: int = 4,
    parallel: int = 1,
    depth: int = 16,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """Expand the open state of the highest judged value, of equal ones the oldest, by `width` steps and judge these.

    At most `simulations` times, each state once, `parallel` at a time.
    """
    budget = budget or Budget()
    frontier: list[tuple[float, int]] = [(0.0, 0)]
    outstanding: deque[tuple[Request, int, int]] = deque()
    fresh: list[Request] = []
    while True:
        while frontier and simulations and len(outstanding) < parallel:
            granted = budget.reserve(width, alone=not outstanding)
            if not granted:
                break
            fresh.append(Expand(heapq.heappop(frontier)[1], granted, distinct=distinct))
            outstanding.append((fresh[-1], granted, 0))
            simulations -= 1
        if not outstanding:
            return tree
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
        elif isinstance(request, Evaluate) and isinstance(reply, Evaluation):
            judge(tree, request.nodes, reply)
            credit(tree, request.nodes, mean)
            for node in request.nodes:
                if tree[node].status == "open" and tree[node].depth < depth:
                    heapq.heappush(frontier, (-(tree[node].judged or 0.0), node))
        budget.settle(granted, tokens)
