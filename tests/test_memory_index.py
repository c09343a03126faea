import logging
import os

import pytest

from memory import AssociativeMemory, HashingEmbedder, StorageError

EMBEDDER = HashingEmbedder(32)
QUESTION = "where does the river of city 7 flow"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add([f"the river of city {n} flows to sea {n * 3}" for n in range(30)])
        mem.recall(QUESTION, threshold=0)
    return path


def index_of(path):
    return path.with_name("facts.db.faiss")


def recalled(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        return [(hit.id, hit.score) for hit in mem.recall(QUESTION, k=5, threshold=0)]


def test_the_index_file_is_written_at_the_end_and_used_at_the_next_start(path, monkeypatch):
    expected = recalled(path)
    monkeypatch.setattr("memory.index.empty", lambda _: pytest.fail("the index was made again"))
    assert recalled(path) == expected


def test_adding_alone_writes_no_index(path):
    before = index_of(path).read_bytes()
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.add("one more")
    assert index_of(path).read_bytes() == before


def test_saving_twice_writes_once(path):
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.save()
        index_of(path).unlink()
        mem.save()
        assert not index_of(path).exists()
        mem.add("one more")
        mem.save()
        assert index_of(path).exists()


def test_a_missing_index_is_made_again(path):
    expected = recalled(path)
    index_of(path).unlink()
    assert recalled(path) == expected
    assert index_of(path).exists()


@pytest.mark.parametrize("place", [0, 20, 60, 110, 200, 1000, -1])
def test_a_flipped_byte_in_the_index_changes_nothing(path, place):
    expected, data = recalled(path), bytearray(index_of(path).read_bytes())
    whole = bytes(data)
    data[place] ^= 1
    index_of(path).write_bytes(data)
    assert recalled(path) == expected
    assert index_of(path).read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"revision": 1'])
def test_an_index_that_is_none_is_made_again(path, content):
    expected = recalled(path)
    index_of(path).write_bytes(content)
    assert recalled(path) == expected


def test_a_truncated_index_is_made_again(path):
    expected = recalled(path)
    data = index_of(path).read_bytes()
    index_of(path).write_bytes(data[: len(data) // 2])
    assert recalled(path) == expected


def test_a_stale_index_is_made_again(path):
    stale = index_of(path).read_bytes()
    with AssociativeMemory(path, EMBEDDER) as mem:
        mem.forget(8)
        (new,) = mem.add(QUESTION)
    index_of(path).write_bytes(stale)
    ids = [number for number, _ in recalled(path)]
    assert ids[0] == new
    assert 8 not in ids


def test_the_index_of_another_memory_is_not_taken(path, tmp_path):
    other = tmp_path / "other.db"
    with AssociativeMemory(other, EMBEDDER) as mem:
        mem.add([f"unrelated text {n}" for n in range(30)])
        mem.recall("unrelated", threshold=0)
    expected = recalled(path)
    os.replace(other.with_name("other.db.faiss"), index_of(path))  # noqa: PTH105
    assert recalled(path) == expected


def test_an_index_file_that_cannot_be_written_is_said_and_loses_nothing(path, caplog):
    index_of(path).unlink()
    index_of(path).mkdir()
    with AssociativeMemory(path, EMBEDDER) as mem:
        assert mem.recall(QUESTION, threshold=0)
        with pytest.raises(StorageError, match=r"facts\.db\.faiss cannot be written.*No fact is lost"):
            mem.save()
        with caplog.at_level(logging.WARNING):
            mem.close()
    assert "cannot be written" in caplog.text
    with AssociativeMemory(path, EMBEDDER) as mem:
        assert mem.count() == 30
        with pytest.raises(StorageError, match="still holds their vectors"):
            mem.forget(1)
        assert mem.count() == 29
