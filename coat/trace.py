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


class Tree(search.Tree):
    """A search tree with exports."""

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
    for name in PARTS:
        if not isinstance(data.get(name), PARTS[name]):
            raise InputError(f"{file} is a damaged trace: its {name!r} is missing or something else")
    try:
        return data, Tree.from_dict(data)
    except ValueError as error:
        raise InputError(f"{file} is a damaged trace: {error}") from error
