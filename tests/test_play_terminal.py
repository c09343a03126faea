"""`coat play` as a command, and once in a real terminal: a game is won, lost, saved and resumed."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coat.play.session import new, played
from coat.play.store import Store

HOME = Path(__file__).resolve().parent.parent
TMUX = shutil.which("tmux")
LONGEST = 60
"""Seconds that something on the screen may take."""


def environment(folder: Path) -> dict[str, str]:
    places = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    return os.environ | places | {"PYTHONPATH": str(HOME), "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def coat(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "coat", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "coat play needs a terminal; in a pipe or a script use coat solve"),
        (("game24",), "coat play needs a terminal"),
        (("game42",), "there is no game 'game42', did you mean game24"),
        (("game24", "--puzzle", "4 9"), "needs a terminal"),
        (("game24", "--puzzle", "4 [b]"), "'[b]' in '4 [b]' is not a whole number"),
        (("game24", "--difficulty", "awful"), "there is no difficulty 'awful'; it is one of easy, medium, hard"),
        (("game24", "--resume"), "there is no saved game of game24 in"),
        (("--resume", "--puzzle", "1 2"), "leave out --puzzle"),
        (("--puzzle", "1 2"), "say which game the puzzle is of"),
        (("question",), "ask the question"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    done = coat(tmp_path, "play", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("coat: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_records_are_printed_without_a_terminal_and_damage_is_named(tmp_path: Path) -> None:
    assert coat(tmp_path, "play", "--records").stdout == "No game has ended yet.\n"
    store = Store(tmp_path / "data" / "coat" / "play")
    session = new("game24", "4 9 10 13")
    for move in ("13-9", "10-4", "6*4"):
        session = played(session, move)
    store.finish(session)
    said = coat(tmp_path, "play", "--records").stdout
    assert "Game of 24                 1       1       0" in said
    (store.folder / "records.json").write_text("{")
    done = coat(tmp_path, "play", "--records")
    assert (done.returncode, done.stdout) == (0, "No game has ended yet.\n")
    assert "it was set aside as records.json.damaged-1" in done.stderr


class Terminal:
    """A real terminal, of tmux."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._socket = folder, folder / "tmux"

    def tmux(self, *words: str) -> str:
        assert TMUX is not None
        command = [TMUX, "-S", str(self._socket), *words]
        done = subprocess.run(command, env=environment(self._folder), capture_output=True, text=True, check=False)
        return done.stdout

    def open(self, *words: str) -> None:
        """Run `coat play` in 80 columns and 24 rows."""
        command = " ".join([sys.executable, "-m", "coat", "play", *words])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c", str(self._folder), command)

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)
        self.tmux("send-keys", "Enter")

    def await_text(self, text: str) -> str:
        """The screen, as soon as it says `text`."""
        return self._await(lambda said: text in said, text)

    def await_end(self) -> None:
        """Wait until the command has ended, which closes the terminal."""
        self._await(lambda said: not said, "the end")

    def _await(self, right: "object", what: str) -> str:
        assert callable(right)
        end, said = time.monotonic() + LONGEST, ""
        while time.monotonic() < end:
            said = self.tmux("capture-pane", "-p")
            if right(said):
                return said
            time.sleep(0.1)
        raise AssertionError(f"{what!r} did not come:\n{said}")

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if TMUX is None:
        pytest.skip("tmux is not installed: apt install tmux")
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_in_a_terminal_a_game_is_saved_resumed_won_and_another_lost(terminal: Terminal, tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "coat" / "play")
    terminal.open("game24", "--puzzle", "'4 9 10 13'")
    terminal.await_text("Make 24; every number is used once.")
    terminal.type("13-9")
    terminal.await_text("1. 13 - 9 = 4")
    terminal.press("F2")
    terminal.await_text("it leads to a solution")
    terminal.press("C-q")
    terminal.await_end()
    assert [(each.moves, each.hints) for each in store.saved()] == [(("13 - 9 = 4",), 1)]

    terminal.open("--resume")
    assert "hints 1" in terminal.await_text("1. 13 - 9 = 4")
    terminal.type("10-4")
    terminal.type("6*4")
    terminal.await_text("✓ Solved in")
    terminal.press("C-q")
    terminal.await_end()
    assert store.saved() == []

    terminal.open("game24", "--seed", "1", "--difficulty", "hard")
    terminal.await_text("· hard ·")
    terminal.press("C-g")
    terminal.await_text("✗ Lost after")
    terminal.press("C-q")
    terminal.await_end()
    assert [(each.outcome, each.level, each.hints) for each in store.finished()] == [
        ("won", "own", 1),
        ("lost", "hard", 0),
    ]
    assert json.loads((store.folder / "records.json").read_text("utf-8"))["coat_play"] == 1
