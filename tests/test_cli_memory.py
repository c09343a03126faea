"""`coat memory`: what a person types and sees; the hashing embedder stands in for the model."""

import io
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import memory
from coat.cli import main
from memory import AssociativeMemory, Entry, HashingEmbedder

EMBEDDER = HashingEmbedder(64)


class Terminal(io.TextIOWrapper):
    """Standard input where a person sits."""

    def isatty(self) -> bool:
        return True


class Told(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


@pytest.fixture
def coat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `coat memory` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(memory, "SentenceTransformerEmbedder", lambda download: EMBEDDER)

    def run(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> Told:
        monkeypatch.setattr(sys, "argv", ["coat", "memory", *arguments])
        monkeypatch.setattr(sys, "stdin", (Terminal if terminal else io.TextIOWrapper)(io.BytesIO(stdin), "utf-8"))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Told(code, *capfd.readouterr())

    return run


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    (root / "sub").mkdir(parents=True)
    (root / "rivers.md").write_text("# Rivers\n\nThe Tiber flows through Rome.\n\nThe Seine flows through Paris.\n")
    (root / "sub" / "more.txt").write_text("The Danube flows through Vienna.\n")
    (root / "picture.png").write_text("")
    return root


def test_a_folder_is_added_and_brought_up_to_date(coat: Run, notes: Path) -> None:
    told = coat("add", "notes")
    assert told.out == "3 facts added, 0 gone, 0 as before: facts.db holds 3.\nPassed over in folders: 1 .png.\n"
    (notes / "rivers.md").write_text("# Rivers\n\nThe Tiber flows through Rome.\n\nThe Po flows through Turin.\n")
    (notes / "sub" / "more.txt").unlink()
    told = coat("add", "notes")
    assert "1 facts added, 1 gone, 1 as before: facts.db holds 3.\n" in told.out
    gone = f"{notes}/sub/more.txt"
    assert f"1 documents are no longer there, and are still remembered; --prune forgets them: {gone}.\n" in told.out
    told = coat("add", "notes", "--prune", "--json")
    assert json.loads(told.out) == {
        "added": 0,
        "gone": 1,
        "kept": 2,
        "facts": 2,
        "documents": 1,
        "missing": [gone],
        "passed_over": {".png": 1},
    }
    assert "more.txt" not in coat("list").out


def test_only_the_folders_that_are_given_are_pruned(coat: Run, notes: Path) -> None:
    coat("add", "notes")
    (notes / "rivers.md").unlink()
    assert "no longer" not in coat("add", "notes/sub", "--prune").out
    assert "Tiber" in coat("list").out


def test_facts_come_by_themselves_and_by_standard_input(coat: Run) -> None:
    lines = b'{"text": "An object.", "title": "T"}\n\nA plain line.\n'
    assert "4 facts added" in coat("add", "-", "--text", "One.", "--text", "Two.", "--source", "me", stdin=lines).out
    assert coat("list").out == "[1] One.  (me)\n[2] Two.  (me)\n[3] T: An object.  (T)\n[4] A plain line.  (me)\n"
    told = coat("add", "-", stdin=b"{")
    assert (told.code, "standard input, line 1: it is not JSON" in told.err) == (2, True)
    assert coat("add", "-", stdin=b"\xff").err.startswith("coat: standard input is not UTF-8")


def test_a_fault_adds_nothing_unless_it_may_be_passed_over(coat: Run, notes: Path) -> None:
    (notes / "bad.pdf").write_bytes(b"%PDF-1.4")
    (notes / "page.html").write_bytes(b"<p>\xff\xfe caf\xe9 \x81 \xe2\x82")
    told = coat("add", "notes")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("coat: notes/bad.pdf: it is no PDF, or a broken one")
    assert told.err.count("\n") == 1
    assert not Path("facts.db").exists()
    told = coat("add", "notes", "--skip-broken")
    assert told.code == 0
    assert "coat: passed over: notes/bad.pdf" in told.err
    assert "broken" in told.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add"], "give files or folders"),
        (["add", "none.txt"], "none.txt cannot be read"),
        (["add", "none"], "none cannot be read: No such file or folder"),
        (["list"], "there is no memory file facts.db"),
        (["show", "1"], "there is no memory file facts.db"),
        (["stats"], "there is no memory file facts.db"),
        (["verify"], "there is no memory file facts.db"),
        (["compact"], "there is no memory file facts.db"),
        (["export", "x.jsonl"], "there is no memory file facts.db"),
        (["import", "none.jsonl"], "none.jsonl cannot be read"),
        (["forget"], "not both, not neither"),
        (["forget", "1", "--source", "s"], "not both, not neither"),
        (["forget", "--document", "d", "--older-than", "3d"], "not both, not neither"),
        (["forget", "--older-than", "soon"], "'soon' is no age; write a number and h, d, w or y"),
    ],
)
def test_bad_input_is_a_sentence(coat: Run, arguments: list[str], words: str) -> None:
    told = coat(*arguments)
    assert (told.code, told.out) == (2, "")
    assert words in told.err
    assert not Path("facts.db").exists()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A memory of another embedder than the default, with a little of everything."""
    path = tmp_path / "facts.db"
    document = (tmp_path / "notes" / "a.md").as_posix()
    with AssociativeMemory(path, EMBEDDER) as store:
        store.add([Entry(f"fact number {n}", "s", added=1000.0 + n) for n in range(5)])
        store.add([Entry("The Tiber flows through Rome.", "a.md#Rivers", document, '{"run": 7}', 2e9)])
        store.add([("The Tiber flows through Rome.", "a.md#Rivers")], document="/copy/a.md")
    return path


@pytest.mark.parametrize(
    "command", ["list", "show 1", "recall x", "forget 1", "stats", "verify", "compact", "export x"]
)
def test_an_empty_file_is_not_read_as_a_memory(coat: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "facts.db").touch()
    told = coat(*command.split())
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("coat: facts.db is empty, 0 bytes, and no memory;")
    assert [file.name for file in tmp_path.iterdir()] == ["facts.db"]
    assert (tmp_path / "facts.db").stat().st_size == 0


def test_an_empty_file_is_added_to_as_to_none(coat: Run, tmp_path: Path) -> None:
    (tmp_path / "facts.db").touch()
    assert coat("add", "--text", "one", "--embedder", "hashing").out.startswith("1 facts added")
    assert coat("list").out == "[1] one  ()\n"


def test_facts_are_listed_by_page_source_and_document(coat: Run, filled: Path) -> None:
    told = coat("list", "--limit", "2", "--offset", "1")
    assert told.out == "[2] fact number 1  (s)\n[3] fact number 2  (s)\n"
    assert told.err == "There are more; they begin at --offset 3.\n"
    assert coat("list", "--source", "s", "--limit", "5").err == ""
    for given in ("notes/a.md", "notes", "/copy/a.md", f"{filled.parent}/notes/a.md"):
        assert coat("list", "--document", given).out == "[6] The Tiber flows through Rome.  (a.md#Rivers)\n"
    assert "facts.db holds no document nope" in coat("list", "--document", "nope").err
    (row,) = json.loads(coat("list", "--json", "--offset", "5").out)
    assert list(row) == ["id", "text", "source", "added", "document", "origin"]


def test_a_fact_is_shown_with_all_that_is_known_of_it(coat: Run, filled: Path) -> None:
    out = coat("show", "6").out
    for word in ("[6] The Tiber", "a.md#Rivers", f"{filled.parent}/notes/a.md, /copy/a.md", '{"run": 7}', "2033-05-18"):
        assert word in out
    assert "names     rivers, rome, tiber\n    links     -\n" in out
    (row,) = json.loads(coat("show", "6", "--json").out)
    assert row["documents"] == [f"{filled.parent}/notes/a.md", "/copy/a.md"]
    with AssociativeMemory(filled, EMBEDDER) as store:
        store.add("Rome: It was not built in a day.")
    assert "links     7 (rome)\n" in coat("show", "6").out
    (row,) = json.loads(coat("show", "7", "--json").out)
    assert (row["names"], row["links"]) == (["rome"], [{"id": 6, "names": ["rome"]}])
    assert coat("show", "6", "77").err == "coat: no fact has the id 77; `coat memory list` shows the ids\n"


def test_facts_are_forgotten_by_number_age_document_and_query(coat: Run, filled: Path) -> None:
    assert coat("forget", "1", "2").out == "2 facts forgotten\n"
    assert coat("forget", "--older-than", "30d", "--source", "none").out == "0 facts forgotten\n"
    assert coat("forget", "--older-than", "30d").out == "3 facts forgotten\n"
    assert coat("forget", "--document", "notes/a.md").out == "0 facts forgotten\n"
    told = coat("forget", "--matching", "Tiber through Rome")
    assert told.code == 2
    assert "[6] The Tiber" in told.out
    assert "--yes forgets them" in told.err
    assert coat("forget", "--matching", "Tiber through Rome", "--yes").out.endswith("1 facts forgotten\n")
    assert coat("forget", "--matching", "Tiber through Rome", "--yes").out == "0 facts forgotten\n"
    assert coat("list").out == ""


@pytest.mark.parametrize(("answer", "count"), [("y", 1), ("n", 0)])
def test_a_person_is_asked_before_what_matches_is_forgotten(coat: Run, filled: Path, answer: str, count: int) -> None:
    told = coat("forget", "--matching", "Tiber through Rome", stdin=f"{answer}\n".encode(), terminal=True)
    assert "Forget these 1 facts?" in told.out
    assert told.out.endswith(f"{count} facts forgotten\n")


def test_stats_are_a_table_or_json(coat: Run, filled: Path) -> None:
    out = coat("stats").out
    for word in ("facts       6\n", "documents   2\n", "hashing-64", "dimension   64\n", "none; it is made", "2033-05"):
        assert word in out
    assert json.loads(coat("stats", "--json").out)["sources"] == 2


def test_an_export_is_imported(coat: Run, filled: Path) -> None:
    assert coat("export", "out.jsonl").out == "6 facts written to out.jsonl\n"
    told = coat("import", "out.jsonl", "--memory", "other.db")
    assert told.out == "6 facts added, 0 as before: other.db holds 6.\n"
    assert coat("show", "6", "--memory", "other.db").out == coat("show", "6").out
    Path("out.jsonl").write_text("{}\n")
    assert "out.jsonl, line 1" in coat("import", "out.jsonl", "--memory", "third.db").err
    assert not Path("third.db").exists()


def test_verify_ends_with_1_where_something_is_wrong(coat: Run, filled: Path) -> None:
    assert coat("verify") == (0, "facts.db is whole: 6 facts with their vectors and words\n", "")
    assert json.loads(coat("verify", "--json").out) == []
    connection = sqlite3.connect(filled)
    connection.execute("UPDATE facts SET text = 'changed' WHERE id = 2")
    connection.commit()
    connection.close()
    told = coat("verify")
    assert told.code == 1
    assert "1 facts (2) cannot be read, or are not what was stored. To mend it: export" in told.out
    assert json.loads(coat("verify", "--json").out)[0]["cure"].startswith("export")
    told = coat("export", "out.jsonl")
    assert (told.code, told.out) == (
        1,
        "5 facts written to out.jsonl\n1 facts are damaged and were passed over: 2\n",
    )


def test_compact_says_bytes(coat: Run, filled: Path) -> None:
    told = coat("compact")
    assert told.out.startswith("facts.db: ")
    assert " before, " in told.out
    assert json.loads(coat("compact", "--json").out).keys() == {"before", "after"}
