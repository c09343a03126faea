"""What was acknowledged survives kill -9; a memory is never seen half-written."""

import signal
import subprocess
import sys

from benchmarks.memory.crashes import Told, check, crashes
from memory import AssociativeMemory, HashingEmbedder

EMBEDDER = HashingEmbedder(16)


def test_kill_9_at_20_points_loses_nothing_and_brings_nothing_back():
    assert crashes(20)["problems"] == []


def test_what_the_crash_test_looks_for_it_finds(tmp_path):
    path, texts = tmp_path / "facts.db", [f"fact{n} of many" for n in range(20)]
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add(texts)
        assert check(path, Told(there=set(texts)), None) == []
        assert "lost: ['other']" in check(path, Told(there={"other", *texts}), None)
        assert f"back: ['{texts[0]}']" in check(path, Told(there=set(texts[1:]), gone={texts[0]}), None)
        assert "strange: ['fact0 of many']" in check(path, Told(there=set(texts[1:])), None)
        half = {"texts": [texts[0], "never added"]}
        assert check(path, Told(there=set(texts)), half) == [f"half of an operation: ['{texts[0]}']"]
        with mem._facts._database.transaction() as sql:
            sql.execute("UPDATE facts SET vector = (SELECT vector FROM facts WHERE id = 3) WHERE id = 2")
            sql.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', 5, 'fact4 of many')")
            sql.execute("INSERT INTO new_vectors VALUES (99, x'00')")
        found = "\n".join(check(path, Told(there=set(texts)), None))
    assert "vectors of the facts [2]" in found
    assert "words of the facts [5]" in found
    assert "new_vectors knows the facts [99]" in found


def test_a_killed_writer_leaves_nothing_of_an_unfinished_add(tmp_path):
    code = """
import os, signal, sys
from memory import AssociativeMemory, HashingEmbedder
mem = AssociativeMemory(sys.argv[1], HashingEmbedder(16))
mem.add("before")
with mem._facts._database.transaction() as sql:
    sql.execute("INSERT INTO facts (text, source, added, digest, vector) VALUES ('half', '', 0, 'd', x'00')")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "facts.db"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -signal.SIGKILL
    with AssociativeMemory(path, EMBEDDER) as mem:
        assert [fact.text for fact in mem.list()] == ["before"]
        assert mem.add("after")


def test_the_file_is_set_to_survive():
    """The pragmas behind the promises: a lost fsync cannot be seen from a killed process."""
    with AssociativeMemory(None, EMBEDDER) as mem, mem._facts._database.transaction() as sql:
        assert sql.execute("PRAGMA synchronous").fetchone() == (2,)
        assert sql.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_the_file_has_a_write_ahead_log(tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", EMBEDDER) as mem:
        mem.add("a fact")
        assert (tmp_path / "facts.db-wal").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["facts.db"]


def test_several_processes_may_make_and_fill_one_memory(tmp_path):
    path = tmp_path / "facts.db"
    code = """
import sys
from memory import AssociativeMemory, HashingEmbedder
with AssociativeMemory(sys.argv[1], HashingEmbedder(16)) as mem:
    for n in range(5):
        mem.add([f"shared {n}", f"only {sys.argv[2]} {n}"])
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    with AssociativeMemory(path, EMBEDDER) as mem:
        assert mem.count() == 5 + 4 * 5
