"""Where the nodes of a tree lie: igraph's Reingold-Tilford (Tidier Drawings of Trees, IEEE TSE 7:2, 1981)."""

from collections.abc import Sequence


def tidy(parents: Sequence[int | None]) -> list[tuple[float, int]]:
    """For each node its place among those of its level, from 0 and in units of one node, and its level.

    `parents` are places in the same sequence, each before its child; the first is the root.

    >>> tidy([None, 0, 0, 1, 1])
    [(1.0, 0), (0.5, 1), (1.5, 1), (0.0, 2), (1.0, 2)]
    """
    import igraph

    edges = [(parent, child) for child, parent in enumerate(parents) if parent is not None]
    places = igraph.Graph(n=len(parents), edges=edges, directed=True).layout_reingold_tilford(root=[0], mode="out")
    least = min(across for across, _ in places)
    return [(across - least, round(down)) for across, down in places]
