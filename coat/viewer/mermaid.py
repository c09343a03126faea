"""A tree in the language of Mermaid."""

from coat.viewer.data import View, worth
from coat.viewer.looks import Kind, clamp, colour, kind, note
from coat.viewer.selection import select

LIMIT = 60
"""The most nodes that are told unless more are asked for; Mermaid draws at most 500 edges and 50,000 characters."""
LONGEST = 80
"""Characters of a step's text."""
SHAPES: dict[Kind, tuple[str, str]] = {
    "step": ("(", ")"),
    "answer": ("{{", "}}"),
    "dead": ("[", "]"),
    "step back": ("[/", "/]"),
    "by a person": ("[[", "]]"),
}


def mermaid(view: View, limit: int = LIMIT) -> str:
    """A flowchart of at most `limit` nodes; the best path has thick edges, what is dead a dashed frame.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    chosen, best = select(view, limit), {0, *view["best"]}
    lines = ["flowchart LR"]
    for own in chosen.ids:
        node = view["nodes"][own]
        text = clamp(node["step"]["text"] if own else view["question"], LONGEST)
        below = note(node, chosen.hidden.get(own, 0))
        opening, closing = SHAPES[kind(node)]
        label = "<br/>".join(_escaped(each) for each in (text, below) if each)
        lines.append(f'  n{own}{opening}"{label or " "}"{closing}')
        dashed = ",stroke-dasharray:4 3" if kind(node) in ("dead", "step back") else ""
        lines.append(f"  style n{own} stroke:{colour(worth(node))},stroke-width:{4 if own in best else 2}px{dashed}")
        if own:
            lines.append(f"  n{node['parent']} {'==>' if own in best else '-->'} n{own}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """`text` so that Mermaid reads nothing in it: what is no letter, digit or space is named by its number.

    A backslash before an n would still break the line, and gets a space of no width after it.

    >>> _escaped('a "b" <c> 1. end;')
    'a #34;b#34; #60;c#62; 1#46; end#59;'
    """
    apart = text.replace("\\n", "\\\u200bn")
    return "".join(
        "<br/>" if char == "\n" else char if char.isalnum() or char == " " else f"#{ord(char)};" for char in apart
    )
