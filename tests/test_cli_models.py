"""`coat models`: what is known, what fits, what a file is, and clear words where something is not."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.kinds import write
from coat.cli import app
from coat.errors import CoatError
from coat.models.catalog import PACKAGES, resolve
from coat.models.header import read_header
from coat.models.known import Known, known_models, recommend
from coat.models.llama.devices import devices, room

ASSETS = Path(__file__).parents[1] / "coat" / "assets" / "models.toml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], catch_exceptions=True)


def test_every_line_of_the_data_file_is_a_model_with_a_place_to_come_from() -> None:
    entries = tomllib.loads(ASSETS.read_text())["model"]
    assert len({entry["name"] for entry in entries}) == len(entries) == len(known_models())
    for model in known_models().values():
        assert bool(model.package) != bool(model.repository and model.file.endswith(".gguf"))
        assert (model.role == "prm") == bool(model.reading)
    assert {name for name, model in known_models().items() if model.package} == set(PACKAGES)


@pytest.mark.parametrize("name", list(PACKAGES))
def test_what_is_said_of_the_installed_models_is_what_their_files_say(name: str) -> None:
    header, known = read_header(resolve(name).path), known_models()[name]
    assert (known.bytes, known.license) == (header.bytes, header.metadata["general.license"])
    assert known.cell_bytes == header.cell_bytes
    assert known.parameters == pytest.approx(header.parameters / 1e9, rel=0.02)


def test_what_is_recommended_fits_and_the_largest_comes_first() -> None:
    pairs = recommend(8 << 30)
    assert [policy.parameters for policy, _ in pairs] == sorted(
        (policy.parameters for policy, _ in pairs), reverse=True
    )
    for policy, judge in pairs:
        assert policy.memory() + (judge.memory() if judge else 0) <= 8 << 30
    assert any(judge for _, judge in pairs)
    assert {policy.name for policy, _ in recommend(8 << 30, 65_536)} < {policy.name for policy, _ in pairs}
    assert recommend(1 << 20) == []


def test_a_models_memory_is_its_file_its_cache_and_some_work() -> None:
    model = Known("x", "policy", 1000, 1.0, "mit", "no", tried=True, cell_bytes=10)
    assert model.memory(200) - model.memory(100) == 1000
    assert model.memory(0) > 100 << 20


def test_list_and_recommend_name_models_that_can_be_asked_for() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert {row["name"] for row in listed} == set(known_models())
    assert {row["name"] for row in listed if row["here"]} >= {"puzzle", "smollm2", "gemma3-270m"}
    fitting = json.loads(run("recommend", "--gib", "4", "--json").stdout)
    assert fitting[0]["name"] in known_models()
    assert fitting[0]["gib"] <= 4
    assert "puzzle" not in {row["name"] for row in fitting}
    assert json.loads(run("recommend", "--task", "game24", "--gib", "4", "--json").stdout)[0]["name"] == "puzzle"
    shown = run("recommend", "--gib", "4").stdout
    assert f"coat models pull {fitting[0]['name']}" in shown
    assert f"coat solve --model {fitting[0]['name']}" in shown


def test_info_tells_what_a_file_is(tmp_path: Path) -> None:
    facts = json.loads(run("info", str(write("hybrid", tmp_path / "x.gguf")), "--json").stdout)
    assert (facts["architecture"], facts["layers"], facts["context"]) == ("lfm2", 4, 2048)
    assert facts["cache_bytes_a_token"] == 2 * 2 * 4 * (8 + 8)  # two of the four layers attend
    assert facts["chat_template"] == "yes"
    assert "no: read as plain text" in run("info", "gemma3-270m").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recommend", "--gib", "0.1"], "nothing that coat knows fits into 0.1 GiB"),
        (["recommend", "--gib", "0"], "--gib must be more than 0"),
        (["recommend", "--task", "game42"], "did you mean game24"),
        (["pull", "qwen3-4"], "did you mean qwen3-4b"),
        (["pull", "smollm2x"], "there is no model to fetch"),
        (["info", "qwen3-44b.gguf"], "there is no file"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], words: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, CoatError)
    assert words in str(error)


def test_the_machine_itself_is_a_device_with_memory() -> None:
    (cpu,) = (each for each in devices() if each.kind == "CPU")
    assert 0 < cpu.free <= cpu.total
    assert room(gpu_layers=0) == cpu or room(gpu_layers=0).kind == "CPU"
