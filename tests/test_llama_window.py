"""A real model with a sliding window of 512 tokens: branches beyond the window are those of a fresh context."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from coat.models import SampleRequest, Sampling, Text, Tokens
from coat.models.catalog import load
from coat.models.llama import LlamaModel
from coat.models.llama.cache import PathCache
from coat.usage import Usage

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.usefixtures("at_rest")]


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    model = load("gemma3-270m", cells=1024, lanes=4, threads=1)
    assert isinstance(model, LlamaModel)
    yield model
    model.close()


def test_a_branch_beyond_the_window_inside_a_longer_path(model: LlamaModel, fresh: Any) -> None:
    async def greedy(path: Tokens, count: int) -> str:
        (completion,) = await model.sample(SampleRequest((path,), (0,), Sampling(count, temperature=0.0)), usage)
        tokens[:] = completion.tokens
        return completion.text

    usage, tokens = Usage(), list[int]()
    counted = "".join(f"{i}, " for i in range(1, 190))
    path = model.path((Text("The key to the garden is under the blue stone.\n" + counted),))
    assert len(path) > 800
    asyncio.run(greedy(path, 2))
    resident = usage.evaluated
    branch = model.path((path[:620], Text("The key")))
    # What the window has left behind is still known to the layers without one.
    assert asyncio.run(greedy(branch, 8)) == " to the garden is under the blue stone"
    assert fresh.agrees(branch, tokens)
    assert usage.evaluated == resident + (len(branch) - 620) + 7


@pytest.mark.parametrize(("first", "depth"), [(0, 6), (2, 6), (3, 0), (-1, 0)])
def test_a_path_whose_cells_were_given_away_is_not_forked(first: int, depth: int) -> None:
    forked = []
    llama: Any = SimpleNamespace(
        window=4,
        recurrent=False,
        sequences=4,
        options=SimpleNamespace(cells=64),
        first=lambda sequence: {1: first}.get(sequence, -1),  # the leaf's sequence, all that is left
        fork=lambda *given: forked.append(given),
        cut=lambda *given: None,
    )
    cache = PathCache(llama)
    for sequence, path in enumerate(((1, 2, 3, 4, 5, 6), tuple(range(1, 20)))):
        span, _ = cache.tree.insert(path, sequence)
        cache.keep(span)
    upper, _ = cache.tree.match((1, 2, 3, 4, 5, 6))
    assert upper.sequence is None
    assert cache.fork_point(upper, 6)[1] == depth  # what goes on at 6 attends to 2 to 5
    assert cache.share(upper, 3, 6) is bool(depth)
    assert bool(forked) is bool(depth)
