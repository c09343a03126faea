"""What several files share: searches played by hand over canned replies, and a llama.cpp made of tables."""

import math
import random
import threading
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from benchmarks.fresh import Fresh
from search import Action, Evaluate, Evaluation, Expand, Expansion, Reply, Request, Search, Step, Tree

settings.register_profile("coat", deadline=None)  # no test depends on how busy the machine is
settings.load_profile("coat")

SIGNS: dict[str, Action] = {"=": "answer", "<": "backtrack", "?": "recall"}


def step(word: str) -> Step:
    """A step as a word: "a" thinks, "?a" recalls, "=a" answers, "<" steps back.

    "a@0.5" has probability 0.5, "a#s" leads to state s.
    """
    word, _, state = word.partition("#")
    text, _, probability = word.partition("@")
    logprob = math.log(float(probability or 1))
    return Step(text, SIGNS.get(text[0], "think"), logprob=logprob, generated=1, state=state)


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


class Meter:
    """`answer`, which may take no more than `tokens` in all; `taken` so far."""

    def __init__(self, answer: Callable[[Request], Reply], tokens: int) -> None:
        self._answer, self._tokens, self.taken = answer, tokens, 0

    def __call__(self, request: Request) -> Reply:
        """The reply to `request`."""
        reply = self._answer(request)
        self.taken += reply.tokens
        assert self.taken <= self._tokens
        return reply


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


class Table:
    """The calls of `Llama` that the decoder makes, over cells that know which tokens they were decoded after.

    It has as many cells and sequence ids as it is given, refuses what llama.cpp would get wrong, and its logits depend
    on nothing but the tokens. Token 0 ends a text; the others are letters. `codes` are what the next decodes return;
    while `gate` is closed none returns, and `waits` tells that one is there. Where it is `recurrent` a sequence is only
    forked at its end and dropped as a whole, and cells are without limit.
    """

    vocabulary = 24
    patience = 1000
    window = 0

    def __init__(self, cells: int, lanes: int, batch: int, sequences: int, *, recurrent: bool = False) -> None:
        self.recurrent = recurrent
        self.options = SimpleNamespace(cells=cells, lanes=lanes, batch=batch)
        self.sequences = sequences
        self.held: list[list[Any]] = []  # by sequence and position: a cell, which is the tokens up to and with its own
        self.clear()
        self.outputs: list[npt.NDArray[np.float32]] = []
        self.codes: list[int] = []
        self.gate, self.waits = threading.Event(), threading.Event()
        self.gate.set()
        self.decoded: list[int] = []
        self.closed = False

    @staticmethod
    def after(tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """The logits after `tokens`: anything, but always the same, and seldom the end."""
        values = np.random.default_rng(zlib.crc32(bytes(tokens))).normal(0, 2, Table.vocabulary).astype(np.float32)
        values[0] -= 2
        return values

    @property
    def used(self) -> int:
        """Cells that some sequence holds."""
        return len({id(cell) for held in self.held for cell in held if cell})

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> int:
        self.waits.set()
        assert self.gate.wait(30)
        assert 0 < len(rows) <= self.options.batch
        if self.codes and (code := self.codes.pop(0)):
            return code
        if not self.recurrent and self.used + len(rows) > self.options.cells:
            return 1
        self.outputs.clear()
        for token, position, sequence, wanted in rows:
            held = self.held[sequence]
            assert position == len(held), "positions of a sequence must be consecutive"
            held.append((*(held[-1] if held else ()), token))
            if wanted:
                self.outputs.append(self.after(held[-1]))
        assert len(self.outputs) <= self.sequences
        self.decoded.append(len(rows))
        return 0

    def logits(self, rows: int) -> npt.NDArray[np.float32]:
        assert len(self.outputs) == rows
        return np.stack(self.outputs)

    def fork(self, source: int, target: int, length: int, start: int = 0) -> None:
        cells, held = self.held[source][start:length], self.held[target]
        assert not self.recurrent or (not held and not start and length == len(self.held[source])), "fork at the end"
        assert len(cells) == length - start, "the source does not hold what is to be forked"
        assert len(held) >= start, "a fork must leave no gap"
        for position, cell in enumerate(cells, start):
            assert cell, "the source has a gap"
            if position == len(held):
                held.append(cell)
            assert held[position] is None or held[position] is cell, "a sequence has one cell a position"
            assert not position or held[position - 1] == cell[:-1], "a cell was decoded after other tokens"
            held[position] = cell

    def first(self, sequence: int) -> int:
        return next((position for position, cell in enumerate(self.held[sequence]) if cell), -1)

    def length(self, sequence: int) -> int:
        return len(self.held[sequence])

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        held = self.held[sequence]
        assert not self.recurrent or (not start and end < 0), "a state cannot be cut"
        if end < 0:
            del held[start:]
        else:
            held[start:end] = [None] * (end - start)  # a gap, to be filled by a fork

    def save(self, sequence: int, start: int, end: int) -> list[Any]:
        assert None not in self.held[sequence][:end]
        assert len(self.held[sequence]) >= end
        return self.held[sequence][start:end]

    def load(self, data: list[Any], sequence: int, start: int, end: int) -> bool:
        assert len(self.held[sequence]) == start
        assert not start or data[0][:-1] == self.held[sequence][-1], "the cells were decoded after other tokens"
        assert len(data) == end - start
        if self.used + len(data) > self.options.cells:
            return False
        self.held[sequence] += [(*cell[:-1], cell[-1]) for cell in data]
        return True

    def clear(self) -> None:
        self.held = [[] for _ in range(self.sequences)]

    def close(self) -> None:
        self.closed = True

    def is_end(self, token: int) -> bool:
        return token == 0

    def piece(self, token: int) -> bytes:
        return b"" if token == 0 else bytes([96 + token])

    def tokenize(self, text: str, control: bool) -> tuple[int, ...]:
        return tuple(ord(letter) - 96 for letter in text)


def _check_idle(decoder: Any) -> None:
    """Nobody works, nothing is pinned, and every sequence id is free and empty or holds the path to one leaf."""
    assert [decoder.running, decoder.active, list(decoder.pending)] == [[], [], []]
    spans = list(decoder.cache.tree.spans())
    assert decoder.cache.tree.pinned == 0
    resident = [span for span in spans if span.parked is None]
    assert decoder.cache.tree.cells == sum(len(span.tokens) for span in resident)
    assert decoder.cache.tree.parked == sum(len(span.tokens) for span in spans) - decoder.cache.tree.cells
    assert decoder.cache.tree.parked <= decoder.capacity
    held = {span.sequence: span for span in spans if span.sequence is not None}
    assert sorted([*decoder.cache.free, *held]) == list(range(decoder.llama.sequences))
    assert all(span.ready and not span.users for span in spans)
    if decoder.llama.recurrent:
        assert all(span.sequence is not None for span in resident[1:] if span.leaf)
    else:
        assert all((span.sequence is None) == (not span.leaf) for span in resident[1:])
    assert all(span.sequence is None and span.leaf for span in spans if span.parked is not None)
    assert all(decoder.llama.length(sequence) == 0 for sequence in decoder.cache.free)
    assert all(decoder.llama.length(sequence) == span.end for sequence, span in held.items())


@contextmanager
def _decoding(
    cells: int = 256, lanes: int = 4, batch: int = 32, sequences: int = 32, *, recurrent: bool = False
) -> Iterator[Any]:
    from coat.models.llama.decoder import Decoder

    table: Any = Table(cells, lanes, batch, sequences, recurrent=recurrent)
    decoder = Decoder(table)
    try:
        yield decoder
    finally:
        table.gate.set()
        decoder.close()


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World


@pytest.fixture(scope="session")
def play() -> Callable[[Search, Callable[[Request], Reply]], list[list[Request]]]:
    return _play


@pytest.fixture(scope="session")
def wild() -> type[Wild]:
    return Wild


def _check_examples(task: Any, problem: Any) -> str:
    """That the task's worked examples solve their problems, with the notes of a search; the prompt of `problem`."""
    from coat.models.scripted import ScriptedModel

    prompt = "".join(piece.text for piece in task.prompt(problem, ScriptedModel({})))
    for text, path in task.solved:
        example = task.read(text)
        assert task.verify(example, path) is True
        for place, (step, following) in enumerate(pairwise(path), 1):
            assert f"{step}\n{task.note(example, path[:place])}{following}\n" in prompt
    return prompt


@pytest.fixture(scope="session")
def check_examples() -> Callable[[Any, Any], str]:
    return _check_examples


@pytest.fixture(scope="session")
def meter() -> type[Meter]:
    return Meter


@pytest.fixture(scope="session")
def decoding() -> Callable[..., AbstractContextManager[Any]]:
    return _decoding


@pytest.fixture(scope="session")
def check_idle() -> Callable[[Any], None]:
    return _check_idle


@pytest.fixture
def at_rest(model: Any, check_idle: Callable[[Any], None]) -> Iterator[None]:
    """After the test the decoder of the fixture `model` comes to rest, with nothing left behind."""
    import llama_cpp

    yield
    decoder, llama = model._decoder, model._decoder.llama
    llama.length = lambda sequence: llama_cpp.llama_memory_seq_pos_max(llama.memory, sequence) + 1
    for _ in range(3000):
        if not (decoder.running or decoder.pending):
            break
        threading.Event().wait(0.01)
    check_idle(decoder)


@pytest.fixture(scope="module")
def fresh(model: Any) -> Iterator[Fresh]:
    """The model of the module's own fixture `model`, loaded once more."""
    from coat.models.llama import ContextOptions
    from coat.models.llama.bindings import Llama

    llama = Llama(model.path_of_file, ContextOptions(cells=1024, lanes=1, batch=1024, threads=1))
    yield Fresh(llama)
    llama.close()
