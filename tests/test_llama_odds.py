"""Drawing tokens: the likeliest ones against a full sort, their shares, and the draws."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat.models import Penalty, Sampling
from coat.models.llama import odds as drawing
from coat.models.llama.odds import Sampler, read


@given(seed=st.integers(0, 10**6), vocabulary=st.sampled_from([5, 70, 500, 9000]), k=st.integers(1, 70))
def test_the_odds_are_the_head_of_a_full_sort(seed: int, vocabulary: int, k: int) -> None:
    logits = np.random.default_rng(seed).integers(-40, 40, (3, vocabulary)).astype(np.float32) / 4  # with many ties
    for row, each in zip(logits, read(logits, k), strict=True):
        assert each.logits.tolist() == sorted(row.tolist(), reverse=True)[:k] == row[each.ids].tolist()
        assert len(set(each.ids.tolist())) == min(k, vocabulary)
        assert each.ids.tolist() == sorted(each.ids.tolist(), key=lambda token: (-row[token], token))
        assert each.normaliser == pytest.approx(float(np.log(np.exp(row.astype(np.float64)).sum())), abs=1e-5)


def test_rows_in_many_blocks_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(0).normal(size=(7, 30)).astype(np.float32)
    whole = read(logits, 4)
    monkeypatch.setattr(drawing, "BLOCK", 64)
    for one, other in zip(whole, read(logits, 4), strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.normaliser == pytest.approx(other.normaliser, abs=1e-6)


def test_shares_read_together_are_those_of_each_alone() -> None:
    logits = np.random.default_rng(1).normal(size=(4, 90)).astype(np.float32)
    sampling = Sampling(temperature=0.6, top_k=9, top_p=0.8)
    for one, other in zip(read(logits, 20, sampling), read(logits, 20), strict=True):
        assert one.shares(sampling).tolist() == other.shares(sampling).tolist()
        assert one.shares(Sampling(temperature=0.0)).tolist() == [1] + [0] * 19


def test_draws_follow_the_shares_and_their_seed() -> None:
    (odds,) = read(np.log(np.array([[4, 3, 2, 1]], np.float32)), 4)
    sampling = Sampling(temperature=1.0, top_k=3, top_p=1.0)
    sampler = Sampler(sampling, 3)
    found = Counter(sampler.draw(odds) for _ in range(9000))
    assert {token: count / 9000 for (token, _), count in found.items()} == pytest.approx(
        {0: 4 / 9, 1: 3 / 9, 2: 2 / 9}, abs=0.02
    )
    assert {token: np.exp(logprob) for token, logprob in found} == pytest.approx({0: 0.4, 1: 0.3, 2: 0.2})
    drawn = [[each.draw(odds)[0] for _ in range(50)] for each in (Sampler(sampling, seed) for seed in (5, 5, 6))]
    assert [one == other for one, other in pairwise(drawn)] == [True, False]


def test_a_penalty_takes_alpha_off_the_logits_and_nothing_else() -> None:
    odds = read(np.log(np.array([[0.5, 0.3, 0.2]], np.float32)), 3)[0]
    sampling = Sampling(temperature=1, top_k=0, top_p=1, penalty=Penalty(3.0, ("wait",), 1))
    expected = np.array([0.5 * math.exp(-3), 0.3, 0.2])
    assert odds.penalised(sampling, frozenset({0}), 3.0) == pytest.approx(expected / expected.sum())
    greedy = Sampler(Sampling(temperature=0, penalty=Penalty(3.0, ("wait",), 1)), 0, frozenset({0}))
    token, logprob = greedy.draw(odds)
    assert (token, logprob) == (1, pytest.approx(math.log(0.3)))  # the model's own
    assert greedy.draw(odds)[0] == 0  # after the window


def test_a_penalty_that_lets_others_pass_moves_them_into_the_top_k() -> None:
    odds = read(np.log(np.array([[0.5, 0.3, 0.2]], np.float32)), 3)[0]
    sampling = Sampling(temperature=1, top_k=2, top_p=1)
    assert odds.penalised(sampling, frozenset({0}), 3.0) == pytest.approx([0.0, 0.6, 0.4])
