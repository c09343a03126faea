"""Faults of the disk: an error that says so, or everything as it was; never something lost in silence."""

import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import memory
from memory import AssociativeMemory, HashingEmbedder
from memory.facts import digest

EMBEDDER = HashingEmbedder(16)
TEXTS = [f"fact number {n} about something " + "and more " * (n % 40) for n in range(300)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add(TEXTS, source="here")
        mem.recall(TEXTS[0])
    return path.read_bytes()


@pytest.fixture
def path(tmp_path, whole):
    path = tmp_path / "facts.db"
    path.write_bytes(whole)
    return path


def use(path):
    """Everything that reads and writes."""
    with AssociativeMemory(path, EMBEDDER) as mem:
        facts = mem.list()
        mem.recall(TEXTS[5], k=20)
        mem.add("new")
        mem.forget(mem.list()[-1].id)
        return facts


def altered(path):
    """Whether a fact is not what was stored: its digest tells."""
    with sqlite3.connect(path) as sql:
        rows = sql.execute("SELECT text, source, digest FROM facts").fetchall()
    sql.close()
    return any(digest(text, source) != stored for text, source, stored in rows)


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_in_the_database_are_named_or_harmless(path, whole, seed):
    rng = random.Random(seed)
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 8, 100])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    facts, problem = [], ""
    try:
        facts = use(path)
    except memory.AssociativeMemoryError as error:
        problem = str(error)
    same = [(fact.text, fact.source) for fact in facts] == [(text, "here") for text in TEXTS]
    assert "facts.db" in problem or same or altered(path) or integrity(path) != "ok"


def integrity(path):
    with sqlite3.connect(path) as sql:
        found = sql.execute("PRAGMA integrity_check").fetchone()[0]
    sql.close()
    return found


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.95])
def test_a_truncated_database_is_named(path, whole, share):
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises((memory.DamagedMemoryError, memory.NotAMemoryError), match=r"facts\.db"):
        use(path)


def run(code, path, *, unprivileged=False):
    """What `code` prints in a process of its own, in which `path` is the memory."""
    head = f"""
import os, resource, sys
import numpy, faiss
import memory
from pathlib import Path
path, embedder = Path(sys.argv[1]), memory.HashingEmbedder(16)
if {unprivileged} and os.geteuid() == 0:
    os.setuid(65534)
def tell(function):
    try:
        print("fine", function())
    except memory.AssociativeMemoryError as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", head + code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_where_no_file_may_grow_nothing_is_lost(path):
    told = run(
        """
with memory.AssociativeMemory(path, embedder) as mem:
    mem.count()
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, path.stat().st_size))
    tell(lambda: mem.add([f"too much {n} " + "x" * 9000 for n in range(100)]))
    tell(lambda: mem.reembed(memory.HashingEmbedder(4000)))
    tell(mem.count)
    tell(lambda: len(mem.recall("fact number 7 about something", k=5)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    tell(mem.save)
""",
        path,
    )
    assert [line.split()[0] for line in told] == ["StorageError", "StorageError", "fine", "fine", "StorageError"]
    assert all("facts.db" in line for line in told if line.startswith("Storage"))
    assert told[2:4] == ["fine 300", "fine 5"]
    assert [fact.text for fact in use(path)] == TEXTS


def test_a_read_only_file_is_read_and_never_written(whole):
    """By a process without privileges, in no folder of pytest's, as for a read-only folder."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        path = Path(place) / "facts.db"
        path.write_bytes(whole)
        path.chmod(0o444)
        told = run(
            """
mem = memory.AssociativeMemory(path, embedder)
tell(lambda: len(mem.list()))
tell(lambda: mem.add("new"))
tell(lambda: mem.forget(1))
tell(lambda: mem.reembed(memory.HashingEmbedder(32)))
""",
            path,
            unprivileged=True,
        )
        assert path.read_bytes() == whole
    assert told[0] == "fine 300"
    assert len(told) == 4
    assert all("facts.db cannot be opened for writing" in line for line in told[1:])
