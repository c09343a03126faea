"""What a person does to a tree while a search grows it: close a branch, put in a thought, say where to search.

Each is done between two replies. A search that finds `added` thoughts has them judged, and goes on with them.
"""

from search.mcts import close, closed, reopen, weigh_priors
from search.tree import Step, Tree


def prune(tree: Tree, node: int) -> None:
    """Close the branch at `node`, which is not the root; what was backed up from it stays.

    Its answers count no more, and replies that come for it later add nothing that does. A parent with nothing left to
    expand is expanded once more.
    """
    close(tree, tree[node])
    below = [node]
    for each in below:
        tree[each].status = "dead"
        below += tree[each].children
    tree.pruned.update(below)
    tree.added = [each for each in tree.added if each not in tree.pruned]
    if tree.pinned in tree.pruned:
        tree.pinned = None
    _open(tree, tree[node].parent or 0)


def pin(tree: Tree, node: int | None) -> None:
    """Search only below `node`, for as long as there is something to expand; None: everywhere again."""
    tree.pinned = node
    if node is not None:
        _open(tree, node)


def add(tree: Tree, parent: int, step: Step) -> int:
    """Put `step` below `parent`, which lies in no closed branch; the id of the node, which the search will judge."""
    node = tree.add(parent, step)
    weigh_priors(tree, parent)
    if tree[node].status != "dead":
        tree.added.append(node)
    return node


def _open(tree: Tree, node: int) -> None:
    """Let `node` be expanded once more if it was, and nothing at or below it is left to expand, or under way."""
    each = tree[node]
    if each.status == "open" and each.expansions and not (each.available or each.pending or closed(tree, node)):
        reopen(tree, node)
