"""The tree: an append-only list, read and written without recursion, and refused when it is damaged."""

import json
from typing import Any

import pytest

from search import Step, Tree


def grown() -> Tree:
    """Root 0 with children 1 and 2; 3 is an answer below 1, 4 a step back below 2."""
    tree = Tree()
    for parent, each in (
        (0, Step("a", tokens=(7, 8), logprob=-1.5, generated=2)),
        (0, Step("b", "recall")),
        (1, Step("c", "answer")),
        (2, Step("d", "backtrack")),
    ):
        tree.add(parent, each)
    tree[1].visits, tree[1].value, tree[1].judged, tree[1].prior = 3, 0.25, 0.75, 0.6
    tree[1].expansions, tree[1].quota, tree[1].recalled, tree[1].parts = 1, 2, (4, -5), {"self": 0.75}
    return tree


def test_an_action_gives_a_new_node_its_status() -> None:
    assert [node.status for node in grown().nodes] == ["open", "open", "open", "terminal", "dead"]


def test_a_path_leads_from_below_the_root_to_the_node() -> None:
    tree = grown()
    assert [node.id for node in tree.path(3)] == [1, 3]
    assert [node.id for node in tree.up(3)] == [3, 1, 0]
    assert tree.path(0) == []


def test_a_tree_knows_its_shape() -> None:
    tree = grown()
    assert (len(tree), tree.depth, tree.backtracks) == (5, 2, 1)
    assert [node.id for node in tree.terminals()] == [3]
    assert [node.depth for node in tree.nodes] == [0, 1, 1, 2, 2]


def test_a_steps_log_probability_is_shared_among_its_tokens() -> None:
    assert Step("x", logprob=-3.0, generated=2).mean_logprob == -1.5
    assert Step("x", generated=2).mean_logprob == 0.0
    assert Step("x", logprob=-3.0).mean_logprob == -3.0


def test_a_tree_survives_json() -> None:
    tree = grown()
    again = Tree.from_dict(json.loads(json.dumps(tree.to_dict())))
    assert again.nodes == tree.nodes


def test_a_chain_of_twenty_thousand_steps_needs_no_recursion() -> None:
    tree = Tree()
    for parent in range(20_000):
        tree.add(parent, Step(str(parent)))
    assert [node.id for node in tree.path(20_000)] == list(range(1, 20_001))
    assert sum(1 for _ in tree.up(20_000)) == 20_001
    assert tree.depth == 20_000
    assert Tree.from_dict(tree.to_dict()).nodes == tree.nodes


@pytest.mark.parametrize(
    ("node", "field", "value"),
    [
        (1, "id", 2),
        (1, "id", None),
        (0, "parent", 0),
        (1, "parent", 1),
        (1, "parent", 3),
        (1, "parent", -1),
        (1, "parent", None),
        (1, "parent", "0"),
        (3, "depth", 1),
        (0, "depth", 1),
        (1, "status", "gone"),
        (1, "value", "high"),
        (1, "judged", "high"),
        (1, "parts", {"self": None}),
        (1, "parts", [1]),
        (1, "recalled", None),
        (1, "step", "a"),
        (1, "step", {"text": "a"}),
        (1, "step", {"text": "a", "action": "leap", "tokens": []}),
        (1, "step", {"text": "a", "action": [], "tokens": []}),
        (1, "step", {"text": 5, "action": "think", "tokens": []}),
        (1, "step", {"text": "a", "tokens": [], "colour": "red"}),
    ],
)
def test_a_damaged_node_is_refused(node: int, field: str, value: object) -> None:
    data = grown().to_dict()
    data["nodes"][node][field] = value
    with pytest.raises(ValueError, match="not a tree"):
        Tree.from_dict(data)


@pytest.mark.parametrize("data", [{}, {"nodes": []}, {"nodes": None}, {"nodes": {"id": 0}}, {"nodes": [7]}, [], None])
def test_what_is_no_tree_at_all_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="not a tree"):
        Tree.from_dict(data)


def test_a_node_that_lacks_a_field_is_refused_by_the_fields_name() -> None:
    data = grown().to_dict()
    del data["nodes"][2]["visits"]
    with pytest.raises(ValueError, match="'visits'"):
        Tree.from_dict(data)
