"""What planning tasks share: steps that change a state by rules until a goal holds, and notes that tell the state."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from coat import prompts
from coat.errors import SHOWN, IllegalStepError, InputError, shown
from coat.models import LanguageModel, Message, Prompt
from coat.problem import Kind, Problem
from search import Action

State = TypeVar("State")


class Planning(ABC, Generic[State]):
    """A state that steps change, one a line; after every step the model is told the state.

    A path is finished as soon as the goal holds. `rules` is what the model reads first, `solved` are problems as a
    person types them, each with the steps of a solution, and `between` stands between the steps of an answer. What is
    abstract a task must say; `docs/tasks.md` has a whole one.
    """

    name: str
    summary: str = ""
    sample: str
    source: str = "a generator"
    rules: str
    solved: tuple[tuple[str, tuple[str, ...]], ...]
    between: str = ", "
    step_tokens: int = 24
    temperature: float = 1.0
    step_end: tuple[str, ...] = ("\n",)
    step_complete: tuple[str, ...] = ()
    kind: Kind = "moves"
    verifies: bool = True
    model: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @abstractmethod
    def typed(self, text: str) -> Problem:
        """The problem that a person typed; InputError where it is none."""

    @abstractmethod
    def start(self, problem: Problem) -> State:
        """The state before the first step."""

    @abstractmethod
    def after(self, problem: Problem, state: State, step: str) -> State:
        """The state that `step` leads to from `state`; IllegalStepError where the rules forbid it."""

    @abstractmethod
    def finished(self, problem: Problem, state: State) -> bool:
        """Whether the path ends with `state`."""

    @abstractmethod
    def told(self, problem: Problem, state: State) -> str:
        """The line in which the model is told `state`."""

    @abstractmethod
    def depth(self, problem: Problem) -> int:
        """The most steps that a solution takes."""

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """The problem in a record of the public file; InputError where it is none, or there is no such file."""
        raise InputError(f"problems of {self.name!r} are not records of a file; write one like {self.sample!r}")

    def posed(self, problem: Problem) -> str:
        """How the model is asked to solve `problem`: as a person typed it."""
        return problem.question

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """What paths share that have the same future: the state they reach."""
        return str(self.reached(problem, path))

    def generate(self, lot: Random) -> str | None:
        """A new problem as a person would type it, drawn from `lot`: none is made up."""
        return None

    def read(self, text: str) -> Problem:
        """The problem as a person types it, or a JSON object as the public file has it.

        Raises:
            InputError: the text states no such problem.
        """
        return self.recorded(_record(text)) if text.lstrip().startswith("{") else self.typed(text)

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """The rules, solved examples as earlier turns with the notes of a search, and the problem."""
        turns: list[Message] = []
        for text, steps in self.solved:
            example = self.read(text)
            written = [f"{self.note(example, steps[:place])}{step}" for place, step in enumerate(steps)]
            turns += [Message("user", self.posed(example)), Message("assistant", "\n".join(written))]
        turns.append(Message("user", self.posed(problem)))
        return model.chat([Message("user", f"{self.rules}\n{turns[0].content}"), *turns[1:]])

    def remarks(self, problem: Problem) -> list[str]:
        """None."""
        return []

    def reached(self, problem: Problem, path: Sequence[str]) -> State:
        """The state after `path`.

        Raises:
            IllegalStepError: a step of the path breaks a rule.
        """
        state = self.start(problem)
        for step in path:
            state = self.after(problem, state, step)
        return state

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """A step by the rules; it is the answer where the goal holds after it.

        Raises:
            IllegalStepError: any other text.
        """
        step = text.strip()
        if prompts.steps_back(step, path):
            return "backtrack", step
        state = self.after(problem, self.reached(problem, path), step)
        return ("answer" if self.finished(problem, state) else "think"), step

    def possible(self, problem: Problem, path: Sequence[str]) -> None:
        """Nothing can tell, before the step is complete."""

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """The state after `path`, in a line."""
        return f"{self.told(problem, self.reached(problem, path))}\n" if path else ""

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The steps, one after the other."""
        return self.between.join(path)

    def key(self, answer: str) -> str:
        """The plan itself: two ways to the goal are two answers."""
        return answer

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether every step of `path` is legal and it ends where the goal holds."""
        try:
            return self.finished(problem, self.reached(problem, path))
        except IllegalStepError:
            return False

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """None: a plan is checked by `verify`, there is no single gold answer."""
        return None

    def score(self, problem: Problem, answer: str) -> float | None:
        """None: there is right and wrong."""
        return None


def _record(text: str) -> Mapping[str, Any]:
    try:
        record: Mapping[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(text)} is not JSON: {error}") from error
    return record


def integer(value: object, what: str, least: int, most: int) -> int:
    """`value`, a number or its digits, as a whole number from `least` to `most`; `what` names it in an error.

    >>> integer(" 12", "the capacity", 1, 99)
    12

    Raises:
        InputError: it is something else.
    """
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    digits = str(value).strip() if plain else f"a {type(value).__name__}"
    if not (digits.isascii() and digits.isdecimal() and len(digits) < SHOWN) or not least <= int(digits) <= most:
        raise InputError(f"{what} is {shown(digits)}; it must be a whole number from {least} to {most}")
    return int(digits)
