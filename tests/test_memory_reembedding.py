"""Another embedder for a memory: all vectors in one step, nothing lost, nothing of the old ones left."""

import sqlite3

import pytest

import memory
from memory import AssociativeMemory, EmbedderMismatchError, HashingEmbedder, reembedding

OLD, NEW = HashingEmbedder(16), HashingEmbedder(32)
TEXTS = [f"fact number {n} about something" for n in range(60)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, OLD) as mem:
        mem.add(TEXTS)
    return path


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(reembedding, "BATCH", 8)
    monkeypatch.setattr(reembedding, "LAST", 4)


class Meddling(HashingEmbedder):
    """An embedder that does something else at its nth call."""

    def __init__(self, when, what):
        super().__init__(32)
        self.calls, self.when, self.what = 0, when, what

    def embed(self, texts):
        self.calls += 1
        if self.calls == self.when:
            self.what()
        return super().embed(texts)


def vectors(path):
    with sqlite3.connect(path) as sql:
        found = dict(sql.execute("SELECT text, vector FROM facts"))
    sql.close()
    return found


def made_by(embedder, texts):
    return {text: row.tobytes() for text, row in zip(texts, embedder.embed(list(texts)), strict=True)}


def test_all_facts_get_the_new_vectors_and_nothing_of_the_old_stays(path):
    old = made_by(OLD, TEXTS[:1])[TEXTS[0]]
    with AssociativeMemory(path) as mem:
        assert mem.recall(TEXTS[7])
        mem.save()
        assert old in path.read_bytes()
        assert old in path.with_name("facts.db.faiss").read_bytes()
        seen = []
        assert mem.reembed("hashing-32", progress=lambda *numbers: seen.append(numbers)) == 60
        assert seen[-1] == (60, 60)
        assert mem.embedder == "hashing-32"
        assert mem.recall(TEXTS[7], threshold=0.99)[0].text == TEXTS[7]
        assert mem.add("another fact") == [61]
        for file in path.parent.iterdir():
            assert old not in file.read_bytes()
    assert vectors(path) == made_by(NEW, [*TEXTS, "another fact"])
    with AssociativeMemory(path) as mem:
        assert mem.embedder == "hashing-32"


def test_an_embedder_that_fails_leaves_the_old_vectors_and_what_is_done_is_not_done_again(path, small_batches):
    def fail():
        raise memory.EmbedderError("out of order")

    with AssociativeMemory(path) as mem:
        failing = Meddling(4, fail)
        with pytest.raises(memory.EmbedderError, match="out of order"):
            mem.reembed(failing)
        assert mem.embedder == "hashing-16"
        assert mem.recall(TEXTS[7], threshold=0.99)
        assert vectors(path) == made_by(OLD, TEXTS)
        again = Meddling(0, None)
        assert mem.reembed(again) == 60
        assert again.calls == -(-(60 - 3 * 8) // 8)
    assert vectors(path) == made_by(NEW, TEXTS)


def test_what_others_add_and_forget_meanwhile_is_added_and_forgotten(path, small_batches):
    def meddle():
        with AssociativeMemory(path, OLD) as other:
            other.add(["added meanwhile", "and this"])
            other.forget([2, 50])
            assert other.recall(TEXTS[7], threshold=0.99)

    with AssociativeMemory(path) as mem:
        assert mem.reembed(Meddling(3, meddle)) == 60
    kept = [text for n, text in enumerate(TEXTS, start=1) if n not in (2, 50)]
    assert vectors(path) == made_by(NEW, [*kept, "added meanwhile", "and this"])
    with sqlite3.connect(path) as sql:
        assert sql.execute("SELECT count(*) FROM new_vectors").fetchone() == (0,)
    sql.close()


def test_facts_that_come_before_the_last_step_are_caught_up_with(path, small_batches):
    """More of them than are embedded while others wait."""

    def add():
        with AssociativeMemory(path, OLD) as other:
            other.add([f"late {n}" for n in range(20)])

    with AssociativeMemory(path) as mem:
        assert mem.reembed(Meddling(7, add)) == 80
    assert len(set(map(len, vectors(path).values()))) == 1


def test_two_who_want_different_embedders_do_not_mix(path, small_batches):
    def other():
        with AssociativeMemory(path) as mem:
            mem.reembed(HashingEmbedder(64))

    with AssociativeMemory(path) as mem, pytest.raises(memory.MemoryInUseError, match="another process re-embeds"):
        mem.reembed(Meddling(2, other))
    assert vectors(path) == made_by(HashingEmbedder(64), TEXTS)


def test_who_has_the_memory_open_is_told_and_can_still_close_it(path):
    with AssociativeMemory(path) as other, AssociativeMemory(path) as mem:
        session = mem.session()
        assert other.recall(TEXTS[7])
        assert session.recall(TEXTS[7])
        mem.reembed(NEW)
        for use in (lambda: other.recall(TEXTS[7]), lambda: other.add("new"), other.save):
            with pytest.raises(EmbedderMismatchError, match="vectors of hashing-32"):
                use()
        with pytest.raises(EmbedderMismatchError, match="re-embedded since this session began"):
            session.recall(TEXTS[7])
        assert other.count() == 60
    with AssociativeMemory(path) as mem:
        assert mem.recall(TEXTS[7], threshold=0.99)


def test_an_embedder_that_comes_between_the_question_and_the_index_is_noticed(path, monkeypatch):
    """Of the same dimension, so that nothing but the name tells."""
    twin = HashingEmbedder(16)
    twin.name = "twin-16"
    with AssociativeMemory(path) as mem:
        mem.recall(TEXTS[0])
        embed = mem.embed_questions

        def late(texts):
            vectors = embed(texts)
            with AssociativeMemory(path) as other:
                other.reembed(twin)
            return vectors

        monkeypatch.setattr(mem, "embed_questions", late)
        with pytest.raises(EmbedderMismatchError):
            mem.recall(TEXTS[0])


def test_the_same_embedder_again_and_an_empty_memory_embed_nothing(path, tmp_path):
    with AssociativeMemory(path) as mem:
        assert mem.reembed("hashing-16") == 0
        assert mem.recall(TEXTS[7])
    with AssociativeMemory(tmp_path / "new.db") as mem:
        assert mem.reembed("hashing") == 0
        mem.add("first")
        assert mem.embedder == "hashing-256"


def test_a_full_disk_while_re_embedding_leaves_the_old_vectors(path):
    with AssociativeMemory(path) as mem:
        with mem._facts._database.transaction() as sql:
            pages = sql.execute("PRAGMA page_count").fetchone()[0]
            sql.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(memory.StorageError, match="the disk is full; nothing of this call was kept"):
            mem.reembed(HashingEmbedder(512))
        assert mem.recall(TEXTS[7], threshold=0.99)
    assert vectors(path) == made_by(OLD, TEXTS)
