"""A tree in the language of Graphviz."""

from coat.viewer.cards import wrapped
from coat.viewer.data import View, worth
from coat.viewer.looks import colour, kind, note, whole
from coat.viewer.selection import select

LIMIT = 200
"""The most nodes that are told unless more are asked for."""
SHAPES = {"step": "box", "answer": "diamond", "dead": "box", "step back": "triangle", "by a person": "note"}


def dot(view: View, limit: int = LIMIT) -> str:
    """A digraph of at most `limit` nodes, their whole texts as tooltips; the best path is bold, what is dead dashed.

    Raises:
        InputError: the limit is not in 1 to 500.
    """
    import graphviz

    chosen, best = select(view, limit), {0, *view["best"]}
    graph = graphviz.Digraph("tree", graph_attr={"rankdir": "LR"}, node_attr={"fontsize": "10", "style": "rounded"})
    for own in chosen.ids:
        node = view["nodes"][own]
        text = "\n".join(wrapped(node["step"]["text"] if own else view["question"]))
        below = note(node, chosen.hidden.get(own, 0))
        style = "dashed" if kind(node) in ("dead", "step back") else "bold" if own in best else "solid"
        graph.node(
            f"n{own}",
            label=_escaped(f"{text}\n{below}" if below else text),
            tooltip=_escaped(whole(node)),
            shape=SHAPES[kind(node)],
            style=style,
            color=colour(worth(node)),
            penwidth="3" if own in best else "1.5",
        )
        if own:
            graph.edge(f"n{node['parent']}", f"n{own}", penwidth="3" if own in best else "1")
    return str(graph.source)


def _escaped(text: str) -> str:
    """`text` so that Graphviz shows it as it is: it reads escapes, HTML, and the names of HTML's characters."""
    import graphviz

    escaped = graphviz.escape(text.replace("&", "&amp;")).replace("\n", "\\n")
    plain: str = graphviz.nohtml(escaped)
    return plain
