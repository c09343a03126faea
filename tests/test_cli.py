"""The command line: what a person types and sees, on the real model where it is about the model."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kinds import write

COAT = [sys.executable, "-m", "coat"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
KEYS = ["answer", "correct", "confidence", "path", "recalled", "stop", "strategy", "model", "seed"]
KEYS += ["remarks", "usage", "tree"]
USAGE = ["generated", "scored", "evaluated", "unique", "replayed", "decodes", "expansions", "evaluations", "recalls"]

pytestmark = pytest.mark.xdist_group("llama")


@pytest.fixture
def coat(tmp_path: Path) -> Run:
    """Run coat in an empty folder, with a data folder of its own."""

    def run(*arguments: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "COLUMNS": "100"}
        return subprocess.run(
            [*COAT, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


def test_help_lists_every_command(coat: Run) -> None:
    told = coat("--help")
    assert told.returncode == 0
    for command in ("solve", "resume", "view", "runs", "tasks", "strategies", "doctor", "memory"):
        assert f"  {command} " in told.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["solve", "--task", "gme24", "1 2"], "did you mean game24?"),
        (["solve", "--strategy", "mtcs", "why?"], "there is no strategy 'mtcs'"),
        (["solve", "--model", "nope", "why?"], "there is no model called 'nope'"),
        (["solve", "--model", "none.gguf", "why?"], "none.gguf"),
        (["solve", "--task", "game24", "1 2 x"], "'x' in '1 2 x' is not a whole number"),
        (["solve", ""], "the question is empty"),
        (["solve"], "or --file, or --messages: one of them"),
        (["solve", "--file", "none.txt"], "cannot read none.txt"),
        (["solve", "--messages", "none.json"], "cannot read none.json"),
        (["solve", "--messages", __file__], "is not JSON"),
        (["solve", "--think", "hard", "why?"], "think must be on, off or auto, not 'hard'"),
        (["solve", "--think", "on", "why?"], "has no switch for thinking"),
        (["solve", "--cache-type", "q9", "why?"], "there is no cache type 'q9'"),
        (["solve", "--tokens", "0", "why?"], "tokens must be more than 0"),
        (["solve", "--tokens", "many", "why?"], "--tokens"),
        (["solve", "--nope", "why?"], "No such option"),
        (["solve", "--evaluator", "prm", "why?"], "name its model with --prm"),
        (["solve", "--evaluator", "verifier", "why?"], "has no verifier"),
        (["solve", "--memory", "none.db", "why?"], "there is no memory file none.db"),
        (["solve", "--context", "100", "--model", "smollm2", "--task", "game24", "1 1 4 6"], "shorten the question"),
        (["view", "none.json"], "cannot read the trace none.json"),
        (["resume", "99"], "there is no run 99"),
        (["memory", "forget", "--memory", "none.db"], "not both, not neither"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(coat: Run, arguments: list[str], words: str) -> None:
    told = coat(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_a_file_that_is_no_model_is_refused_by_name(coat: Run, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    told = coat("solve", "--model", "text.gguf", "why?")
    assert told.returncode == 2
    assert "text.gguf is not a GGUF file" in told.stderr


def test_a_puzzle_is_solved_checked_kept_and_replayed(coat: Run) -> None:
    call = ("solve", "--task", "game24", "1 1 4 6", "--tokens", "12000", "--json")
    told = coat(*call, "--trace", "run.json")
    assert (told.returncode, told.stderr) == (0, "")
    first = json.loads(told.stdout)
    assert list(first) == KEYS
    assert list(first["usage"])[: len(USAGE)] == USAGE
    assert (first["correct"], first["stop"]) == (True, "solved")
    assert eval(first["answer"].partition("=")[0]) == 24
    assert first["usage"]["evaluated"] <= 1.1 * first["usage"]["unique"]
    assert first["usage"]["generated"] + first["usage"]["scored"] <= 12000
    again = json.loads(coat(*call).stdout)
    assert (again["answer"], again["path"], again["tree"]) == (first["answer"], first["path"], first["tree"])
    assert (again["usage"]["generated"], again["usage"]["scored"]) == (0, 0)
    assert again["usage"]["replayed"] >= first["usage"]["generated"]
    assert first["answer"] in coat("view", "run.json").stdout
    assert "solved" in coat("runs").stdout
    assert json.loads(coat("resume", "1", "--json").stdout)["answer"] == first["answer"]


def test_a_killed_run_replays_what_the_journal_has_and_ends(tmp_path: Path, coat: Run) -> None:
    call = ("solve", "--task", "game24", "3 5 7 11", "--model", "smollm2", "--tokens", "900", "--json")
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    journal = tmp_path / "data" / "coat" / "journal.db-wal"
    child = subprocess.Popen([*COAT, *call], env=env, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while time.monotonic() < end and not (journal.exists() and journal.stat().st_size > 60_000):
        time.sleep(0.02)
    child.kill()
    child.wait()
    told = json.loads(coat(*call).stdout)
    assert told["usage"]["replayed"] > 0
    assert told["usage"]["replayed"] + told["usage"]["generated"] + told["usage"]["scored"] <= 900
    assert told["stop"] in ("tokens", "solved", "exhausted")


def test_facts_go_in_are_recalled_listed_forgotten_and_exported(coat: Run, tmp_path: Path) -> None:
    lines = [{"text": "The Ford GT40 won Le Mans in 1966.", "title": "GT40"}, {"text": "Rome lies on the Tiber."}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "2 facts added" in coat("memory", "add", "corpus.jsonl").stdout
    hits = json.loads(coat("memory", "recall", "Which car won Le Mans in 1966?", "--json").stdout)
    assert [hit["source"] for hit in hits] == ["GT40"]
    told = json.loads(
        coat("solve", "Which car won Le Mans in 1966?", "--memory", "facts.db", "--tokens", "300", "--json").stdout
    )
    assert [hit["source"] for hit in told["recalled"]] == ["GT40"]
    assert told["usage"]["recalls"] > 0
    assert "1 facts forgotten" in coat("memory", "forget", "--source", "GT40").stdout
    assert "Tiber" in coat("memory", "list").stdout
    assert "1 facts written" in coat("memory", "export", "out.jsonl").stdout


def test_a_broken_line_of_a_corpus_is_named_and_nothing_is_kept(coat: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"text": "fine"}\nbroken\n')
    told = coat("memory", "add", "corpus.jsonl")
    assert told.returncode == 2
    assert "line 2" in told.stderr
    assert not (tmp_path / "facts.db").exists()


def test_in_a_terminal_the_tree_grows_and_ctrl_c_prints_the_best_so_far(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    call = [*COAT, "solve", "--task", "game24", "3 5 7 11", "--model", "smollm2", "--tokens", "200000"]
    child = subprocess.Popen(call, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = read_until(ours, "Ctrl-C stops", "expansions")
    assert "3 5 7 11" in seen
    os.kill(child.pid, signal.SIGINT)
    seen = read_until(ours, "interrupted", "Cost")
    assert "not solved" in seen
    assert "Traceback" not in seen
    assert child.wait(60) == 0
    os.close(ours)


def read_until(terminal: int, *words: str, seconds: float = 120) -> str:
    """What the terminal shows until all of `words` were seen."""
    seen, end = "", time.monotonic() + seconds
    while time.monotonic() < end and not all(word in seen for word in words):
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536).decode("utf-8", "replace")
            except OSError:
                break
    return seen


def test_a_model_that_coat_has_never_seen_is_searched_with(coat: Run, tmp_path: Path) -> None:
    write("hybrid", tmp_path / "mine.gguf")
    call = ["solve", "Why?", "--model", "mine.gguf", "--evaluator", "logprob", "--width", "2", "--tokens", "300"]
    told = coat(*call, "--no-journal", "--json")
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert result["model"] == "mine.gguf"
    assert 0 < result["usage"]["generated"] <= 300
    refused = coat("solve", "Why?", "--model", "mine.gguf", "--no-journal")
    assert "has no single token for 'Yes'" in refused.stderr
