"""What several files of tests share: a search played by hand over canned replies."""

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import pytest

from search import Action, Evaluate, Evaluation, Expand, Expansion, Reply, Request, Search, Step, Tree

SIGNS: dict[str, Action] = {"=": "answer", "<": "backtrack", "?": "recall"}


def step(word: str) -> Step:
    """A step as a word: "a" thinks, "?a" recalls, "=a" answers, "<" steps back; "a@0.5" has probability 0.5."""
    text, _, probability = word.partition("@")
    return Step(text, SIGNS.get(text[0], "think"), logprob=math.log(float(probability or 1)), generated=1)


class World:
    """Canned replies over `tree`: the nodes' expansions by the node's text, used up one by one, and values by text.

    An expansion is a line of steps, see `step`; there are no more than were asked for. A step without a value is
    worth 0.5. Every step and every judgement takes one token.
    """

    def __init__(
        self, tree: Tree, expansions: Mapping[str, Sequence[str]], values: Mapping[str, float] | None = None
    ) -> None:
        self.tree, self.values = tree, values or {}
        self.left = {text: deque(lines) for text, lines in expansions.items()}
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        """The reply to `request`."""
        self.asked.append(request)
        if isinstance(request, Evaluate):
            values = tuple(self.values.get(self.tree[node].step.text, 0.5) for node in request.nodes)
            return Evaluation(values, tokens=len(values))
        lines = self.left.get(self.tree[request.node].step.text)
        steps = tuple(map(step, lines.popleft().split()[: request.width])) if lines else ()
        return Expansion(steps, tokens=len(steps))

    @property
    def expanded(self) -> list[str]:
        """The texts of the nodes that were expanded, in their order."""
        return [self.tree[request.node].step.text for request in self.asked if isinstance(request, Expand)]


class Wild(World):
    """Replies drawn from `seed`: the same for the same expansion of the same node, whenever it is asked for.

    Costs lie between nothing and the worst case: `dear` tokens a step, and as many a judgement.
    """

    def __init__(self, tree: Tree, seed: int, dear: int = 1) -> None:
        super().__init__(tree, {})
        self.seed, self.dear = seed, dear
        self.times: Counter[int] = Counter()

    def __call__(self, request: Request) -> Reply:
        """The reply to `request`."""
        self.asked.append(request)
        if isinstance(request, Evaluate):
            lot = random.Random(f"{self.seed} value {request.nodes}")
            values = tuple(lot.random() for _ in request.nodes)
            return Evaluation(values, tokens=lot.randint(0, self.dear * len(values)))
        self.times[request.node] += 1
        lot = random.Random(f"{self.seed} steps {request.node} {self.times[request.node]}")
        words = (
            lot.choice(["", "", "", "?", "=", "<"]) + lot.choice("abc") + f"@{lot.choice([0.1, 0.5, 0.9])}"
            for _ in range(lot.randint(0, request.width))
        )
        return Expansion(tuple(map(step, words)), tokens=lot.randint(0, self.dear * request.width))


def _play(search: Search, answer: Callable[[Request], Reply]) -> list[list[Request]]:
    """Run `search` by hand, every reply in the order of the requests; what became possible after each reply."""
    out: deque[Request] = deque()
    rounds = []
    try:
        requests = next(search)
        while True:
            rounds.append(list(requests))
            out.extend(requests)
            requests = search.send(answer(out.popleft()))
    except StopIteration:
        assert not out, "the search ended before all replies were in"
        return rounds


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World


@pytest.fixture(scope="session")
def play() -> Callable[[Search, Callable[[Request], Reply]], list[list[Request]]]:
    return _play


@pytest.fixture(scope="session")
def wild() -> type[Wild]:
    return Wild
