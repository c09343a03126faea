"""Trees that can be looked at later: exports, and the trace file."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import search
from coat.errors import InputError

if TYPE_CHECKING:
    import networkx

VERSION = 1
Hit = dict[str, Any]
"""What was recalled, as plain data: id, text, source, score, kind."""
Hits = Mapping[int, Sequence[Mapping[str, Any]]]
"""What was recalled, by the node it was recalled for."""
PARTS = {"question": str, "result": dict, "recalled": dict, "nodes": list}
"""What a trace holds beside its version."""
LATER = {"task": str, "strategy": str, "model": str, "usage": dict, "budget": dict, "best": list, "edits": list}
"""What older ones lack."""


class Tree(search.Tree):
    """A search tree that can be drawn.

    `about` is what is known of its run beside the tree, as a viewer is given it: the question, the best path, the
    recalled facts, the edits. Every `to_…` with a `file` also writes it, whole or not at all, and raises InputError
    where it cannot. Pictures show at most `limit` nodes, 1 to 500: the best path and the most visited.
    """

    def __init__(self) -> None:
        super().__init__()
        self.about: dict[str, Any] = {}

    def to_networkx(self) -> "networkx.DiGraph":
        """The tree as a networkx.DiGraph: edges from parent to child, node attributes as in the JSON."""
        import networkx

        graph = networkx.DiGraph()
        for entry in self.to_dict()["nodes"]:
            step = entry.pop("step")
            graph.add_node(entry["id"], **entry, **step)
            if entry["parent"] is not None:
                graph.add_edge(entry["parent"], entry["id"])
        return graph

    def to_html(self, file: str | Path | None = None) -> str:
        """The viewer and the whole tree as one page, which opens offline."""
        return self._text("html", file)

    def to_json(self, file: str | Path | None = None) -> str:
        """The whole tree and what is known of its run, as the viewer is given it."""
        return self._text("json", file)

    def to_svg(self, file: str | Path | None = None, limit: int | None = None) -> str:
        """A picture that scales."""
        return self._text("svg", file, limit)

    def to_png(self, file: str | Path | None = None, limit: int | None = None) -> bytes:
        """A picture in pixels."""
        from coat.viewer import exports, files

        drawn = exports.pixels(self, limit)
        if file is not None:
            files.write(file, drawn)
        return drawn

    def to_dot(self, file: str | Path | None = None, limit: int | None = None) -> str:
        """The source of a picture by Graphviz."""
        return self._text("dot", file, limit)

    def to_mermaid(self, file: str | Path | None = None, limit: int | None = None) -> str:
        """The source of a picture by Mermaid, such as Markdown pages show."""
        return self._text("mermaid", file, limit)

    def _text(self, form: str, file: str | Path | None, limit: int | None = None) -> str:
        from coat.viewer import exports, files

        text = exports.text(form, self, limit)
        if file is not None:
            files.write(file, text)
        return text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """In a notebook: the viewer where its kernel runs, and a picture."""
        from coat.viewer import data, notebook

        return notebook.bundle(data.view(self))


def grown(tree: search.Tree, hits: Hits) -> dict[str, Any]:
    """The part of a trace that a tree is: its nodes, and what was recalled for them."""
    return {"recalled": {str(node): list(found) for node, found in hits.items() if found}, **tree.to_dict()}


def save(file: Path, snapshot: Mapping[str, Any]) -> None:
    """Write a `Solving.snapshot` as a trace, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    data = {"coat_trace": VERSION, **snapshot}
    part = file.with_name(file.name + ".part")
    try:
        part.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise InputError(f"cannot write the trace {file}: {error.strerror}; name another file with --trace") from error


def load(file: Path) -> tuple[dict[str, Any], Tree]:
    """The trace in `file` and its tree.

    Raises:
        InputError: the file is missing, is no trace, or was written by a newer coat.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the trace {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a trace: it is not whole JSON ({error})") from error
    if not isinstance(data, dict) or "coat_trace" not in data:
        raise InputError(f"{file} is not a trace; `coat solve --trace FILE` writes one")
    if data["coat_trace"] != VERSION:
        raise InputError(f"{file} is a trace of version {data['coat_trace']}; this coat reads version {VERSION}")
    for name, kind in (PARTS | {name: kind for name, kind in LATER.items() if name in data}).items():
        if not isinstance(data.get(name), kind):
            raise InputError(f"{file} is a damaged trace: its {name!r} is missing or something else")
    try:
        tree = Tree.from_dict(data)
        _check(data, len(tree))
    except ValueError as error:
        raise InputError(f"{file} is a damaged trace: {error}") from error
    tree.about = {name: value for name, value in data.items() if name not in ("coat_trace", "nodes")}
    return data, tree


def _check(data: Mapping[str, Any], nodes: int) -> None:
    """Raises ValueError where what is told beside the tree of `nodes` nodes does not belong to it."""
    for node in data.get("best", ()):
        if not isinstance(node, int) or not 0 < node < nodes:
            raise ValueError(f"{node!r} is no node of its best path")
    for name, entries in {"edits": data.get("edits", []), **data["recalled"]}.items():
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise ValueError(f"{name!r} holds {str(entries)[:80]!r} where a list of entries belongs")
