"""Which nodes of a large tree are drawn: the best path, and then those most visited."""

from dataclasses import dataclass

from coat.errors import InputError
from coat.viewer.data import View

MOST = 500
"""The most nodes of a picture."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`ids` in their order, each after its parent; `hidden` counts by node what is left out below it, nearest first."""

    ids: list[int]
    hidden: dict[int, int]

    @property
    def left_out(self) -> int:
        """How many nodes of the tree are not drawn."""
        return sum(self.hidden.values())


def select(view: View, limit: int) -> Selection:
    """At most `limit` nodes that hang together: the root, the best path from its start, then the most visited.

    Raises:
        InputError: the limit is not in 1 to `MOST`.
    """
    if not 1 <= limit <= MOST:
        raise InputError(f"a picture shows 1 to {MOST} nodes, not {limit}; give a limit in between")
    nodes = view["nodes"]
    chosen = {0, *view["best"][: limit - 1]}
    for node in sorted(nodes[1:], key=lambda node: (-node["visits"], node["id"])):
        if len(chosen) >= limit:
            break
        line = []
        above = node["id"]
        while above not in chosen:
            line.append(above)
            above = nodes[above]["parent"]
        if len(chosen) + len(line) <= limit:
            chosen |= set(line)
    nearest = {0: 0}
    hidden: dict[int, int] = {}
    for node in nodes[1:]:
        own = node["id"]
        nearest[own] = own if own in chosen else nearest[node["parent"]]
        if own not in chosen:
            hidden[nearest[own]] = hidden.get(nearest[own], 0) + 1
    return Selection(sorted(chosen), hidden)
