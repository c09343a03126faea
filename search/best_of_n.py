"""Best of N: independent lines of reasoning, each judged at its end; votes; revisions; and steps taken back."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.tree import Tree


def best_of_n(
    tree: Tree,
    *,
    n: int,
    parallel: int = 1,
    depth: int = 16,
    temperature: float | None = None,
    judged: Literal["answers", "steps", "nothing"] = "answers",
    decided: Callable[[Tree], bool] | None = None,
    revisions: int = 0,
    backtracks: int = 0,
    certainty: float = 0.0,
    budget: Budget | None = None,
) -> Search:
    """Grow `n` lines from the root, equal ones kept apart, each to an answer or `depth` steps; judge what is `judged`.

    Lines for which the budget has no room begin when those before them have ended, with what these have left of it. A
    line that gets no legal next step, or steps back, ends there. `n` = 1 at `temperature` 0 is greedy decoding. With
    `decided` lines begin one by one, up to `parallel` beside each other, and the search ends as soon as it says so
    (adaptive self-consistency, arXiv 2305.11860). With `revisions` a line goes on from its answer, or its step back, as
    often as that, each time to another one (arXiv 2408.03314). With `backtracks` this is Self-Backtracking (arXiv
    2502.04404): when all lines have ended, up to √n of those that stepped back are taken back by one step and share `n`
    new lines. A step back that the model gave no more than `certainty` ends its line, and is not noted.
    """
    budget = budget or Budget()
    waiting: deque[Expand] = deque([Expand(0, 1, temperature)] * n if decided else [Expand(0, n, temperature)])
    later: deque[Expand] = deque()
    outstanding: deque[tuple[Request, int]] = deque()
    fresh: list[Request] = []
    wrong: list[int] = []
    while not (decided and decided(tree)):
        if backtracks and not (waiting or later or outstanding):
            backtracks -= 1
            waiting.extend(_rolled_back(tree, wrong, n, temperature))
            wrong = []
        while len(outstanding) < parallel and (begun := _begin(waiting or later, later, budget, not outstanding)):
            fresh.append(begun)
            outstanding.append((begun, begun.width))
        if not outstanding:
            break
        reply = yield tuple(fresh)
        fresh.clear()
        request, width = outstanding.popleft()
        if isinstance(request, Expand) and isinstance(reply, Expansion):
            added = _extend(tree, request, reply, certainty)
            answers = [node for node in added if tree[node].status == "terminal"]
            lines = [node for node in added if tree[node].status == "open" and _steps(tree, node) < depth]
            ended = [node for node in added if tree[node].status != "open"]
            lines += [node for node in ended if _attempts(tree, node) <= revisions]
            going = [Expand(line, 1, temperature) for line in lines]
            waiting = deque([*going, *waiting] if decided else [*waiting, *going])
            if any(tree[node].step.action == "backtrack" for node in added):
                wrong.append(request.node)
            steps = [node for node in added if tree[node].status != "dead"]
            asked_of = {"answers": answers, "steps": steps, "nothing": []}[judged]
            budget.settle(width - len(asked_of), reply.tokens)
            if asked_of:
                fresh.append(Evaluate(tuple(asked_of)))
                outstanding.append((fresh[-1], len(asked_of)))
        elif isinstance(request, Evaluate) and isinstance(reply, Evaluation):
            judge(tree, request.nodes, reply)
            credit(tree, [node for node in request.nodes if tree[node].status == "terminal"], mean)
            budget.settle(width, reply.tokens)
    return tree


def _begin(waiting: deque[Expand], later: deque[Expand], budget: Budget, alone: bool) -> Expand | None:
    """The first that waits, as wide as the budget has room for now; what it has none for begins `later`."""
    width = budget.reserve(waiting[0].width, alone) if waiting else 0
    if not width:
        return None
    asked = waiting.popleft()
    if width < asked.width:
        later.append(replace(asked, width=asked.width - width))
    return replace(asked, width=width)


def _extend(tree: Tree, request: Expand, reply: Expansion, certainty: float) -> list[int]:
    """Add the steps that came, but for steps back that are not certain; their nodes."""
    tree[request.node].expansions += 1
    tree[request.node].recalled += reply.recalled
    steps = (each for each in reply.steps if each.action != "backtrack" or math.exp(each.logprob or 0.0) > certainty)
    return [tree.add(request.node, step) for step in steps]


def _steps(tree: Tree, node: int) -> int:
    """The steps to `node` since the attempt before, or the root."""
    start = next((each for each in tree.up(node)[1:] if each.status != "open"), tree[0])
    return tree[node].depth - start.depth


def _attempts(tree: Tree, node: int) -> int:
    """How many attempts, which end in an answer or a step back, the path to `node` holds."""
    return sum(each.status != "open" for each in tree.up(node))


def _rolled_back(tree: Tree, wrong: Sequence[int], n: int, temperature: float | None) -> Iterator[Expand]:
    """`n` new lines from before the last steps of up to √n of the `wrong` nodes."""
    states = [parent for node in wrong if (parent := tree[node].parent) is not None][: max(1, math.isqrt(n))]
    for place, state in enumerate(states):
        width = n // len(states) + (place < n % len(states))
        if width:
            yield Expand(state, width, temperature)
