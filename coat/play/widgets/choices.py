"""The choices: what can be picked next, in a line, by arrow keys and enter, or by a click."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

META = "choice"
WIDTH = 40
"""Columns that a line of choices may take."""


class Choices(Static, can_focus=True):
    """Shows what was picked so far, and what can follow."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "go(-1)", show=False),
        Binding("right,down", "go(1)", show=False),
        Binding("enter,space", "choose", show=False),
    ]
    DEFAULT_CSS = """
    Choices { height: auto; max-height: 4; padding: 0 1; }
    Choices:focus { background: $boost; }
    """

    @dataclass
    class Chosen(Message):
        """A choice was picked."""

        choice: str

    def __init__(self) -> None:
        super().__init__(id="choices")
        self._choices: list[str] = []
        self._at = 0
        self._said = ""

    def offer(self, choices: Sequence[str], picked: Sequence[str]) -> None:
        """Show `choices`, after what was picked."""
        self._choices, self._at, self._said = list(choices), 0, " ".join(picked)
        self.display = bool(choices)
        self._paint()

    def action_go(self, by: int) -> None:
        """Move to the next choice, or to the one before."""
        if self._choices:
            self._at = (self._at + by) % len(self._choices)
            self._paint()

    def action_choose(self) -> None:
        """Pick the choice that is marked."""
        if self._choices:
            self.post_message(self.Chosen(self._choices[self._at]))

    def watch_has_focus(self, focused: bool) -> None:
        """Mark the choice that enter picks, or none."""
        super().watch_has_focus(focused)
        self._paint()

    def on_click(self, event: events.Click) -> None:
        """Pick what is clicked."""
        at = event.style.meta.get(META)
        if at is not None:
            self.post_message(self.Chosen(self._choices[at]))

    def _paint(self) -> None:
        text = Text().append("Pick: ", "dim")
        apart = "" if all(len(choice) == 1 for choice in self._choices) else " "
        text.append(f"{self._said} " if self._said else "", "bold")
        room = WIDTH - len(text)
        for at, choice in enumerate(self._choices):
            if room < len(choice) + 2:
                text.append("\n")
                room = WIDTH
            room -= len(choice) + 2 + len(apart)
            start = len(text)
            text.append(f"[{choice}]", "bold reverse" if at == self._at and self.has_focus else "")
            text.apply_meta({META: at}, start)
            text.append(apart)
        self.update(text)
