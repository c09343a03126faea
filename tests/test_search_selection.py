"""The formulas against values worked out by hand, and what they prefer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Step, Tree, maximum, mean, priors, puct, uct
from search.backup import Backup


def test_puct_adds_the_weighted_prior() -> None:
    # 0.4 + 2 · 0.25 · sqrt(9) / (1 + 4) = 0.4 + 1.5 / 5
    assert puct(0.4, 4, 0.25, 9, 2.0) == pytest.approx(0.7)


def test_puct_tries_the_likelier_of_two_equal_children_first() -> None:
    assert puct(0.5, 1, 0.7, 2, 1.0) > puct(0.5, 1, 0.3, 2, 1.0)


def test_uct_adds_a_bonus_for_being_rarely_visited() -> None:
    # 0.4 + 2 · sqrt(ln 100 / 8) = 0.4 + 2 · sqrt(0.575646)
    assert uct(0.4, 8, 0.9, 100, 2.0) == pytest.approx(1.917428, abs=1e-6)
    assert uct(0.4, 2, 0.0, 16, 1.0) > uct(0.4, 4, 1.0, 16, 1.0)


def test_uct_without_exploration_is_the_value() -> None:
    assert uct(0.4, 8, 0.9, 100, 0.0) == puct(0.4, 8, 0.9, 100, 0.0) == 0.4


def test_uct_of_a_child_whose_parent_was_never_visited_is_its_value() -> None:
    assert uct(0.4, 1, 0.0, 0, 1.0) == 0.4


def test_priors_are_the_softmax_over_siblings() -> None:
    assert priors([math.log(0.1), math.log(0.3), math.log(0.1)]) == pytest.approx([0.2, 0.6, 0.2])
    assert priors([]) == []


@given(st.lists(st.floats(-1e6, 0), min_size=1, max_size=8))
def test_priors_sum_to_one_however_unlikely_the_steps(logprobs: list[float]) -> None:
    shares = priors(logprobs)
    assert sum(shares) == pytest.approx(1.0)
    assert max(shares) == shares[max(range(len(shares)), key=lambda i: logprobs[i])]


def chain() -> Tree:
    tree = Tree()
    tree.add(0, Step("a"))
    tree.add(1, Step("b"))
    return tree


@pytest.mark.parametrize(
    ("backup", "leaf", "above"),
    # backed up at the leaf 0.2 and 0.8, then at its parent 0.5: means 1/2 and 1.5/3, maxima 0.8 and 0.8
    [(mean, 0.5, 0.5), (maximum, 0.8, 0.8)],
)
def test_a_value_reaches_every_node_up_to_the_root(backup: Backup, leaf: float, above: float) -> None:
    tree = chain()
    backup(tree, 2, 0.2)
    backup(tree, 2, 0.8)
    backup(tree, 1, 0.5)
    assert [node.visits for node in tree.nodes] == [3, 3, 2]
    assert [node.value for node in tree.nodes] == pytest.approx([above, above, leaf])


def test_the_mean_and_the_maximum_differ() -> None:
    means, maxima = chain(), chain()
    for value in (0.9, 0.1, 0.2):
        mean(means, 2, value)
        maximum(maxima, 2, value)
    assert (means[0].value, maxima[0].value) == (pytest.approx(0.4), 0.9)
