"""What a viewer is given: a tree and what is known of its run, as JSON-ready data."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coat.trace import Tree

View = dict[str, Any]
"""A tree and its run: the keys of `DEFAULTS`, and `nodes` as in a trace."""
DEFAULTS: dict[str, Any] = {
    "question": "",
    "task": "",
    "strategy": "",
    "model": "",
    "state": "done",
    "steerable": False,
    "pinned": None,
    "usage": {},
    "seconds": 0.0,
    "budget": {"tokens": None, "seconds": None},
    "result": None,
    "best": [],
    "edits": [],
    "recalled": {},
}


def view(tree: "Tree") -> View:
    """The whole of `tree`, at rest, and what `tree.about` says of its run."""
    return complete(tree.about | tree.to_dict() | {"state": "done", "steerable": False})


def complete(snapshot: Mapping[str, Any]) -> View:
    """What `Solving.snapshot` gives or a trace holds, with what it lacks; every number is finite, or None."""
    data = DEFAULTS | {name: value for name, value in snapshot.items() if name in DEFAULTS or name == "nodes"}
    data["best"] = data["best"] or best_line(data["nodes"])
    whole: View = finite(data)
    return whole


def best_line(nodes: list[dict[str, Any]]) -> list[int]:
    """The ids from below the root to the best answer by value, or, where there is none, down the best children."""
    below: dict[int, list[int]] = {}
    for node in nodes[1:]:
        below.setdefault(node["parent"], []).append(node["id"])

    def rank(node: int) -> tuple[float, int]:
        return worth(nodes[node]) or 0.0, nodes[node]["visits"]

    answers = [node["id"] for node in nodes if node["status"] == "terminal"]
    if answers:
        return _line(nodes, max(answers, key=rank))
    end = 0
    while open_ones := [child for child in below.get(end, ()) if nodes[child]["status"] != "dead"]:
        end = max(open_ones, key=rank)
    return _line(nodes, end)


def worth(node: dict[str, Any]) -> float | None:
    """The value of a node where it was visited, or what it was judged; None where nothing is known of it."""
    value: float | None = node["value"] if node["visits"] else node["judged"]
    return value


def _line(nodes: list[dict[str, Any]], end: int) -> list[int]:
    line = []
    while end:
        line.append(end)
        end = nodes[end]["parent"]
    return line[::-1]


def finite(data: Any) -> Any:
    """`data` as JSON can hold it, with None for the numbers that it has no word for.

    >>> finite({"logprob": float("-inf"), "recalled": (1, 2)})
    {'logprob': None, 'recalled': [1, 2]}
    """
    return json.loads(json.dumps(data), parse_constant=lambda _: None)
