"""`coat.load`: a model is loaded once for all cells that ask for it, and is gone when it is closed."""

import subprocess
import sys
from pathlib import Path

import pytest

import coat
from benchmarks.kinds import write
from coat.errors import BackendError, InputError
from coat.models import Text
from coat.models.llama import LlamaModel

pytestmark = pytest.mark.xdist_group("llama")
OPTIONS = {"cells": 256, "lanes": 2, "threads": 1}


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write("dense", tmp_path / "model.gguf"))


def test_who_asks_again_gets_the_same_until_it_is_closed(file: str) -> None:
    first = coat.load(file, **OPTIONS)
    assert coat.load(file, **OPTIONS) is first
    with coat.load(file, **{**OPTIONS, "lanes": 3}) as other:
        assert other is not first
    assert other.closed
    assert not first.closed
    first.close()
    with coat.load(file, **OPTIONS) as again:
        assert again is not first
        assert again.path((Text("a"),))


def test_a_file_that_has_changed_is_another_model(file: str) -> None:
    first = coat.load(file, **OPTIONS)
    write("dense", Path(file), seed=1)
    with coat.load(file, **OPTIONS) as second:
        assert second is not first
        assert second.fingerprint != first.fingerprint
    first.close()


def test_a_search_that_names_it_uses_it_and_leaves_it_open(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {**OPTIONS, "cells": 2048}  # a letter is a token
    call = {"model": file, "model_options": options, "tokens": 300, "width": 2, "evaluator": "logprob"}
    with coat.load(file, **options) as model:
        monkeypatch.setattr(LlamaModel, "__init__", lambda *_, **__: pytest.fail("it was loaded again"))
        assert coat.solve("why?", **call).usage.generated > 0
        assert not model.closed
        monkeypatch.undo()
    with pytest.raises(BackendError, match="the model is closed"):
        coat.solve("why?", **{**call, "model": model})


def test_an_option_that_there_is_not_is_refused_by_name(file: str) -> None:
    with pytest.raises(InputError, match="takes no option 'lames'"):
        coat.load(file, lames=3)


def test_an_interpreter_that_ends_with_models_open_ends_well(file: str) -> None:
    script = f"import coat; m = coat.load({file!r}, cells=256); print(coat.load({file!r}, cells=256) is m)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")
