"""The decoder over a llama.cpp made of tables: right texts on any schedule, and nothing left behind."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat.errors import BackendError, ContextError
from coat.models import Sampling
from coat.models.llama.decoder import Decoder, Request
from coat.models.llama.odds import Sampler, read
from coat.usage import Usage


def alone(decoder: Decoder, request: Request) -> Any:
    """What a request gives: every sibling drawn by itself, token by token."""
    after = decoder.llama.after
    if not request.seeds:
        logits = after(request.target)
        normaliser = float(np.log(np.exp(logits.astype(np.float64)).sum()))
        return [pytest.approx(float(logits[token]) - normaliser, abs=1e-6) for token in request.candidates]
    texts = []
    for seed in request.seeds:
        sampler, drawn, finish = Sampler(request.sampling, seed), [], "length"
        logprob = 0.0
        while len(drawn) < request.sampling.max_tokens:
            (odds,) = read(after((*request.path, *drawn))[None], request.choices)
            token, each = sampler.draw(odds)
            drawn.append(token)
            logprob += each
            if token == 0:
                finish = "eos"
                break
        tokens = tuple(drawn[:-1] if finish == "eos" else drawn)
        texts.append((tokens, pytest.approx(logprob, abs=1e-6), len(drawn), finish))
    return texts


def together(decoder: Decoder, requests: Sequence[Request]) -> "list[Future[Any]]":
    """Submit requests so that the decoder sees all but the first at once: what it does then depends on no timing."""
    table: Any = decoder.llama
    table.gate.clear()
    table.waits.clear()
    futures = [decoder.submit(requests[0])]
    while not (table.waits.wait(0.002) or futures[0].done()):
        pass
    futures += [decoder.submit(request) for request in requests[1:]]
    table.gate.set()
    return futures


def outcome(future: "Future[Any]") -> Any:
    result = future.result(timeout=30)
    if result and isinstance(result[0], float):
        return result
    return [(each.tokens, each.logprob, each.generated, each.finish) for each in result]


def siblings(path: Sequence[int], *seeds: int, usage: Usage | None = None, **sampling: Any) -> Request:
    """A request for siblings that never see the end by themselves."""
    return Request(tuple(path), usage or Usage(), seeds=seeds, sampling=Sampling(**sampling))


def some_request(lot: random.Random, path: Sequence[int], usage: Usage) -> Request:
    if lot.random() < 0.3:
        suffix = tuple(lot.choice((1, 2)) for _ in range(lot.randint(0, 3)))
        return Request(tuple(path), usage, suffix=suffix, candidates=(1, 5))
    seeds = (lot.randrange(9) for _ in range(lot.randint(1, 5)))
    temperature = lot.choice((0.0, 0.7))
    return siblings(path, *seeds, usage=usage, max_tokens=lot.randint(1, 8), temperature=temperature, top_k=4)


SIZES = {
    "seed": st.integers(0, 10**6),
    "cells": st.integers(26, 80),
    "lanes": st.integers(1, 5),
    "batch": st.integers(5, 20),
    "extra": st.integers(0, 20),
    "recurrent": st.booleans(),
}


@given(**SIZES)
def test_any_mix_of_requests_gets_what_each_gets_alone(
    decoding: Any, check_idle: Any, seed: int, cells: int, lanes: int, batch: int, extra: int, recurrent: bool
) -> None:
    lot, usage = random.Random(seed), Usage()
    with decoding(cells, lanes, batch, 4 * lanes + extra, recurrent=recurrent) as decoder:
        for _ in range(3):
            paths = [[lot.choice((1, 1, 1, 2)) for _ in range(lot.randint(1, 14))] for _ in range(lot.randint(1, 12))]
            requests = [some_request(lot, path, usage) for path in paths]
            for request, future in zip(requests, together(decoder, requests), strict=True):
                assert outcome(future) == alone(decoder, request)
            check_idle(decoder)
            assert recurrent or decoder.llama.used == decoder.cache.tree.cells


@given(**SIZES)
def test_growing_trees_get_the_right_texts_though_some_are_cancelled(
    decoding: Any, check_idle: Any, seed: int, cells: int, lanes: int, batch: int, extra: int, recurrent: bool
) -> None:
    lot, usage = random.Random(seed), Usage()
    with decoding(cells, lanes, batch, 4 * lanes + extra, recurrent=recurrent) as decoder:
        known: list[Sequence[int]] = [(1, 1, 1)]
        for _ in range(5):
            requests = [some_request(lot, lot.choice(known), usage) for _ in range(lot.randint(2, 8))]
            futures = together(decoder, requests)
            cancelled = [future for future in futures if lot.random() < 0.2 and future.cancel()]
            for request, future in zip(requests, futures, strict=True):
                if future not in cancelled:
                    assert outcome(future) == alone(decoder, request)
                    grown = [(*request.path, *each[0]) for each in outcome(future) if request.seeds]
                    known += [path[: len(path) - lot.randint(0, 2)] for path in grown if len(path) < cells - 10]
            until_idle(decoder)
            check_idle(decoder)
            assert recurrent or decoder.llama.used == decoder.cache.tree.cells


def until_idle(decoder: Decoder) -> None:
    """Wait for what was cancelled: its lanes are freed before the next decode, and nobody is told."""
    for _ in range(10_000):
        if not (decoder.running or decoder.pending):
            return
        threading.Event().wait(0.001)
    raise AssertionError("the decoder never came to rest")


def test_every_row_is_decoded_once(decoding: Any) -> None:
    usage = Usage()
    with decoding() as decoder:
        first = siblings([1, 2, 3], 5, 6, 7, usage=usage, max_tokens=6, top_k=4)
        again, thrice = (siblings([1, 2, 3], 5, 6, 7, 8, usage=usage, max_tokens=6, top_k=4) for _ in range(2))
        assert outcome(decoder.submit(first)) == alone(decoder, first)
        rows = sum(decoder.llama.decoded)
        assert usage.evaluated == usage.unique == rows
        assert outcome(decoder.submit(again)) == alone(decoder, again)
        # Three of the four are drawn from what is known; only the fourth may need something new.
        assert usage.evaluated == usage.unique <= rows + 5
        rows = sum(decoder.llama.decoded)
        assert outcome(decoder.submit(thrice)) == alone(decoder, again)
        assert usage.evaluated == usage.unique == sum(decoder.llama.decoded) == rows


def test_identical_siblings_share_a_lane(decoding: Any) -> None:
    with decoding() as decoder:
        request = siblings([1, 2, 3], 1, 2, 3, 4, max_tokens=5, temperature=0.0)
        texts = outcome(decoder.submit(request))
        assert texts == [texts[0]] * 4
        assert decoder.llama.decoded == [3, 1, 1, 1, 1]


def test_copies_that_two_requests_decoded_side_by_side_are_freed(decoding: Any, check_idle: Any) -> None:
    with decoding() as decoder:
        requests = [siblings([1, 2], 3, max_tokens=9, temperature=0.0), siblings([1, 2], 3, 4, max_tokens=9, top_k=2)]
        for future in together(decoder, requests):
            future.result(timeout=30)
        check_idle(decoder)
        assert decoder.llama.used == decoder.cache.tree.cells


def test_what_was_decoded_last_is_evicted_last(decoding: Any) -> None:
    with decoding(cells=32) as decoder:
        outcome(decoder.submit(siblings([1] * 8, 0, max_tokens=1)))
        newer = siblings([2] * 8, 0, max_tokens=8, temperature=0.0)
        ((tokens, *_),) = outcome(decoder.submit(newer))
        outcome(decoder.submit(siblings([3] * 10, 0, max_tokens=8, temperature=0.0)))
        assert decoder.cache.tree.match([1] * 8)[0].parked
        newest, depth = decoder.cache.tree.match([2] * 8 + list(tokens))
        assert (newest.parked, depth) == (None, 15)


def test_a_request_that_fills_the_cache_to_its_last_cell_is_served(decoding: Any) -> None:
    with decoding(cells=32) as decoder:
        for length in (31, 20):
            request = siblings([1] * length, 4, max_tokens=32 - length)
            assert outcome(decoder.submit(request)) == alone(decoder, request)
        with pytest.raises(ContextError, match="a path of 20 tokens with 13 to follow is larger than the cache of 32"):
            decoder.submit(siblings([1] * 20, 4, max_tokens=13))


def test_without_room_something_idle_goes_and_then_the_batch_is_halved(decoding: Any, check_idle: Any) -> None:
    with decoding(lanes=4, batch=16) as decoder:
        table: Any = decoder.llama
        outcome(decoder.submit(siblings([3] * 4, 0, max_tokens=1)))
        table.codes[:] = [1, 1, 1, 0]
        request = siblings([1] * 16, 0, max_tokens=3)
        assert outcome(decoder.submit(request)) == alone(decoder, request)
        # The first refusal evicts the other path; the next two halve 16 rows to 8 and to 4.
        assert decoder.cache.tree.match([3] * 4)[0].parked
        assert table.decoded[1:3] == [4, 12]
        check_idle(decoder)


def test_a_cache_without_room_for_a_single_row_fails_the_request(decoding: Any, check_idle: Any) -> None:
    with decoding() as decoder:
        table: Any = decoder.llama
        table.codes[:] = [1] * 3
        with pytest.raises(BackendError, match="the KV cache is full"):
            outcome(decoder.submit(siblings([1] * 4, 0)))
        check_idle(decoder)


@pytest.mark.parametrize("code", [2, -1, -3])
def test_a_failed_decode_fails_all_that_wait_and_the_next_is_served(code: int, decoding: Any, check_idle: Any) -> None:
    with decoding() as decoder:
        table: Any = decoder.llama
        table.codes[:] = [0, code]
        for future in together(decoder, [siblings([1, lot], 0, max_tokens=5) for lot in range(1, 9)]):
            with pytest.raises(BackendError, match=f"llama_decode failed with code {code}"):
                future.result(timeout=30)
        check_idle(decoder)
        request = siblings([1, 2], 0, 1, max_tokens=5)
        assert outcome(decoder.submit(request)) == alone(decoder, request)
        check_idle(decoder)


@pytest.mark.parametrize("call", ["fork", "cut", "logits"])
def test_whatever_else_fails_nobody_waits_for_ever(call: str, decoding: Any, check_idle: Any) -> None:
    with decoding() as decoder:
        outcome(decoder.submit(siblings([1, 2, 3], 0, max_tokens=2)))

        def fail(*_: Any) -> None:
            raise RuntimeError(f"{call} failed")

        setattr(decoder.llama, call, fail)
        for future in together(decoder, [siblings([1, 2, 4, lot], 0, max_tokens=2) for lot in range(5)]):
            with pytest.raises(RuntimeError, match=f"{call} failed"):
                future.result(timeout=30)
        delattr(decoder.llama, call)
        request = siblings([1, 2], 0, 1, max_tokens=5)
        assert outcome(decoder.submit(request)) == alone(decoder, request)
        check_idle(decoder)


def test_cancelling_frees_lanes_for_the_others(decoding: Any, check_idle: Any) -> None:
    with decoding(lanes=2) as decoder:
        long, other = siblings([1, 2], 0, 1, max_tokens=100, top_k=24), siblings([1, 3], 0, 1, max_tokens=4)
        futures = together(decoder, [long, other])
        assert futures[0].cancel()
        assert outcome(futures[1]) == alone(decoder, other)
        until_idle(decoder)
        check_idle(decoder)
        assert sum(decoder.llama.decoded) < 50


def test_closing_fails_what_runs_and_what_comes_after(decoding: Any) -> None:
    with decoding() as decoder:
        table: Any = decoder.llama
        table.gate.clear()
        futures = [decoder.submit(siblings([1, lot], 0, max_tokens=50)) for lot in range(6)]
        threading.Timer(0.05, table.gate.set).start()
        decoder.close()
        decoder.close()
        for future in futures:
            with pytest.raises(BackendError, match="closed while it worked"):
                future.result(timeout=0)
        with pytest.raises(BackendError, match="the model is closed"):
            decoder.submit(siblings([1], 0))
        assert table.closed


def held(decoder: Decoder, requests: Sequence[Request]) -> list[Any]:
    """The futures of requests that the decoder finds all at once, since it was held up by another."""
    decoder.llama.gate.clear()
    decoder.submit(siblings([2, 2], 1, max_tokens=1))
    decoder.llama.waits.wait()
    futures = [decoder.submit(each) for each in requests]
    decoder.llama.gate.set()
    return futures


def test_the_same_scores_are_decoded_once_for_all_who_ask_at_the_same_time(decoding: Any) -> None:
    usages = [Usage() for _ in range(3)]
    with decoding() as decoder:
        requests = [Request((1, 2, 3), usage, suffix=(1, 2), candidates=(1, 5)) for usage in usages]
        scores = [outcome(future) for future in held(decoder, requests)]
        assert sum(usage.evaluated for usage in usages) == 5
        assert [usage.unique for usage in usages] == [5, 5, 5]
        assert scores == [alone(decoder, requests[0])] * 3


def test_who_waits_for_the_scores_of_one_that_is_cancelled_gets_its_own(decoding: Any, check_idle: Any) -> None:
    with decoding(batch=5) as decoder:
        path = tuple([1, 2, 3] * 4)
        first, second = (Request(path, Usage(), suffix=(1, 2), candidates=(1, 5)) for _ in range(2))
        decode = decoder.llama.decode

        def cancelling(rows: Any) -> int:
            if first.followers:
                first.future.cancel()
            return int(decode(rows))

        decoder.llama.decode = cancelling
        futures = held(decoder, [first, second])
        assert outcome(futures[1]) == alone(decoder, second)
        assert futures[0].cancelled()
        check_idle(decoder)
