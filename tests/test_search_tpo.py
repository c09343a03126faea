"""TPO: which answers are chosen and rejected, what is asked about them, and what a round costs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Budget, Evaluate, Expand, Step, Tree, tpo
from search.tpo import preferred

LINES = {"": ["=a =b =c", "why", "why2"], "why": ["do"], "do": ["=d =e"], "why2": ["do2"], "do2": ["=f"]}
VALUES = {"=a": 0.4, "=b": 0.9, "=c": 0.2, "=d": 0.1, "=e": 0.95}


def test_each_round_holds_the_best_answer_of_all_against_the_worst(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, LINES, VALUES)
    play(tpo(tree, n=3, rounds=2), answer)
    # =a, =b, =c are 1 to 3, why 4, do 5, =d 6, =e 7, why2 8, do2 9, =f 10.
    assert answer.asked == [
        Expand(0, 3, move="draft"),
        Evaluate((1, 2, 3)),
        Expand(0, 1, move="loss", about=(2, 3)),
        Expand(4, 1, move="gradient"),
        Expand(5, 3, move="improve"),
        Evaluate((6, 7)),
        Expand(0, 1, move="loss", about=(7, 6)),
        Expand(8, 1, move="gradient"),
        Expand(9, 3, move="improve"),
        Evaluate((10,)),
    ]
    assert [node.judged for node in tree.terminals()] == [0.4, 0.9, 0.2, 0.1, 0.95, 0.5]
    assert tree[0].value == pytest.approx((0.4 + 0.9 + 0.2 + 0.1 + 0.95 + 0.5) / 6)
    assert (tree[0].expansions, tree[5].expansions) == (3, 1)


def test_without_rounds_it_is_best_of_n(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, LINES, VALUES)
    play(tpo(tree, n=2, rounds=0), answer)
    assert answer.asked == [Expand(0, 2, move="draft"), Evaluate((1, 2))]


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ({}, 1),  # no answer
        ({"": ["=a =a =a"]}, 2),  # nothing to hold it against
        ({"": ["=a =b"]}, 3),  # no loss
        ({"": ["=a =b", "why"]}, 4),  # no gradient
        ({"": ["=a =b", "why", "why"], "why": ["do"]}, 6),  # no better answers, and then no new loss
    ],
)
def test_it_ends_where_nothing_new_is_said(lines: dict[str, list[str]], asked: int, world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, lines)
    play(tpo(tree, n=3, rounds=5), answer)
    assert len(answer.asked) == asked


def test_of_equal_values_the_first_are_chosen_and_rejected_but_never_one_text_against_itself() -> None:
    tree = Tree()
    for text, value in (("a", 0.5), ("a", 0.1), ("b", 0.5), ("c", 0.5), ("d", None)):
        tree[tree.add(0, Step(text, "answer"))].judged = value
    assert preferred(tree) == (1, 3)
    tree[4].judged = 0.4
    assert preferred(tree) == (1, 4)
    assert preferred(Tree()) is None


def test_the_last_answers_are_as_many_as_the_budget_pays_for(world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=14, cost=2)
    answer = world(tree, LINES, VALUES)
    play(tpo(tree, n=3, rounds=2, budget=budget), answer)
    # Three answers and judgements take 6, loss and gradient 2; 6 are left for three, of which two come: 4. Then one
    # loss takes 1, and the 1 that is left is not enough for a gradient.
    assert [each for each in answer.asked if isinstance(each, Expand)][-2:] == [
        Expand(5, 3, move="improve"),
        Expand(0, 1, move="loss", about=(7, 6)),
    ]
    assert (budget.spent, budget.reserved, budget.refused) == (13, 0, True)


@given(seed=st.integers(0, 10**6), tokens=st.integers(0, 400), dear=st.integers(1, 30), n=st.integers(1, 5))
def test_the_budget_is_never_exceeded(
    wild: Any, play: Any, meter: Any, seed: int, tokens: int, dear: int, n: int
) -> None:
    tree, budget = Tree(), Budget(tokens, cost=2 * dear)
    answer = meter(wild(tree, seed, dear), tokens)
    play(tpo(tree, n=n, rounds=3, budget=budget), answer)
    assert (budget.spent, budget.reserved) == (answer.taken, 0)
