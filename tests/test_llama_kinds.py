"""Every kind of architecture gives the texts and scores of a fresh context, whatever its cache can and cannot do."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.kinds import KINDS, write
from coat.models import SampleRequest, Sampling, ScoreRequest, Text, Tokens
from coat.models.llama import ContextOptions, LlamaModel, bindings
from coat.usage import Usage

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.usefixtures("at_rest")]


@pytest.fixture(scope="module", params=[*KINDS, "recurrent, few states", "hybrid, few states"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    kind, _, few = request.param.partition(", ")
    file = write(kind, tmp_path_factory.mktemp("kinds") / f"{kind}.gguf")
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(bindings, "STATE_BYTES", 1)
        model = LlamaModel(file, options=ContextOptions(cells=512, lanes=4, batch=64, threads=1))
    assert model._decoder.lanes == (2 if few else 4)
    yield model
    model.close()


def test_growing_trees_get_the_texts_and_scores_of_a_fresh_context(model: LlamaModel, fresh: Any) -> None:
    lot, usage = random.Random(1), Usage()
    known: list[Tokens] = [model.path((Text("A man, a plan, a canal."),))]

    async def grow(path: Tokens) -> None:
        if lot.random() < 0.4:
            await check_scores(path)
        else:
            await check_texts(path)

    async def check_scores(path: Tokens) -> None:
        (good, bad) = await model.score(ScoreRequest((path,), (Text(" so?"),), ("+", "-")), usage)
        scored.append((path, good, bad))

    async def check_texts(path: Tokens) -> None:
        sampling = Sampling(lot.randint(1, 9), temperature=0.0)
        (greedy,) = await model.sample(SampleRequest((path,), (0,), sampling), usage)
        drawn.append((path, greedy.tokens))
        hot = Sampling(lot.randint(1, 9), temperature=1.5, top_k=8)
        siblings = await model.sample(SampleRequest((path,), (1, 2, 3), hot), usage)
        known.extend((*path, *each.tokens) for each in siblings if len(path) < 300)

    scored: list[tuple[Tokens, float, float]] = []
    drawn: list[tuple[Tokens, Tokens]] = []

    async def rounds() -> None:
        for _ in range(8):
            await asyncio.gather(*(grow(lot.choice(known)) for _ in range(6)))

    asyncio.run(rounds())
    assert len(scored) > 5
    assert len(drawn) > 15
    for path, tokens in drawn:
        assert fresh.agrees(path, tokens)
    for path, *found in scored:
        np.testing.assert_allclose(found, fresh_scores(model, fresh, path), atol=0.02)


def fresh_scores(model: LlamaModel, fresh: Any, path: Tokens) -> list[float]:
    """Log-probabilities of "+" and "-" after `path` and the suffix, all decoded at once."""
    target = (*path, *model.path((Text(" so?"),)))
    fresh.llama.clear()
    assert fresh.llama.decode([(token, at, 0, at == len(target) - 1) for at, token in enumerate(target)]) == 0
    (logits,) = fresh.llama.logits(1).astype(np.float64)
    normaliser = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
    return [float(logits[model.path((Text(text),))[0]] - normaliser) for text in "+-"]


def test_only_states_that_cannot_be_rolled_back_are_recurrent(model: LlamaModel) -> None:
    assert model._decoder.llama.recurrent == (model.name in {"recurrent", "hybrid"})
