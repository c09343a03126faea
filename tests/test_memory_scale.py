"""The trained index of many facts, made small: what exact search finds, it finds."""

import shutil
from contextlib import closing

import numpy as np
import pytest

from memory import AssociativeMemory, HashingEmbedder, index, index_file, trained
from memory.facts import FactStore

EMBEDDER = HashingEmbedder(32)
EXACT = 150
TEXTS = [f"The river of city {n} flows to sea {n * 7 % 900} past mill {n * 13 % 400}." for n in range(600)]
QUESTION = "Where does the river of city 7 flow?"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(index, "EXACT", EXACT)
    monkeypatch.setattr(index, "BATCH", 64)
    monkeypatch.setattr(trained, "SCANNED", 150)
    monkeypatch.setattr(trained, "SCANNED_EACH", 1)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as memory:
        memory.add(TEXTS)
        memory.save()
    return path


@pytest.fixture
def untrainable(path, monkeypatch):
    """From now on an index cannot be made, only read."""
    monkeypatch.setattr(trained, "make", lambda *_: pytest.fail("the index was trained again"))


def indexed(path):
    with closing(FactStore(path)) as facts:
        return index_file.read(path.with_name("facts.db.faiss"), facts, EMBEDDER.dimension)


def found(memory, question=QUESTION, size=10, up_to=10_000):
    (pool,) = memory.nearest([EMBEDDER.embed([question])], size, up_to, -1.0)
    return sorted(((hit.score, hit.id) for hit, *_ in pool.candidates), reverse=True)


def test_many_facts_are_searched_in_a_trained_index_with_exact_cosines(path):
    assert indexed(path).trained == len(TEXTS)
    with AssociativeMemory(path, EMBEDDER) as memory:
        shares = []
        for text in TEXTS[::60]:
            cosines = EMBEDDER.embed(TEXTS) @ EMBEDDER.embed([text])[0]
            near = found(memory, text)
            assert [score for score, _ in near] == pytest.approx([cosines[number - 1] for _, number in near], abs=1e-5)
            shares.append(np.mean([score >= np.sort(cosines)[-10] - 1e-5 for score, _ in near]))
    assert np.mean(shares) > 0.85


def test_few_facts_are_searched_exactly(tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", EMBEDDER) as memory:
        memory.add(TEXTS[:EXACT])
        cosines = np.sort(EMBEDDER.embed(TEXTS[:EXACT]) @ EMBEDDER.embed([QUESTION])[0])[::-1]
        assert [score for score, _ in found(memory)] == pytest.approx(cosines[:10].tolist(), abs=1e-5)
        memory.save()
    assert indexed(tmp_path / "facts.db").trained == 0


def test_all_facts_are_found_where_all_are_asked_for(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        assert len(found(memory, size=len(TEXTS))) == len(TEXTS)
        assert len(found(memory, size=5_000)) == len(TEXTS)
        assert len(memory.recall(QUESTION, k=1_000, threshold=-1)) > EXACT


def test_a_snapshot_sees_nothing_that_came_later(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        assert sorted(number for _, number in found(memory, size=20, up_to=20)) == list(range(1, 21))
        session = memory.session()
        (new,) = memory.add(QUESTION)
        assert new not in [hit.id for hit in session.recall(QUESTION, k=20, threshold=-1)]
        assert memory.recall(QUESTION, k=1)[0].id == new


def test_the_floor_says_how_near_the_rest_can_be(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        (pool,) = memory.nearest([EMBEDDER.embed([QUESTION])], 10, 10_000, 0.99)
        assert pool.candidates == []
        assert pool.floor == pytest.approx(found(memory)[-1][0], abs=1e-6)
        (pool,) = memory.nearest([EMBEDDER.embed([QUESTION])], 5_000, 10_000, 0.99)
        assert pool.floor == -np.inf


def test_the_index_is_trained_anew_only_when_the_facts_have_doubled(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        memory.add([f"{text} Twice." for text in TEXTS])
        memory.save()
        assert indexed(path).trained == len(TEXTS)
        assert len(found(memory, size=5_000)) == 2 * len(TEXTS)
        memory.add("One more.")
        memory.save()
        assert indexed(path).trained == 2 * len(TEXTS) + 1


def test_when_few_facts_are_left_the_index_is_exact_again(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        memory.forget(range(1, 550))
        assert len(found(memory, size=5_000)) == 51
        memory.save()
    assert indexed(path).trained == 0


def test_progress_is_told_and_no_batch_is_left_out(path):
    path.with_name("facts.db.faiss").unlink()
    told = []
    with AssociativeMemory(path, EMBEDDER) as memory:
        memory.save(lambda done, total: told.append((done, total)))
    assert told[:3] == [(0, 600), (64, 600), (128, 600)]
    assert told[-1] == (600, 600)


def test_an_index_file_that_is_behind_is_caught_up(path, untrainable):
    file = path.with_name("facts.db.faiss")
    behind = file.read_bytes()
    with AssociativeMemory(path, EMBEDDER) as memory:
        (new,) = memory.add(QUESTION)
        memory.forget([8, 9])
    file.write_bytes(behind)
    with AssociativeMemory(path, EMBEDDER) as memory:
        ids = {number for _, number in found(memory, size=5_000)}
    assert ids == set(range(1, new + 1)) - {8, 9}


def test_forgetting_trains_nothing_and_leaves_nothing_in_the_file(path, untrainable):
    file = path.with_name("facts.db.faiss")
    with AssociativeMemory(path, EMBEDDER) as memory:
        assert memory.forget(len(TEXTS)) == 1
        assert not file.exists()
    assert file.exists()
    kept = indexed(path)
    assert (kept.last_id, kept.faiss.ntotal) == (len(TEXTS) - 1, len(TEXTS) - 1)
    assert sorted(trained.ids(kept.faiss)) == list(range(1, len(TEXTS)))


def test_the_index_of_a_copy_that_went_another_way_is_not_taken(path, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    for file, text in ((copy, "Only the copy knows this."), (path, QUESTION)):
        with AssociativeMemory(file, EMBEDDER) as memory:
            memory.add([text, "Both know this."])
            memory.save()
    shutil.copy(copy.with_name("copy.db.faiss"), path.with_name("facts.db.faiss"))
    assert indexed(path) is None
    with AssociativeMemory(path, EMBEDDER) as memory:
        assert memory.recall(QUESTION)[0].text == QUESTION


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 1.0])
def test_a_flipped_byte_in_a_trained_index_is_noticed(path, share):
    file = path.with_name("facts.db.faiss")
    data = bytearray(file.read_bytes())
    data[int(share * (len(data) - 1))] ^= 1
    file.write_bytes(data)
    assert indexed(path) is None
    with AssociativeMemory(path, EMBEDDER) as memory:
        assert len(found(memory, size=5_000)) == len(TEXTS)
    assert indexed(path).trained == len(TEXTS)


def test_a_fact_forgotten_by_another_process_is_never_returned(path):
    with AssociativeMemory(path, EMBEDDER) as memory:
        (best, *_) = found(memory, size=3)
        store = memory._index
        with AssociativeMemory(path, EMBEDDER) as other:
            other.forget(best[1])
        near = index.nearest(store, memory._facts, EMBEDDER.embed([QUESTION]), 5_000, 10_000)
        assert best[1] not in near.ids
        assert np.isneginf(near.scores[near.ids < 0]).all()
