"""What a game is to the screens: its rules are the task's, the rest is how it is shown and how moves are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from coat.problem import Problem
from coat.tasks import Task

Mark = Literal["", "title", "fixed", "good", "faint"]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a board: its text, what picking it says (empty where it cannot be picked), and how it looks."""

    text: str
    pick: str = ""
    mark: Mark = ""


Board = Sequence[Sequence[Span]]
"""Lines of spans, the uppermost first."""


class Game(Protocol):
    """One kind of puzzle. A path is the texts of the steps so far."""

    name: str
    title: str
    form: str
    """How a move is typed, in a line."""
    aimed: bool
    """Whether a move is aimed at a place on the board, which a cursor chooses."""

    @property
    def task(self) -> Task:
        """The rules."""
        ...

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """What a person typed or picked, as steps of the task, which may yet forbid them.

        Raises:
            IllegalStepError: it is no move.
        """
        ...

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """How things stand after `path`."""
        ...

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """What can be picked after `picked` to make a move of it; nothing where the move is complete."""
        ...
