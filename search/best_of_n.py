"""Best of N: independent lines of reasoning, each judged at its end; and Self-Backtracking, which takes steps back."""

import math
from collections import deque
from collections.abc import Iterator, Sequence

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, judge
from search.requests import Evaluate, Expand, Expansion, Request, Search
from search.tree import Tree


def best_of_n(
    tree: Tree,
    *,
    n: int,
    parallel: int = 1,
    depth: int = 16,
    temperature: float | None = None,
    judged: bool = True,
    backtracks: int = 0,
    budget: Budget | None = None,
) -> Search:
    """Grow `n` lines from the root, equal ones kept apart, each to an answer or `depth` steps; judge the answers.

    A line that gets no legal next step, or steps back, ends there. `n` = 1 at `temperature` 0 is greedy decoding.
    Without `judged` nobody is asked what the answers are worth, for a vote. With `backtracks` this is Self-Backtracking
    (arXiv 2502.04404): when all lines have ended, up to √n of those that stepped back are taken back by one step and
    share `n` new lines; and so on, as often as that.
    """
    budget = budget or Budget()
    waiting: deque[Expand] = deque([Expand(0, n, temperature)])
    outstanding: deque[tuple[Request, int]] = deque()
    fresh: list[Request] = []
    wrong: list[int] = []
    while True:
        if backtracks and not waiting and not outstanding:
            backtracks -= 1
            waiting.extend(_rolled_back(tree, wrong, n, temperature))
            wrong = []
        while waiting and len(outstanding) < parallel:
            width = budget.reserve(waiting[0].width, alone=not outstanding)
            if not width:
                break
            fresh.append(Expand(waiting.popleft().node, width, temperature))
            outstanding.append((fresh[-1], width))
        if not outstanding:
            return tree
        reply = yield tuple(fresh)
        fresh.clear()
        request, width = outstanding.popleft()
        if isinstance(request, Expand) and isinstance(reply, Expansion):
            lines, answers = _extend(tree, request, reply, depth)
            waiting.extend(Expand(line, 1, temperature) for line in lines)
            if any(step.action == "backtrack" for step in reply.steps):
                wrong.append(request.node)
            answers = answers if judged else []
            budget.settle(width - len(answers), reply.tokens)
            if answers:
                fresh.append(Evaluate(tuple(answers)))
                outstanding.append((fresh[-1], len(answers)))
        elif isinstance(request, Evaluate) and not isinstance(reply, Expansion):
            judge(tree, request.nodes, reply)
            credit(tree, request.nodes, mean)
            budget.settle(width, reply.tokens)


def _extend(tree: Tree, request: Expand, reply: Expansion, depth: int) -> tuple[list[int], list[int]]:
    """Add the steps that came: the new nodes whose lines go on, and those that are answers."""
    tree[request.node].expansions += 1
    tree[request.node].recalled += reply.recalled
    added = [tree[tree.add(request.node, step)] for step in reply.steps]
    lines = [node.id for node in added if node.status == "open" and node.depth < depth]
    return lines, [node.id for node in added if node.status == "terminal"]


def _rolled_back(tree: Tree, wrong: Sequence[int], n: int, temperature: float | None) -> Iterator[Expand]:
    """`n` new lines from before the last steps of up to √n of the `wrong` nodes."""
    states = [parent for node in wrong if (parent := tree[node].parent) is not None][: max(1, math.isqrt(n))]
    for place, state in enumerate(states):
        width = n // len(states) + (place < n % len(states))
        if width:
            yield Expand(state, width, temperature)
