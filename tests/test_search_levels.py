"""Searches that go level by level: DVTS, REBASE and particle filtering make the choices that their papers describe."""

from collections import Counter
from typing import Any

import pytest

from search import Budget, Evaluate, Expand, Tree, beam, dvts, particles, rebase
from search.levels import levels

LINES = {"": ["a b c d"], "a": ["aa ab"], "b": ["ba bb"], "c": ["ca =cb"], "d": ["da db"]}
WORTH = {"a": 0.9, "b": 0.8, "c": 0.3, "d": 0.2, "aa": 0.1, "ab": 0.4, "=cb": 0.7, "ca": 0.6}


def test_dvts_keeps_the_best_of_each_subtree_not_the_best_of_all(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, LINES | {"ab": ["=x =y"]}, WORTH | {"=x": 0.5, "=y": 0.9})
    play(dvts(tree, n=4, width=2, parallel=2), answer)
    # Subtrees {a, b} and {c, d}: beam would go on with a and b. The second ends with its best step, an answer.
    assert answer.expanded == ["", "a", "c", "ab"]
    assert [node.step.text for node in tree.terminals()] == ["=cb", "=x", "=y"]


def test_dvts_keeps_equal_steps_apart(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a a a a"], "a": ["=b =c", "=d =e"]})
    play(dvts(tree, n=4, width=2), answer)
    assert answer.expanded == ["", "a", "a"]
    assert len(tree.terminals()) == 4


def test_rebase_shares_the_budget_by_softmax_of_the_values(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b c =d"], "a": ["=e =e"], "b": ["=f"]}, {"a": 0.9, "b": 0.8, "c": 0.1, "=d": 1.0})
    play(rebase(tree, n=4, balance=0.1), answer)
    # Three samples are left after =d: softmax of 9, 8, 1 gives 2.19, 0.81 and almost nothing.
    assert [request for request in answer.asked if isinstance(request, Expand)][1:] == [Expand(1, 2), Expand(2, 1)]


def test_particles_are_drawn_by_weight_and_answers_stay(world: Any, play: Any) -> None:
    counts: Counter[str] = Counter()
    for seed in range(300):
        tree = Tree()
        answer = world(tree, {"": ["a b"], "a": ["=x =x"], "b": ["=y =y"]}, {"a": 1.0, "b": 0.0})
        play(particles(tree, n=2, balance=1.0, seed=seed), answer)
        asked = [request for request in answer.asked if isinstance(request, Expand)][1:]
        assert sum(request.width for request in asked) == 2
        counts["a"] += sum(request.width for request in asked if request.node == 1)
    assert counts["a"] / 600 == pytest.approx(0.731, abs=0.05)  # e / (e + 1)


def test_an_answer_that_is_drawn_needs_no_further_step(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=x a"], "a": ["=y"]}, {"=x": 1.0, "a": 0.0, "=y": 0.0})
    play(particles(tree, n=2, balance=0.01), answer)
    assert answer.expanded == [""]


def test_a_look_ahead_judges_a_step_by_where_it_leads(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a b"], "a": ["aa", "=x =y"], "aa": ["aaa"], "b": ["=bb"]}
    answer = world(tree, lines, {"a": 0.9, "aaa": 0.2, "b": 0.1, "=bb": 0.8})
    rounds = play(beam(tree, keep=1, width=2, lookahead=2, depth=3), answer)
    # a is 1, b is 2; ahead: aa 3, =bb 4 (an answer), then aaa 5.
    assert rounds[:4] == [
        [Expand(0, 2)],
        [Expand(1, 1, 0.0), Expand(2, 1, 0.0)],
        [],
        [Expand(3, 1, 0.0)],
    ]
    assert answer.asked[4] == Evaluate((5, 4))
    assert (tree[1].judged, tree[2].judged) == (0.2, 0.8)
    assert answer.asked[5] == Expand(2, 2)  # b goes on, though a step alone is worth more


@pytest.mark.parametrize("tokens", range(1, 40, 3))
@pytest.mark.parametrize("lookahead", [0, 2])
def test_the_budget_is_not_exceeded(tokens: int, lookahead: int, wild: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens, cost=2)
    make = levels(
        tree,
        lambda tree, found: [(node, 2) for node in found],
        first=3,
        parallel=2,
        depth=3,
        lookahead=lookahead,
        budget=budget,
    )
    play(make, wild(tree, seed=tokens))
    assert budget.spent <= tokens
    assert budget.reserved == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda t, b: dvts(t, n=4, width=2, parallel=3, depth=4, budget=b),
        lambda t, b: rebase(t, n=5, parallel=3, depth=4, budget=b),
        lambda t, b: particles(t, n=5, parallel=3, depth=4, budget=b),
    ],
)
def test_depth_and_budget_hold_whatever_comes(make: Any, wild: Any, play: Any) -> None:
    for seed in range(30):
        tree, budget = Tree(), Budget(60, cost=2)
        play(make(tree, budget), wild(tree, seed=seed))
        assert budget.spent <= 60
        assert budget.reserved == 0
        assert tree.depth <= 4
