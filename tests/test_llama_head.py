"""A judge with a head: the numbers of a head worked out by hand, and of one that must agree with the model's logits."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

import coat
from benchmarks.kinds import WIDTH, write
from coat.errors import BackendError, InputError, ModelError
from coat.evaluators import READINGS, TokenReading
from coat.evaluators import Path as Line
from coat.models import SampleRequest, ScoreRequest, Text
from coat.models.catalog import load
from coat.models.llama.head import HeadModel, apply, read_head
from coat.problem import Problem
from coat.usage import Usage
from search import Step

pytestmark = pytest.mark.xdist_group("llama")
TAG = READINGS["qwen-prm"].tag
OPTIONS = {"cells": 1024, "lanes": 1, "threads": 1}
TEXTS = ["One and one.", "One and one. Two.", "Something else", "One and one. Two. Three."]


@pytest.fixture(scope="module", params=["dense", "recurrent"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(request.param, tmp_path_factory.mktemp("head") / "backbone.gguf", words=(TAG,))


@pytest.fixture(scope="module")
def head(backbone: Path) -> Path:
    """A head that says of "+" and "-" what the model's own logits say: its rows are their embeddings."""
    (embedding,) = (each for each in gguf.GGUFReader(backbone).tensors if each.name == "token_embd.weight")
    rows = np.array(embedding.data).reshape(-1, WIDTH)[[3 + ord("-"), 3 + ord("+")]]
    file = backbone.with_name("head.safetensors")
    save_file({"score.weight": np.ascontiguousarray(rows)}, file)
    return file


@pytest.fixture
def judge(backbone: Path, head: Path) -> Iterator[Any]:
    with load(f"{backbone}#{head}", **OPTIONS) as model:
        yield model


def test_the_head_reads_the_hidden_state_that_the_logits_come_from(backbone: Path, judge: HeadModel) -> None:
    with load(str(backbone), **OPTIONS) as model:
        for text in TEXTS:
            request = ScoreRequest((Text(text),), (Text(TAG, control=True),), ("+", "-"))
            good, bad = (math.exp(each) for each in asyncio.run(model.score(request, Usage())))
            found = [math.exp(each) for each in asyncio.run(judge.score(request, Usage()))]
            assert found == pytest.approx([good / (good + bad), bad / (good + bad)], abs=1e-4)


def test_what_a_path_shares_with_the_last_one_is_not_decoded_again(judge: HeadModel) -> None:
    rows = []
    for text in ("abcdef", "abcdefgh", "abx"):
        usage = Usage()
        asyncio.run(judge.score(ScoreRequest((Text(text),), (), ("+", "-")), usage))
        rows.append(usage.evaluated)
    assert rows == ([6, 2, 1] if not judge._llama.recurrent else [6, 8, 3])


def test_it_judges_steps_as_its_reading_lays_them_out(judge: HeadModel) -> None:
    evaluator = TokenReading("prm", judge, READINGS["qwen-prm"])
    problem, usage = Problem("How many?", "qa"), Usage()
    one = asyncio.run(evaluator.evaluate(Line(problem, (Step("One."),), ()), usage))
    rules = READINGS["qwen-prm"].rules
    prompt = f"<|im_start|>system\n{rules}<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
    whole = judge.path((Text(prompt, control=True), Text("One."), Text(TAG, control=True)))
    assert judge._held == whole
    assert usage.scored == len("One.") + 1 <= evaluator.cost(4)
    two = asyncio.run(evaluator.evaluate(Line(problem, (Step("One."), Step("Two.")), ()), usage))
    assert judge._held == (*whole, *judge.path((Text("Two."), Text(TAG, control=True))))
    assert one != two


def test_it_judges_a_search(backbone: Path, judge: HeadModel) -> None:
    with load(str(backbone), **{**OPTIONS, "cells": 2048}) as model:
        knobs = {"evaluator": "prm", "reading": "qwen-prm", "tokens": 600, "width": 2, "simulations": 3}
        result = coat.solve("why?", model=model, prm=judge, **knobs)
    assert result.usage.evaluations > 0
    assert result.usage.unreadable == 0
    with pytest.raises(ModelError, match="only judges; name another model"):
        asyncio.run(judge.sample(SampleRequest((Text("a"),), (0,)), Usage()))


def test_a_head_is_worked_out_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "head.safetensors"
    weights = {
        "score.2.weight": np.array([[1.0, -1.0], [2.0, 1.0]]),
        "score.2.bias": np.array([0.5, 0.0]),
        "score.0.weight": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]),
        "score.0.bias": np.array([0.0, -1.0]),
    }
    save_file({name: each.astype(np.float32) for name, each in weights.items()}, file)
    # (2, −9, 3) → (2, −7) → ReLU (2, 0) → (2.5, 4); the share of the second is σ(1.5).
    found = apply(read_head(file), np.array([2, -9, 3], np.float32))
    assert found == pytest.approx(1 / (1 + math.exp(-1.5)))
    save_file({"v_head.summary.weight": np.ones((1, 3), np.float32)}, file)
    assert apply(read_head(file), np.array([1, 1, -4], np.float32)) == pytest.approx(1 / (1 + math.exp(2)))
    assert apply(read_head(file), np.array([-2000, 0, 0], np.float32)) == 0


def test_what_is_no_head_or_not_its_head_is_said(backbone: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    for name, words in ((f"{backbone}#{file}", "there is no file"), ("x.safetensors", "is a head alone")):
        with pytest.raises(ModelError, match=words):
            load(name)
    file.write_bytes(b"no")
    with pytest.raises(ModelError, match="is no head in safetensors"):
        load(f"{backbone}#{file}")
    for shape, words in (
        ((3, WIDTH), "linear layers that end in 1 or 2"),
        ((2, 7), "reads 7 numbers, and .* gives 32"),
    ):
        save_file({"w.weight": np.ones(shape, np.float32)}, file)
        with pytest.raises(ModelError, match=words):
            load(f"{backbone}#{file}", **OPTIONS)
    with pytest.raises(InputError, match="takes no option 'gpu'"):
        load(f"{backbone}#{file}", gpu=1)


def test_a_judge_with_a_head_stays_loaded_for_those_who_ask_again(backbone: Path, head: Path) -> None:
    with coat.load(f"{backbone}#{head}", **OPTIONS) as judge:
        assert coat.load(f"{backbone}#{head}", **OPTIONS) is judge
        with coat.load(str(backbone), **OPTIONS) as other:
            assert other is not judge


def test_a_closed_judge_says_so(backbone: Path, head: Path) -> None:
    judge = load(f"{backbone}#{head}", **OPTIONS)
    judge.close()
    assert judge.closed
    with pytest.raises(BackendError, match="the model is closed"):
        asyncio.run(judge.score(ScoreRequest((Text("a"),), (), ("+", "-")), Usage()))
