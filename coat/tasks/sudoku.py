"""Sudoku, 4×4 and 9×9: fill the empty cells so that every row, column and box has each digit once."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

from coat.errors import IllegalStepError, InputError, shown
from coat.problem import Problem
from coat.tasks.planning import Planning

EMPTY = "."
STEP = re.compile(r"r([1-9])c([1-9]) = ([1-9])")
SIZES = {16: 4, 81: 9}
"""Rows by the number of cells."""
FEWEST, MOST = 6, 10
"""Empty cells of a puzzle that is made up; of 16."""
RULES = (
    "Fill the empty cells of a sudoku. Every row, every column and every box must have each digit once; the boxes of"
    " a sudoku of 4 rows are 2x2, of 9 rows 3x3. The rows are told from the top, a dot for an empty cell. A step is"
    " the row, the column and the digit of one cell, like r1c2 = 3. Write one step a line."
)
WORKED = (
    ("12.4 3412 2143 432.", ("r1c3 = 3", "r4c4 = 1")),
    (".234 34.2 214. 4.21", ("r1c1 = 1", "r2c3 = 1", "r3c4 = 3", "r4c2 = 3")),
)


class Sudoku(Planning[str]):
    """A state is the cells, row by row: a digit, or a dot where a cell is empty."""

    name = "sudoku"
    summary = "fill a sudoku of 4 or 9 rows, a cell a step"
    source = "a generator"
    sample = "1.3. .41. 2..3 .3.1"
    rules, solved = RULES, WORKED
    step_tokens: int = 12

    def typed(self, text: str) -> Problem:
        """The cells row by row, 0 or a dot for an empty one; space, / and | between them mean nothing."""
        cells = re.sub(r"[\s/|]+", "", text).replace("0", EMPTY)
        size = SIZES.get(len(cells))
        if size is None:
            raise InputError(f"{shown(text)} has {len(cells)} cells; a sudoku has 16 or 81, like {self.sample!r}")
        digits = _digits(size)
        if strange := next((cell for cell in cells if cell not in digits + EMPTY), None):
            raise InputError(
                f"{shown(strange)} is in no sudoku of {size} rows; write 1 to {size}, and 0 or . for empty"
            )
        for place, digit in enumerate(cells):
            if digit != EMPTY and (where := _taken(cells, place, digit)):
                raise InputError(f"the digit {digit} of {_named(place, size)} is in the same {where} once more")
        if EMPTY not in cells:
            raise InputError(f"{shown(text)} has no empty cell; there is nothing to fill in")
        return Problem(_rows(cells), self.name, {"cells": cells})

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """The cells under "puzzle"."""
        if not isinstance(record.get("puzzle"), str):
            raise InputError('the record has no text as "puzzle"; write it like {"puzzle": "1.3..41.2..3.3.1"}')
        return self.typed(record["puzzle"])

    def posed(self, problem: Problem) -> str:
        """The rows."""
        return self.told(problem, self.start(problem))

    def start(self, problem: Problem) -> str:
        """The cells as they are given."""
        cells: str = problem.given["cells"]
        return cells

    def after(self, problem: Problem, state: str, step: str) -> str:
        """The cells after a digit was written into an empty one, where nothing in sight has it."""
        match, size = STEP.fullmatch(step), SIZES[len(state)]
        if match is None or max(map(int, match.groups())) > size:
            raise IllegalStepError(f"{step!r} is not of the form r1c2 = 3, with numbers from 1 to {size}")
        row, column, digit = match.groups()
        place = (int(row) - 1) * size + int(column) - 1
        if state[place] != EMPTY:
            raise IllegalStepError(f"{step!r} writes into a cell that has the digit {state[place]}")
        if where := _taken(state, place, digit):
            raise IllegalStepError(f"{step!r} is not possible: the {where} has a {digit}")
        return state[:place] + digit + state[place + 1 :]

    def finished(self, problem: Problem, state: str) -> bool:
        """Whether no cell is empty; no step can have written a digit twice."""
        return EMPTY not in state

    def told(self, problem: Problem, state: str) -> str:
        """The rows."""
        return f"Rows: {_rows(state)}"

    def depth(self, problem: Problem) -> int:
        """As many steps as there are empty cells."""
        cells: str = problem.given["cells"]
        return cells.count(EMPTY)

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """The rows."""
        return _rows(self.reached(problem, path))

    def generate(self, lot: Random) -> str | None:
        """Four rows with one solution: a cell is emptied only where what it sees leaves one digit for it.

        So the cells, filled in the other order, never leave a choice.
        """
        cells = filled(4, lot)
        empty = lot.randint(FEWEST, MOST)
        for place in lot.sample(range(16), 16):
            rest = cells[:place] + EMPTY + cells[place + 1 :]
            if cells.count(EMPTY) < empty and len(candidates(rest, place)) == 1:
                cells = rest
        return _rows(cells)


def candidates(cells: str, place: int) -> str:
    """The digits that nothing in sight of a cell has; none where it is filled.

    >>> candidates("1.3..41.2..3.3.1", 1)
    '2'
    """
    if cells[place] != EMPTY:
        return ""
    seen = {cells[each] for unit in units(SIZES[len(cells)])[place].values() for each in unit}
    return "".join(digit for digit in _digits(SIZES[len(cells)]) if digit not in seen)


def filled(size: int, lot: Random) -> str:
    """A sudoku of `size` rows without empty cells: digits, and rows and columns within bands, in any order."""
    box = math.isqrt(size)
    digits = lot.sample(_digits(size), size)

    def order() -> list[int]:
        return [band * box + line for band in lot.sample(range(box), box) for line in lot.sample(range(box), box)]

    rows, columns = order(), order()
    return "".join(digits[(box * (row % box) + row // box + column) % size] for row in rows for column in columns)


@cache
def units(size: int) -> tuple[Mapping[str, frozenset[int]], ...]:
    """By cell the other cells of its row, its column and its box."""
    box = math.isqrt(size)
    found = []
    for place in range(size * size):
        row, column = divmod(place, size)
        parts: dict[str, set[int]] = {"row": set(), "column": set(), "box": set()}
        for other in set(range(size * size)) - {place}:
            down, across = divmod(other, size)
            same = (down == row, across == column, (down // box, across // box) == (row // box, column // box))
            for name, shared in zip(parts, same, strict=True):
                parts[name] |= {other} if shared else set()
        found.append({name: frozenset(part) for name, part in parts.items()})
    return tuple(found)


def _taken(cells: str, place: int, digit: str) -> str:
    """The unit of a cell that has `digit` elsewhere, empty where none has."""
    parts = units(SIZES[len(cells)])[place]
    return next((name for name, part in parts.items() if any(cells[each] == digit for each in part)), "")


def _digits(size: int) -> str:
    return "123456789"[:size]


def _named(place: int, size: int) -> str:
    return f"r{place // size + 1}c{place % size + 1}"


def _rows(cells: str) -> str:
    size = SIZES[len(cells)]
    return " ".join(cells[start : start + size] for start in range(0, len(cells), size))
