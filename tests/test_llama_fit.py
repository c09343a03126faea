"""Fitting a model into memory: what is given up first on which device, and what is said when nothing fits."""

from pathlib import Path

import pytest

from benchmarks.kinds import write
from benchmarks.models import EIGHT_BILLION
from coat.errors import ModelError, OutOfMemoryError
from coat.models import llama
from coat.models.catalog import memory_of
from coat.models.llama import ContextOptions
from coat.models.llama.devices import Device
from coat.models.llama.fit import describe, fitting, needed

GIB = 1 << 30
ASKED = ContextOptions()


def device(gib: float, kind: str = "GPU") -> Device:
    return Device("it", "a device", kind, int(gib * GIB), int(gib * GIB))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gib", "cells", "cache_type", "gpu_layers"),
    [
        (24, 4096, "f16", -1),
        (6.1, 4096, "q8_0", -1),
        (5.9, 2048, "q8_0", -1),
        (4, 2048, "q8_0", 24),
        (1, 2048, "q8_0", 3),
    ],
)
def test_on_a_gpu_the_cache_gives_way_first_then_layers(
    gib: float, cells: int, cache_type: str, gpu_layers: int
) -> None:
    chosen = fitting(EIGHT_BILLION, device(gib), ASKED)[0]
    assert (chosen.cells, chosen.cache_type, chosen.gpu_layers) == (cells, cache_type, gpu_layers)
    assert needed(EIGHT_BILLION, device(gib), chosen) <= 0.9 * gib * GIB


@pytest.mark.parametrize(("gib", "cells"), [(16, 4096), (6, 2048), (5.8, 1024)])
def test_on_a_processor_only_the_cache_gives_way(gib: float, cells: int) -> None:
    chosen = fitting(EIGHT_BILLION, device(gib, "CPU"), ASKED)[0]
    assert (chosen.cells, chosen.cache_type, chosen.gpu_layers) == (cells, "f16", -1)


def test_what_was_asked_for_by_name_stays() -> None:
    fixed = ContextOptions(cells=8192, cache_type="f16", gpu_layers=10)
    for gib in (24, 4):
        assert fitting(EIGHT_BILLION, device(gib), fixed, frozenset({"cells", "cache_type", "gpu_layers"})) == [fixed]
    chosen = fitting(EIGHT_BILLION, device(4), fixed, frozenset({"cells", "cache_type"}))[0]
    assert (chosen.cells, chosen.cache_type) == (8192, "f16")


def test_room_is_left_for_a_judge() -> None:
    judge = needed(EIGHT_BILLION, device(12), ASKED)
    assert fitting(EIGHT_BILLION, device(12), ASKED)[0] == ASKED
    beside = fitting(EIGHT_BILLION, device(12), ASKED, reserve=judge)[0]
    assert beside != ASKED
    assert needed(EIGHT_BILLION, device(12), beside) + judge <= 0.9 * 12 * GIB


def test_a_models_memory_is_known_before_it_is_loaded(tmp_path: Path) -> None:
    name = str(write("dense", tmp_path / "model.gguf"))
    small, large = (memory_of(name, cells=cells) for cells in (1024, 2048))
    assert large - small == 1024 * 4 * 2 * 2 * 32  # layers, keys and values, bytes, width
    assert memory_of("openai:http://127.0.0.1:1/v1#m") == 0


def test_what_cannot_fit_is_said_with_sizes() -> None:
    with pytest.raises(ModelError, match=r"eight\.gguf needs 5\.1 GiB with 512 tokens of context, and 3\.6 GiB can be"):
        fitting(EIGHT_BILLION, device(4, "CPU"), ASKED)


def test_a_device_that_does_not_tell_its_memory_gets_what_was_asked_for() -> None:
    assert fitting(EIGHT_BILLION, device(0), ASKED)[0] == ASKED


def test_what_was_chosen_is_told() -> None:
    assert describe(ASKED, ASKED) == ""
    chosen = fitting(EIGHT_BILLION, device(4), ASKED)[0]
    assert describe(ASKED, chosen) == (
        "To fit into memory, the model was loaded with 2048 tokens of context and 24 layers on the GPU and a cache in"
        " q8_0."
    )


def test_when_the_estimate_was_too_low_less_is_tried_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("dense", tmp_path / "model.gguf")
    made, whole = [], llama.Llama

    def full(path: Path, options: ContextOptions) -> llama.Llama:
        made.append(options.cells)
        if options.cells > 1024:
            raise OutOfMemoryError("full")
        return whole(path, options)

    monkeypatch.setattr(llama, "Llama", full)
    model = llama.load_fitting(file, "it", ContextOptions(threads=1), frozenset())
    model.close()
    assert made == [4096, 2048, 1024]
    assert model.note == "To fit into memory, the model was loaded with 1024 tokens of context."
    with pytest.raises(OutOfMemoryError, match="full"):
        llama.load_fitting(file, "it", ContextOptions(cells=2048), frozenset({"cells"}))
