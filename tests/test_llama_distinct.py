"""Sampling without replacement: no sibling twice, nothing left out, and the first as likely as ever."""

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat.models import Draw, Rules, Sampling
from coat.models.llama.decoder import Request
from coat.models.llama.distinct import DistinctSampler, Drawn
from coat.models.llama.odds import Odds, read
from coat.usage import Usage

PATH = (1, 2, 3)


def ask(decoder: Any, seeds: range, seen: tuple[Draw, ...] = (), **sampling: Any) -> tuple[list[Any], Usage]:
    usage = Usage()
    request = Request(PATH, usage, seeds=tuple(seeds), sampling=Sampling(**sampling), drawn=Drawn(seen))
    return decoder.submit(request).result(timeout=60), usage


def texts(completions: Any) -> list[tuple[int, ...]]:
    return [tuple(token for token, _ in each.draw) for each in completions]


def everything(decoder: Any, k: int, length: int) -> set[tuple[int, ...]]:
    """All continuations of at most `length` tokens, of which each is among the `k` likeliest."""
    open_, done = [()], set()
    while open_:
        text = open_.pop()
        for token in read(decoder.llama.after((*PATH, *text))[None], k)[0].ids.tolist():
            longer = (*text, token)
            (done.add if token == 0 or len(longer) == length else open_.append)(longer)
    return done


@given(seed=st.integers(0, 10**6), lanes=st.integers(1, 5), k=st.integers(1, 3), length=st.integers(1, 3))
def test_all_are_drawn_and_none_twice(
    decoding: Any, check_idle: Any, seed: int, lanes: int, k: int, length: int
) -> None:
    with decoding(80, lanes, 20, 4 * lanes + 8) as decoder:
        lot, seen = random.Random(seed), ()
        expected = everything(decoder, k, length)
        for _ in range(40):
            count = lot.randint(1, 6)
            found, _ = ask(
                decoder, range(lot.randrange(10**6), 10**9)[:count], seen, top_k=k, top_p=1.0, max_tokens=length
            )
            assert len(found) == min(count, len(expected) - len(seen))
            seen += tuple(each.draw for each in found)
            assert len(set(texts(found))) == len(found)
        drawn = [tuple(token for token, _ in draw) for draw in seen]
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) == expected
        check_idle(decoder)


def test_who_begins_again_goes_along_kept_odds_without_a_decode(decoding: Any) -> None:
    with decoding(80, 4, 20, 24) as decoder:
        all_of_them = everything(decoder, 2, 3)
        found, _ = ask(decoder, range(len(all_of_them)), top_k=2, top_p=1.0, max_tokens=3)
        assert set(texts(found)) == all_of_them
        again, more = ask(decoder, range(7), top_k=2, top_p=1.0, max_tokens=3)
        assert len(again) == min(7, len(all_of_them))
        assert more.evaluated == 0


def test_the_first_is_as_likely_as_ever_and_the_second_as_what_is_left(decoding: Any) -> None:
    sampling = Sampling(top_k=3, top_p=1.0, temperature=0.8)
    odds = Odds(np.array([5, 6, 7]), np.array([2.0, 1.0, 0.0], np.float32), 3.0)
    shares = odds.shares(sampling)
    assert shares == pytest.approx(np.exp(np.array([2, 1, 0]) / 0.8) / np.exp(np.array([2, 1, 0]) / 0.8).sum())
    pairs: Counter[tuple[int, int]] = Counter()
    for seed in range(4000):
        drawn = Drawn(())
        pair = []
        for turn in range(2):
            sampler = DistinctSampler(drawn, sampling, 2 * seed + turn)
            token, logprob = sampler.draw(odds) or (0, 0.0)
            assert logprob == pytest.approx(float(odds.logits[odds.ids.tolist().index(token)]) - 3.0)
            sampler.complete()
            pair.append(token)
        pairs[pair[0], pair[1]] += 1
    for (first, second), count in pairs.items():
        p, q = shares[first - 5], shares[second - 5]
        assert count / 4000 == pytest.approx(p * q / (1 - p), abs=0.03)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(top_k=2, top_p=1.0, temperature=1.0), [0.7311, 0.2689, 0]),
        (Sampling(top_k=0, top_p=0.66, temperature=1.0), [1, 0, 0]),
        (Sampling(top_k=0, top_p=0.67, temperature=1.0), [0.7311, 0.2689, 0]),
        (Sampling(top_k=0, top_p=1.0, temperature=0.0), [1, 0, 0]),
    ],
)
def test_shares_are_cut_by_top_k_then_top_p_and_then_heated(sampling: Sampling, expected: list[float]) -> None:
    odds = Odds(np.array([5, 6, 7]), np.array([2.0, 1.0, 0.0], np.float32), 3.0)
    assert odds.shares(sampling) == pytest.approx(expected, abs=1e-4)


def test_when_nothing_is_left_there_are_fewer(decoding: Any) -> None:
    with decoding(80, 2, 20, 16) as decoder:
        greedy, _ = ask(decoder, range(5), temperature=0.0, max_tokens=4)
        assert len(greedy) == 1
        assert ask(decoder, range(5), (greedy[0].draw,), temperature=0.0, max_tokens=4)[0] == []


@given(seed=st.integers(0, 10**6), banned=st.integers(1, 23), distinct=st.booleans())
def test_a_text_ends_where_the_rules_find_it_impossible(
    decoding: Any, check_idle: Any, seed: int, banned: int, distinct: bool
) -> None:
    letter = chr(96 + banned)
    rules = Rules("no letter", lambda text: letter not in text)
    with decoding(120, 3, 20, 24) as decoder:
        request = Request(
            PATH,
            Usage(),
            seeds=tuple(range(seed, seed + 12)),
            sampling=Sampling(top_k=6, top_p=1.0, temperature=2.0, max_tokens=5),
            drawn=Drawn(()) if distinct else None,
            rules=rules,
        )
        found = decoder.submit(request).result(timeout=60)
        assert len(found) == 12
        for each in found:
            rejected = letter in each.text
            assert (each.finish == "rejected") is rejected
            assert each.text.count(letter) == rejected
            assert each.text.endswith(letter) is rejected
            assert each.generated == len(each.tokens) + (each.finish == "eos")
        if distinct:
            beginnings = [each.text for each in found if each.finish == "rejected"]
            assert len(set(beginnings)) == len(beginnings)
        check_idle(decoder)
