"""The prefix tree as plain data, against a list of the paths that it should hold."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat.models.llama.prefix import PrefixTree, Span

Path = tuple[int, ...]


def path_to(span: Span) -> Path:
    return tuple(token for each in reversed(list(span.chain())) for token in each.tokens)


def put(tree: PrefixTree, path: Sequence[int], sequence: int) -> Span:
    """Insert a path that is decoded at once."""
    span, taken = tree.insert(path, sequence)
    assert taken
    span.ready = True
    return span


def shape(tree: PrefixTree) -> dict[Path, tuple[int, int | None]]:
    """Every span's path with its start and its sequence."""
    return {path_to(span): (span.start, span.sequence) for span in tree.spans() if span.parent}


def test_an_empty_tree_matches_nothing() -> None:
    tree = PrefixTree()
    assert tree.match((1, 2)) == (tree.root, 0)
    assert (tree.cells, tree.pinned, tree.evictable()) == (0, 0, None)


def test_a_path_that_goes_on_becomes_a_child() -> None:
    tree = PrefixTree()
    first = put(tree, (1, 2), 10)
    second = put(tree, (1, 2, 3, 4), 11)
    assert (second.parent, second.start, second.end, tree.cells) == (first, 2, 4, 4)
    assert shape(tree) == {(1, 2): (0, 10), (1, 2, 3, 4): (2, 11)}
    assert tree.match((1, 2, 3, 9)) == (second, 3)
    assert tree.match((1, 9)) == (first, 1)
    assert tree.match((9,)) == (tree.root, 0)


def test_a_path_that_branches_off_splits_a_span() -> None:
    tree = PrefixTree()
    first = put(tree, (1, 2, 3), 10)
    put(tree, (1, 5), 11)
    assert shape(tree) == {(1,): (0, None), (1, 2, 3): (1, 10), (1, 5): (1, 11)}
    assert (first.tokens, first.start) == ([2, 3], 1)
    assert tree.cells == 4


def test_a_path_that_is_held_already_needs_no_sequence() -> None:
    tree = PrefixTree()
    first = put(tree, (1, 2, 3), 10)
    assert tree.insert((1, 2, 3), 11) == (first, False)
    upper, taken = tree.insert((1, 2), 11)
    assert (upper.tokens, upper.sequence, upper.ready, taken) == ([1, 2], None, True, False)
    assert first.parent is upper
    assert (tree.cells, tree.holder(upper)) == (3, 10)


def test_a_path_that_is_being_decoded_is_left_alone() -> None:
    tree = PrefixTree()
    first, taken = tree.insert((1, 2, 3), 10)
    assert (taken, first.ready) == (True, False)
    assert tree.insert((1, 2, 9), 11) == (first, False)
    assert shape(tree) == {(1, 2, 3): (0, 10)}
    assert tree.odds((1, 2, 3)) is None


def test_pins_count_each_token_once_and_survive_a_split() -> None:
    tree = PrefixTree()
    first, second = put(tree, (1, 2, 3), 10), put(tree, (1, 2, 3, 4), 11)
    tree.pin(first)
    tree.pin(second)
    assert tree.pinned == 4
    third = put(tree, (1, 9), 12)  # splits the first
    tree.pin(third)
    assert tree.pinned == 5
    tree.release(second)
    assert tree.pinned == 4  # 1, 2, 3 for the first, and 9
    tree.release(first)
    assert tree.pinned == 2  # 1 and 9
    tree.release(third)
    assert (tree.pinned, [span.users for span in tree.spans()]) == (0, [0] * 5)


def test_a_parent_that_nothing_else_holds_inherits_the_sequence() -> None:
    tree = PrefixTree()
    put(tree, (1, 2, 3), 10)
    second = put(tree, (1, 2, 9, 9), 11)
    assert tree.evict(second) == (11, 0)  # 1, 2 is still held by 10
    assert tree.evict(tree.match((1, 2, 3))[0]) == (10, 2)
    assert shape(tree) == {(1, 2): (0, 10)}
    assert tree.evict(tree.match((1, 2))[0]) == (10, 0)
    assert (shape(tree), tree.cells) == ({}, 0)


def test_what_is_no_leaf_cannot_be_evicted() -> None:
    tree = PrefixTree()
    put(tree, (1, 2, 3), 10)
    put(tree, (1, 5), 11)
    for span in (tree.root, tree.match((1,))[0]):
        with pytest.raises(ValueError, match="only a resident leaf"):
            tree.evict(span)


def test_an_interior_span_gives_its_sequence_up_that_nobody_works_with() -> None:
    tree = PrefixTree()
    first = put(tree, (1, 2), 10)
    assert tree.spare_sequence(first) is None  # a leaf holds its own cells
    second = put(tree, (1, 2, 3), 11)
    first.lent = True
    assert tree.spare_sequence(first) is None
    first.lent = False
    assert tree.spare_sequence(first) == 10
    assert tree.spare_sequence(first) is None
    assert tree.holder(first) == second.sequence == 11


def test_the_least_recently_used_leaf_goes_first() -> None:
    tree = PrefixTree()
    for token in (1, 2, 3):
        put(tree, (token,), token)
    for token in (1, 3):
        span = tree.match((token,))[0]
        tree.pin(span)
        tree.release(span)
    put(tree, (4,), 4)  # what was just decoded is the newest of all
    order = []
    while leaf := tree.evictable():
        order.append(leaf.tokens[0])
        tree.evict(leaf)
    assert order == [2, 1, 3, 4]


def test_a_pinned_leaf_is_not_evicted() -> None:
    tree = PrefixTree()
    first = put(tree, (1, 2), 10)
    tree.pin(first)
    put(tree, (1, 3), 11)
    leaf = tree.evictable()
    assert leaf is not None
    assert path_to(leaf) == (1, 3)
    tree.evict(leaf)
    assert tree.evictable() is None


def test_odds_stay_with_their_place_when_spans_are_split() -> None:
    tree: Any = PrefixTree()
    leaf = put(tree, (1, 2, 3, 4), 10)
    tree.remember(leaf, {0: "after 1", 1: "after 2", 3: "after 4", 7: "beyond"})
    put(tree, (1, 2, 9), 11)
    put(tree, (1, 8), 12)
    assert {path: (found := tree.odds(path)) and found[1] for path in ((1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))} == {
        (1,): "after 1",
        (1, 2): "after 2",
        (1, 2, 3): None,
        (1, 2, 3, 4): "after 4",
    }
    assert tree.odds((1, 2))[0] is tree.match((1, 2))[0]
    assert tree.odds((1, 2, 3, 4, 5)) is None
    tree.evict(leaf)
    assert tree.odds((1, 2, 3, 4)) is None
    assert tree.odds((1, 2))[1] == "after 2"


PATHS = st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple)
OPERATIONS = st.lists(st.tuples(st.sampled_from(["insert", "pin", "release", "evict"]), PATHS), max_size=40)


@given(OPERATIONS)
def test_any_operations_keep_what_the_paths_say(operations: list[tuple[str, Path]]) -> None:
    """The model: the set of resident prefixes, and a list of pinned paths."""
    tree, resident, pinned = PrefixTree(), set(), []
    for sequence, (operation, path) in enumerate(operations):
        if operation == "insert":
            span, taken = tree.insert(path, sequence)
            assert taken == (path not in resident)
            assert path_to(span) == path
            span.ready = True
            resident |= prefixes(path)
            for each in span.chain():
                tree.spare_sequence(each)
        elif operation == "pin":
            span, depth = tree.match(path)
            tree.pin(span)
            pinned.append(span)
        elif operation == "release" and pinned:
            tree.release(pinned.pop(0))
        elif operation == "evict" and (leaf := tree.evictable()):
            assert not leaf.children
            assert all(leaf is not each for span in pinned for each in span.chain())
            resident -= prefixes(path_to(leaf)) - prefixes(path_to(leaf)[: leaf.start])
            tree.evict(leaf)
        check(tree, resident, [path_to(span) for span in pinned])
        depth = tree.match(path)[1]
        assert path[:depth] in resident | {()}
        assert depth == len(path) or path[: depth + 1] not in resident


def prefixes(path: Path) -> set[Path]:
    return {path[:end] for end in range(1, len(path) + 1)}


def check(tree: PrefixTree, resident: set[Path], pinned: list[Path]) -> None:
    spans = [span for span in tree.spans() if span.parent]
    assert tree.cells == sum(len(span.tokens) for span in spans) == len(resident)
    assert set().union(*(prefixes(path_to(span)) for span in spans)) == resident
    assert tree.pinned == len(set().union(*map(prefixes, pinned)))
    held = [span.sequence for span in spans if span.sequence is not None]
    assert len(set(held)) == len(held)
    for span in spans:
        assert span.start == span.parent.end if span.parent else span.start == 0
        assert span.tokens
        assert span.children or span.sequence is not None, "a leaf must hold its cells"
        holder = next(each for each in spans if each.sequence == tree.holder(span))
        assert path_to(holder)[: span.end] == path_to(span)


def test_a_parked_leaf_keeps_its_place_and_wakes_with_its_odds() -> None:
    tree: Any = PrefixTree()
    trunk, leaf = put(tree, (1, 2), 10), put(tree, (1, 2, 3, 4), 11)
    assert tree.spare_sequence(trunk) == 10
    tree.remember(leaf, {3: "after 4"})
    assert tree.evict(leaf, "cells") == (11, 2)  # the trunk inherits it, cut off where the leaf began
    assert (trunk.sequence, trunk.leaf, tree.cells, tree.parked) == (11, True, 2, 2)
    assert tree.match((1, 2, 3, 4)) == (leaf, 4)
    assert tree.odds((1, 2, 3, 4)) == (leaf, "after 4")
    assert tree.stale(0) == [trunk]
    tree.wake([leaf], 12)
    assert (tree.holder(trunk), trunk.leaf, tree.cells, tree.parked) == (11, False, 4, 0)
    assert tree.spare_sequence(trunk) == 11
    assert tree.holder(trunk) == 12


def test_a_path_through_what_is_parked_is_begun_anew_where_nobody_woke_it() -> None:
    tree = PrefixTree()
    put(tree, (1, 2), 10)
    tree.evict(put(tree, (1, 2, 3, 4), 11), "cells")
    put(tree, (1, 2, 3, 9), 12)
    assert shape(tree) == {(1, 2): (0, 10), (1, 2, 3, 9): (2, 12)}
    assert tree.parked == 0


def test_the_oldest_that_is_parked_is_forgotten_first_from_the_tail() -> None:
    tree = PrefixTree()
    for sequence, path in enumerate([(1,), (1, 2), (3,)]):
        put(tree, path, sequence)
    for path in [(1, 2), (1,), (3,)]:
        tree.evict(tree.match(path)[0], "cells")
    order = []
    while oldest := tree.oldest():
        order.append(path_to(oldest))
        tree.forget(oldest)
    assert order == [(1, 2), (1,), (3,)]
    assert (tree.cells, tree.parked, shape(tree)) == (0, 0, {})
