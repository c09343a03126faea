"""A real model in a tiny cache: eviction, refusal, cancelling, failing and closing, with nothing left behind."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from coat.errors import BackendError, ContextError, InputError
from coat.models import Completion, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.catalog import load
from coat.models.llama import ContextOptions, LlamaModel
from coat.usage import Usage

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.usefixtures("at_rest")]


def opened(**options: int) -> LlamaModel:
    model = load("smollm2", threads=1, **options)
    assert isinstance(model, LlamaModel)
    return model


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    model = opened(cells=256, lanes=4, batch=64)
    yield model
    model.close()


async def sample(
    model: LlamaModel, text: str, *seeds: int, usage: Usage | None = None, **sampling: Any
) -> list[Completion]:
    request = SampleRequest((Text(text),), seeds or (0,), Sampling(**{"temperature": 0.0, **sampling}))
    return await model.sample(request, usage or Usage())


def counting(first: int) -> tuple[str, str]:
    """A prompt that counts from `first`, and how it goes on."""
    numbers = [str(first + i) for i in range(9)]
    return f"Count on.\n{', '.join(numbers[:5])},", f" {', '.join(numbers[5:])},"


def test_many_prompts_in_a_tiny_cache_get_the_right_texts(model: LlamaModel) -> None:
    async def run(starts: Sequence[int]) -> list[list[Completion]]:
        return await asyncio.gather(*(sample(model, counting(first)[0], max_tokens=16) for first in starts))

    starts = range(10, 90, 5)
    for order in (starts, starts[::-1]):
        for first, (completion,) in zip(order, asyncio.run(run(order)), strict=True):
            assert completion.text == counting(first)[1]
    # 16 prompts with 31 tokens of their own are twice what the cache holds.
    tree = model._decoder.cache.tree
    spans = [tree.match(model.path((Text(counting(first)[0]),)))[0] for first in starts]
    assert {span.parked is None for span in spans} == {True, False}
    assert sum(len(span.tokens) for span in tree.spans() if span.parked is None) <= 256


def test_a_text_ends_where_the_context_does(model: LlamaModel) -> None:
    usage = Usage()
    text = "one two" * 118
    assert len(model.path((Text(text),))) == 236
    (completion,) = asyncio.run(sample(model, text, max_tokens=64, usage=usage))
    assert (completion.generated, len(completion.tokens), completion.finish) == (20, 20, "context")
    assert usage.evaluated <= 255


def test_a_request_larger_than_the_context_is_refused_before_any_decode(model: LlamaModel) -> None:
    usage = Usage()
    text = "one two three" * 200
    with pytest.raises(ContextError, match="the context of smollm2 holds 256; shorten the question"):
        asyncio.run(sample(model, text, usage=usage))
    scoring = ScoreRequest((Text("Is this right?"),), (Text(text),), (" yes",))
    with pytest.raises(ContextError, match="shorten the question"):
        asyncio.run(model.score(scoring, usage))
    assert usage == Usage()


def test_an_empty_prompt_is_refused(model: LlamaModel) -> None:
    with pytest.raises(InputError, match="the prompt is empty"):
        asyncio.run(sample(model, ""))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 0}, "lanes must be from 1 to 64, not 0"),
        ({"lanes": 65}, "lanes must be from 1 to 64, not 65"),
        ({"lanes": 16, "batch": 8}, "a batch of 8 rows has no room for 16 lanes"),
        ({"cells": 63}, "a context of 63 tokens is too small"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, int], message: str, model: LlamaModel) -> None:
    with pytest.raises(InputError, match=message):
        LlamaModel(model.path_of_file, options=ContextOptions(**options))


def test_a_thousand_short_requests_leave_nothing_behind(model: LlamaModel) -> None:
    async def run() -> list[list[Completion]]:
        asked = (sample(model, f"x{i % 50}=", max_tokens=1 + i % 2, usage=usage) for i in range(1000))
        return await asyncio.gather(*asked)

    usage = Usage()
    texts = asyncio.run(run())
    assert usage.generated == sum(each.generated for (each,) in texts) > 1000
    for i, (each,) in enumerate(texts):
        assert each.tokens[:1] == texts[i % 50][0].tokens[:1]


def test_cancelling_frees_the_lanes_while_others_go_on(model: LlamaModel) -> None:
    usage = Usage()

    async def run() -> Completion:
        long = {"max_tokens": 40, "temperature": 1.0, "usage": usage}
        doomed = [asyncio.ensure_future(sample(model, f"{i} Once", 1, 2, 3, 4, **long)) for i in range(2)]
        await asyncio.sleep(0)  # they are asked first
        await sample(model, "x", max_tokens=1)
        assert model._decoder.running  # eight siblings, of which four are at work
        kept = asyncio.ensure_future(sample(model, counting(30)[0], max_tokens=16))
        for each in doomed:
            each.cancel()
        (completion,) = await kept
        done = usage.evaluated
        await sample(model, counting(35)[0], max_tokens=3)
        assert usage.evaluated == done
        assert doomed[1].cancelled()
        return completion

    assert asyncio.run(run()).text == counting(30)[1]
    assert 0 < usage.evaluated < 300
    assert usage.generated == 0


class Codes:
    """Stands before `Llama.decode`: returns the given codes first, without decoding, and then decodes."""

    def __init__(self, decode: Callable[[Any], int], *codes: int) -> None:
        self.decode, self.codes, self.rows = decode, list(codes), list[int]()

    def __call__(self, rows: Sequence[Any]) -> int:
        self.rows.append(len(rows))
        return self.codes.pop(0) if self.codes else self.decode(rows)


def test_without_room_what_is_idle_goes(model: LlamaModel, monkeypatch: Any) -> None:
    tree, llama = model._decoder.cache.tree, model._decoder.llama
    asyncio.run(sample(model, "Something to be evicted", max_tokens=1))
    leaves = [span for span in tree.spans() if span.sequence is not None]
    codes = Codes(llama.decode, 1)
    monkeypatch.setattr(llama, "decode", codes)
    (completion,) = asyncio.run(sample(model, counting(41)[0], max_tokens=16))
    assert completion.text == counting(41)[1]
    assert codes.rows[0] == codes.rows[1] > 1  # the same batch was tried again
    oldest = min(leaves, key=lambda span: span.used)
    assert oldest.parked


def test_a_batch_is_halved_until_it_fits(monkeypatch: Any) -> None:
    model = opened(cells=256, lanes=4, batch=64)
    codes = Codes(model._decoder.llama.decode, 1, 1)
    monkeypatch.setattr(model._decoder.llama, "decode", codes)
    (completion,) = asyncio.run(sample(model, counting(41)[0], max_tokens=16))
    assert completion.text == counting(41)[1]
    rows = len(model.path((Text(counting(41)[0]),)))
    assert codes.rows[:4] == [rows, rows // 2, rows // 4, rows - rows // 4]
    model.close()


@pytest.mark.parametrize("code", [2, -1, -3])
def test_a_failed_decode_reaches_all_that_wait_and_the_next_is_served(
    code: int, model: LlamaModel, monkeypatch: Any
) -> None:
    async def run() -> list[Any]:
        asked = (sample(model, f"{i} Once upon a time", *range(3), max_tokens=20) for i in range(6))
        return await asyncio.gather(*asked, return_exceptions=True)

    codes = Codes(model._decoder.llama.decode, code)
    with monkeypatch.context() as patch:
        patch.setattr(model._decoder.llama, "decode", codes)
        failed = asyncio.run(run())
    errors = [each for each in failed if isinstance(each, BackendError)]
    assert errors
    assert all(str(each) == f"llama_decode failed with code {code}; the cache was emptied" for each in errors)
    assert all(len(each) == 3 for each in failed if each not in errors)
    (completion,) = asyncio.run(sample(model, counting(20)[0], max_tokens=16))
    assert completion.text == counting(20)[1]


def test_closing_fails_what_runs_and_closing_twice_is_fine() -> None:
    model = opened(cells=256, lanes=4)

    async def run() -> list[Any]:
        asked = [asyncio.ensure_future(sample(model, f"{i} Once", 1, 2, max_tokens=80)) for i in range(5)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(model.close)
        return await asyncio.gather(*asked, return_exceptions=True)

    failed = asyncio.run(run())
    assert [type(each) for each in failed] == [BackendError] * 5
    assert "the model was closed while it worked" in str(failed[0])
    model.close()
    with pytest.raises(BackendError, match="the model is closed"):
        asyncio.run(sample(model, "what was never tokenized before"))
    with pytest.raises(BackendError, match="the model is closed"):
        asyncio.run(sample(model, "0 Once"))
