"""S*: programs are mended by their public tests, and those that behave differently are told apart by new inputs."""

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from search.backup import mean
from search.best_of_n import best_of_n
from search.budget import Budget
from search.mcts import credit
from search.requests import Execute, Execution, Expand, Expansion, Reply, Request, Search
from search.tree import Tree

T = TypeVar("T")
Part = Generator[Sequence[Request], Reply, T]
"""A part of a search, with what it finds."""

SHOWN = 3
"""Inputs that a judgement is shown, of those on which two programs differ."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Programs that behave alike, and what they give by the call."""

    nodes: tuple[int, ...]
    outputs: Mapping[str, str] = field(default_factory=dict)


def s_star(
    tree: Tree,
    *,
    n: int,
    key: Callable[[int], str],
    choice: Callable[[str], int | None],
    revisions: int = 2,
    parallel: int = 1,
    depth: int = 16,
    budget: Budget | None = None,
) -> Search:
    """S* (arXiv 2502.14382): `n` lines to a program each, and a tournament between those that pass the public tests.

    A program that fails is debugged, up to `revisions` times. What passes (where nothing does, the last program of each
    line) is clustered by what it gives for calls that the model writes, where it writes none by the program's `key`.
    For every two clusters the model writes calls that tell them apart, and is asked which outputs are right; `choice`
    reads 0 or 1 from what it says. The programs of the cluster with the most wins, then of the largest, are judged 1.
    """
    budget = budget or Budget()
    yield from best_of_n(tree, n=n, parallel=parallel, depth=depth, judged="nothing", budget=budget)
    reports = yield from debugged(tree, revisions, parallel, budget)
    ends = [node for node in reports if not tree[node].children]
    kept = [node for node in ends if not reports[node]] or ends
    clusters = yield from clustered(tree, kept, reports, key, budget)
    wins: defaultdict[int, int] = defaultdict(int)
    pairs = list(combinations(range(len(clusters)), 2))
    for start in range(0, len(pairs), parallel):
        # Neither of two is always shown first.
        matches = [pair if sum(pair) % 2 else pair[::-1] for pair in pairs[start : start + parallel]]
        for winner in (yield from winners(tree, clusters, matches, choice, parallel, budget)):
            wins[winner] += 1
    award(tree, clusters, wins)
    credit(tree, list(reports), mean)
    return tree


def debugged(tree: Tree, revisions: int, parallel: int, budget: Budget) -> Part[dict[int, str]]:
    """What the public tests say of every program, nothing where it passes; those that fail are mended on the way."""
    reports: dict[int, str] = {}
    new = [node.id for node in tree.terminals()]
    for left in range(revisions, -1, -1):
        if not new:
            break
        reply = yield (Execute(tuple(new)),)
        assert isinstance(reply, Execution)
        for node, (report,) in zip(new, reply.outputs, strict=True):
            reports[node], tree[node].judged = report, 0.0 if report else 0.5
        wrong = [node for node in new if reports[node]] if left else []
        asked = [Expand(node, 1, move="debug", told=(reports[node],)) for node in wrong]
        new = [node for nodes in (yield from added(tree, asked, parallel, budget)) for node in nodes]
    return reports


def clustered(
    tree: Tree, kept: Sequence[int], reports: Mapping[int, str], key: Callable[[int], str], budget: Budget
) -> Part[list[Cluster]]:
    """The programs `kept`, those together that behave alike; the largest cluster first."""
    calls: tuple[str, ...] = ()
    outputs: dict[int, tuple[str, ...]] = dict.fromkeys(kept, ())
    if len({key(node) for node in kept}) > 1:
        for (inputs,) in filter(None, (yield from added(tree, [Expand(0, 1, move="tests")], 1, budget))):
            reply = yield (Execute(tuple(kept), inputs),)
            assert isinstance(reply, Execution)
            calls, outputs = reply.calls, dict(zip(kept, reply.outputs, strict=True))
    alike: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for node in kept:
        alike[reports[node], *(outputs[node] if calls else (key(node),))].append(node)
    clusters = [Cluster(tuple(nodes), dict(zip(calls, outputs[nodes[0]], strict=True))) for nodes in alike.values()]
    return sorted(clusters, key=lambda cluster: -len(cluster.nodes))


def winners(
    tree: Tree,
    clusters: Sequence[Cluster],
    matches: Sequence[tuple[int, int]],
    choice: Callable[[str], int | None],
    parallel: int,
    budget: Budget,
) -> Part[list[int]]:
    """Who wins each of the `matches` between two clusters; those are left out that nothing decides."""
    about = [(clusters[first].nodes[0], clusters[second].nodes[0]) for first, second in matches]
    written = yield from added(tree, [Expand(0, 1, move="inputs", about=each) for each in about], parallel, budget)
    asked, judged = [], []
    for match, pair, nodes in zip(matches, about, written, strict=True):
        outputs: list[Mapping[str, str]] = [clusters[each].outputs for each in match]
        for inputs in nodes:
            reply = yield (Execute(pair, inputs),)
            assert isinstance(reply, Execution)
            given: list[Mapping[str, str]] = [dict(zip(reply.calls, each, strict=True)) for each in reply.outputs]
            outputs = given if given[0] != given[1] else outputs
        if told := differences(*outputs):
            asked.append(Expand(0, 1, temperature=0.0, move="judge", about=pair, told=(told,)))
            judged.append(match)
    said = yield from added(tree, asked, parallel, budget)
    chosen = [
        (match, choice(tree[node].step.text)) for match, nodes in zip(judged, said, strict=True) for node in nodes
    ]
    return [match[place] for match, place in chosen if place is not None]


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """The first calls for which two programs give something else, with what they give; empty where there are none.

    >>> print(differences({"f(1)": "2", "f(2)": "4"}, {"f(1)": "2", "f(2)": "5"}))
    f(2)
    Program 1: 4
    Program 2: 5
    """
    apart = [call for call in one if one[call] != other[call]][:SHOWN]
    return "\n\n".join(f"{call}\nProgram 1: {one[call]}\nProgram 2: {other[call]}" for call in apart)


def award(tree: Tree, clusters: Sequence[Cluster], wins: Mapping[int, int]) -> None:
    """Judge the programs of the best cluster 1, and those of the others less, by their wins."""
    places = range(len(clusters))
    best = max(places, key=lambda place: (wins[place], len(clusters[place].nodes)), default=None)
    for place in places:
        value = 1.0 if place == best else (1 + wins[place]) / (1 + len(clusters))
        for node in clusters[place].nodes:
            tree[node].judged = value


def added(tree: Tree, asked: Sequence[Expand], parallel: int, budget: Budget) -> Part[list[list[int]]]:
    """The nodes that came by each of the requests, none where it brought nothing or the budget had no room for it."""
    found: list[list[int]] = []
    sent = 0
    while True:
        fresh: list[Request] = []
        while sent < len(asked) and sent - len(found) < parallel and budget.reserve(1, alone=sent == len(found)):
            fresh.append(asked[sent])
            sent += 1
        if sent == len(found):
            return found + [[] for _ in asked[sent:]]
        reply = yield tuple(fresh)
        assert isinstance(reply, Expansion)
        node = asked[len(found)].node
        tree[node].expansions += 1
        found.append([tree.add(node, step) for step in reply.steps])
        budget.settle(1, reply.tokens)
