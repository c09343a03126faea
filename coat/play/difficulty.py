"""Easy, medium and hard: thirds of the effort over puzzles as they are dealt, and dealing one of a third.

`python -m benchmarks.difficulty` prints where the thirds end; `ENDS` holds what it printed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from coat.errors import InputError
from coat.play.rating import RATERS, cube2x2, sudoku
from coat.tasks import get

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = get_args(Level)
ENDS: dict[str, tuple[float, float]] = {
    "game24": (83.3, 180.3),
    "countdown": (97.3, 99.8),
    "sudoku": (44.0, 67.4),
    "blocksworld": (4.0, 8.0),
    "cube2x2": (3.0, 5.4),
}
"""The most effort of an easy puzzle, and of a medium one."""
DEALERS: dict[str, Callable[[Random], str]] = {"sudoku": sudoku.deal, "cube2x2": cube2x2.deal}
"""Who deals where the task's own generator deals too narrow a choice."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """A puzzle as a person types it, its level, and the effort that it was measured to take."""

    question: str
    level: Level
    effort: float


def level_of(game: str, effort: float) -> Level:
    """The third that `effort` lies in."""
    easy, medium = ENDS[game]
    return "easy" if effort <= easy else "medium" if effort <= medium else "hard"


def drawn(game: str, lot: Random) -> str:
    """A puzzle of any level, as it is dealt."""
    if game in DEALERS:
        return DEALERS[game](lot)
    text = get(game).generate(lot)
    assert text is not None, "every game here has a generator"
    return text


def deal(game: str, level: str, seed: int) -> Dealt:
    """The first puzzle of `level` among those that `seed` draws; the same every time.

    Raises:
        InputError: there is no such level, or nothing is dealt for the game.
    """
    if level not in LEVELS:
        raise InputError(f"there is no difficulty {level!r}; it is one of {', '.join(LEVELS)}")
    if game not in RATERS:
        raise InputError(f"no puzzle is dealt for {game!r}; type one of your own")
    lot = Random(f"{game}:{level}:{seed}")
    while True:
        question = drawn(game, lot)
        effort = RATERS[game](question)
        if level_of(game, effort) == level:
            return Dealt(question, level_of(game, effort), effort)
