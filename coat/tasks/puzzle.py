"""The arithmetic puzzles in the text that the puzzle model was trained on; see `training/text.py`."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from coat.errors import IllegalStepError
from coat.models import LanguageModel, Prompt, Text
from coat.problem import Problem
from coat.tasks.arithmetic import OPERATORS, Arithmetic
from search import Action

LINE = re.compile(r"(\d{1,12})([-+*/])(\d{1,12})=(\d{1,12})(?::(\d{1,12}(?:,\d{1,12})*))?")
BEGUN = re.compile(r"(\d+)(?:([-+*/])(\d*)(?:(=)(\d*)(?:(:)(\d*(?:,\d*)*))?)?)?")
"""How a step may begin: a, operator, b, equals sign, result, colon, the numbers left."""
COUNTS, NUMBERS, TARGETS = range(3, 6), range(1, 100), range(1, 101)
"""What the model was trained on."""


class Puzzle(Arithmetic):
    """A problem is the line `24:4,9,10,13`, a step `13-9=4:4,10`: after the colon the other numbers left.

    Steps are shown as `13 - 9 = 4`, like those of any other model.
    """

    NOTATION = "puzzle"

    temperature = 1.0
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {"coat": {"width": 1, "widening": 0.6, "exploration": 0.3, "certainty": 1.0, "top_p": 1.0}}
    )

    def __init__(self, name: str, target: int | None, backtrack: str) -> None:
        super().__init__(name, target)
        self._backtrack = backtrack
        self.step_complete = (backtrack,)

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """The target and the numbers, ascending."""
        numbers = ",".join(map(str, sorted(problem.given["numbers"])))
        return (Text(f"{problem.given['target']}:{numbers}\n"),)

    def remarks(self, problem: Problem) -> list[str]:
        """Whether the puzzle is outside what the model was trained on."""
        numbers, target = problem.given["numbers"], problem.given["target"]
        if len(numbers) in COUNTS and all(number in NUMBERS for number in numbers) and target in TARGETS:
            return []
        known = (
            f"the puzzle model was trained on {COUNTS[0]} to {COUNTS[-1]} numbers from {NUMBERS[0]} to {NUMBERS[-1]}"
            f" and targets from {TARGETS[0]} to {TARGETS[-1]}; this puzzle is outside of that, and it may well fail"
        )
        return [known]

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """A line of the notation, true and right about what is left, as `a op b = c`.

        Raises:
            IllegalStepError: any other text.
        """
        if text == self._backtrack:
            if not path:
                raise IllegalStepError("there is no step to go back on")
            return "backtrack", text
        match = LINE.fullmatch(text)
        if match is None:
            raise IllegalStepError(f"{text!r} is not of the form a op b = c : numbers left")
        a, symbol, b, result, others = match.groups()
        step = f"{a} {symbol} {b} = {result}"
        action, _ = super().parse(problem, path, step)
        said = sorted([int(result), *map(int, (others or "").split(",") if others else ())])
        if said != sorted(self.left(problem, [*path, step])):
            raise IllegalStepError(f"{text!r} is wrong about the numbers that are left")
        return action, step

    def notated(self, problem: Problem, path: Sequence[str], step: str) -> str:
        """`13 - 9 = 4` as `13-9=4:4,10`: without spaces, and with the other numbers left, ascending.

        Raises:
            IllegalStepError: it is no step.
        """
        if step == self._backtrack or LINE.fullmatch(step):
            return step
        *others, _ = self.left(problem, [*path, step])
        left = ",".join(map(str, sorted(others)))
        return step.partition("(")[0].replace(" ", "") + (f":{left}" if left else "")

    def possible(self, problem: Problem, path: Sequence[str]) -> Callable[[str], bool]:
        """Whether the operands are there, the result is right, and the numbers left are those that are left, so far."""
        left = [str(number) for number in self.left(problem, path)]
        return lambda text: text == self._backtrack or _begins(left, text)

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """Nothing: the model writes the numbers left itself."""
        return ""


class Unruled(Puzzle):
    """The same text without its rules: any line of the form is a step, and what it says is left counts as left.

    An ablation. An answer is still right only where every step of its path is.
    """

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """A line of the form, as it is.

        Raises:
            IllegalStepError: any other text.
        """
        if text == self._backtrack:
            return super().parse(problem, path, text)
        match = LINE.fullmatch(text)
        if match is None:
            raise IllegalStepError(f"{text!r} is not of the form a op b = c : numbers left")
        return ("think" if match[5] else "answer"), text

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """The numbers that the last step says are left."""
        match = LINE.fullmatch(path[-1])
        assert match is not None, "only steps of the form are taken"
        return " ".join(sorted([match[4], *(match[5] or "").split(",")]))

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The path as one expression, or its last line where it broke a rule."""
        steps = self._checked(problem, path)
        return path[-1] if steps is None else super().answer(problem, steps)

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether every step is legal, one number is left, and it is the target."""
        steps = self._checked(problem, path)
        return steps is not None and super().verify(problem, steps)

    def _checked(self, problem: Problem, path: Sequence[str]) -> list[str] | None:
        """The steps as the rules want them, None where one breaks a rule."""
        steps: list[str] = []
        try:
            for text in path:
                steps.append(super().parse(problem, steps, text)[1])
        except IllegalStepError:
            return None
        return steps


def _begins(numbers: Sequence[str], text: str) -> bool:
    """Whether a legal step from `numbers` can begin with `text`."""
    match = BEGUN.fullmatch(text)
    if match is None:
        return False
    left = list(numbers)
    a, symbol, b, equals, result, colon, others = match.groups()
    if symbol is None:
        return _takes(left, a)
    if not _takes(left, a, whole=True) or not _takes(left, b, whole=equals is not None):
        return False
    if equals is None:
        return True
    right = _computed(int(a), symbol, int(b))
    if right is None or not right.startswith(result) or (colon and right != result):
        return False
    *listed, last = (others or "").split(",")
    return all(_takes(left, each, whole=True) for each in listed) and _takes(left, last)


def _takes(left: list[str], text: str, whole: bool = False) -> bool:
    """Whether a number in `left` begins with `text`; the one that `whole` text is, is taken out of it."""
    if not whole:
        return not text or any(number.startswith(text) for number in left)
    if text in left:
        left.remove(text)
        return True
    return False


def _computed(a: int, symbol: str, b: int) -> str | None:
    """The whole result that is not negative, None where there is none."""
    result = None if symbol == "/" and not b else OPERATORS[symbol](Fraction(a), b)
    return str(result) if result is not None and result >= 0 and result.denominator == 1 else None
