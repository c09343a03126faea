"""A tree as one SVG picture: no script, no link, its own background, text as text."""

import math
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from coat.viewer import legend
from coat.viewer.data import View, worth
from coat.viewer.layout import tidy
from coat.viewer.looks import clamp, colour, kind, note, visible, whole
from coat.viewer.marks import INK, draw_mark
from coat.viewer.selection import Selection, select

LIMIT = 40
"""The most nodes that a picture shows unless it is asked for more."""
CELLS = 30
"""Columns of a line of text."""
LINES = 3
"""Lines of a step's text."""
CELL, LINE = 6.63, 14.0
"""Width and height of a column of text, in pixels: a monospaced font of 11."""
TEXT, SLOPE, GAP, EDGE = 36.0, 44.0, 10.0, 24.0
"""From a card's side to its text, between levels, between neighbours, and around the picture."""
LARGEST = 12.0
"""Radius of the mark of the node most visited."""
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
BACKGROUND = "#ffffff"


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


def svg(view: View, limit: int = LIMIT) -> str:
    """The picture of at most `limit` nodes: the best path and the most visited, and how many are left out.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    chosen = select(view, limit)
    cards = _cards(view, chosen)
    left = (max(card.x + card.width for card in cards.values()) + EDGE, legend.WIDTH + 2 * EDGE)
    low = max(card.y + card.height / 2 for card in cards.values()) + EDGE
    width, height = math.ceil(max(left)), math.ceil(low + legend.HEIGHT + EDGE)
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    drawing = Element("svg", size | {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT})
    SubElement(drawing, "title").text = visible(f"Search tree: {view['question']}")
    SubElement(drawing, "rect", {"width": "100%", "height": "100%", "fill": BACKGROUND})
    for best in (False, True):
        for card in cards.values():
            parent = cards.get(-1 if card.node["parent"] is None else card.node["parent"])
            if parent is not None and card.best is best:
                _edge(drawing, parent, card)
    most = max(card.node["visits"] for card in cards.values()) or 1
    for card in cards.values():
        _card(drawing, card, math.sqrt(card.node["visits"] / most))
    legend.draw(drawing, EDGE, low, len(cards), chosen.left_out)
    return tostring(drawing, encoding="unicode")


def _cards(view: View, chosen: Selection) -> dict[int, Card]:
    from rich.cells import cell_len

    nodes = [view["nodes"][own] for own in chosen.ids]
    texts = [_wrapped(node["step"]["text"] if node["id"] else view["question"] or "(question)") for node in nodes]
    notes = [clamp(note(node, chosen.hidden.get(node["id"], 0)), CELLS + 4) for node in nodes]
    place = {own: number for number, own in enumerate(chosen.ids)}
    levels = tidy([None if node["parent"] is None else place[node["parent"]] for node in nodes])
    heights = [14 + LINE * (len(text) + bool(note)) for text, note in zip(texts, notes, strict=True)]
    longest = max(*(cell_len(line) for text in texts for line in text), *(0.87 * len(each) for each in notes))
    row, width, best = max(heights) + GAP, TEXT + longest * CELL + 10, {0, *view["best"]}
    return {
        node["id"]: Card(
            node, text, below, EDGE + level * (width + SLOPE), EDGE + across * row + row / 2, width, height, own in best
        )
        for own, node, text, below, height, (across, level) in zip(
            chosen.ids, nodes, texts, notes, heights, levels, strict=True
        )
    }


def _wrapped(text: str) -> list[str]:
    """The beginning of a text in lines that fit a card, wide characters counted as two."""
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    shown = clamp(text.strip(), CELLS * (LINES + 1)).expandtabs(4)
    lines = [line.plain.rstrip() for line in Text(shown).wrap(Console(width=CELLS), CELLS)]
    if len(lines) > LINES:
        last = lines[LINES - 1]
        lines = [*lines[: LINES - 1], (last if cell_len(last) < CELLS else set_cell_size(last, CELLS - 1)) + "…"]
    return lines or ["(empty)"]


def _edge(drawing: Element, parent: Card, card: Card) -> None:
    start, middle = parent.x + parent.width, (parent.x + parent.width + card.x) / 2
    path = f"M{start:.1f},{parent.y:.1f}C{middle:.1f},{parent.y:.1f} {middle:.1f},{card.y:.1f} {card.x:.1f},{card.y:.1f}"
    style = {"stroke": INK, "stroke-width": "3"} if card.best else {"stroke": "#a1a1aa", "stroke-width": "1.2"}
    dashed = {"stroke-dasharray": "4 3"} if kind(card.node) in ("dead", "step back") else {}
    SubElement(drawing, "path", {"d": path, "fill": "none"} | style | dashed)


def _card(drawing: Element, card: Card, share: float) -> None:
    """One node; `share` is the square root of its share of the most visits, so that areas tell the visits."""
    group = SubElement(drawing, "g", {"data-node": str(card.node["id"])})
    SubElement(group, "title").text = whole(card.node)
    top, closed = card.y - card.height / 2, kind(card.node) in ("dead", "step back")
    frame = {"x": f"{card.x:.1f}", "y": f"{top:.1f}", "width": f"{card.width:.1f}", "height": f"{card.height:.1f}", "rx": "6"}
    frame |= {"fill": "#f4f4f5" if closed else "#ffffff"}
    frame |= {"stroke": INK, "stroke-width": "2.5"} if card.best else {"stroke": "#a1a1aa", "stroke-width": "1"}
    SubElement(group, "rect", frame | ({"stroke-dasharray": "4 3"} if closed else {}))
    draw_mark(group, kind(card.node), card.x + 17, card.y, 4 + (LARGEST - 4) * share, colour(worth(card.node)))
    for number, line in enumerate(card.lines):
        style = {"x": f"{card.x + TEXT:.1f}", "y": f"{top + 18 + LINE * number:.1f}", "font-size": "11"}
        style |= {"fill": "#52525b" if closed else INK} | ({"font-weight": "bold"} if card.best else {})
        SubElement(group, "text", style | {"xml:space": "preserve"}).text = line
    foot = {"x": f"{card.x + TEXT:.1f}", "y": f"{top + 18 + LINE * len(card.lines):.1f}", "font-size": "9.5"}
    SubElement(group, "text", foot | {"fill": "#52525b"}).text = card.note
