"""Best-first search: the best judged state anywhere in the tree is expanded next."""

import heapq
from collections import deque
from collections.abc import Iterator

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
        fresh += _take_up_added(tree, budget, outstanding)
        while _live(tree, frontier) and simulations and len(outstanding) < parallel:
            granted = budget.reserve(width, alone=not outstanding)
            if not granted:
                break
            fresh.append(Expand(_best(tree, frontier), granted, distinct=distinct))
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


def _take_up_added(tree: Tree, budget: Budget, outstanding: deque[tuple[Request, int, int]]) -> Iterator[Request]:
    """Ask what the nodes are worth that a person added."""
    while tree.added and budget.reserve(1, alone=not outstanding):
        outstanding.append((Evaluate((tree.added.pop(0),)), 1, 0))
        yield outstanding[-1][0]


def _live(tree: Tree, frontier: list[tuple[float, int]]) -> bool:
    """Whether a state is left on the heap, once those at its top are dropped that a person has closed."""
    while frontier and tree[frontier[0][1]].status == "dead":
        heapq.heappop(frontier)
    return bool(frontier)


def _best(tree: Tree, frontier: list[tuple[float, int]]) -> int:
    """Take the best state off the heap, the best below what is pinned if there is one."""
    open_ = (each for each in frontier if tree[each[1]].status == "open")
    below = [] if tree.pinned is None else [each for each in open_ if tree.within(each[1], tree.pinned)]
    if not below:
        return heapq.heappop(frontier)[1]
    best = min(below)
    frontier.remove(best)
    heapq.heapify(frontier)
    return best[1]
