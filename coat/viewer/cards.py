"""What of a node is drawn, and where: cards with texts that fit, on a tidy tree from left to right."""

from dataclasses import dataclass
from typing import Any

from coat.viewer.data import View
from coat.viewer.layout import tidy
from coat.viewer.looks import clamp, note
from coat.viewer.selection import Selection

CELLS = 30
"""Columns of a line of text."""
LINES = 3
"""Lines of a step's text."""
CELL, LINE = 6.63, 14.0
"""Width and height of a column of text, in pixels: a monospaced font of 11."""
SMALL = 0.87
"""Width of a column of the line under a text, in columns."""
TEXT, SLOPE, GAP = 36.0, 44.0, 10.0
"""From a card's side to its text, between levels, and between neighbours, in pixels."""


@dataclass(frozen=True, slots=True)
class Card:
    """A node in its place: the middle of its left side, its text in lines, and the line under them."""

    node: dict[str, Any]
    lines: list[str]
    note: str
    x: float
    y: float
    width: float
    height: float
    best: bool


def place(view: View, chosen: Selection, left: float, top: float) -> dict[int, Card]:
    """The cards of the chosen nodes by their ids, the upper left corner of them all at left, top."""
    nodes = [view["nodes"][own] for own in chosen.ids]
    texts = [wrapped(node["step"]["text"] if node["id"] else view["question"] or "(question)") for node in nodes]
    notes = [clamp(note(node, chosen.hidden.get(node["id"], 0)), CELLS + 4) for node in nodes]
    numbers = {own: number for number, own in enumerate(chosen.ids)}
    spots = tidy([None if node["parent"] is None else numbers[node["parent"]] for node in nodes])
    heights = [14 + LINE * (len(text) + bool(below)) for text, below in zip(texts, notes, strict=True)]
    row, width, best = max(heights) + GAP, TEXT + 10 + CELL * _widest(texts, notes), {0, *view["best"]}
    cards = {}
    for number, node in enumerate(nodes):
        across, level = spots[number]
        x, y = left + level * (width + SLOPE), top + (across + 0.5) * row
        drawn = (texts[number], notes[number], x, y, width, heights[number])
        cards[node["id"]] = Card(node, *drawn, best=node["id"] in best)
    return cards


def _widest(texts: list[list[str]], notes: list[str]) -> float:
    from rich.cells import cell_len

    return max(*(cell_len(line) for text in texts for line in text), *(SMALL * cell_len(each) for each in notes))


def wrapped(text: str) -> list[str]:
    """The beginning of a text in lines that fit a card, wide characters counted as two columns.

    >>> wrapped("Which river flows through the capital of Italy?")
    ['Which river flows through the', 'capital of Italy?']
    >>> [len(line) for line in wrapped("漢" * 100)]
    [15, 15, 15]
    """
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    shown = clamp(text.strip(), CELLS * (LINES + 1)).expandtabs(4)
    lines = [line.plain.rstrip() for line in Text(shown).wrap(Console(width=CELLS), CELLS)]
    if len(lines) > LINES:
        last = lines[LINES - 1]
        cut = last if cell_len(last) < CELLS else set_cell_size(last, CELLS - 1).rstrip()
        lines = [*lines[: LINES - 1], cut + "…"]
    return lines if shown else ["(empty)"]
