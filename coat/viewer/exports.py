"""What a tree is written as, by name."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from coat.viewer.data import View, view
from coat.viewer.dot import dot
from coat.viewer.html import to_html
from coat.viewer.mermaid import mermaid
from coat.viewer.png import png
from coat.viewer.svg import svg

if TYPE_CHECKING:
    from coat.trace import Tree

WHOLE: dict[str, Callable[[View], str]] = {"html": to_html, "json": lambda seen: json.dumps(seen, allow_nan=False)}
PARTS: dict[str, Callable[..., str]] = {"svg": svg, "dot": dot, "mermaid": mermaid}
"""What shows at most so many nodes."""


def text(form: str, tree: "Tree", limit: int | None = None) -> str:
    """`tree` as html or json, whole, or as svg, dot or mermaid, of at most `limit` nodes.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    seen = view(tree)
    if form in WHOLE:
        return WHOLE[form](seen)
    return PARTS[form](seen) if limit is None else PARTS[form](seen, limit)


def pixels(tree: "Tree", limit: int | None = None) -> bytes:
    """`tree` as a PNG of at most `limit` nodes.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    return png(view(tree)) if limit is None else png(view(tree), limit)
