"""Best of N: independent lines of reasoning, judged at their ends."""

from collections import deque

from search.backup import mean
from search.mcts import judge
from search.requests import Evaluate, Expand, Expansion, Request, Search
from search.tree import Tree


def best_of_n(tree: Tree, *, n: int, parallel: int = 1, depth: int = 16, temperature: float | None = None) -> Search:
    """Grow `n` lines from the root, equal ones kept apart, each to an answer or `depth` steps; then judge the answers.

    A line that gets no legal next step, or steps back, ends there. `n` = 1 at `temperature` 0 is greedy decoding.
    """
    waiting: deque[Request] = deque([Expand(0, n, temperature)])
    outstanding: deque[Request] = deque()
    fresh: list[Request] = []
    while True:
        while waiting and len(outstanding) < parallel:
            outstanding.append(waiting.popleft())
            fresh.append(outstanding[-1])
        if not outstanding:
            return tree
        reply = yield tuple(fresh)
        fresh.clear()
        request = outstanding.popleft()
        if isinstance(request, Expand) and isinstance(reply, Expansion):
            tree[request.node].expansions += 1
            tree[request.node].recalled += reply.recalled
            for step in reply.steps:
                child = tree.add(request.node, step)
                if tree[child].status == "open" and tree[child].depth < depth:
                    waiting.append(Expand(child, 1, temperature))
            if not waiting and not outstanding and (answers := tree.terminals()):
                waiting.append(Evaluate(tuple(node.id for node in answers)))
        elif isinstance(request, Evaluate) and not isinstance(reply, Expansion):
            judge(tree, request.nodes, reply, mean)
