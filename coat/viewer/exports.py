"""What a tree is written as, by name, and where to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coat.viewer.data import View, view
from coat.viewer.dot import dot
from coat.viewer.files import write
from coat.viewer.html import to_html
from coat.viewer.mermaid import mermaid
from coat.viewer.png import png
from coat.viewer.svg import svg

if TYPE_CHECKING:
    from coat.trace import Tree


def as_json(seen: View) -> str:
    """All of it, as JSON in ASCII."""
    return json.dumps(seen, allow_nan=False)


FORMS: dict[str, Callable[..., str]] = {"html": to_html, "json": as_json, "svg": svg, "dot": dot, "mermaid": mermaid}


def to_text(form: str, tree: "Tree", file: str | Path | None = None, limit: int | None = None) -> str:
    """`tree` in one of `FORMS`, of at most `limit` nodes, and written to `file` where there is one.

    Raises:
        InputError: the limit is not in 1 to 500; the file cannot be written.
    """
    seen = view(tree)
    text = FORMS[form](seen) if limit is None else FORMS[form](seen, limit)
    if file is not None:
        write(file, text)
    return text


def to_png(tree: "Tree", file: str | Path | None = None, limit: int | None = None) -> bytes:
    """`tree` as a PNG, likewise."""
    drawn = png(view(tree)) if limit is None else png(view(tree), limit)
    if file is not None:
        write(file, drawn)
    return drawn
