"""The token budget: held back before, counted after, and never exceeded."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Budget, Expand, Search, Tree, best_of_n, mcts

SEARCHES: list[Callable[[Tree, Budget, int, int], Search]] = [
    lambda tree, budget, width, parallel: mcts(
        tree, simulations=30, width=width, parallel=parallel, depth=4, budget=budget
    ),
    lambda tree, budget, width, parallel: best_of_n(tree, n=width, parallel=parallel, depth=4, budget=budget),
]


def test_without_a_limit_everything_is_granted_and_counted() -> None:
    budget = Budget(cost=1000)
    assert budget.reserve(64, alone=False) == 64
    budget.settle(64, 12_345)
    assert (budget.spent, budget.reserved, budget.refused) == (12_345, 0, False)


def test_what_is_out_is_held_back_at_its_worst_case() -> None:
    budget = Budget(tokens=100, cost=10)
    assert budget.reserve(6, alone=True) == 6
    assert budget.reserve(5, alone=False) == 0  # 40 are left, and there is something to wait for
    assert budget.reserve(4, alone=False) == 4
    budget.settle(6, 33)
    assert (budget.spent, budget.reserved, budget.refused) == (33, 40, False)
    assert budget.reserve(2, alone=False) == 2


def test_the_last_expansion_is_narrower() -> None:
    budget = Budget(tokens=39, cost=10)
    assert budget.reserve(8, alone=True) == 3
    budget.settle(3, 29)
    assert not budget.refused
    assert budget.reserve(8, alone=True) == 1
    budget.settle(1, 10)
    assert budget.reserve(8, alone=True) == 0
    assert (budget.spent, budget.refused) == (39, True)


def test_to_wait_is_not_to_be_refused() -> None:
    budget = Budget(tokens=10, cost=10)
    budget.reserve(1, alone=True)
    assert budget.reserve(1, alone=False) == 0
    assert not budget.refused


def test_a_search_narrows_its_last_expansion_and_says_why_it_ended(world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=11, cost=2)
    answer = world(tree, {"": ["a b c d"], "a": ["e f g h"]})
    rounds = play(mcts(tree, simulations=9, width=4, budget=budget), answer)
    # 4 steps and 4 judgements take 8 of 11 tokens; the 3 left pay for one step of 2, which then take 2.
    assert [each for each in rounds if isinstance(each[0], Expand)] == [[Expand(0, 4)], [Expand(1, 1)]]
    assert (budget.spent, budget.reserved, budget.refused, len(tree)) == (10, 0, True, 6)


def test_a_search_that_ends_for_another_reason_was_not_refused(world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=1000, cost=2)
    play(mcts(tree, simulations=2, width=4, budget=budget), world(tree, {"": ["a b c d"], "a": ["e f g h"]}))
    assert (budget.spent, budget.refused) == (16, False)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_budget_too_small_for_one_step_asks_for_nothing(search: Any, world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=9, cost=10)
    assert play(search(tree, budget, 4, 2), world(tree, {})) == []
    assert (budget.spent, budget.refused, len(tree)) == (0, True, 1)


@pytest.mark.parametrize("search", SEARCHES)
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(0, 400),
    dear=st.integers(1, 30),
    width=st.integers(1, 5),
    parallel=st.integers(1, 5),
)
def test_the_budget_is_never_exceeded(
    search: Any, wild: Any, play: Any, meter: Any, seed: int, tokens: int, dear: int, width: int, parallel: int
) -> None:
    tree, budget = Tree(), Budget(tokens, cost=2 * dear)
    answer = meter(wild(tree, seed, dear), tokens)  # a step takes at most `dear` tokens, and so does its judgement
    play(search(tree, budget, width, parallel), answer)
    assert (budget.spent, budget.reserved) == (answer.taken, 0)
