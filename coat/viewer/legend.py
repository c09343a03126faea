"""What a picture of a tree means, drawn below it."""

from xml.etree.ElementTree import Element, SubElement

from coat.viewer.looks import KINDS, UNKNOWN, colour
from coat.viewer.marks import INK, draw_mark, pixels

WIDTH, HEIGHT = 620.0, 62.0
STEPS = 24
"""Pieces of the bar of colours."""


def draw(drawing: Element, x: float, y: float, shown: int, left_out: int) -> None:
    """The legend, its upper left corner at x, y, and how many nodes are shown and left out."""
    group = SubElement(drawing, "g", {"font-size": "10", "fill": INK})
    at = x + 8
    for what in KINDS:
        draw_mark(group, what, at, y + 8, 6, UNKNOWN)
        _text(group, at + 14, y + 11.5, what)
        at += 44 + 6.1 * len(what)
    at = _bar(group, x, y + 26)
    _text(group, at, y + 34, "larger: more visits; thick and bold: the best path")
    total = shown + left_out
    line = f"{shown} of {total} nodes; {left_out} that were visited less are left out" if left_out else f"{total} nodes"
    _text(group, x, y + 54, line)


def _bar(group: Element, x: float, y: float) -> float:
    """The colours of the values from 0 to 1; where the next text may begin."""
    _text(group, x, y + 8, "value 0")
    start = x + 50
    for number in range(STEPS):
        place = pixels(x=start + number * 4, y=y, width=4.2, height=10)
        SubElement(group, "rect", place | {"fill": colour(number / (STEPS - 1))})
    _text(group, start + STEPS * 4 + 6, y + 8, "1")
    return start + STEPS * 4 + 30


def _text(group: Element, x: float, y: float, text: str) -> None:
    SubElement(group, "text", pixels(x=x, y=y)).text = text
