"""Every kind of architecture gives the texts and scores of a fresh context, whatever its cache can and cannot do."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.kinds import KINDS, write
from benchmarks.models import Trial
from coat.models.llama import ContextOptions, LlamaModel, bindings

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
    trial = Trial(model, 1, longest=300)
    asyncio.run(trial.run(rounds=8))
    assert len(trial.scores) > 5
    assert len(trial.texts) > 15
    assert trial.differing(fresh) == (0, 0)


def test_only_states_that_cannot_be_rolled_back_are_recurrent(model: LlamaModel) -> None:
    assert model._decoder.llama.recurrent == (model.name in {"recurrent", "hybrid"})
