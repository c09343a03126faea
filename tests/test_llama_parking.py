"""Idle paths outside the cache: saved and taken back without a decode, with the texts of a fresh context."""

import asyncio
import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from coat.models import SampleRequest, Sampling, Text, Tokens
from coat.models.catalog import load
from coat.models.llama import LlamaModel, cache
from coat.models.llama.work import Request
from coat.usage import Usage

PROMPTS = {
    "smollm2": ["Count on.\n1, 2, 3, 4, 5,", "The capital of France is"],
    "gemma3-270m": ["Count on.\n1, 2, 3, 4, 5,", "The capital of France is"],
    "puzzle": ["24:4,9,10,13\n", "50:5,7,12,15\n"],
}


@pytest.fixture(scope="module", params=PROMPTS)
def model(request: pytest.FixtureRequest) -> Iterator[LlamaModel]:
    model = load(request.param, cells=512, lanes=4, threads=1)
    assert isinstance(model, LlamaModel)
    yield model
    model.close()


def ask(model: LlamaModel, path: Tokens, usage: Usage, tokens: int = 8, **sampling: Any) -> Tokens:
    drawing = Sampling(tokens, **({"temperature": 0.0} | sampling))
    (completion,) = asyncio.run(model.sample(SampleRequest((path,), (0,), drawing), usage))
    return completion.tokens


@pytest.mark.xdist_group("llama")
@pytest.mark.usefixtures("at_rest")
def test_a_path_that_left_the_cache_goes_on_as_in_a_fresh_context(
    model: LlamaModel, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "PARK_AFTER", 8)
    first, second = (model.path((Text(text),)) for text in PROMPTS[model.name])
    usage = Usage()
    grown = (*first, *ask(model, first, usage))
    for seed in range(6):
        ask(model, (*second, seed + 300), usage)  # enough rows for the first path to grow stale
    span, depth = model._decoder.cache.tree.match(grown)
    assert depth >= len(grown) - 1
    assert span.parked
    before = usage.evaluated
    more = ask(model, grown, usage, 6)
    assert fresh.agrees(grown, more)
    assert usage.evaluated - before == len(more)  # only the path's last token and what is new


@pytest.mark.xdist_group("llama")
@pytest.mark.usefixtures("at_rest")
def test_cells_that_take_more_bytes_than_those_before_are_saved(
    model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model.path((Text(f"{PROMPTS[model.name][0]} 7"),))
    ask(model, path, Usage())
    tree, llama = model._decoder.cache.tree, model._decoder.llama
    span, _ = tree.match(path)
    cells = (tree.holder(span), span.start, span.end)
    expected = bytes(llama.save(*cells))
    monkeypatch.setattr(llama, "_saved", (ctypes.c_uint8 * 64)())
    monkeypatch.setattr(llama, "_cell_bytes", 0)
    assert bytes(llama.save(*cells)) == expected


def test_what_is_saved_beyond_the_size_of_the_cache_is_forgotten(decoding: Any, check_idle: Any) -> None:
    with decoding(cells=64) as alone:
        for token in range(1, 12):
            alone.submit(Request((token,) * 20, Usage(), seeds=(0,), sampling=Sampling(2))).result(timeout=30)
        check_idle(alone)
        parked = [token for token in range(1, 12) if alone.cache.tree.match((token,) * 20)[0].parked]
        assert parked == [6, 7, 8]
        assert 40 < alone.cache.tree.parked <= 64


def test_what_cannot_be_saved_is_let_go_when_it_has_cost_as_much_as_its_decode(decoding: Any) -> None:
    with decoding(cells=256) as alone:
        alone.llama.window = 10
        alone.llama.patience = 100
        for token in range(1, 12):
            alone.submit(Request((token,) * 20, Usage(), seeds=(0,), sampling=Sampling(2))).result(timeout=30)
        resident = [token for token in range(1, 12) if alone.cache.tree.match((token,) * 20)[1] == 20]
        assert 11 in resident
        assert 1 not in resident
        assert resident == list(range(resident[0], 12))
        assert alone.cache.tree.parked < 20


def test_the_window_of_a_model_bounds_what_can_be_saved(decoding: Any) -> None:
    with decoding(cells=64) as alone:
        alone.llama.window = 10
        for token in (1, 2, 3, 4):
            alone.submit(Request((token,) * 20, Usage(), seeds=(0,), sampling=Sampling(1))).result(timeout=30)
        assert alone.cache.tree.match((1,) * 20)[1] == 0  # evicted for the others, and too long to be saved
