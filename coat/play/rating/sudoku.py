"""Sudoku by trying: the empty cell with the fewest digits left is filled first, with each of them in turn."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from coat.tasks import get
from coat.tasks.sudoku import EMPTY, SIZES, filled


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many solutions were found, no more than were asked for, and how many digits were tried for it."""

    solutions: int
    tried: int


def effort(question: str) -> float:
    """Digits tried until all solutions are known; as many as there are empty cells where there is never a choice."""
    return float(solve(get("sudoku").read(question).given["cells"], math.inf).tried)


def solve(cells: str, most: float = 2) -> Outcome:
    """Look for `most` solutions of `cells`, which break no rule.

    >>> solve("1.3..41.2..3.3.1"), solve("1234341221434...")
    (Outcome(solutions=1, tried=8), Outcome(solutions=1, tried=3))
    """
    size, solutions, tried = SIZES[len(cells)], 0, 0
    stack = [[0 if cell == EMPTY else 1 << int(cell) for cell in cells]]
    while stack and solutions < most:
        grid = stack.pop()
        place, free = _fewest(grid, size)
        if place < 0:
            solutions += 1
            continue
        for bit in _bits(free):
            tried += 1
            stack.append([*grid[:place], bit, *grid[place + 1 :]])
    return Outcome(solutions, tried)


def deal(lot: Random) -> str:
    """Nine rows with one solution; cells are emptied in any order as long as it stays the only one."""
    cells, empty = filled(9, lot), lot.randint(36, 58)
    for place in lot.sample(range(81), 81):
        rest = cells[:place] + EMPTY + cells[place + 1 :]
        if cells.count(EMPTY) < empty and solve(rest).solutions == 1:
            cells = rest
    return get("sudoku").read(cells).question


def _fewest(grid: list[int], size: int) -> tuple[int, int]:
    """The empty cell with the fewest digits left and these, a bit each; -1 where no cell is empty."""
    box = math.isqrt(size)
    rows, columns, boxes = [0] * size, [0] * size, [0] * size
    for place, bit in enumerate(grid):
        row, column = divmod(place, size)
        rows[row] |= bit
        columns[column] |= bit
        boxes[row // box * box + column // box] |= bit
    every, found, best, least = (2 << size) - 2, -1, 0, size + 1
    for place, bit in enumerate(grid):
        if not bit:
            row, column = divmod(place, size)
            free = every & ~(rows[row] | columns[column] | boxes[row // box * box + column // box])
            if free.bit_count() < least:
                found, best, least = place, free, free.bit_count()
    return found, best


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit
