"""What changed in a search between two looks at it."""

from coat.viewer.data import View


def changes(before: View, now: View) -> View:
    """Of `now` the nodes that are new or other than in `before`, and the other entries that differ; empty for none.

    >>> before = {"state": "running", "seconds": 1.0, "nodes": [{"id": 0, "visits": 1}]}
    >>> changes(before, {"state": "running", "seconds": 2.0, "nodes": [{"id": 0, "visits": 1}, {"id": 1, "visits": 0}]})
    {'seconds': 2.0, 'nodes': [{'id': 1, 'visits': 0}]}
    """
    found = {name: value for name, value in now.items() if name != "nodes" and before.get(name) != value}
    known = before["nodes"]
    nodes = [node for node in now["nodes"] if node["id"] >= len(known) or known[node["id"]] != node]
    return found | ({"nodes": nodes} if nodes else {})
