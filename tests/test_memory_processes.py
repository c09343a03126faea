"""Two processes on one file: readers never wait, writers take turns, and one that waits too long is told so."""

import subprocess
import sys
import threading

import pytest

import memory
from memory import AssociativeMemory, HashingEmbedder, MemoryInUseError

EMBEDDER = HashingEmbedder(16)
WRITER = """
import sys
from memory import AssociativeMemory, HashingEmbedder
with AssociativeMemory(sys.argv[1], HashingEmbedder(16)) as mem:
    with mem._facts.database.transaction() as sql:
        sql.execute("UPDATE facts SET source = 'half done'")
        print("writing", flush=True)
        sys.stdin.readline()
    print("done", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add([f"fact number {n}" for n in range(20)], document="/a")
    return path


@pytest.fixture
def writer(path):
    """Another process, in the middle of a transaction; a line to it ends that, and a second the process."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writing\n"
        yield child
        child.kill()


def say(child):
    child.stdin.write("\n")
    child.stdin.flush()


def test_readers_see_the_last_whole_state_while_another_process_writes(path, writer):
    with AssociativeMemory(path, EMBEDDER) as mem:
        assert {fact.source for fact in mem.list()} == {""}
        assert mem.recall("fact number 3", k=1)[0].text == "fact number 3"
        assert mem.stats().facts == 20
        assert mem.documents() == {"/a": 20}
        assert mem.export(path.with_name("out.jsonl")).facts == 20
        say(writer)
        assert writer.stdout.readline() == "done\n"
        assert {fact.source for fact in mem.list()} == {"half done"}


def test_a_writer_that_waits_too_long_is_told_who_is_in_the_way(path, writer, monkeypatch):
    monkeypatch.setattr(memory.database, "BUSY_SECONDS", 0.1)
    with AssociativeMemory(path, EMBEDDER) as mem:
        for use in (
            lambda: mem.add("new"),
            lambda: mem.add("new", document="/a"),
            lambda: mem.forget(1),
            lambda: mem.forget(document="/a"),
            mem.compact,
        ):
            with pytest.raises(MemoryInUseError, match=r"facts\.db is in use: another process was writing"):
                use()
        assert mem.count() == 20
        say(writer)
        assert writer.stdout.readline() == "done\n"
        assert mem.add("new") == [21]
        assert mem.verify() == [
            memory.Problem(
                "20 facts (1, 2, 3, 4, 5, …) cannot be read, or are not what was stored",
                "export what is whole, and import it into a new memory",
            )
        ]


def test_a_writer_waits_its_turn(path, writer):
    with AssociativeMemory(path, EMBEDDER) as mem:
        added = []
        waiting = threading.Thread(target=lambda: added.extend(mem.add("new")))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        say(writer)
        waiting.join(20)
        assert added == [21]


def test_a_memory_that_is_open_elsewhere_can_be_compacted_and_read_on(path):
    with AssociativeMemory(path, EMBEDDER) as reader:
        assert reader.recall("fact number 3", k=1)
        code = """
import sys
from memory import AssociativeMemory, HashingEmbedder
with AssociativeMemory(sys.argv[1], HashingEmbedder(16)) as mem:
    mem.forget(1)
    mem.compact()
"""
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        assert reader.count() == 19
        assert 1 not in {hit.id for hit in reader.recall("fact number 0", k=50, threshold=-1)}
        assert reader.recall("fact number 3", k=1)[0].text == "fact number 3"
        assert reader.verify() == []
