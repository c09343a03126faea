"""The engine's tree as it grows: what is dead, best and chosen is told by marks."""

from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

import search
from coat.cli.show import label, printable

LONGEST = 28
"""Characters of the puzzle that are shown above its tree."""
MOST = 300
"""Nodes that are shown, beside those of the best path."""


class TreeView(Tree[int]):
    """Nodes by id; one that was shown stays where it is, open or closed."""

    DEFAULT_CSS = """
    TreeView { height: 1fr; padding: 0 0 0 1; background: $surface; scrollbar-size: 1 1; }
    """

    def __init__(self) -> None:
        super().__init__("", data=0, id="tree")
        self.guide_depth = 2
        self.root.expand()
        self._shown: dict[int, TreeNode[int]] = {0: self.root}
        self._labels: dict[int, str] = {}

    @property
    def chosen(self) -> int:
        """The id of the node that the cursor is at."""
        node = self.cursor_node
        return 0 if node is None or node.data is None else node.data

    def begin(self, question: str) -> None:
        """Show an empty tree."""
        self.clear()
        short = question if len(question) <= LONGEST else f"{question[:LONGEST]}…"
        self.root.set_label(Text(printable(short), style="bold"))
        self.root.expand()
        self._shown, self._labels = {0: self.root}, {}

    def grow(self, tree: search.Tree, best: frozenset[int], start: int) -> None:
        """Show what is new in `tree` and what has changed.

        `best` are the ids of the best path, `start` is where it began.
        """
        for node in list(tree.nodes)[1:]:
            above = self._shown.get(node.parent or 0)
            if above is None or (node.id not in self._shown and len(self._shown) > MOST and node.id not in best):
                continue
            marks = "» " if node.id == start else "⚑ " if node.id == tree.pinned else ""
            line = Text(marks + label(node, node.id in best).plain)
            line.stylize("bold" if node.id in best else "dim" if node.status == "dead" else "")
            if node.id not in self._shown:
                above.allow_expand = True
                above.expand()
                self._shown[node.id] = above.add_leaf(line, data=node.id)
            elif self._labels[node.id] != line.markup:
                self._shown[node.id].set_label(line)
            self._labels[node.id] = line.markup
        hidden = len(tree) - len(self._shown)
        self.border_subtitle = f"{hidden} more nodes are not shown" if hidden > 0 else ""
