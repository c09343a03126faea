"""rStar: five kinds of step searched by UCT for the answer that comes most often, and mutual consistency at the end."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from search.backup import mean
from search.budget import Budget
from search.requests import Expand, Expansion, Reply, Request, Search
from search.selection import uct
from search.tree import Node, Tree

THOUGHT, FINISH, SUBQUESTION, REANSWER, REPHRASE = "", "finish", "subquestion", "reanswer", "rephrase"
"""A1 the next step, A2 all remaining steps and the answer, A3 the next sub-question and its answer, A4 another answer
to the last sub-question, A5 the question in other words: the moves of an `Expand`, of which A1 is none."""

ROOT = "root"
AFTER: Mapping[str, tuple[str, ...]] = {
    ROOT: (THOUGHT, FINISH, SUBQUESTION, REPHRASE),
    THOUGHT: (THOUGHT, FINISH, SUBQUESTION),
    SUBQUESTION: (THOUGHT, FINISH, SUBQUESTION, REANSWER),
    REANSWER: (THOUGHT, FINISH, SUBQUESTION),
    REPHRASE: (THOUGHT, FINISH, SUBQUESTION),
}
"""Which actions may follow which (arXiv 2408.06195): A4 only A3, A5 only the root; A2 ends the path."""

LEAST, MOST = 0.2, 0.8
"""Between which shares of its steps a trajectory is cut for a check."""
KEPT = 0.5
"""The least share of agreement with which a trajectory is kept."""
SPARED = 1 / 3
"""The most of all tokens that roll-outs leave to the checks."""

Asking = Generator[Sequence[Request], Reply, list[tuple[Expand, list[int]]]]
"""Yields requests as a search does; in the end those that were made, with the nodes that came."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What all roll-outs share; `tried` are the actions that were tried at a node."""

    tree: Tree
    key: Callable[[int], str]
    lot: Random
    depth: int
    parallel: int
    checks: int
    checker: int
    budget: Budget
    tried: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))


def rstar(
    tree: Tree,
    *,
    key: Callable[[int], str],
    simulations: int = 16,
    parallel: int = 1,
    exploration: float = 2.0,
    depth: int = 5,
    checks: int = 4,
    seed: int = 0,
    models: int = 1,
    budget: Budget | None = None,
) -> Search:
    """rStar (arXiv 2408.06195): `simulations` roll-outs to `depth` steps, and `checks` completions of what they found.

    A roll-out follows UCT to a node that lacks actions, gives it one child for each, and goes on from one of them by
    actions drawn at random, to an answer or the last level. An answer's reward is its share among the answers found so
    far, where `key` says which nodes hold equal ones; a roll-out without one is worth 0.
    Mutual consistency: of every distinct answer the line of the highest value (of equal ones the most visited, then the
    oldest) is cut after 20 to 80 % of its steps and completed anew from there. It is kept where at least half of the
    completions reach the same answer; where none is, all stay. The end of a line that stays is judged by reward times
    agreement, or by the reward where nobody agrees; that of one that does not by 0; other answers are not judged.
    The checks are made by the second of two `models`, as in the paper, or by a second sampling of the only one.
    With a budget roll-outs leave to the checks what these may cost, up to a third of all tokens. Up to `parallel`
    requests for the same node, or checks, are out beside each other; how many changes no result.
    """
    hunt = Hunt(tree, cache(key), Random(seed), depth, parallel, checks, models - 1, budget or Budget())
    ended = False
    for _ in range(simulations):
        node = yield from _roll_out(hunt, follow(hunt, exploration))
        share(tree, hunt.key)
        if ended := hunt.budget.refused:
            break
        mean(tree, node, tree[node].judged or 0.0)
    lines = best_lines(tree, hunt.key)
    asked = [Expand(cut(tree, line, hunt.lot), checks, move=FINISH, model=hunt.checker) for line in lines]
    checked = yield from _ask(hunt, asked, 0)
    settle(tree, lines, [agreement(hunt, line, *each) for line, each in zip(lines, checked, strict=False)])
    hunt.budget.refused |= ended
    return tree


def offered(tree: Tree, node: int, depth: int) -> tuple[str, ...]:
    """The actions that may follow `node`: none after an answer, a step back or the last level."""
    each = tree[node]
    if each.status != "open" or each.depth >= depth:
        return ()
    return AFTER[ROOT if each.parent is None else each.step.move]


def follow(hunt: Hunt, exploration: float) -> int:
    """The node that UCT leads to: it ends its path, or lacks actions or children."""
    tree, node = hunt.tree, 0
    while (actions := offered(tree, node, hunt.depth)) and hunt.tried[node].issuperset(actions):
        children = [tree[child] for child in tree[node].children if tree[child].status != "dead"]
        visits = tree[node].visits
        scores = {each.id: uct(each.value, each.visits, each.prior, visits, exploration) for each in children}
        if not scores:
            break
        node = max(scores, key=scores.__getitem__)
    return node


def _roll_out(hunt: Hunt, node: int) -> Generator[Sequence[Request], Reply, int]:
    """Try the actions that `node` lacks, and go on by one at a time; the node where that ends."""
    tree, lot = hunt.tree, hunt.lot
    actions = [each for each in offered(tree, node, hunt.depth) if each not in hunt.tried[node]]
    while actions:
        asked = [Expand(node, 1, move=action) for action in actions]
        replies = yield from _ask(hunt, asked, _held(hunt))
        hunt.tried[node].update(request.move for request, _ in replies)
        children = [child for _, nodes in replies for child in nodes if tree[child].status != "dead"]
        if hunt.budget.refused or not children:
            break
        node = lot.choice(children)
        later = offered(tree, node, hunt.depth)
        actions = [lot.choice(later)] if later else []
    return node


def _held(hunt: Hunt) -> int:
    """For how many steps of the checks a roll-out leaves room."""
    if hunt.budget.tokens is None:
        return 0
    answers = len({hunt.key(node.id) for node in hunt.tree.terminals()})
    return min(hunt.checks * answers, int(hunt.budget.tokens * SPARED) // max(1, hunt.budget.cost))


def _ask(hunt: Hunt, requests: Sequence[Expand], held: int) -> Asking:
    """Make the requests in their order, while there is room for them and for `held` steps more."""
    tree, budget = hunt.tree, hunt.budget
    waiting, outstanding = deque(requests), deque[Expand]()
    fresh: list[Request] = []
    done: list[tuple[Expand, list[int]]] = []
    while True:
        while waiting and len(outstanding) < hunt.parallel:
            width = _reserve(budget, waiting[0].width, held, alone=not outstanding)
            if not width:
                break
            outstanding.append(replace(waiting.popleft(), width=width))
            fresh.append(outstanding[-1])
        if not outstanding:
            return done
        reply = yield tuple(fresh)
        fresh.clear()
        request = outstanding.popleft()
        budget.settle(request.width, reply.tokens)
        if isinstance(reply, Expansion):
            node = tree[request.node]
            node.expansions += 1
            node.recalled += tuple(fact for fact in reply.recalled if fact not in node.recalled)
            done.append((request, [tree.add(node.id, step) for step in reply.steps]))


def _reserve(budget: Budget, width: int, held: int, alone: bool) -> int:
    """For how many of `width` steps there is room beside `held` others; that much is held back."""
    room = budget.reserve(width + held, alone)
    granted = max(0, room - held)
    budget.settle(room - granted, 0)
    budget.refused = alone and not granted
    return granted


def share(tree: Tree, key: Callable[[int], str]) -> None:
    """Judge every answer by its share among all that were found."""
    votes = Counter(key(node.id) for node in tree.terminals())
    for node in tree.terminals():
        node.judged = votes[key(node.id)] / votes.total()


def best_lines(tree: Tree, key: Callable[[int], str]) -> list[int]:
    """Where the best line to each distinct answer ends, the answers with the highest rewards first."""
    best: dict[str, Node] = {}
    for node in tree.terminals():
        known = best.setdefault(key(node.id), node)
        if (node.value, node.visits) > (known.value, known.visits):
            best[key(node.id)] = node
    return [node.id for node in sorted(best.values(), key=lambda node: -(node.judged or 0.0))]


def cut(tree: Tree, node: int, lot: Random) -> int:
    """The node after 20 to 80 % of the steps to `node`, drawn from `lot`; the root where that is less than one step."""
    path = tree.path(node)
    kept = int(lot.uniform(LEAST, MOST) * len(path))
    return path[kept - 1].id if kept else 0


def agreement(hunt: Hunt, line: int, request: Expand, nodes: Sequence[int]) -> float:
    """The share of the completions asked for that reach the answer at `line`."""
    return sum(hunt.key(node) == hunt.key(line) for node in nodes) / request.width


def settle(tree: Tree, lines: Sequence[int], agreements: Sequence[float]) -> None:
    """Judge the answers at the ends of `lines`, the first of which were checked, and take the judgement off others."""
    rewards = {line: tree[line].judged or 0.0 for line in lines}
    agreed = dict(zip(lines, agreements, strict=False))
    kept = {line for line in agreed if agreed[line] >= KEPT} or set(lines)
    for node in tree.terminals():
        node.judged = None
    for line, reward in rewards.items():
        weight = agreed.get(line, 0.0) if any(agreements) else 1.0
        tree[line].judged = reward * weight if line in kept else 0.0
        tree[line].parts = {"consistency": reward} | ({"agreement": agreed[line]} if line in agreed else {})
