"""How trees and results show themselves in notebooks."""

import sys
from importlib.util import find_spec
from typing import Any

from coat.viewer.data import View
from coat.viewer.looks import outcome, visible

LONGEST = 200
"""Characters of a step in words."""


def bundle(view: View) -> dict[str, Any]:
    """A view by MIME type: the widget where a kernel runs and anywidget is there, a picture, and a few words."""
    if kernel_runs() and find_spec("anywidget") is not None:
        from coat.viewer.widget import TreeWidget

        shown: dict[str, Any] = TreeWidget(data=view)._repr_mimebundle_()
        return shown
    from coat.viewer.svg import svg

    return {"image/svg+xml": svg(view), "text/plain": summary(view)}


def kernel_runs() -> bool:
    """Whether this is a notebook's kernel."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def summary(view: View) -> str:
    """A view in words: the question, the answer, the best path, and the size of the tree."""
    nodes = view["nodes"]
    lines = [visible(view["question"])] if view["question"] else []
    lines += [visible(found)] if (found := outcome(view)) else []
    steps = [visible(nodes[each]["step"]["text"]) for each in view["best"] if each < len(nodes)]
    lines += [f"  {number}. {step[:LONGEST]}" for number, step in enumerate(steps, 1)]
    return "\n".join([*lines, f"a tree of {len(nodes)} nodes, {max(node['depth'] for node in nodes)} deep"])
