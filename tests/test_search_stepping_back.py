"""Stepping back: which branch is closed, which ancestor is opened again, and what a closed branch no longer does."""

from typing import Any

import pytest

from search import Evaluate, Evaluation, Expand, Expansion, Step, Tree, maximum, mcts, mean


def state(tree: Tree) -> list[tuple[int, float, str, int]]:
    return [(node.visits, node.value, node.status, node.quota) for node in tree.nodes]


def closed(tree: Tree) -> set[str]:
    return {node.step.text for node in tree.nodes if node.status == "dead" and node.step.action != "backtrack"}


def test_a_step_taken_back_is_closed_and_counts_zero_once(world: Any, play: Any) -> None:
    tree = Tree()
    values = {"a": 0.9, "b": 0.1, "aa": 0.8, "ab": 0.1}
    answer = world(tree, {"": ["a b"], "a": ["aa ab"], "aa": ["<"]}, values)
    play(mcts(tree, simulations=3, width=2, exploration=0), answer)
    assert answer.expanded == ["", "a", "aa"]
    assert closed(tree) == {"aa"}
    # aa: (0.8 + 0) / 2; a: (0.9 + 0.8 + 0.1 + 0) / 4; the root: (0.9 + 0.1 + 0.8 + 0.1 + 0) / 5.
    assert [node.visits for node in tree.nodes] == [5, 4, 1, 2, 1, 0]
    assert [node.value for node in tree.nodes] == pytest.approx([0.38, 0.45, 0.1, 0.4, 0.1, 0.0])
    assert (tree[3].judged, tree[5].judged, tree.backtracks) == (0.8, None, 1)


def test_a_step_back_lowers_no_maximum(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["<"]}, {"a": 0.4})
    play(mcts(tree, simulations=2, backup=maximum), answer)
    assert (tree[0].value, tree[0].visits) == (0.4, 2)


@pytest.mark.parametrize(
    ("values", "reopened"),
    [
        ({"a": 0.9, "b": 0.8, "c": 0.7}, "b"),  # the parent
        ({"a": 0.9, "b": 0.3, "c": 0.7}, "a"),  # the parent is not worth it, its parent is
        ({"a": 0.9, "b": 0.5, "c": 0.7}, "a"),  # exactly the threshold is not above it
        ({"a": 0.3, "b": 0.6, "c": 0.7}, "b"),  # the deepest, whatever lies above it
        ({"a": 0.3, "b": 0.3, "c": 0.9}, ""),  # nobody but the root, which always is; c itself is not asked
    ],
)
def test_the_deepest_ancestor_worth_it_is_opened_again(
    values: dict[str, float], reopened: str, world: Any, play: Any
) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b"], "b": ["c"], "c": ["<"]}, values)
    play(mcts(tree, simulations=5, width=1), answer)
    assert answer.expanded == ["", "a", "b", "c", reopened]


def test_the_threshold_can_be_moved(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b"], "b": ["<"]}, {"a": 0.9})
    play(mcts(tree, simulations=4, width=1, threshold=0.95), answer)
    assert answer.expanded == ["", "a", "b", ""]


def test_an_ancestor_is_opened_for_one_more_expansion_at_a_time(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a"], "a": ["b", "c", "b"], "b": ["<"], "c": ["<"]}
    answer = world(tree, lines, {"a": 0.9})
    play(mcts(tree, simulations=7, width=1, retries=1), answer)
    # b and c are taken back; a's third expansion brings b again, which is nothing new, so that a is exhausted.
    assert answer.expanded == ["", "a", "b", "a", "c", "a", ""]
    assert closed(tree) == {"a", "b", "c"}
    assert tree[1].quota == 3


def test_an_ancestor_with_work_left_stays_open(world: Any, play: Any) -> None:
    tree = Tree()
    values = {"a": 0.5, "aa": 0.9, "ab": 0.3}  # a is exactly at the threshold, so that the root is opened
    answer = world(tree, {"": ["a"], "a": ["aa ab"], "aa": ["<"]}, values)
    play(mcts(tree, simulations=3, width=2), answer)
    assert closed(tree) == {"aa"}
    assert (tree[0].quota, tree[1].quota, tree[1].available) == (2, 1, 1)


def test_siblings_of_a_step_back_are_neither_judged_nor_followed(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b < =c"]}, {"a": 0.3})
    play(mcts(tree, simulations=4, width=3, patience=1), answer)
    assert [node.judged for node in tree.nodes] == [None, 0.3, None, None, None]
    assert answer.expanded == ["", "a", ""]


def test_at_the_root_there_is_nothing_to_take_back(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a < b"], "a": ["aa"]}, {"a": 0.9})
    play(mcts(tree, simulations=2, width=3), answer)
    assert answer.expanded == ["", "a"]
    assert [node.judged for node in tree.nodes] == [None, 0.9, None, 0.5, 0.5]
    assert closed(tree) == set()


def test_an_exhausted_branch_is_closed_up_to_where_something_is_left(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a z"], "a": ["b"], "b": ["=c =d"], "z": ["y"]}
    answer = world(tree, lines, {"a": 0.9, "b": 0.9, "z": 0.1, "=c": 0.2, "=d": 0.3})
    play(mcts(tree, simulations=4, width=2, exploration=0, retries=0), answer)
    assert answer.expanded == ["", "a", "b", ""]
    assert closed(tree) == {"a", "b"}
    assert [node.step.text for node in tree.terminals()] == ["=c", "=d"]
    # Nothing was judged wrong, so that no 0 was backed up: a is the mean of 0.9, 0.9, 0.2 and 0.3.
    assert (tree[1].visits, tree[1].value) == (4, pytest.approx(0.575))


def test_an_exhausted_branch_opens_the_deepest_ancestor_worth_it(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a"], "a": ["b z", "d"], "b": ["=c"]}
    answer = world(tree, lines, {"a": 0.9, "b": 0.8, "z": 0.1})
    play(mcts(tree, simulations=4, width=2, exploration=0, retries=0), answer)
    assert answer.expanded == ["", "a", "b", "a"]


def in_flight() -> Tree:
    """A root, its child a (judged 0.9, expanded once, twice more allowed), and a's open child b (0.6)."""
    tree = Tree()
    for parent, text, value in ((0, "a", 0.9), (1, "b", 0.6)):
        node = tree[tree.add(parent, Step(text))]
        node.judged = value
        mean(tree, node.id, value)
        tree[parent].expansions = 1
    tree[1].quota = 3
    return tree


@pytest.mark.parametrize("late", ["x y", "x <", "<", "=x", ""])
def test_an_expansion_that_arrives_below_a_closed_branch_changes_nothing(late: str, world: Any) -> None:
    tree = in_flight()
    answer = world(tree, {"a": ["", "<"], "b": [late]})
    search = mcts(tree, simulations=3, parallel=3)
    requests = next(search)
    assert requests == (Expand(1, 4), Expand(1, 4), Expand(2, 4))
    assert search.send(answer(requests[0])) == ()
    assert search.send(answer(requests[1])) == ()
    before = state(tree)
    assert [each[2] for each in before] == ["open", "dead", "open", "dead"]
    with pytest.raises(StopIteration):
        search.send(answer(requests[2]))
    assert state(tree)[:4] == before
    assert all(node.judged is None and node.visits == 0 for node in tree.nodes[4:])
    assert [node.pending for node in tree.nodes] == [0] * len(tree)
    assert [node.available for node in tree.nodes] == [1, *[0] * (len(tree) - 1)]


def test_a_judgement_that_arrives_below_a_closed_branch_is_only_noted(world: Any) -> None:
    tree = in_flight()
    answer = world(tree, {"a": ["c", "<"]})
    search = mcts(tree, simulations=2, parallel=2)
    first, second = next(search)
    assert search.send(answer(first)) == (Evaluate((3,)),)
    assert search.send(answer(second)) == ()
    before = state(tree)
    with pytest.raises(StopIteration):
        search.send(Evaluation((1.0,), ({"self": 1.0},)))
    assert state(tree) == before
    assert (tree[3].judged, tree[3].parts, tree[3].available) == (1.0, {"self": 1.0}, 0)


def test_what_was_left_to_do_in_a_closed_branch_is_left(world: Any, play: Any) -> None:
    tree = in_flight()
    answer = world(tree, {"a": ["<"], "": ["z", "=y"], "z": ["=x"]})
    play(mcts(tree, simulations=4, width=1, retries=0), answer)
    assert answer.expanded == ["a", "", "z", ""]
    assert (tree[1].available, tree[2].expansions) == (0, 0)


def test_after_a_closed_branch_the_search_goes_on_elsewhere(world: Any) -> None:
    tree = in_flight()
    search = mcts(tree, simulations=4, parallel=3)
    out = list(next(search))
    out.pop(0)
    assert search.send(Expansion(())) == ()  # nothing new at a, where more is under way
    out.pop(0)
    # a is taken back: closed with b, which is still being expanded; the root is opened and is next.
    assert search.send(Expansion((Step("<", "backtrack"),))) == (Expand(0, 4),)
    search.close()
    assert [node.pending for node in tree.nodes] == [0] * 4
