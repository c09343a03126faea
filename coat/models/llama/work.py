"""What the decoder works on: siblings, lanes, requests, and the batch that is decoded next."""

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from coat.models import Completion, Rules, Sampling, Tokens
from coat.models.llama.bindings import Row
from coat.models.llama.distinct import DistinctSampler, Drawn
from coat.models.llama.odds import LEAST_ODDS, Odds, Sampler
from coat.models.llama.prefix import Span
from coat.models.llama.text import Transcript
from coat.usage import Usage


@dataclass(eq=False)
class Member:
    """One sibling: its sampler, its text so far, and the sum of its tokens' log-probabilities."""

    index: int
    sampler: Sampler | DistinctSampler
    transcript: Transcript
    logprob: float = 0.0
    generated: int = 0

    def begin_again(self, sampling: Sampling) -> bool:
        """Forget what was drawn, where nothing was left to go on with; whether anything is left at the start.

        Only a `DistinctSampler` comes there.
        """
        assert isinstance(self.sampler, DistinctSampler)
        self.transcript, self.logprob, self.generated = Transcript(sampling), 0.0, 0
        return self.sampler.begin()


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
    in lanes; `private` says that the prefix tree did not take the sequence over, and `again` how many cells of the path
    it decodes for itself though the tree has them. `drawn`, where siblings are distinct,
    is what they must not become, and `odds` those after the path. A sibling for whom nothing was left has result None.
    `penalised` are the tokens from which the sampling's penalty is taken off. `followers` ask for the same scores and
    are answered with it.
    """

    path: Tokens
    usage: Usage
    suffix: Tokens = ()
    seeds: tuple[int, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    drawn: Drawn | None = None
    rules: Rules | None = None
    penalised: frozenset[int] = frozenset()
    odds: Odds | None = None
    candidates: Tokens = ()
    future: "Future[Any]" = field(default_factory=Future)
    span: Span = field(default_factory=lambda: Span(None, (), 0, None))
    sequence: int = -1
    private: bool = False
    done: int = 0
    again: int = 0
    working: int = 0
    waiting: deque[Lane] = field(default_factory=deque)
    results: dict[int, Completion | None] = field(default_factory=dict)
    followers: "list[Request]" = field(default_factory=list)

    def sampler(self, seed: int) -> Sampler | DistinctSampler:
        """What one sibling draws its tokens with."""
        if self.drawn is None:
            return Sampler(self.sampling, seed, self.penalised)
        return DistinctSampler(self.drawn, self.sampling, seed, self.penalised)

    @property
    def target(self) -> Tokens:
        """Everything that must be decoded before the request can be answered."""
        return self.path + self.suffix

    def same_scores(self, other: "Request") -> bool:
        """Whether `other` asks for the same candidates after the same tokens."""
        return (
            not self.seeds and not other.seeds and self.candidates == other.candidates and self.target == other.target
        )

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
