"""Adaptive branching: at every state, Thompson sampling says whether to go wider or deeper."""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.tree import Tree

Posterior = Callable[[random.Random, Sequence[float]], float]
"""(lot, scores seen) -> a draw of what the next score may be."""


def gaussian(lot: random.Random, scores: Sequence[float]) -> float:
    """A draw of the mean under a normal-inverse-χ² prior of mean 0, κ 1, ν 1 and τ² 0.1 (AB-MCTS-A's own numbers)."""
    mean0, kappa0, nu0, tau0 = 0.0, 1.0, 1.0, 0.1
    count, total = len(scores), sum(scores)
    average = total / count if count else 0.0
    kappa, nu = kappa0 + count, nu0 + count
    spread = sum((score - average) ** 2 for score in scores)
    scale = nu0 * tau0 + spread + count * kappa0 / kappa * (mean0 - average) ** 2
    variance = scale / lot.gammavariate(nu / 2, 2)
    return lot.gauss((kappa0 * mean0 + total) / kappa, (variance / kappa) ** 0.5)


def beta(lot: random.Random, scores: Sequence[float]) -> float:
    """A draw of the mean under a Beta(½, ½) prior, each score as so much of a success."""
    total = sum(scores)
    return lot.betavariate(0.5 + total, 0.5 + len(scores) - total)


POSTERIORS: dict[str, Posterior] = {"gaussian": gaussian, "beta": beta}


class Scores:
    """The scores that each state has seen: of its own new steps, of what lies deeper, of all of its subtree.

    Of `arms`, which are the models, those of the steps that each has made anywhere.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.wider: defaultdict[int, list[float]] = defaultdict(list)
        self.deeper: defaultdict[int, list[float]] = defaultdict(list)
        self.within: defaultdict[int, list[float]] = defaultdict(list)
        self.arms: defaultdict[int, list[float]] = defaultdict(list)

    def see(self, parent: int, score: float, arm: int, child: int | None = None) -> None:
        """A new step of `parent` by `arm`, the node `child` where it became one, has `score`."""
        self.wider[parent].append(score)
        self.arms[arm].append(score)
        for each in self._tree.up(parent)[1:]:
            self.deeper[each.id].append(score)
        for each in self._tree.up(parent if child is None else child):
            self.within[each.id].append(score)


def ab_mcts(
    tree: Tree,
    *,
    simulations: int,
    posterior: Literal["gaussian", "beta"] = "gaussian",
    seed: int = 0,
    parallel: int = 1,
    depth: int = 16,
    patience: int = 64,
    models: int = 1,
    budget: Budget | None = None,
) -> Search:
    """AB-MCTS-A (arXiv 2503.04412): from the root on, draw what one more step here may be worth, and what going deeper.

    Where wider wins, the state gets one new step; else the child follows whose subtree's draw is the highest. A new
    step's score is seen by its state's "wider", by every ancestor's "deeper", and by all subtrees it lies in. An
    expansion that brings nothing new scores 0; after `patience` of these in a row the search ends.
    Of several `models` the one with the highest draw makes the step; an arm's scores are those of all of its steps,
    wherever they are, where the paper keeps them by state: a budget of a laptop gives a state few.
    """
    budget, scores = budget or Budget(), Scores(tree)
    draw = partial(POSTERIORS[posterior], random.Random(seed))
    outstanding: deque[tuple[Request, int, int, int]] = deque()
    fresh: list[Request] = []
    barren = 0
    while True:
        while simulations and barren < patience and len(outstanding) < parallel:
            if not budget.reserve(1, alone=not outstanding):
                break
            node = follow(tree, scores, draw, depth)
            arm = _best(range(models), lambda model: draw(scores.arms[model]))
            fresh.append(Expand(node, 1, model=arm))
            outstanding.append((fresh[-1], node, arm, 0))
            simulations -= 1
        if not outstanding:
            return tree
        reply = yield tuple(fresh)
        fresh.clear()
        request, node, arm, tokens = outstanding.popleft()
        tokens += reply.tokens
        if isinstance(request, Evaluate) and isinstance(reply, Evaluation):
            judge(tree, request.nodes, reply)
            credit(tree, request.nodes, mean)
            for child in request.nodes:
                scores.see(node, tree[child].judged or 0.0, arm, child)
        elif isinstance(reply, Expansion):
            tree[node].expansions += 1
            children = grow(tree, node, reply)
            barren = 0 if children else barren + 1
            if children:
                fresh.append(Evaluate(tuple(children)))
                outstanding.append((fresh[-1], node, arm, tokens))
                continue
            scores.see(node, 0.0, arm)
        budget.settle(1, tokens)


def follow(tree: Tree, scores: Scores, draw: Callable[[Sequence[float]], float], depth: int) -> int:
    """The state that gets the next step."""
    node = 0
    while children := [each for each in tree[node].children if _goes_on(tree, each, depth)]:
        if draw(scores.wider[node]) >= draw(scores.deeper[node]):
            break
        node = _best(children, lambda child: draw(scores.within[child]))
    return node


def _best(choices: Sequence[int], draw: Callable[[int], float]) -> int:
    """The choice of the highest draw; of one choice none is made."""
    draws = {each: draw(each) for each in choices} if len(choices) > 1 else dict.fromkeys(choices, 0.0)
    return max(draws, key=draws.__getitem__)


def _goes_on(tree: Tree, node: int, depth: int) -> bool:
    """Whether `node` has been judged and may be expanded."""
    return tree[node].status == "open" and tree[node].depth < depth and tree[node].judged is not None
