"""The puzzles that the figures are measured on, and what chance does on them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from coat.errors import InputError
from training.evaluate import held_out_puzzles
from training.splits import held_out, trainable

RANKS = slice(900, 1000)
"""Rows 901 to 1000 of the file, as in Tree of Thoughts (arXiv 2305.10601)."""
SEED = 4
COUNTDOWN = 99


@dataclass(frozen=True, slots=True)
class Puzzle:
    """One puzzle as the engine's task reads it."""

    task: str
    question: str
    numbers: tuple[int, ...]
    target: int


def game24(data: Path, rows: slice = RANKS) -> list[Puzzle]:
    """Puzzles of `24.csv` below `data`, by default the hard ones of the literature.

    Raises:
        InputError: the file is not there.
    """
    path = data / "game24" / "24.csv"
    if not path.is_file():
        raise InputError(f"there is no file {path}; name the folder that holds game24/24.csv with --data")
    with path.open(encoding="utf-8") as file:
        questions = [row["Puzzles"] for row in csv.DictReader(file)]
    return [Puzzle("game24", each, tuple(map(int, each.split())), 24) for each in questions[rows]]


def countdown(size: int, count: int, tuning: bool = False) -> list[Puzzle]:
    """Held-out Countdown puzzles with a solution: `size` numbers from 1 to 99, a target from 1 to 100.

    Those for `tuning` are not held out, so that choices may be made on them.
    """
    return [
        Puzzle("countdown", f"{' '.join(map(str, numbers))} = {target}", tuple(numbers), target)
        for numbers, target in held_out_puzzles(size, count, COUNTDOWN, SEED, trainable if tuning else held_out)
    ]


def random_play(puzzles: Sequence[Puzzle], steps: Sequence[int], seed: int = 0) -> list[bool]:
    """Whether uniformly random legal steps reach the target of puzzle i within `steps[i]` of them, line after line."""
    random = Random(f"play:{seed}")
    return [_plays(puzzle, count, random) for puzzle, count in zip(puzzles, steps, strict=True)]


def _plays(puzzle: Puzzle, steps: int, random: Random) -> bool:
    numbers = list(puzzle.numbers)
    for _ in range(steps):
        numbers = random_step(numbers, random)
        if numbers == [puzzle.target]:
            return True
        if len(numbers) == 1:
            numbers = list(puzzle.numbers)
    return False


def random_step(numbers: Sequence[int], random: Random) -> list[int]:
    """The numbers after one of the legal steps, all equally likely: whole results that are not negative."""
    found = []
    for i, a in enumerate(numbers):
        for j, b in enumerate(numbers):
            if i != j and a >= b and (a > b or i < j):
                rest = [number for k, number in enumerate(numbers) if k not in (i, j)]
                results = [a + b, a - b, a * b] + ([a // b] if b and a % b == 0 else [])
                found += [[*rest, result] for result in results]
    return random.choice(found)
