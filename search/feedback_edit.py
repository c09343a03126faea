"""Drafts, feedback on each, and edits that follow it."""

from collections import deque

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.tree import Tree

NEXT = {"draft": "feedback", "feedback": "edit"}
"""The move that follows a move."""


def feedback_edit(
    tree: Tree,
    *,
    n: int = 4,
    feedbacks: int = 2,
    edits: int = 2,
    parallel: int = 1,
    models: int = 1,
    budget: Budget | None = None,
) -> Search:
    """Feedback and edit (arXiv 2503.04378): `n` drafts, `feedbacks` on each, and `edits` by each; answers are judged.

    In the paper a model each, trained for it, drafts, gives feedback and edits. Of `models` the first drafts, the
    second gives feedback, the third edits; of two the first edits too, and one does it all. Up to `parallel` requests
    are out at once. What follows a draft comes before the next draft's, so that a budget that ends early leaves some
    drafts whole.
    """
    budget = budget or Budget()
    who = {"draft": 0, "feedback": min(1, models - 1), "edit": 2 if models > 2 else 0}
    widths = {"feedback": feedbacks, "edit": edits}
    waiting: deque[Expand] = deque([Expand(0, n, move="draft")])
    outstanding: deque[tuple[Request, int]] = deque()
    fresh: list[Request] = []
    while True:
        while waiting and len(outstanding) < parallel:
            width = budget.reserve(waiting[0].width, alone=not outstanding)
            if not width:
                break
            first = waiting.popleft()
            fresh.append(Expand(first.node, width, move=first.move, model=who[first.move]))
            outstanding.append((fresh[-1], width))
        if not outstanding:
            return tree
        reply = yield tuple(fresh)
        fresh.clear()
        request, width = outstanding.popleft()
        if isinstance(request, Evaluate) and isinstance(reply, Evaluation):
            judge(tree, request.nodes, reply)
            credit(tree, request.nodes, mean)
            budget.settle(width, reply.tokens)
        elif isinstance(request, Expand) and isinstance(reply, Expansion):
            tree[request.node].expansions += 1
            added = grow(tree, request.node, reply)
            judged = [node for node in added if tree[node].status == "terminal"]
            budget.settle(width - len(judged), reply.tokens)
            if judged:
                fresh.append(Evaluate(tuple(judged)))
                outstanding.append((fresh[-1], len(judged)))
            if move := NEXT.get(request.move):
                waiting.extendleft(Expand(node, widths[move], move=move) for node in reversed(added))
