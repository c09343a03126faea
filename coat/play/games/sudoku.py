"""Sudoku: a cell and a digit make a move."""

import math
import re
from collections.abc import Sequence

from coat.errors import IllegalStepError, shown
from coat.play.game import Board, Span
from coat.problem import Problem
from coat.tasks.sudoku import EMPTY, Sudoku

MOVE = re.compile(r"r?([1-9])[ ,]*c?([1-9])[ =:,]*([1-9])", re.IGNORECASE)


class SudokuGame:
    """Typed as `r3c4 = 7` or `347`; or the cursor is moved to a cell and the digit typed."""

    name, title = "sudoku", "Sudoku"
    aimed = True
    form = "row, column and digit, like r3c4 = 7 or 347"

    def __init__(self) -> None:
        self.task = Sudoku()

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """The step as the task writes it."""
        match = MOVE.fullmatch(text.strip())
        if match is None:
            raise IllegalStepError(f"{shown(text)} is no move; write {self.form}")
        return ["r{}c{} = {}".format(*match.groups())]

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """The rows with lines between the boxes; given digits are bold, empty cells can be picked."""
        given, cells = self.task.start(problem), self.task.reached(problem, path)
        size = math.isqrt(len(cells))
        box = math.isqrt(size)
        rule = "+".join("-" * (2 * box + 1) for _ in range(box))
        lines: list[list[Span]] = [[Span(f"    {self._heads(size, box)}", mark="faint")]]
        for row in range(size):
            if row and row % box == 0:
                lines.append([Span(f"   {rule}", mark="faint")])
            line = [Span(f"{row + 1}   ", mark="faint")]
            for column in range(size):
                place = row * size + column
                line += [Span("| ", mark="faint")] if column and column % box == 0 else []
                line += [_cell(given[place], cells[place], row, column), Span(" ")]
            lines.append(line)
        return lines

    def _heads(self, size: int, box: int) -> str:
        """The numbers of the columns."""
        return "".join(("  " if column and column % box == 0 else "") + f"{column + 1} " for column in range(size))

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """The digits, once a cell is picked; whether one fits is for the person to see."""
        size = math.isqrt(len(self.task.start(problem)))
        return [str(digit) for digit in range(1, size + 1)] if len(picked) == 1 else []


def _cell(given: str, digit: str, row: int, column: int) -> Span:
    if given != EMPTY:
        return Span(given, mark="fixed")
    if digit != EMPTY:
        return Span(digit, mark="good")
    return Span("·", f"r{row + 1}c{column + 1}")
