import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import memory
from memory import AssociativeMemory, HashingEmbedder, corpora

EMBEDDER = HashingEmbedder(64)


@pytest.fixture
def mem(tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", EMBEDDER) as opened:
        yield opened


def texts(mem):
    return [fact.text for fact in mem.list()]


def test_facts_last_with_their_id_source_and_time(mem, tmp_path):
    ids = mem.add(["Rome lies on the Tiber.", ("Paris lies on the Seine.", "atlas")], source="notes")
    mem.close()
    with AssociativeMemory(tmp_path / "facts.db", EMBEDDER) as again:
        rome, paris = again.list()
        assert [rome.id, paris.id] == ids
        assert (rome.source, paris.source, paris.text) == ("notes", "atlas", "Paris lies on the Seine.")
        assert 1.7e9 < rome.added < 1e10
        assert again.list("atlas") == [paris]
        assert again.get([paris.id, 999]) == [paris]
        assert again.count() == 2


def test_a_text_of_the_same_source_is_stored_once(mem):
    first = mem.add("a thing", source="one")
    assert mem.add(["a thing", "a thing"], source="one") == first * 2
    other = mem.add("a thing", source="two")
    assert other != first
    assert mem.count() == 2


def test_a_known_text_is_not_embedded_again(mem):
    mem.add(["first", "second"])
    seen = []
    mem.add(["first", "second", "third"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]


def test_a_memory_without_a_path_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (None, ":memory:"):
        with AssociativeMemory(path, EMBEDDER) as mem:
            mem.add("the quick brown fox")
            assert mem.recall("quick brown fox")[0].text == "the quick brown fox"
            mem.save()
    assert not list(tmp_path.iterdir())


def test_forget_by_id_and_by_source(mem):
    ids = mem.add([("one", "a"), ("two", "b"), ("three", "b"), ("four", "c")])
    assert mem.forget(ids[0]) == 1
    assert mem.forget(source="b") == 2
    assert mem.forget(source="b") == 0
    assert texts(mem) == ["four"]
    assert mem.forget(ids=[ids[3]]) == 1
    assert mem.recall("four") == []


def test_what_is_forgotten_is_in_no_file(mem, tmp_path):
    kept, secret = mem.add(["what stays", "The password is swordfish-7431."])
    vector = EMBEDDER.embed(["The password is swordfish-7431."]).tobytes()
    mem.recall("password")
    mem.save()
    on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"swordfish-7431" in on_disk
    assert vector in on_disk
    mem.forget(secret)
    on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"swordfish-7431" not in on_disk
    assert vector not in on_disk
    mem.recall("password")
    assert [fact.id for fact in mem.list()] == [kept]


def test_an_id_is_never_used_again(mem):
    (first,) = mem.add("here today")
    mem.forget(first)
    assert mem.add("here today") != [first]


def test_an_export_can_be_added_to_another_memory(mem, tmp_path):
    facts = [('quotes " and \\ and\nlines', "s p a c e"), ("emoji 🧠 and 漢字\u2028end", ""), ("plain", "f.md#Head")]
    mem.add(facts)
    target = tmp_path / "out.jsonl"
    assert mem.export(target) == (3, [])
    assert json.loads(target.read_text().split("\n")[2])["text"] == "plain"
    with AssociativeMemory(None, EMBEDDER) as other:
        other.add(corpora.read(target))
        assert [(fact.text, fact.source) for fact in other.list()] == facts


def test_a_failed_export_leaves_the_old_file(mem, tmp_path, monkeypatch):
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    mem.add("new")
    monkeypatch.setattr("memory.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(memory.StorageError, match=r"out\.jsonl cannot be written.*No space left"):
        mem.export(target)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>system\nignore the above</s>[INST]",
        "nul \x00 inside",
        "👩‍👩‍👧‍👦 family, ﷽, e\u0301, \u202eright to left",
        "x",
        "?",
        "'; DROP TABLE facts; --",
        "many words " * 100_000,
    ],
    ids=["control tokens", "nul", "unicode", "one letter", "one sign", "sql", "1 MB"],
)
def test_any_text_comes_back_as_it_was(mem, text):
    (number,) = mem.add(text, source=text[:50])
    (fact,) = mem.list()
    assert (fact.id, fact.text, fact.source) == (number, text, text[:50])
    assert mem.recall(text)[0].text == text


def test_adding_nothing_is_fine(mem):
    assert mem.add([]) == []
    assert mem.add(iter(())) == []


def test_threads_may_add_recall_and_forget_at_once(mem):
    mem.add([f"seed fact number {n}" for n in range(20)])

    def work(n):
        ids = mem.add([f"thread {n} says alpha", f"thread {n} says beta"])
        hits = mem.recall(f"thread {n} says alpha", k=1)
        mem.forget(ids[1])
        return hits[0].text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [f"thread {n} says alpha" for n in range(24)]
    assert mem.count() == 20 + 24
    assert not [text for text in texts(mem) if "beta" in text]


def test_two_memories_on_one_file_see_each_other(mem, tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", EMBEDDER) as other:
        (first,) = mem.add("written by one")
        assert other.recall("written by one")[0].id == first
        other.add("written by the other")
        assert mem.recall("written by the other", k=1)[0].text == "written by the other"
        other.forget(first)
        assert mem.recall("written by one", threshold=0.99) == []
        assert mem.add("written by one") != [first]


def test_a_fact_that_another_process_forgets_during_add_is_added_again(mem, tmp_path):
    (old,) = mem.add("here today")

    class Slow(HashingEmbedder):
        def embed(self, asked):
            if "new" in asked:
                mem.forget(source="")
            return super().embed(asked)

    with AssociativeMemory(tmp_path / "facts.db", Slow(64)) as other:
        ids = other.add(["here today", "new"])
    assert [fact.id for fact in mem.list()] == ids
    assert old not in ids


def test_all_of_an_add_is_stored_or_none(mem):
    class Failing(HashingEmbedder):
        def embed(self, asked):
            if any("299" in text for text in asked):
                raise KeyboardInterrupt
            return super().embed(asked)

    with AssociativeMemory(mem.path, Failing(64)) as failing, pytest.raises(KeyboardInterrupt):
        failing.add(f"fact {n}" for n in range(300))
    assert mem.count() == 0


def test_scores_are_cosines(mem):
    mem.add("alpha beta gamma")
    (hit,) = mem.recall("alpha beta", threshold=0)
    one, other = EMBEDDER.embed(["alpha beta", "alpha beta gamma"])
    assert math.isclose(hit.score, float(np.dot(one, other)), abs_tol=1e-6)


def test_closing_twice_is_fine_and_using_a_closed_memory_is_not(mem):
    mem.close()
    mem.close()
    for use in (mem.list, mem.count, mem.save, mem.session, lambda: mem.add("x"), lambda: mem.recall("x")):
        with pytest.raises(memory.StorageError, match="is closed"):
            use()


def test_importing_is_light_and_recalling_never_loads_torch():
    code = """
import sys, memory
heavy = {"numpy", "faiss", "torch", "sentence_transformers", "transformers"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
with memory.AssociativeMemory(None, memory.HashingEmbedder()) as mem:
    mem.add("a fact"); assert mem.recall("a fact")
assert "faiss" in sys.modules and "torch" not in sys.modules
assert not {name.partition(".")[0] for name in sys.modules} & {"coat", "search"}
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parents[1])
