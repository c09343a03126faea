"""The memory on its real embedder, all-MiniLM-L6-v2; one process of it for all tests."""

import os
import signal

import numpy as np
import pytest

from memory import AssociativeMemory, Options, SentenceTransformerEmbedder

pytestmark = pytest.mark.xdist_group("minilm")

FACTS = [
    ("Alice Munro: Alice Munro was a Canadian writer who was born in the small town of Wingham.", "Alice Munro"),
    ("Wingham, Ontario: Wingham is a community in Huron County, on the Maitland River.", "Wingham, Ontario"),
    ("Lilu: In Akkadian mythology a lilu is a masculine demon of the night.", "Lilu"),
    ("Gallu: Gallus were demons of the Mesopotamian underworld.", "Gallu"),
    ("Demon Dice: Demon Dice is a collectible dice game by Lester Smith.", "Demon Dice"),
    ("Sourdough: Sourdough bread is raised with wild yeast.", "Sourdough"),
]


@pytest.fixture(scope="module")
def embedder():
    with SentenceTransformerEmbedder() as minilm:
        yield minilm


@pytest.fixture
def mem(embedder, tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", embedder) as opened:
        opened.add(FACTS)
        yield opened


def sources(hits):
    return [hit.source for hit in hits]


def test_without_association_the_second_hop_is_found_only_when_the_path_holds_the_first(mem):
    question, options = "Which river flows through the town where Alice Munro was born?", Options(association="off")
    first = mem.recall(question, options=options)
    assert sources(first) == ["Alice Munro"]
    path = ["Alice Munro was born in Wingham."]
    second = mem.recall(question, path, skip=[hit.id for hit in first], options=options)
    assert sources(second) == ["Wingham, Ontario"]


def test_association_brings_the_second_hop_with_the_first(mem):
    hits = mem.recall("Which river flows through the town where Alice Munro was born?")
    assert sources(hits) == ["Alice Munro", "Wingham, Ontario"]
    assert [hit.via for hit in hits] == ["", "'wingham' in fact 1"]


def test_meaning_is_recalled_without_shared_words(mem):
    assert sources(mem.recall("How can I bake a loaf?", k=1)) == ["Sourdough"]
    assert sources(mem.recall("evil spirits of Babylon", k=1)) == ["Gallu"]


def test_questions_about_nothing_in_the_memory_recall_nothing(mem):
    asked = ["Use the numbers 4 9 10 13 to make 24", "What is 17 times 23?", "hello", "Reverse a list in Python."]
    assert [mem.recall(question) for question in asked] == [[], [], [], []]


def test_a_session_recalls_facts_and_episodes_on_one_scale(mem):
    session = mem.session()
    step = session.observe("A gallu is a demon of the underworld.", value=0.9, fate="proved")
    hits = session.recall("What is a gallu?", k=2)
    assert {hit.kind for hit in hits} == {"fact", "episode"}
    assert step in {hit.id for hit in hits}


def test_vectors_are_unit_length_the_same_each_time_and_any_text_has_one(embedder):
    texts = ["", "?", "a", "🧠", "word " * 200_000, "[CLS] [SEP] <|im_end|>"]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, embedder.dimension) == (6, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(embedder.embed(texts[:3]), vectors[:3], atol=1e-5)


def test_ctrl_c_in_the_terminal_does_not_reach_the_process(embedder):
    before = embedder.embed(["a"])
    os.kill(embedder._child._process.pid, signal.SIGINT)
    assert np.allclose(embedder.embed(["a"]), before, atol=1e-6)
