"""How a value travels from a node to the root."""

from collections.abc import Callable

from search.tree import Tree

Backup = Callable[[Tree, int, float], None]


def mean(tree: Tree, node: int, value: float) -> None:
    """Every node on the path becomes the mean of all values backed up through it."""
    for each in tree.up(node):
        each.visits += 1
        each.value += (value - each.value) / each.visits


def maximum(tree: Tree, node: int, value: float) -> None:
    """Every node on the path becomes the best value backed up through it."""
    for each in tree.up(node):
        each.visits += 1
        each.value = max(each.value, value) if each.visits > 1 else value
