"""Export, import, stats, verify and compact, on whole memories and on damaged ones."""

import json
import re
import sqlite3

import pytest

from memory import AssociativeMemory, CorpusError, EmbedderError, Entry, HashingEmbedder

EMBEDDER = HashingEmbedder(16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "facts.db"


@pytest.fixture
def mem(path):
    with AssociativeMemory(path, EMBEDDER) as opened:
        yield opened


def change(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def rows(mem):
    return [(fact.text, fact.source, fact.added, fact.document, fact.origin) for fact in mem.list()]


def test_an_import_is_what_was_exported_but_for_the_ids(mem, tmp_path):
    mem.add("gone soon")
    mem.add([Entry('quotes " and\nlines', "s", "/a", '{"run": 7}', 12.5), Entry("漢字\u2028🧠", added=1e9)])
    mem.add([("shared", "s")], document="/b")
    mem.add([("shared", "s")], document="/c")
    mem.forget(1)
    target = tmp_path / "out.jsonl"
    assert mem.export(target) == (3, [])
    with AssociativeMemory(None, HashingEmbedder(32)) as other:
        done = other.import_(target)
        assert (done.ids, done.added, done.kept) == ([1, 2, 3, 3], 3, 0)
        assert rows(other) == rows(mem)
        assert other.held_by(3) == ["/b", "/c"]
        assert other.import_(target).added == 0
        assert other.verify() == []


def test_an_import_takes_nothing_away(mem, tmp_path):
    mem.add(["one", "two"], document="/a")
    target = tmp_path / "out.jsonl"
    mem.export(target)
    mem.forget(2)
    mem.add(["one", "three"], document="/a")
    assert mem.import_(target).added == 1
    assert sorted(fact.text for fact in mem.list(document="/a")) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: it is not JSON"),
        ("[]", "line 2: it is not an object with a text"),
        ('{"text": " "}', "line 2: it is not an object with a text"),
        ('{"text": "x", "added": "now"}', "line 2: its added is 'now'"),
        ('{"text": "x", "added": true}', "line 2: its added is True"),
        ('{"text": "x", "added": NaN}', "line 2: its time or its documents"),
        ('{"text": "x", "source": 3}', "line 2: its source is 3"),
        ('{"text": "x", "held_by": [3]}', "line 2: its time or its documents"),
    ],
)
def test_a_broken_line_of_an_export_is_named_and_nothing_is_imported(mem, tmp_path, line, message):
    target = tmp_path / "out.jsonl"
    target.write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(CorpusError, match=message):
        mem.import_(target)
    assert mem.count() == 0


def test_stats_say_what_there_is(mem, path):
    empty = mem.stats()
    assert (empty.facts, empty.embedder, empty.dimension, empty.index, empty.last_added) == (
        0,
        None,
        None,
        "none",
        None,
    )
    mem.add([Entry("one", "s", "/a", added=5.0), Entry("two", "s", "/b", added=7.0), Entry("three", "t", added=6.0)])
    found = mem.stats()
    assert (found.facts, found.sources, found.documents, found.last_added) == (3, 2, 2, 7.0)
    assert (found.embedder, found.dimension, found.index, found.index_bytes) == ("hashing-16", 16, "none", 0)
    files = [path, path.with_name("facts.db-wal")]
    assert found.database_bytes == sum(file.stat().st_size for file in files)
    mem.recall("one")
    mem.save()
    assert mem.stats().index == "current"
    assert mem.stats().index_bytes == path.with_name("facts.db.faiss").stat().st_size
    mem.add("four")
    assert mem.stats().index == "old"


class Own(HashingEmbedder):
    """An embedder of the user's own, which no name leads to; one who looks it up by that finds another's model."""

    def __init__(self, name):
        super().__init__(16)
        self.name = name


@pytest.mark.parametrize("name", ["my own", "owner/e5-model", "gguf:gone.gguf@0123"])
def test_a_memory_is_looked_after_without_its_embedder(path, name):
    with AssociativeMemory(path, Own(name)) as mem:
        mem.add(["one", "two"])
        mem.recall("one")
    with AssociativeMemory(path) as other:
        assert other.embedder == name
        assert [fact.text for fact in other.list()] == ["one", "two"]
        assert other.verify() == []
        assert other.forget(1) == 1
        assert other.compact().after > 0
        assert other.stats().index == "none"
        with pytest.raises(EmbedderError, match=re.escape(name)):
            other.add("three")
        assert other.count() == 1
    with AssociativeMemory(path, Own(name)) as mem:
        assert [hit.text for hit in mem.recall("two")] == ["two"]


def problems(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        return [f"{problem.what}: {problem.cure}" for problem in mem.verify()]


@pytest.fixture
def filled(mem, path):
    mem.add([f"fact number {n} about something" for n in range(20)])
    mem.add("of a document", document="/a")
    mem.add("of a document", document="/b")
    mem.recall("fact")
    mem.close()
    return path


@pytest.mark.parametrize(
    ("statement", "words", "mended"),
    [
        ("UPDATE facts SET text = 'fact lumber' WHERE id = 7", r"1 facts \(7\) .* not what was stored.*export", False),
        ("UPDATE facts SET source = x'00' WHERE id = 7", r"1 facts \(7\) .*export", False),
        ("UPDATE facts SET text = CAST(x'ff' AS TEXT) WHERE id = 7", r"1 facts \(7\) cannot be read.*export", False),
        ("UPDATE facts SET vector = x'00' WHERE id > 14", r"7 facts \(15, 16, 17, 18, 19, …\) .*forget 15", False),
        (f"UPDATE facts SET vector = x'{'0000c07f' * 16}' WHERE id = 7", r"\(7\) have no vector of length 1", False),
        ("DELETE FROM words_docsize WHERE id = 7", r"1 facts \(7\) are not in the index of words.*compact", True),
        ("UPDATE words_data SET block = x'00' WHERE id > 100", "index of words is damaged.*compact", True),
        ("INSERT INTO names VALUES ('x', 999, 0)", r"\(999\) are gone.*table of names.*compact", True),
        ("INSERT INTO held VALUES ('/x', 999)", r"\(999\) are gone.*table of documents.*compact", True),
    ],
)
def test_verify_names_what_is_wrong_and_what_mends_it(filled, statement, words, mended):
    assert problems(filled) == []
    change(filled, statement)
    (found,) = problems(filled)
    assert re.search(words, found), found
    if mended:
        with AssociativeMemory(filled, EMBEDDER) as mem:
            mem.compact()
        assert problems(filled) == []
        connection = sqlite3.connect(filled)
        assert connection.execute("SELECT rowid FROM words WHERE words MATCH 'number'").fetchall()
        connection.close()


def test_a_deleted_row_of_the_facts_is_seen_in_the_words(filled):
    change(filled, "DELETE FROM facts WHERE id = 7")
    assert problems(filled) == ["1 facts (7) are gone, and still in the index of words: compact makes it anew"]
    with AssociativeMemory(filled, EMBEDDER) as mem:
        mem.compact()
    assert problems(filled) == []


def test_verify_tells_an_old_index_from_a_damaged_one(filled):
    index = filled.with_name("facts.db.faiss")
    data = bytearray(index.read_bytes())
    change(filled, "UPDATE meta SET value = 'another' WHERE key = 'revision'")
    assert problems(filled) == []
    with AssociativeMemory(filled, EMBEDDER) as mem:
        mem.recall("fact")
    data = bytearray(index.read_bytes())
    data[-5] ^= 1
    index.write_bytes(data)
    (found,) = problems(filled)
    assert "facts.db.faiss is damaged; the facts are not: compact writes it anew" in found
    with AssociativeMemory(filled, EMBEDDER) as mem:
        mem.compact()
    assert problems(filled) == []


def damaged_in_the_middle(path):
    """A memory of 600 facts with one page of facts overwritten; the ids that were on the page."""
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add([f"fact number {n} " + "filler " * 20 for n in range(600)])
        mem.forget([5, 300])
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    page = next(n for n in range(0, len(data), size) if data[n] == 13 and b"fact number 311 " in data[n : n + size])
    inside = [n for n in range(600) if f"fact number {n} ".encode() in data[page : page + size]]
    data[page : page + size] = b"\xa5" * size
    path.write_bytes(data)
    return [n + 1 for n in inside]


def test_a_damaged_memory_exports_what_is_whole_and_names_the_rest(path, tmp_path):
    lost = damaged_in_the_middle(path)
    target = tmp_path / "out.jsonl"
    with AssociativeMemory(path, EMBEDDER) as mem:
        found = " ".join(problem.what for problem in mem.verify())
        assert "damaged" in found
        assert f"{len(lost)} facts ({lost[0]}" in found
        done = mem.export(target)
    assert done == (598 - len(lost), lost)
    kept = [json.loads(line)["id"] for line in target.read_text().splitlines()]
    assert sorted(kept + lost) == sorted(set(range(1, 601)) - {5, 300})
    with AssociativeMemory(None, EMBEDDER) as other:
        assert other.import_(target).added == len(kept)


def test_a_text_that_is_not_what_was_stored_is_not_exported(filled, tmp_path):
    change(filled, "UPDATE facts SET text = 'fact lumber' WHERE id = 7")
    with AssociativeMemory(filled, EMBEDDER) as mem:
        assert mem.export(tmp_path / "out.jsonl") == (20, [7])


def test_compact_gives_back_what_was_forgotten(mem, path):
    mem.add([f"fact {n} " + "filler " * 100 for n in range(300)])
    mem.recall("fact")
    mem.save()
    mem.forget(range(1, 291))
    mem.recall("fact")
    mem.save()
    done = mem.compact()
    assert done.after < done.before / 4
    assert done.after == sum(file.stat().st_size for file in path.parent.iterdir() if file.name != "facts.db-shm")
    assert mem.stats().index == "current"
    assert mem.recall("fact 295", threshold=0)[0].id > 290
    assert mem.verify() == []


def test_a_memory_of_this_process_is_looked_after_too():
    with AssociativeMemory(None, EMBEDDER) as mem:
        mem.add("one")
        assert mem.verify() == []
        assert mem.compact() == (0, 0)
        assert mem.stats().facts == 1
