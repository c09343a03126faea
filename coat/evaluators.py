"""What a path is worth, in [0, 1]: read from a judge's logits, from the task's rules, or from the model's own odds."""

import asyncio
import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from coat import prompts
from coat.errors import InputError
from coat.judging import Comparing, Evaluator, Path, check_scores, next_turn, plain_turn, share, single
from coat.models import LanguageModel, Message, Prompt, Text
from coat.pairwise import Pairwise
from coat.tasks import Task
from coat.usage import Usage


@dataclass(frozen=True, slots=True)
class Reading:
    """How a judgement is read from a causal model: P(good) / (P(good) + P(bad)) of the next token.

    `layout`: where the judge reads. "ask" continues the policy's own path with a question to the model; "tag"
    continues it, once the step's line is ended, with `tag`; "steps" writes question and steps as one text with `tag`
    after each step; "turns" makes every step a user's turn that the assistant answers; "answer" makes all steps, each
    ended by `tag`, the assistant's answer after `rules`, which the system states; "lines" writes question and steps,
    each ended by `tag`, after the control text `rules`. Of `good` and `bad`, spellings that are not one token of the
    model are left out.
    """

    layout: Literal["ask", "tag", "steps", "turns", "answer", "lines"]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    tag: str = ""
    rules: str = ""


READINGS: Mapping[str, Reading] = {
    "self": Reading("ask", ("Yes", " Yes", "yes", " yes"), ("No", " No", "no", " no")),
    "math-shepherd": Reading("steps", ("+", " +"), ("-", " -"), "ки"),
    "rlhflow": Reading("turns", ("+", " +"), ("-", " -")),
    "qwen-prm": Reading(
        "answer",
        ("+",),
        ("-",),
        "<extra_0>",
        "Please reason step by step, and put your final answer within \\boxed{}.",
    ),
    "skywork": Reading("lines", ("+",), ("-",), "\n", "<|endoftext|>"),
}
"""Presets: self-evaluation; Math-Shepherd (arXiv 2312.08935); RLHFlow's Llama-3.1-8B PRMs; Qwen2.5-Math-PRM (arXiv
2501.07301) and Skywork-o1-Open-PRM, whose heads read the hidden state at the tag."""


class TokenReading:
    """A generative PRM, or the policy judging itself: one forward pass, no text is generated."""

    def __init__(self, name: str, model: LanguageModel, reading: Reading) -> None:
        """Raises ModelError where `model` cannot score."""
        check_scores(model, name)
        self.name = name
        self._model, self._reading = model, reading
        self._good, self._bad = single(model, reading.good, name), single(model, reading.bad, name)
        self._overhead = self._suffix_tokens()

    def cost(self, step_tokens: int) -> int:
        """The question or tag, and where the judge reads the step itself, twice the step's tokens for its own."""
        return self._overhead + (0 if self._reading.layout in ("ask", "tag") else 2 * step_tokens)

    def _suffix_tokens(self) -> int:
        match self._reading.layout:
            case "ask":
                thinking = self._model.capabilities.thinking
                ending = () if thinking is None else (thinking.ending,)
                return len(self._model.path((Text("."), *ending, *self._closing())))
            case "tag" | "answer" | "lines":
                return len(self._model.path((Text(self._reading.tag, control=True),)))
            case "steps":
                return len(self._model.path((Text("Step 10: "), Text(self._reading.tag, control=True))))
            case "turns":
                turns = [Message("user", "."), Message("assistant", "+"), Message("user", ".")]
                return len(self._model.path(self._chat(turns)))

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """P(good) against P(bad) after the path's last step."""
        prompt, suffix = self._layout(path)
        value = await share(self._model, prompt, suffix, self._good, self._bad, usage)
        return {} if value is None else {self.name: value}

    def _layout(self, path: Path) -> tuple[Prompt, Prompt]:
        match self._reading.layout:
            case "ask":
                return path.prompt, (*path.ending, *self._closing())
            case "tag":
                return (*path.prompt, Text("\n")), (*path.ending, Text(self._reading.tag, control=True))
            case "steps":
                return self._steps(path)
            case "answer":
                return self._answer(path)
            case "lines":
                return self._lines(path)
            case "turns":
                before, after = self._turns(path, len(path.steps) - 1), self._turns(path, len(path.steps))
                shared = sum(itertools.takewhile(bool, map(operator.eq, before, after)))
                return after[:shared], after[shared:]

    def _closing(self) -> Prompt:
        """What ends the assistant's turn and asks the question, as the model's own chat template has it."""
        return next_turn(self._model, prompts.JUDGE)

    def _chat(self, turns: Sequence[Message]) -> Prompt:
        return plain_turn(self._model, turns)

    def _steps(self, path: Path) -> tuple[Prompt, Prompt]:
        tag = Text(self._reading.tag, control=True)
        pieces: list[Text] = [Text(path.problem.question + " ")]
        for number, text in enumerate(path.texts[:-1], 1):
            pieces += [Text(f"Step {number}: {text} "), tag, Text("\n")]
        return tuple(pieces), (Text(f"Step {len(path.steps)}: {path.texts[-1]} "), tag)

    def _answer(self, path: Path) -> tuple[Prompt, Prompt]:
        tag = Text(self._reading.tag, control=True)
        turns = [Message("system", self._reading.rules), Message("user", path.problem.question)]
        earlier = [piece for text in path.texts[:-1] for piece in (Text(text), tag)]
        return (*self._chat(turns), *earlier), (Text(path.texts[-1]), tag)

    def _lines(self, path: Path) -> tuple[Prompt, Prompt]:
        tag = Text(self._reading.tag, control=True)
        *earlier, last = (Text(path.problem.question), *map(Text, path.texts))
        before = [piece for line in earlier for piece in (line, tag)]
        return (Text(self._reading.rules, control=True), *before), (last, tag)

    def _turns(self, path: Path, count: int) -> Prompt:
        """The chat up to step `count`. The question is a piece of its own, which no judgement counts as scored."""
        question, first, later = path.problem.question, path.texts[:count][:1], path.texts[1:count]
        opening = [Text(question), *(Text(f" {text}") for text in first)]
        turns = [Message("user", "".join(piece.text for piece in opening))]
        for text in later:
            turns += [Message("assistant", "+"), Message("user", text)]
        pieces = self._chat(turns)
        at = pieces.index(Text(turns[0].content))
        return (*pieces[:at], *opening, *pieces[at + 1 :])


@dataclass(frozen=True, slots=True)
class Verifier:
    """The task's own check: 1 for a right answer, 0 for a wrong one, one half for a path that is not finished."""

    task: Task
    name: str = "verifier"

    def cost(self, step_tokens: int) -> int:
        """Nothing is read."""
        return 0

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """See the class."""
        if path.steps[-1].action != "answer":
            return {self.name: 0.5}
        return {self.name: float(bool(self.task.verify(path.problem, path.texts)))}


@dataclass(frozen=True, slots=True)
class LogProbability:
    """The policy's own odds: the geometric mean of the probabilities of the path's tokens."""

    name: str = "logprob"

    def cost(self, step_tokens: int) -> int:
        """Nothing is read."""
        return 0

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """exp(Σ log p / n) over the path's tokens."""
        total = sum(step.logprob or 0.0 for step in path.steps)
        return {self.name: math.exp(total / max(1, sum(step.generated for step in path.steps)))}


@dataclass(frozen=True, slots=True)
class Weighted:
    """A weighted mean of evaluators; one that could not be read is left out of it."""

    parts: tuple[tuple[Evaluator, float], ...]
    name: str = field(default="weighted")

    def cost(self, step_tokens: int) -> int:
        """The sum of the parts' costs."""
        return sum(part.cost(step_tokens) for part, _ in self.parts)

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """The parts' values and, under the name of the whole, their mean."""
        found = await asyncio.gather(*(part.evaluate(path, usage) for part, _ in self.parts))
        pairs = [(each[part.name], weight) for each, (part, weight) in zip(found, self.parts, strict=True) if each]
        if not pairs:
            return {}
        values = {name: value for each in found for name, value in each.items()}
        total = sum(weight for _, weight in pairs)
        return values | {self.name: sum(value * weight for value, weight in pairs) / total}


def build(spec: str, task: Task, policy: LanguageModel, judge: LanguageModel | None, preset: str) -> Evaluator:
    """What `spec` names: `self`, `prm`, `verifier`, `logprob`, several as `self:0.3,verifier:0.7`, or `pairwise`.

    Raises:
        InputError: an unknown name, a weight that is no positive number, or a part that the task or model lacks.
    """
    if preset not in READINGS:
        raise InputError(f"there is no reading {preset!r}; the readings are: {', '.join(READINGS)}")
    parts: list[tuple[Evaluator, float]] = []
    if judge is not None and "prm" not in spec and "pairwise" not in spec:
        raise InputError(f"a judge's model was named, but the evaluator {spec!r} does not use it; say --evaluator prm")
    for entry in spec.split(","):
        name, _, weight = entry.strip().partition(":")
        parts.append((_one(name, task, policy, judge, preset), _weight(weight, spec)))
    if len(parts) == 1:
        return parts[0][0]
    if any(isinstance(part, Comparing) for part, _ in parts):
        raise InputError(f"pairwise compares answers, and has no part in a mean; name it alone, not in {spec!r}")
    return Weighted(tuple(parts))


def _weight(text: str, spec: str) -> float:
    try:
        weight = float(text or 1)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(f"the weight {text!r} in {spec!r} is not a positive number")
    return weight


def _one(name: str, task: Task, policy: LanguageModel, judge: LanguageModel | None, preset: str) -> Evaluator:
    match name:
        case "self":
            return TokenReading("self", policy, _own_reading(policy) or READINGS["self"])
        case "pairwise":
            return Pairwise(judge or policy, own=judge is None or judge.fingerprint == policy.fingerprint)
        case "prm":
            if judge is None:
                raise InputError("the evaluator 'prm' needs a judge; name its model with --prm")
            reading = _own_reading(judge) or READINGS[preset]
            if reading.layout in ("ask", "tag") and judge.fingerprint != policy.fingerprint:
                raise InputError(f"{judge.name} judges only paths that it can read as its own; use another judge")
            return TokenReading("prm", judge, reading)
        case "verifier":
            if not task.verifies:
                raise InputError(f"the task {task.name!r} has no verifier; use --evaluator self")
            return Verifier(task)
        case "logprob":
            if not policy.capabilities.logprobs:
                raise InputError(f"{policy.name} gives no log-probabilities; use another evaluator")
            return LogProbability()
    raise InputError(f"there is no evaluator {name!r}; the evaluators are: self, prm, verifier, logprob, pairwise")


def _own_reading(model: LanguageModel) -> Reading | None:
    """How a model with a notation of its own judges."""
    notation = model.capabilities.notation
    return None if notation is None else Reading("tag", (notation.good,), (notation.bad,), notation.tag)


def combine(generated: float, associated: float, beta: float) -> float:
    """CoAT's V = (F_g + β·F_a) / (1 + β) (arXiv 2502.02390, scaled to stay in [0, 1]).

    >>> round(combine(0.5, 1.0, 0.1), 4)
    0.5455
    """
    return (generated + beta * associated) / (1 + beta)


def association(relevance: Sequence[float], novelty: Sequence[float]) -> float:
    """F_a of a step: the best of its recalled facts' relevance to what it says times their novelty against the path.

    Both are cosines clipped to [0, 1], novelty as 1 minus the highest cosine to an earlier step.

    >>> association([0.8, 0.5], [0.5, 1.0])
    0.5
    """
    return max((r * n for r, n in zip(relevance, novelty, strict=True)), default=0.0)
