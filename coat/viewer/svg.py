"""A tree as one SVG picture: no script, no link, its own background, text as text."""

import math
from xml.etree.ElementTree import Element, SubElement, tostring

from coat.viewer import legend
from coat.viewer.cards import LINE, TEXT, Card, place
from coat.viewer.data import View, worth
from coat.viewer.looks import clamp, colour, kind, outcome, visible, whole
from coat.viewer.marks import INK, draw_mark, pixels
from coat.viewer.selection import select

LIMIT = 40
"""The most nodes that a picture shows unless it is asked for more."""
EDGE = 24.0
"""Around the picture, in pixels."""
LARGEST = 12.0
"""Radius of the mark of the node most visited."""
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
BACKGROUND, CLOSED, PALE, LINES = "#ffffff", "#f4f4f5", "#52525b", "#a1a1aa"


def svg(view: View, limit: int = LIMIT) -> str:
    """The picture of at most `limit` nodes: the best path and the most visited, and how many are left out.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    chosen = select(view, limit)
    found = outcome(view)
    top = EDGE + (LINE + 12) * bool(found)
    cards = place(view, chosen, EDGE, top)
    low = max(card.y + card.height / 2 for card in cards.values()) + EDGE
    right = max(legend.WIDTH + EDGE, *(card.x + card.width for card in cards.values()))
    width, height = math.ceil(right + EDGE), math.ceil(low + legend.HEIGHT + EDGE)
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    drawing = Element("svg", size | {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT})
    SubElement(drawing, "title").text = visible(f"Search tree: {view['question']}")
    SubElement(drawing, "rect", {"width": "100%", "height": "100%", "fill": BACKGROUND})
    if found:
        head = pixels(x=EDGE, y=EDGE + LINE - 3) | {"font-size": "13", "font-weight": "bold", "fill": INK}
        SubElement(drawing, "text", head).text = clamp(found, int(width / 8.5))
    _edges(drawing, cards)
    most = max(card.node["visits"] for card in cards.values()) or 1
    for card in cards.values():
        _card(drawing, card, math.sqrt(card.node["visits"] / most))
    legend.draw(drawing, EDGE, low, len(cards), chosen.left_out)
    return tostring(drawing, encoding="unicode")


def _edges(drawing: Element, cards: dict[int, Card]) -> None:
    """The edges, those of the best path last, above the others."""
    for card in sorted(cards.values(), key=lambda card: card.best):
        if card.node["parent"] is not None:
            _edge(drawing, cards[card.node["parent"]], card)


def _edge(drawing: Element, parent: Card, card: Card) -> None:
    start, end, high, low = parent.x + parent.width, card.x, parent.y, card.y
    middle = (start + end) / 2
    path = f"M{start:.1f},{high:.1f}C{middle:.1f},{high:.1f} {middle:.1f},{low:.1f} {end:.1f},{low:.1f}"
    style = {"stroke": INK, "stroke-width": "3"} if card.best else {"stroke": LINES, "stroke-width": "1.2"}
    SubElement(drawing, "path", {"d": path, "fill": "none"} | style | _dashed(card))


def _card(drawing: Element, card: Card, share: float) -> None:
    """One node; `share` is the square root of its share of the most visits, so that areas tell the visits."""
    group = SubElement(drawing, "g", {"data-node": str(card.node["id"])})
    SubElement(group, "title").text = whole(card.node)
    top, dashed = card.y - card.height / 2, _dashed(card)
    frame = pixels(x=card.x, y=top, width=card.width, height=card.height, rx=6)
    frame |= {"fill": CLOSED if dashed else BACKGROUND} | dashed
    frame |= {"stroke": INK, "stroke-width": "2.5"} if card.best else {"stroke": LINES, "stroke-width": "1"}
    SubElement(group, "rect", frame)
    draw_mark(group, kind(card.node), card.x + 17, card.y, 4 + (LARGEST - 4) * share, colour(worth(card.node)))
    style = {"fill": PALE if dashed else INK, "font-size": "11", "xml:space": "preserve"}
    style |= {"font-weight": "bold"} if card.best else {}
    for number, line in enumerate(card.lines):
        SubElement(group, "text", pixels(x=card.x + TEXT, y=top + 18 + LINE * number) | style).text = line
    foot = pixels(x=card.x + TEXT, y=top + 18 + LINE * len(card.lines)) | {"font-size": "9.5", "fill": PALE}
    SubElement(group, "text", foot).text = card.note


def _dashed(card: Card) -> dict[str, str]:
    return {"stroke-dasharray": "4 3"} if kind(card.node) in ("dead", "step back") else {}
