"""What a language model is to coat: two questions, asked one request at a time.

A model samples continuations of a prefix, and it scores candidate next tokens after one. It is asynchronous: every
search awaits its own requests, and the backend below forms batches of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, runtime_checkable

from coat.usage import Usage

Finish = Literal["stop", "eos", "length", "context", "rejected"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a prompt as text.

    Only where `control` is true are the model's control tokens recognised in it: chat templates, never a
    question, a recalled fact or the output of a tool, so that these cannot forge one.
    """

    text: str
    control: bool = False


Tokens = tuple[int, ...]
"""A piece of a prompt as token ids, which are never tokenized again."""

Prompt = tuple[Text | Tokens, ...]
JOINED = "+"
"""Between the names of models that work together."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, of `role` "system", "user" or "assistant"."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Penalty:
    """What makes tokens less likely that begin one of `phrases`: `alpha` off their logits, for the next `tokens`."""

    alpha: float
    phrases: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: `temperature` 0 is greedy; top-k comes first, then top-p.

    A text ends before the first of `stop`, after the first of `until`, at an end-of-generation token, or after
    `max_tokens`. One that begins with one of `complete` is that, whole by itself. With `blocks` a stop string inside a
    code block or a displayed formula ends nothing; a server stops there all the same, and knows no `until`
    and no `penalty`.
    """

    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    complete: tuple[str, ...] = ()
    blocks: bool = False
    until: tuple[str, ...] = ()
    penalty: Penalty | None = None

    def whole(self, text: str) -> str | None:
        """What `text` is complete as, by its beginning; None where it is not.

        >>> Sampling(complete=("~",)).whole("~-3")
        '~'
        """
        return next((each for each in self.complete if text.startswith(each)), None)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a continuation may not become: `possible` says whether a text can still become one that is allowed.

    `name` tells rules apart in the journal; the prompt and it determine what is possible.
    """

    name: str
    possible: Callable[[str], bool]


Draw = tuple[tuple[int, float], ...]
"""A continuation as it was drawn: its token ids, the stop string's included, each with the share it was drawn with."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Ask for `len(seeds)` sibling continuations of one prompt, each drawn with its own seed.

    With `distinct` they are drawn without replacement (arXiv 2002.09067): no sibling equals another, or one of `seen`,
    and there are fewer of them where nothing else is left. A continuation that `rules` find impossible ends there, with
    finish "rejected"; nothing that begins so is drawn again. A model without a capability ignores these.
    """

    prompt: Prompt
    seeds: tuple[int, ...]
    sampling: Sampling = Sampling()
    distinct: bool = False
    seen: tuple[Draw, ...] = ()
    rules: Rules | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for the log-probability of each of `candidates` as the next token after `prompt` + `suffix`.

    Each candidate is a text that must be one token of the model. `suffix` is what is read only for this judgement;
    it alone counts as scored.
    """

    prompt: Prompt
    suffix: Prompt
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """One continuation.

    `text` holds no part of the stop string; `tokens` are ids whose text it is (empty where the model gives no ids);
    `generated` counts the tokens sampled, those of the stop string included. `logprob` is the sum of the sampled
    tokens' natural log-probabilities under the model itself (temperature 1, nothing cut off), None where unknown.
    `draw` is what a later request can name as seen, empty where siblings were not asked to be distinct.
    """

    text: str
    tokens: Tokens
    logprob: float | None
    generated: int
    finish: Finish
    draw: Draw = ()

    @property
    def piece(self) -> Text | Tokens:
        """The completion as a piece of a longer prompt."""
        return self.tokens or Text(self.text)


@dataclass(frozen=True, slots=True)
class Notation:
    """The text of its own that a model was trained on, as its file declares it.

    `name` says which text; a task that knows it poses its problems in it. After a line `tag` asks for a judgement, of
    which `good` and `bad` are the two tokens; `backtrack` in place of a step takes the last one back.
    """

    name: str
    tag: str
    good: str
    bad: str
    backtrack: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """The markers between which a model thinks before it answers.

    A thought begins with `open`, which `chat` has written already where it is `opened`, and ends with `close`, which
    `after` sets apart from what is said. The texts of completions hold the markers.
    """

    open: str
    close: str
    after: str = "\n\n"
    opened: bool = False

    @property
    def ending(self) -> Text:
        """What ends a thought that the model has not ended."""
        return Text(f"\n{self.close}{self.after}", control=True)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do; an evaluator that needs more is refused by name.

    `context` is the longest path in tokens (prompt and continuation). `tokens`: it works on token ids.
    `logprobs`: completions carry their log-probability. `candidates`: it can score. `notation`: what it reads and
    writes instead of conversations. `distinct`: it can draw without replacement. `thinking`: what it thinks between.
    """

    context: int
    tokens: bool
    logprobs: bool
    candidates: bool
    notation: Notation | None = None
    distinct: bool = False
    thinking: Thinking | None = None


class Scope(ABC):
    """What makes a `with` block close a model."""

    @abstractmethod
    def close(self) -> None:
        """Free what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@runtime_checkable
class LanguageModel(Protocol):
    """A model that proposes and judges. Implementations: `llama`, `openai`, `scripted`."""

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same request could get another reply: file hash, context parameters, versions."""
        ...

    @property
    def note(self) -> str:
        """A sentence about how it was loaded, which results repeat; empty where there is nothing to say."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The prompt that opens the assistant's next turn; an assistant's message at the end is left open.

        Without a chat template it is the messages' texts, one under the other.
        """
        ...

    def path(self, prompt: Prompt) -> Tokens | str:
        """The prompt as token ids, or as text where the model has no ids: what identifies a place in the tree."""
        ...

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Continue one prompt `len(request.seeds)` times, in the order of the seeds.

        Adds `generated`, and where the model is in this process `evaluated`, `unique` and `decodes`, to `usage`.
        Cancelling the call stops the work.

        Raises:
            ContextError: the request can never fit.
            BackendError: the model failed while working.
        """
        ...

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """Natural log-probabilities of `request.candidates`, in their order; adds `scored` and the rest to `usage`.

        Raises:
            ModelError: a candidate is not one token, or the model cannot score.
            ContextError, BackendError: as for `sample`.
        """
        ...

    def close(self) -> None:
        """Free what the model holds; requests still running fail with BackendError. Closing twice is fine."""
        ...


class LoadedModel(LanguageModel, Protocol):
    """A model that knows whether it was closed, and that a `with` block closes."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
