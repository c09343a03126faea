"""What was acknowledged survives kill -9; a memory is never seen half-written."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from memory import AssociativeMemory, HashingEmbedder

EMBEDDER = HashingEmbedder(16)

WRITER = """
import json, random, sys
from memory import AssociativeMemory, HashingEmbedder

def say(**what):
    print(json.dumps(what), flush=True)

rng, live = random.Random(int(sys.argv[2])), {}
mem = AssociativeMemory(sys.argv[1], HashingEmbedder(16))
say(ready=True)
for step in range(1_000_000):
    if live and rng.random() < 0.3:
        doomed = rng.sample(sorted(live), min(len(live), rng.randint(1, 3)))
        say(begin="forget", texts=[live.pop(number) for number in doomed])
        mem.forget(doomed)
    else:
        texts = [f"thought{step}of{n} " + " " * rng.choice([0, 50, 9000]) for n in range(rng.randint(1, 6))]
        say(begin="add", texts=texts)
        live.update(zip(mem.add(texts), texts))
    say(done=True)
    if rng.random() < 0.2:
        mem.recall("thought", threshold=0)
        mem.save()
"""


def run_and_kill(path, seed):
    """The lines a writer had printed when it was killed at a point that `seed` chooses."""
    rng = random.Random(seed)
    command = [sys.executable, "-c", WRITER, str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        lines = [writer.stdout.readline() for _ in range(1 + rng.randint(0, 60))]
        time.sleep(rng.random() * 0.02)
        writer.kill()
        lines += writer.stdout.readlines()
        errors = writer.stderr.read()
    assert writer.returncode == -signal.SIGKILL, errors
    return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("seed", range(10))
def test_after_kill_9_all_that_was_acknowledged_is_there(tmp_path, seed):
    path = tmp_path / "facts.db"
    there, gone, doubtful = set(), set(), None
    for line in run_and_kill(path, seed):
        if "begin" in line:
            doubtful = line
        elif "done" in line:
            if doubtful["begin"] == "add":
                there |= set(doubtful["texts"])
            else:
                there -= set(doubtful["texts"])
                gone |= set(doubtful["texts"])
            doubtful = None
    maybe = set(doubtful["texts"]) if doubtful else set()
    with AssociativeMemory(path, EMBEDDER) as mem:
        found = {fact.text for fact in mem.list()}
        assert there - maybe <= found <= there | maybe
        assert not found & (gone - maybe)
        assert found & maybe in (set(), maybe)
        for text in sorted(found)[:5]:
            assert text in [hit.text for hit in mem.recall(text, k=50, threshold=0.99)]
        assert len(mem.recall("thought", k=10_000, threshold=-1)) <= len(found)


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
