"""What judges have in common: the paths that they judge, and how a verdict is read from a model's next token."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from coat.errors import ModelError, UnreadableScoreError
from coat.models import LanguageModel, Message, Prompt, ScoreRequest, Text
from coat.problem import Problem
from coat.usage import Usage
from search import Step

LEAST_MASS = 1e-4
"""Where the good and the bad token together are less likely than this, the judge said neither: unreadable."""


@dataclass(frozen=True, slots=True)
class Path:
    """A line of reasoning to be judged: its steps, and the policy's own prompt up to the end of the last one.

    `ending` ends the thought that the last step lies in, where it does. `parts` are what was said of it before.
    """

    problem: Problem
    steps: tuple[Step, ...]
    prompt: Prompt
    ending: Prompt = ()
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """The steps' texts."""
        return [step.text for step in self.steps]


class Evaluator(Protocol):
    """Judges paths."""

    @property
    def name(self) -> str:
        """The key of its value."""
        ...

    def cost(self, step_tokens: int) -> int:
        """The most tokens that one judgement may read, for a step of at most `step_tokens`."""
        ...

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """Values in [0, 1] by the name of what was judged; empty where the judge could not be read (counted)."""
        ...


@runtime_checkable
class Comparing(Evaluator, Protocol):
    """An evaluator that judges paths by each other."""

    async def compare(self, paths: Sequence[Path], best: Path | None, usage: Usage) -> list[dict[str, float]]:
        """As `evaluate` says, for each of `paths`, which are asked about together; `best` is the best answer so far.

        A judgement costs no more than `cost` for each of `paths`.
        """
        ...


def single(model: LanguageModel, spellings: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Those of `spellings` that are one token of the model; a server's are not known, so the first.

    Raises:
        ModelError: there is none, which the evaluator `name` needs.
    """
    if not model.capabilities.tokens:
        return spellings[:1]
    opening = len(model.path(()))
    found = tuple(word for word in spellings if len(model.path((Text(word, control=True),))) == opening + 1)
    if not found:
        raise ModelError(
            f"{model.name} has no single token for {spellings[0]!r}, which the evaluator {name!r} reads;"
            " use another judge."
        )
    return found


def check_scores(model: LanguageModel, name: str) -> None:
    """Raises ModelError where `model` cannot score, which the evaluator `name` needs."""
    if not model.capabilities.candidates:
        raise ModelError(f"{model.name} cannot score tokens, which the evaluator {name!r} needs; use another one.")


async def share(
    model: LanguageModel,
    prompt: Prompt,
    suffix: Prompt,
    good: tuple[str, ...],
    bad: tuple[str, ...],
    usage: Usage,
) -> float | None:
    """P(good) / (P(good) + P(bad)) of the next token; None where the model said neither, which is counted."""
    try:
        scores = await model.score(ScoreRequest(prompt, suffix, good + bad), usage)
    except UnreadableScoreError:
        usage.unreadable += 1
        return None
    mass = [math.exp(score) for score in scores]
    if sum(mass) < LEAST_MASS:
        usage.unreadable += 1
        return None
    return sum(mass[: len(good)]) / sum(mass)


def plain_turn(model: LanguageModel, turns: Sequence[Message]) -> Prompt:
    """The prompt that opens the assistant's next turn, in which it does not think."""
    thinking = model.capabilities.thinking
    ending = (thinking.ending,) if thinking is not None and thinking.opened else ()
    return (*model.chat(turns), *ending)


def next_turn(model: LanguageModel, text: str) -> Prompt:
    """What ends the assistant's turn and lets the user say `text`, as the model's own chat template has it."""
    mark = "\u2985path\u2986"
    pieces = plain_turn(model, [Message("user", "?"), Message("assistant", mark), Message("user", text)])
    return pieces[pieces.index(Text(mark)) + 1 :]
