"""Game of 24 and Countdown: reach the target with + − × ÷, each number used once, in exact rational arithmetic."""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from random import Random
from types import MappingProxyType
from typing import Any

from coat import prompts
from coat.errors import IllegalStepError, InputError, shown
from coat.models import LanguageModel, Prompt
from coat.problem import Kind, Problem
from search import Action

NUMBER = r"-?\d+(?:/\d+)?"
STEP = re.compile(rf"({NUMBER}) ?([-+*/]) ?({NUMBER}) ?= ?({NUMBER})(?: ?\(left:? ([^()]*)\))?")
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
FEWEST, MOST, LARGEST = 2, 10, 10**9


class Arithmetic:
    """The target is part of the problem, or fixed as in Game of 24."""

    step_tokens: int = 24
    temperature: float = 1.2
    step_end: tuple[str, ...] = ("\n",)
    step_complete: tuple[str, ...] = ()
    kind: Kind = "moves"
    verifies: bool = True
    model: str | None = "puzzle"
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, name: str, target: int | None = None) -> None:
        self.name = name
        self.target = target
        self.sample = "4 9 10 13" if target else "83 18 75 = 10"
        self.source = "a generator; github.com/princeton-nlp/tree-of-thought-llm, src/tot/data/24/24.csv (MIT)"
        if target is None:
            self.source = "a generator; github.com/dllm-reasoning/d1, dataset/countdown_cd3_test.jsonl (Apache-2.0)"
        goal = str(target) if target else "a target"
        self.summary = f"make {goal} from the numbers with + - * /, each number used once"

    def read(self, text: str) -> Problem:
        """The numbers, and for Countdown `= target` after them; or a JSON line as the public files have it.

        Raises:
            InputError: the text names no such puzzle.
        """
        numbers, target = self._split(text)
        given = shown(text)
        if target is None:
            raise InputError(f"{given} has no target; write the numbers, then = and the target: {self.sample!r}")
        if self.target not in (None, target):
            raise InputError(f"the target of {self.name} is always {self.target}, not {target}; try --task countdown")
        if not FEWEST <= len(numbers) <= MOST:
            raise InputError(f"{given} has {len(numbers)} numbers; give {FEWEST} to {MOST}, like {self.sample!r}")
        if any(abs(number) > LARGEST for number in (*numbers, target)):
            raise InputError(f"a number in {given} is beyond {LARGEST}")
        question = " ".join(map(str, numbers)) + ("" if self.target else f" = {target}")
        return Problem(question, self.name, {"numbers": numbers, "target": target})

    def _split(self, text: str) -> tuple[tuple[int, ...], int | None]:
        if text.lstrip().startswith("{"):
            return self._from_json(text)
        left, equals, right = text.partition("=")
        if equals and self.target is not None:
            raise InputError(
                f"the target of {self.name} is always {self.target}; give only the numbers: {self.sample!r}"
            )
        numbers = tuple(_integer(word, text) for word in re.split(r"[\s,]+", left.strip()) if word)
        return numbers, _integer(right.strip(), text) if equals else self.target

    def _from_json(self, text: str) -> tuple[tuple[int, ...], int | None]:
        try:
            data: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{shown(text)} is not JSON: {error}") from error
        numbers = data.get("nums", data.get("input", data.get("Puzzles")))
        target = data.get("target", data.get("output", self.target))
        if numbers is None:
            raise InputError(f'{shown(text)} has neither "nums" nor "input"')
        words = re.split(r"[\s,]+", numbers.strip()) if isinstance(numbers, str) else numbers
        if not isinstance(words, list):
            raise InputError(f'{shown(text)} has no list of numbers; write them like {{"nums": [3, 7, 25, 50]}}')
        return tuple(_integer(word, text) for word in words), None if target is None else _integer(target, text)

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """Instructions, solved examples as earlier turns, and the puzzle."""
        return model.chat(prompts.arithmetic(problem.given["numbers"], problem.given["target"]))

    def remarks(self, problem: Problem) -> list[str]:
        """None."""
        return []

    def depth(self, problem: Problem) -> int:
        """One step fewer than there are numbers."""
        return len(problem.given["numbers"]) - 1

    def left(self, problem: Problem, path: Sequence[str]) -> list[Fraction]:
        """The numbers that are left after `path`: those not used, in their order, and each result at the end.

        Raises:
            IllegalStepError: a step of the path breaks a rule.
        """
        numbers = [Fraction(number) for number in problem.given["numbers"]]
        for text in path:
            _apply(numbers, text)
        return numbers

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """`a op b = c`, true and from what is left; the numbers left may follow in brackets and must then be right.

        Raises:
            IllegalStepError: any other text.
        """
        step = text.strip()
        if prompts.steps_back(step, path):
            return "backtrack", step
        numbers = self.left(problem, path)
        _apply(numbers, step)
        return ("answer" if len(numbers) == 1 else "think"), step

    def possible(self, problem: Problem, path: Sequence[str]) -> Callable[[str], bool] | None:
        """Nothing can, before the step is complete."""
        return None

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """The numbers that are left."""
        return prompts.numbers_left(self.left(problem, path)) if path else ""

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """The numbers left, in ascending order."""
        return " ".join(map(str, sorted(self.left(problem, path))))

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The path as one expression, such as `(13 - 9) * (10 - 4) = 24`."""
        terms = [(Fraction(number), str(number)) for number in problem.given["numbers"]]
        for text in path:
            a, symbol, b, result, _ = _read(text)
            (_, first), (_, second) = (_take(terms, value, text) for value in (a, b))
            terms.append((result, f"({first} {symbol} {second})"))
        value, expression = terms[-1]
        return f"{expression.removeprefix('(').removesuffix(')') if path else expression} = {value}"

    def key(self, answer: str) -> str:
        """The expression itself: two ways to the target are two answers."""
        return answer

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether one number is left, and it is the target."""
        return self.left(problem, path) == [Fraction(problem.given["target"])]

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """None: an expression is checked by `verify`, there is no single gold answer."""
        return None

    def score(self, problem: Problem, answer: str) -> float | None:
        """None: there is right and wrong."""
        return None

    def generate(self, lot: Random) -> str | None:
        """Four numbers from 1 to 13, or for Countdown from 1 to 99, that lead to the target by whole numbers."""
        while True:
            numbers = [lot.randint(1, 13 if self.target else 99) for _ in range(4)]
            reached = _reached(numbers, lot)
            if self.target is None and 1 <= reached <= 100:
                return f"{' '.join(map(str, numbers))} = {reached}"
            if reached == self.target:
                return " ".join(map(str, numbers))


def _reached(numbers: Sequence[int], lot: Random) -> int:
    """What a random play over whole numbers ends with; -1 where it leaves them."""
    left = list(numbers)
    while len(left) > 1:
        a, b = (left.pop(lot.randrange(len(left))) for _ in range(2))
        symbol = lot.choice("+-*/")
        if symbol == "/" and (b == 0 or a % b):
            return -1
        left.append({"+": a + b, "-": a - b, "*": a * b}[symbol] if symbol != "/" else a // b)
    return left[0]


def _integer(word: object, text: str) -> int:
    if isinstance(word, bool) or not re.fullmatch(r"-?\d{1,12}", str(word).strip()):
        raise InputError(f"{shown(str(word))} in {shown(text)} is not a whole number")
    return int(str(word))


def _read(text: str) -> tuple[Fraction, str, Fraction, Fraction, str | None]:
    match = STEP.fullmatch(text.strip())
    if match is None:
        raise IllegalStepError(f"{text!r} is not of the form a op b = c")
    try:
        return Fraction(match[1]), match[2], Fraction(match[3]), Fraction(match[4]), match[5]
    except ZeroDivisionError as error:
        raise IllegalStepError(f"{text!r} divides by zero") from error
    except ValueError as error:
        raise IllegalStepError(f"{text!r} is not of the form a op b = c: {error}") from error


def _take(terms: list[Any], value: Fraction, text: str) -> Any:
    for i, term in enumerate(terms):
        if (term[0] if isinstance(term, tuple) else term) == value:
            return terms.pop(i)
    raise IllegalStepError(f"{text!r} uses {value}, which is not left")


def _apply(numbers: list[Fraction], text: str) -> None:
    """Replace the two numbers that a step uses by its result, in place."""
    a, symbol, b, result, written = _read(text)
    for value in (a, b):
        _take(numbers, value, text)
    if symbol == "/" and b == 0:
        raise IllegalStepError(f"{text!r} divides by zero")
    if OPERATORS[symbol](a, b) != result:
        raise IllegalStepError(f"{text!r} is not true")
    numbers.append(result)
    if written is not None and sorted(written.replace(",", " ").split()) != sorted(map(str, numbers)):
        raise IllegalStepError(f"{text!r} is wrong about the numbers that are left")
