"""What the decoder works on: siblings, lanes, requests, and the batch that is decoded next."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from coat.models import Completion, Sampling, Tokens
from coat.models.llama.bindings import Odds, Row, Sampler
from coat.models.llama.prefix import Span
from coat.models.llama.text import Transcript
from coat.usage import Usage

LEAST_ODDS = 64
"""Tokens of which the odds are kept, or as many as top-k asks for."""


@dataclass(eq=False)
class Member:
    """One sibling: its sampler, its text so far, and the sum of its tokens' log-probabilities."""

    index: int
    sampler: Sampler
    transcript: Transcript
    logprob: float = 0.0
    generated: int = 0


@dataclass(eq=False)
class Lane:
    """Siblings whose tokens are equal so far.

    `tail` are the tokens after the path, the last not yet decoded; `odds` what they were drawn from, by position.
    """

    request: "Request"
    members: list[Member]
    tail: list[int]
    sequence: int = -1
    odds: dict[int, Odds] = field(default_factory=dict)


@dataclass(eq=False)
class Request:
    """A path and what is wanted at its end; `suffix` is decoded after `path` and dropped again.

    While it runs, `sequence` holds the path, `done` tokens of path and suffix are decoded, and `working` siblings are
    in lanes; `private` says that the prefix tree did not take the sequence over.
    """

    path: Tokens
    usage: Usage
    suffix: Tokens = ()
    seeds: tuple[int, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    candidates: Tokens = ()
    future: "Future[Any]" = field(default_factory=Future)
    span: Span = field(default_factory=lambda: Span(None, (), 0, None))
    sequence: int = -1
    private: bool = False
    done: int = 0
    working: int = 0
    waiting: deque[Lane] = field(default_factory=deque)
    results: dict[int, Completion] = field(default_factory=dict)

    @property
    def target(self) -> Tokens:
        """Everything that must be decoded before the request can be answered."""
        return self.path + self.suffix

    @property
    def choices(self) -> int:
        """Of how many tokens the odds are kept."""
        return max(LEAST_ODDS, self.sampling.top_k)

    @property
    def room(self) -> int:
        """Cells that one sibling, or the suffix, may take beyond the path.

        A sibling's last token is not decoded; its cell is for the end of a path that is resident and decoded again.
        """
        return max(1, self.sampling.max_tokens if self.seeds else len(self.suffix))


@dataclass
class Batch:
    """The rows of one decode, whose request each row is, and who reads which row's logits."""

    rows: list[Row] = field(default_factory=list)
    owners: list[Request] = field(default_factory=list)
    readers: list[tuple[int, Lane | Request]] = field(default_factory=list)

    def halve(self) -> None:
        """Keep the first half of the rows."""
        size = len(self.rows) // 2
        del self.rows[size:], self.owners[size:]
        self.readers = [(row, reader) for row, reader in self.readers if row < size]
