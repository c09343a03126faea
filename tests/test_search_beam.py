"""Beam search: level by level, the best judged states go on."""

from typing import Any

import pytest

from search import Budget, Evaluate, Expand, Tree, beam

LINES = {"": ["a b c"], "a": ["aa ab"], "b": ["ba =bb"], "c": ["ca"], "aa": ["=aaa"], "ba": ["=baa"]}
WORTH = {"a": 0.6, "b": 0.9, "c": 0.1, "aa": 0.8, "ab": 0.2, "ba": 0.7, "=bb": 0.4, "=baa": 0.5}


def test_on_every_level_the_best_states_go_on(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, LINES, WORTH)
    rounds = play(beam(tree, keep=2, width=3, parallel=2), answer)
    # a is 1, b is 2, c is 3; then of b, a: ba 4, =bb 5, aa 6, ab 7; then of aa, ba: =aaa 8, =baa 9.
    assert rounds == [
        [Expand(0, 3)],
        [Evaluate((1, 2, 3))],
        [Expand(2, 3), Expand(1, 3)],
        [Evaluate((4, 5))],
        [Evaluate((6, 7))],
        [],
        [Expand(6, 3), Expand(4, 3)],
        [Evaluate((8,))],
        [Evaluate((9,))],
        [],
    ]
    assert answer.expanded == ["", "b", "a", "aa", "ba"]
    assert [node.step.text for node in tree.terminals()] == ["=bb", "=aaa", "=baa"]


def test_the_depth_is_a_bound(world: Any, play: Any) -> None:
    tree = Tree()
    play(beam(tree, keep=3, width=3, depth=2), world(tree, LINES, WORTH))
    assert tree.depth == 2


def test_equal_steps_are_merged_and_a_step_back_drops_the_state(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a a b"], "a": ["<"], "b": ["=c"]})
    play(beam(tree, keep=2, width=3), answer)
    assert answer.expanded == ["", "a", "b"]
    assert [node.step.text for node in tree.nodes] == ["", "a", "b", "<", "=c"]


@pytest.mark.parametrize("tokens", range(1, 14))
def test_the_budget_is_not_exceeded(tokens: int, world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens, cost=2)
    play(beam(tree, keep=2, width=3, parallel=2, budget=budget), world(tree, LINES, WORTH))
    assert budget.spent <= tokens
    assert budget.reserved == 0
    assert budget.refused
