"""Best-first search and AB-MCTS: what is expanded next, and whether wider or deeper."""

import random
import statistics
from typing import Any

import pytest

from search import Budget, Expand, Tree, ab_mcts, best_first
from search.ab_mcts import beta, gaussian


def test_the_best_state_anywhere_is_next(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a b"], "a": ["aa ab"], "b": ["=bb"], "aa": ["=x"], "ab": ["=y"]}
    answer = world(tree, lines, {"a": 0.6, "b": 0.5, "aa": 0.2, "ab": 0.55})
    play(best_first(tree, simulations=9, width=2), answer)
    assert answer.expanded == ["", "a", "ab", "b", "aa"]


def test_simulations_and_depth_are_bounds(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b"], "b": ["c"]})
    play(best_first(tree, simulations=2, width=1), answer)
    assert answer.expanded == ["", "a"]
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b"], "b": ["c"]})
    play(best_first(tree, simulations=9, width=1, depth=2), answer)
    assert answer.expanded == ["", "a"]


def test_the_posteriors_are_those_of_the_paper() -> None:
    lot = random.Random(1)
    # Normal-inverse-chi-squared, m 0, kappa 1: after 0.9, 0.9, 0.9 the mean is 2.7 / 4.
    assert statistics.median(gaussian(lot, [0.9] * 3) for _ in range(4000)) == pytest.approx(0.675, abs=0.02)
    assert statistics.median(gaussian(lot, []) for _ in range(4000)) == pytest.approx(0, abs=0.03)
    # Beta(1/2 + 1.5, 1/2 + 0.5).
    assert statistics.mean(beta(lot, [0.5, 1.0]) for _ in range(4000)) == pytest.approx(2 / 3, abs=0.02)


def test_good_steps_that_lead_nowhere_make_it_wider_and_good_ends_deeper(world: Any, play: Any) -> None:
    def grown(inner: float) -> tuple[int, int]:
        tree = Tree()
        words = [f"s{number}" for number in range(60)]
        lines: dict[str, list[str]] = {"": words} | {word: [f"{word}.{k}" for k in range(60)] for word in words}
        values = {f"{word}.{k}": inner for word in words for k in range(60)} | dict.fromkeys(words, 0.5)
        play(ab_mcts(tree, simulations=60, seed=3, depth=2), world(tree, lines, values))
        return len(tree[0].children), sum(node.depth == 2 for node in tree.nodes)

    wide, deep = grown(0.0), grown(1.0)
    assert wide[0] > 3 * deep[0]
    assert deep[1] > wide[1]


def test_an_expansion_that_brings_nothing_new_ends_it_after_a_while(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=a"] * 100})
    play(ab_mcts(tree, simulations=1000, patience=5), answer)
    assert len(tree) == 2
    assert answer.expanded == [""] * 6


@pytest.mark.parametrize("posterior", ["gaussian", "beta"])
def test_budget_and_depth_hold_whatever_comes(posterior: Any, wild: Any, play: Any) -> None:
    for seed in range(20):
        tree, budget = Tree(), Budget(60, cost=2)
        answer = wild(tree, seed=seed)
        play(ab_mcts(tree, simulations=50, posterior=posterior, seed=seed, parallel=3, depth=3, budget=budget), answer)
        assert budget.spent <= 60
        assert budget.reserved == 0
        assert tree.depth <= 3
        tree, budget = Tree(), Budget(60, cost=2)
        play(best_first(tree, simulations=50, width=3, parallel=3, depth=3, budget=budget), wild(tree, seed=seed))
        assert budget.spent <= 60
        assert tree.depth <= 3
        assert all(request.width <= 3 for request in answer.asked if isinstance(request, Expand))
