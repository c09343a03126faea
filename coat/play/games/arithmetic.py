"""Game of 24 and Countdown: two numbers and what is done with them make a move."""

import re
from collections.abc import Sequence
from fractions import Fraction

from coat.errors import IllegalStepError, shown
from coat.play.game import Board, Span
from coat.problem import Problem
from coat.tasks.arithmetic import NUMBER, OPERATORS, Arithmetic

MOVE = re.compile(rf"({NUMBER}) ?([-+*/]) ?({NUMBER})(?: ?= ?({NUMBER}))?")
SIGNS = str.maketrans({"×": "*", "x": "*", "X": "*", "·": "*", "÷": "/", ":": "/", "−": "-", "–": "-"})


class ArithmeticGame:
    """Typed as `13 - 9`, with or without the result."""

    aimed = False
    form = "two numbers that are left, like 13 - 9"

    def __init__(self, name: str) -> None:
        self.name = name
        self.task = Arithmetic(name, 24 if name == "game24" else None)
        self.title = "Game of 24" if name == "game24" else "Countdown"

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """The move with its result, which the person need not work out."""
        match = MOVE.fullmatch(" ".join(text.translate(SIGNS).split()))
        if match is None:
            raise IllegalStepError(f"{shown(text)} is no move; write {self.form}")
        a, symbol, b, result = match.groups()
        try:
            found = Fraction(OPERATORS[symbol](Fraction(a), Fraction(b)))
        except ZeroDivisionError as error:
            raise IllegalStepError(f"{shown(text)} divides by zero") from error
        return [f"{a} {symbol} {b} = {found if result is None else result}"]

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """The target, and the numbers left as tiles."""
        left = [str(number) for number in self.task.left(problem, path)]
        won = self.task.verify(problem, path)
        spans = [Span(f"[ {number} ]", number, "good" if won else "title") for number in left]
        tiles = [each for span in spans for each in (span, Span("  "))]
        target = f"Make {problem.given['target']}; every number is used once."
        return [[Span(target)], [], tiles, []]

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """A number, an operator, another number."""
        left = [str(number) for number in self.task.left(problem, path)]
        if len(picked) == 1:
            return list(OPERATORS)
        if len(picked) > 2 or len(left) < 2:
            return []
        if picked:
            left.remove(picked[0])
        return list(dict.fromkeys(left))
