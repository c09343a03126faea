"""The board: lines of spans, of which some can be picked, by a cursor or by a click."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from coat.cli.show import printable
from coat.play.game import Board, Mark

STYLES: dict[Mark, str] = {"": "", "title": "bold", "fixed": "bold", "good": "italic green", "faint": "dim"}
ARROWS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
META = "pick"


class BoardView(Static, can_focus=True):
    """Shows a board; arrow keys move the cursor, enter or a click picks, a key typed goes to where the cursor is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"go('{key}')", show=False) for key in ("up", "down", "left", "right")),
        Binding("enter", "pick", show=False),
    ]
    DEFAULT_CSS = """
    BoardView { height: auto; max-height: 16; width: 1fr; padding: 0 1; }
    BoardView:focus { background: $boost; }
    """

    @dataclass
    class Picked(Message):
        """Something on the board was picked, by a click or the cursor."""

        pick: str

    @dataclass
    class Typed(Message):
        """A character was typed while the cursor was at `pick`."""

        pick: str
        character: str

    def __init__(self) -> None:
        super().__init__(id="board")
        self._board: Board = []
        self._places: list[tuple[int, int, str]] = []
        self._cursor = 0

    @property
    def cursor(self) -> str:
        """What the cursor is at; empty where nothing can be picked."""
        return self._places[self._cursor][2] if self._places else ""

    def draw(self, board: Board) -> None:
        """Show `board`; the cursor stays as near as it can to where it was."""
        before = self._places[self._cursor] if self._places else None
        self._board, self._places = board, []
        for row, line in enumerate(board):
            column = 0
            for span in line:
                self._places += [(row, column, span.pick)] if span.pick else []
                column += len(span.text)
        self._cursor = 0
        if before is not None and self._places:
            self._cursor = min(range(len(self._places)), key=lambda at: _distance(self._places[at], before))
        self._paint()

    def action_go(self, key: str) -> None:
        """Move the cursor to the nearest place in a direction."""
        if not self._places:
            return
        row, column, _ = self._places[self._cursor]
        down, right = ARROWS[key]
        ahead = [at for at, place in enumerate(self._places) if _ahead(place, row, column, down, right)]
        if ahead:
            self._cursor = min(ahead, key=lambda at: _offset(self._places[at], row, column, bool(down)))
            self._paint()
            self.post_message(self.Picked(""))

    def action_pick(self) -> None:
        """Pick what the cursor is at."""
        if self.cursor:
            self.post_message(self.Picked(self.cursor))

    def watch_has_focus(self, focused: bool) -> None:
        """Show the cursor, or hide it."""
        super().watch_has_focus(focused)
        self._paint()

    def on_key(self, event: events.Key) -> None:
        """Hand on what is typed."""
        if event.character and event.is_printable and self.cursor:
            event.stop()
            self.post_message(self.Typed(self.cursor, event.character))

    def on_click(self, event: events.Click) -> None:
        """Pick what is clicked."""
        pick = event.style.meta.get(META)
        if pick:
            self._cursor = next(at for at, place in enumerate(self._places) if place[2] == pick)
            self._paint()
            self.post_message(self.Picked(pick))

    def _paint(self) -> None:
        text, at = Text(no_wrap=False), 0
        for line in self._board:
            for span in line:
                start = len(text)
                text.append(printable(span.text), STYLES[span.mark])
                if span.pick:
                    text.apply_meta({META: span.pick}, start)
                    if at == self._cursor and self.has_focus:
                        text.stylize("reverse", start)
                    at += 1
            text.append("\n")
        text.rstrip()
        self.update(text)


def _distance(place: tuple[int, int, str], other: tuple[int, int, str]) -> tuple[int, int]:
    return abs(place[0] - other[0]), abs(place[1] - other[1])


def _ahead(place: tuple[int, int, str], row: int, column: int, down: int, right: int) -> bool:
    """Whether a place lies in a direction; sideways only in the same row."""
    if right:
        return place[0] == row and (place[1] - column) * right > 0
    return (place[0] - row) * down > 0


def _offset(place: tuple[int, int, str], row: int, column: int, upright: bool) -> tuple[int, int]:
    """How far a place is, the direction first that matters most."""
    down, across = abs(place[0] - row), abs(place[1] - column)
    return (across, down) if upright and across < 2 else (down, across)
