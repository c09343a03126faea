"""Settings from flags, the environment and files: which comes first, where each is from, and what is wrong with one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def coat(tmp_path: Path) -> Run:
    """Run coat in an empty folder with empty data and configuration folders; `env` adds variables."""

    def run(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        folders = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COAT_", "HF_"))}
        return subprocess.run(
            [sys.executable, "-m", "coat", *arguments],
            cwd=tmp_path,
            env=inherited | folders | {"COLUMNS": "100"} | env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The user's own file."""
    file = tmp_path / "config" / "coat" / "coat.toml"
    file.parent.mkdir(parents=True)
    return file


def settings(told: "subprocess.CompletedProcess[str]") -> dict[str, tuple[Any, str]]:
    assert told.returncode == 0, told.stderr
    return {row["setting"]: (row["value"], row["source"]) for row in json.loads(told.stdout)}


def test_the_nearer_source_comes_first_and_is_named(coat: Run, tmp_path: Path, mine: Path) -> None:
    mine.write_text('model = "puzzle"\nwidth = 2\nbeta = 1\ngpu-layers = 3\n')
    (tmp_path / "coat.toml").write_text("width = 3\nseed = 5\n")
    found = settings(coat("config", "--json", COAT_SEED="6"))
    assert found["model"] == ("puzzle", str(mine))
    assert found["width"] == (3, "coat.toml")
    assert found["seed"] == ("6", "COAT_SEED")
    assert found["gpu-layers"] == (3, str(mine))
    assert found["tokens"] == (8192, "default")
    assert not {"question", "json", "trace", "as-json"} & set(found)


def test_a_search_uses_them_and_a_flag_comes_before_all(coat: Run, tmp_path: Path) -> None:
    (tmp_path / "coat.toml").write_text('task = "game24"\nseed = 5\n')
    call = ["solve", "1 1 4 6", "--no-journal", "--json"]
    found = [
        json.loads(coat(*call, *flags, **env).stdout)
        for flags, env in (([], {}), ([], {"COAT_SEED": "6"}), (["--seed", "7"], {"COAT_SEED": "6"}))
    ]
    assert [(each["model"], each["seed"]) for each in found] == [("puzzle", 5), ("puzzle", 6), ("puzzle", 7)]


def test_the_memory_commands_know_the_memory_file_and_nothing_that_is_not_theirs(coat: Run, tmp_path: Path) -> None:
    (tmp_path / "coat.toml").write_text('memory = "mine.db"\nrecall = 7\n')
    assert "there is no memory file mine.db" in coat("memory", "list").stderr
    assert "there is no memory file other.db" in coat("memory", "recall", "x", COAT_MEMORY="other.db").stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model = "puzzle"\n\ntokns = 5', "(in coat.toml, line 3) 'tokns', did you mean tokens?"),
        ('tokens = "5"', "coat.toml, line 1: tokens must be a whole number, not '5'"),
        ("\nverify = 1", "coat.toml, line 2: verify must be true or false, not 1"),
        ("tokens = true", "tokens must be a whole number, not True"),
        ('beta = "x"', "beta must be a number, not 'x'"),
        ("[model]\nname = 1", "coat.toml, line 1: model must be a text"),
        ('question = "why?"', "there is no setting (in coat.toml, line 1) 'question'"),
        ("tokens 5", "coat.toml is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(coat: Run, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "coat.toml").write_text(text)
    told = coat("solve", "why?")
    assert (told.returncode, told.stdout) == (2, "")
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_a_variable_that_is_no_setting_is_told_and_one_of_a_wrong_kind_refused(coat: Run) -> None:
    assert "COAT_TOKNS is set, and there is no such setting" in coat("config", COAT_TOKNS="5").stderr
    told = coat("solve", "why?", COAT_TOKENS="many")
    assert told.returncode == 2
    assert "--tokens" in told.stderr


@pytest.mark.parametrize("how", [{"flag": "--offline"}, {"COAT_OFFLINE": "1"}])
def test_offline_forbids_all_but_this_machine(coat: Run, tmp_path: Path, how: dict[str, str]) -> None:
    env = {name: value for name, value in how.items() if name != "flag"}
    call = ["solve", "why?", "--no-journal", *([how["flag"]] if "flag" in how else [])]
    for model in ("hf:someone/some-model/file.gguf", "openai:http://192.0.2.1:9/v1#m"):
        told = coat(*call, "--model", model, **env)
        assert told.returncode == 2
        assert "this process is offline: leave out --offline" in told.stderr
    (tmp_path / "coat.toml").write_text("offline = true\n")
    assert "this process is offline" in coat("models", "pull", "qwen3-4b").stderr
    here = coat(*call, "--model", "openai:http://127.0.0.1:9/v1#m", **env)
    assert here.returncode == 2
    assert "offline" not in here.stderr
