"""Test-time preference optimisation: what sets the best answer apart from the worst becomes advice for new ones."""

from collections.abc import Generator, Sequence

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Reply, Request, Search
from search.tree import Tree


def tpo(tree: Tree, *, n: int = 5, rounds: int = 2, budget: Budget | None = None) -> Search:
    """TPO (arXiv 2501.12895): `n` answers, then `rounds` of loss, gradient and `n` better ones, all of them judged.

    Of all answers so far the best is the chosen one and the worst the rejected one. The loss says in words why the
    chosen one is better, the gradient makes advice of that, which new answers follow. Each round starts at the root, so
    that its prompts hold the problem and two answers however many rounds went before. A round that lacks two different
    answers, or gets no new words, is the last.
    """
    budget = budget or Budget()
    yield from _answers(tree, Expand(0, n, move="draft"), budget)
    for _ in range(rounds):
        pair = preferred(tree)
        if pair is None:
            break
        loss = yield from _words(tree, Expand(0, 1, move="loss", about=pair), budget)
        gradient = (yield from _words(tree, Expand(loss, 1, move="gradient"), budget)) if loss else None
        if not gradient:
            break
        yield from _answers(tree, Expand(gradient, n, move="improve"), budget)
    return tree


def preferred(tree: Tree) -> tuple[int, int] | None:
    """The best and the worst of the judged answers, of equal ones the first each; None without two different ones."""
    values = {node.id: node.judged for node in tree.terminals() if node.judged is not None}
    best = max(values, key=values.__getitem__, default=0)
    others = [node for node in values if tree[node].step.text != tree[best].step.text]
    return (best, min(others, key=values.__getitem__)) if others else None


def _words(tree: Tree, request: Expand, budget: Budget) -> Generator[Sequence[Request], Reply, int | None]:
    """Ask for one text that is no answer; its node, None where nothing new came or the budget is spent."""
    if not budget.reserve(1, alone=True):
        return None
    reply = yield (request,)
    budget.settle(1, reply.tokens)
    return next(iter(_added(tree, request, reply)), None)


def _answers(tree: Tree, request: Expand, budget: Budget) -> Generator[Sequence[Request], Reply, None]:
    """Ask for answers, as many as the budget pays for, and have the new ones judged."""
    width = budget.reserve(request.width, alone=True)
    if not width:
        return
    reply = yield (Expand(request.node, width, move=request.move),)
    tokens, nodes = reply.tokens, _added(tree, request, reply)
    if nodes:
        verdict = yield (Evaluate(tuple(nodes)),)
        assert isinstance(verdict, Evaluation)
        judge(tree, nodes, verdict)
        credit(tree, nodes, mean)
        tokens += verdict.tokens
    budget.settle(width, tokens)


def _added(tree: Tree, request: Expand, reply: Reply) -> list[int]:
    assert isinstance(reply, Expansion)
    tree[request.node].expansions += 1
    return grow(tree, request.node, reply)
