"""The mark of a node: its shape says what it is, so that no colour is needed to tell."""

from xml.etree.ElementTree import Element, SubElement

from coat.viewer.looks import Kind

INK = "#18181b"
CORNERS: dict[Kind, tuple[tuple[float, float], ...]] = {
    "answer": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "step back": ((0, -1.2), (1.15, 0.8), (-1.15, 0.8)),
    "by a person": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
}
"""A diamond, a triangle and a square, in radii from the middle."""


def pixels(**numbers: float) -> dict[str, str]:
    """Attributes of an element, to a tenth of a pixel.

    >>> pixels(x=1, y=2.54)
    {'x': '1.0', 'y': '2.5'}
    """
    return {name: f"{number:.1f}" for name, number in numbers.items()}


def draw_mark(group: Element, what: Kind, x: float, y: float, radius: float, fill: str) -> None:
    """A circle for a step, a diamond for an answer, a cross where it is dead, a triangle for a step back, a square."""
    look = {"fill": fill, "stroke": INK, "stroke-width": "1.2"}
    if what in CORNERS:
        points = " ".join(f"{x + radius * right:.1f},{y + radius * down:.1f}" for right, down in CORNERS[what])
        SubElement(group, "polygon", {"points": points, "stroke-linejoin": "round"} | look)
    elif what == "dead":
        arm = max(radius * 0.8, 5.0)
        left, right, high, low = (f"{side:.1f}" for side in (x - arm, x + arm, y - arm, y + arm))
        cross = f"M{left},{high}L{right},{low}M{right},{high}L{left},{low}"
        for stroke, width in ((INK, "5.4"), (fill, "3")):
            SubElement(group, "path", {"d": cross, "stroke": stroke, "stroke-width": width, "stroke-linecap": "round"})
    else:
        SubElement(group, "circle", pixels(cx=x, cy=y, r=radius) | look)
