"""What searches share that go on level by level: expand states, judge their steps, and let a rule say who goes on."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from search.backup import mean
from search.budget import Budget
from search.mcts import credit, grow, judge
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.tree import Tree

Allot = Callable[[Tree, Sequence[int]], Sequence[tuple[int, int]]]
"""(tree, the nodes that were judged on this level) -> who goes on, and by how many steps."""


@dataclass(slots=True)
class Work:
    """The expansion of one state: its `children`, where a look ahead of `left` more steps from each of them `ends`."""

    granted: int
    left: int
    tokens: int = 0
    out: int = 1
    judged: bool = False
    children: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def levels(
    tree: Tree,
    allot: Allot,
    *,
    first: int,
    parallel: int = 1,
    depth: int = 16,
    lookahead: int = 0,
    apart: bool = False,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """Expand the root by `first` steps, judge them, and go on with those open ones above `depth` that `allot` names.

    Equal steps after one state are merged, unless they are kept `apart`; with `distinct` they are not drawn at all.
    With a `lookahead` of k a step is worth what the model's likeliest k steps after it (temperature 0) end in.
    Judged children that an earlier search has left count among the steps of their state. Steps that a person adds count
    on the level at work; where something lies below what is pinned, only that goes on.
    """
    budget = budget or Budget()
    known = _judged_children(tree, apart)
    states: Sequence[tuple[int, int]] = [(0, first)]
    while states:
        found = [child for node, _ in states for child in known.get(node, ())]
        wanted = ((node, width - len(known.get(node, ()))) for node, width in states)
        waiting = deque((node, width) for node, width in wanted if width > 0)
        outstanding: deque[tuple[Request, Work]] = deque()
        fresh: list[Request] = []
        while True:
            fresh += _take_up_added(tree, budget, lookahead, outstanding)
            while waiting and len(outstanding) < parallel:
                granted = _reserve(budget, waiting[0][1], 1 + lookahead, alone=not outstanding)
                if not granted:
                    break
                fresh.append(Expand(waiting.popleft()[0], granted, distinct=distinct))
                outstanding.append((fresh[-1], Work(granted, lookahead)))
            if not outstanding:
                break
            reply = yield tuple(fresh)
            fresh.clear()
            request, work = outstanding.popleft()
            work.tokens += reply.tokens
            work.out -= 1
            if isinstance(request, Expand) and isinstance(reply, Expansion):
                _take(tree, work, request.node, reply, apart)
            elif isinstance(reply, Evaluation):
                _judge(tree, work, reply)
                found += work.children
            if work.out:
                continue
            asked = [] if work.judged else _next(tree, work, depth)
            work.out = len(asked)
            fresh += asked
            outstanding.extend((each, work) for each in asked)
            if not asked:
                budget.settle(work.granted * (1 + lookahead), work.tokens)
        going = allot(tree, _live(tree, found))
        states = [(node, width) for node, width in going if tree[node].status == "open" and tree[node].depth < depth]
    return tree


def _take_up_added(
    tree: Tree, budget: Budget, lookahead: int, outstanding: deque[tuple[Request, Work]]
) -> Iterator[Request]:
    """Ask what the nodes are worth that a person added, without a look ahead."""
    while tree.added and _reserve(budget, 1, 1 + lookahead, alone=not outstanding):
        node = tree.added.pop(0)
        outstanding.append((Evaluate((node,)), Work(1, 0, children=[node], ends=[node])))
        yield outstanding[-1][0]


def _live(tree: Tree, found: Sequence[int]) -> list[int]:
    """Those of `found` that no one has closed; where some lie below what is pinned, only these."""
    live = [node for node in found if tree[node].status != "dead"]
    return [node for node in live if tree.within(node, tree.pinned)] or live


def _judged_children(tree: Tree, apart: bool) -> dict[int, list[int]]:
    """The judged children of each node, equal ones once unless they are kept `apart`."""
    found = {}
    for node in tree.nodes:
        judged = [child for child in node.children if tree[child].judged is not None and tree[child].status != "dead"]
        distinct = {(tree[child].step.action, tree[child].step.text): child for child in reversed(judged)}
        found[node.id] = judged if apart else sorted(distinct.values())
    return {node: children for node, children in found.items() if children}


def _reserve(budget: Budget, width: int, steps: int, alone: bool) -> int:
    """For how many of `width` children there is room, each of `steps` steps; that much is held back."""
    room = budget.reserve(width * steps, alone)
    budget.settle(room % steps, 0)
    if alone and room < steps:
        budget.refused = True
    return room // steps


def _take(tree: Tree, work: Work, node: int, expansion: Expansion, apart: bool) -> None:
    """Add what came: the children of the state, or where the look ahead from one of them goes on."""
    tree[node].expansions += 1
    if node in work.ends:
        work.ends[work.ends.index(node)] = next(iter(grow(tree, node, expansion)), node)
        return
    if not apart:
        work.children = grow(tree, node, expansion)
    else:
        tree[node].recalled += expansion.recalled
        added = [tree.add(node, step) for step in expansion.steps]
        work.children = [child for child in added if tree[child].status != "dead"]
    work.ends = list(work.children)


def _next(tree: Tree, work: Work, depth: int) -> list[Request]:
    """What is asked next for the children: a step further from each, or what they are worth."""
    asked: list[Request] = []
    if work.left:
        work.left -= 1
        ends = [end for end in work.ends if tree[end].status == "open" and tree[end].depth < depth]
        asked = [Expand(end, 1, temperature=0.0) for end in ends]
    if not asked and work.ends:
        asked = [Evaluate(tuple(work.ends))]
    return asked


def _judge(tree: Tree, work: Work, evaluation: Evaluation) -> None:
    """The children are worth what they end in."""
    judge(tree, work.ends, evaluation)
    for child, end in zip(work.children, work.ends, strict=True):
        tree[child].judged, tree[child].parts = tree[end].judged, tree[end].parts
    credit(tree, work.children, mean)
    work.judged = True
