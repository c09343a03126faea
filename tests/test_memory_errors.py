"""Bad input gets a sentence that says what is wrong, where, and what to do."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import memory
from memory import AssociativeMemory, HashingEmbedder

EMBEDDER = HashingEmbedder(16)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add([f"fact number {n} about something" for n in range(50)])
    return path


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(memory.NotAMemoryError, match=r"notes\.txt is not a memory"):
        AssociativeMemory(path, EMBEDDER)
    assert path.read_text() == "dear diary, " * 1000


def test_another_sqlite_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    change(path, "CREATE TABLE facts (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(memory.NotAMemoryError, match=r"other\.db is a SQLite database of something else"):
        AssociativeMemory(path, EMBEDDER)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def test_a_newer_schema_is_refused(path):
    change(path, "UPDATE meta SET value = '3' WHERE key = 'schema'")
    with pytest.raises(memory.SchemaVersionError, match="schema version 3, this release reads up to 2"):
        AssociativeMemory(path, EMBEDDER)


@pytest.mark.parametrize("key", ["schema", "dimension"])
def test_a_broken_header_is_named(path, key):
    change(path, f"UPDATE meta SET value = 'x' WHERE key = '{key}'")
    with pytest.raises(memory.DamagedMemoryError, match=f"{key}.* is 'x', not a number"):
        AssociativeMemory(path, EMBEDDER)


def test_a_damaged_database_is_named_and_said_how_to_rescue(path):
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 100] = b"\xa5" * 100
    path.write_bytes(data)
    with (
        pytest.raises(memory.DamagedMemoryError, match=r"facts\.db is damaged: .*Restore it"),
        AssociativeMemory(path, EMBEDDER) as mem,
    ):
        mem.list()


def test_a_text_that_is_no_longer_utf8_is_damage(path):
    change(path, "UPDATE facts SET text = CAST(x'ff00' AS TEXT) WHERE id = 7")
    with AssociativeMemory(path, EMBEDDER) as mem, pytest.raises(memory.DamagedMemoryError, match="UTF-8"):
        mem.list()


@pytest.mark.parametrize("vector", ["x'0011'", "'text'"])
def test_a_truncated_vector_is_named_by_its_fact(path, vector):
    change(path, f"UPDATE facts SET vector = {vector} WHERE id = 7")
    with AssociativeMemory(path, EMBEDDER) as mem:
        with pytest.raises(memory.DamagedMemoryError, match=r"vector of fact 7 .*Forget fact 7"):
            mem.recall("fact")
        mem.forget(7)
        assert mem.recall("fact number 8 about something")


def test_the_embedder_of_the_file_is_named_beside_the_other(path):
    with pytest.raises(memory.EmbedderMismatchError, match=r"hashing-16 \(16 dimensions\).*hashing-32"):
        AssociativeMemory(path, HashingEmbedder(32))
    with pytest.raises(memory.EmbedderMismatchError, match="sentence-transformers/all-MiniLM-L6-v2"):
        AssociativeMemory(path, "sentence-transformers/all-MiniLM-L6-v2")


def test_an_embedder_of_the_same_name_and_another_dimension_is_refused(path):
    other = HashingEmbedder(32)
    other.name = "hashing-16"
    with AssociativeMemory(path, other) as mem:
        assert mem.count() == 50
        for use in (lambda: mem.recall("fact"), lambda: mem.add("new"), mem.save):
            with pytest.raises(memory.EmbedderMismatchError, match=r"\(16 dimensions\).*\(32 dimensions\)"):
                use()


def test_an_embedder_that_came_first_in_another_process_wins(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as one, AssociativeMemory(path, HashingEmbedder(32)) as other:
        one.add("first")
        with pytest.raises(memory.EmbedderMismatchError):
            other.add("second")
        assert one.count() == 1


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (lambda n: np.full((n, 4), np.nan), "length nan instead of 1 for 'a text'"),
        (lambda n: np.zeros((n, 4)), "length 0.0 instead of 1"),
        (lambda n: np.ones((n, 4)), "length 2.0 instead of 1"),
        (lambda n: np.ones((n, 3)), r"shape \(1, 3\), not \(1, 4\)"),
        (lambda n: np.ones((n + 1, 4)), r"shape \(2, 4\), not \(1, 4\)"),
    ],
    ids=["nan", "zero", "long", "narrow", "too many"],
)
def test_vectors_that_cannot_be_used_are_never_stored(vectors, message):
    class Broken:
        name, dimension = "broken", 4

        def embed(self, texts):
            return vectors(len(texts)).astype(np.float32)

    with AssociativeMemory(None, Broken()) as mem:
        with pytest.raises(memory.EmbedderError, match=f"broken gave .*{message}"):
            mem.add("a text")
        assert mem.count() == 0


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ("", "text 1 of 1 is empty"),
        (["good", " \n\t"], "text 2 of 2 is empty"),
        (
            ["good", ("fine", "s"), "half a \ud83d emoji"],
            r"text 3 of 3 is not valid Unicode \(surr.*character 7\)",
        ),
    ],
)
def test_a_text_that_cannot_be_stored_is_named_and_nothing_is_added(facts, message):
    with AssociativeMemory(None, EMBEDDER) as mem:
        with pytest.raises(memory.InputError, match=f"{message}.*nothing was changed"):
            mem.add(facts)
        assert mem.count() == 0


def test_half_a_character_is_refused_wherever_a_text_goes_in(path):
    bad = "bad \udcff byte"
    with AssociativeMemory(path, EMBEDDER) as mem:
        session = mem.session()
        for use in (
            lambda: mem.add("fine", source=bad),
            lambda: mem.recall(bad),
            lambda: mem.recall("fine", [bad]),
            lambda: session.observe("fine", state=bad, value=0.5),
            lambda: mem.list(bad),
            lambda: mem.forget(source=bad),
        ):
            with pytest.raises(memory.InputError, match="not valid Unicode"):
                use()
        assert session.episodes == []
        assert mem.count() == 50


def test_an_unknown_id_is_named_and_nothing_is_forgotten(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        with pytest.raises(memory.UnknownFactError, match="no fact has the id 77, 88; nothing was changed"):
            mem.forget([1, 88, 2, 77])
        assert mem.count() == 50


def test_forget_wants_ids_or_a_source(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        for arguments in ({}, {"ids": 1, "source": ""}):
            with pytest.raises(memory.InputError, match="either ids or a source"):
                mem.forget(**arguments)
        assert mem.count() == 50


def test_a_folder_that_is_missing_or_no_file_is_named(tmp_path):
    with pytest.raises(memory.StorageError, match="is a folder"):
        AssociativeMemory(tmp_path, EMBEDDER)
    with pytest.raises(memory.StorageError, match=r"the folder .*nowhere does not exist"):
        AssociativeMemory(tmp_path / "nowhere" / "facts.db", EMBEDDER)


@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder_is_named(path, existing):
    """Opened by a process without privileges, since to root no folder is read-only.

    The folder lies in no folder of pytest's, whose modes others set while this runs.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        locked = Path(place) / "locked"
        locked.mkdir()
        if existing:
            shutil.copy(path, locked / "facts.db")
        told = opened_without_privileges(locked)
        locked.chmod(0o755)
    assert "facts.db cannot be opened for writing" in told
    assert "must be readable and writable" in told


def opened_without_privileges(locked):
    code = """
import os, sqlite3, sys
import memory, memory.errors
os.chmod(sys.argv[1], 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    with memory.AssociativeMemory(os.path.join(sys.argv[1], "facts.db"), memory.HashingEmbedder(16)) as mem:
        mem.list()
except memory.StorageError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code, str(locked)], capture_output=True, text=True, check=True)
    return run.stdout


def test_a_full_disk_is_named_and_keeps_what_was_there(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        with mem._facts._database.transaction() as sql:
            pages = sql.execute("PRAGMA page_count").fetchone()[0]
            sql.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(memory.StorageError, match=r"facts\.db: the disk is full; nothing of this call was kept"):
            mem.add([f"too much {n} " + "x" * 5000 for n in range(5)])
        assert mem.count() == 50
        assert mem.recall("fact number 8 about something")


def test_a_memory_that_another_process_writes_to_is_in_use(path, monkeypatch):
    monkeypatch.setattr("memory.database.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    with AssociativeMemory(path, EMBEDDER) as mem:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(memory.MemoryInUseError, match=r"facts\.db is in use"):
            mem.add("new")
        assert len(mem.list()) == 50
        other.execute("ROLLBACK")
        assert mem.add("new")
    other.close()


def test_every_error_is_of_one_family():
    errors = [getattr(memory, name) for name in memory.__all__ if name.endswith("Error")]
    assert len(errors) == 11
    assert all(issubclass(error, memory.AssociativeMemoryError) for error in errors)
