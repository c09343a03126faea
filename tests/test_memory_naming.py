"""Embedders by name, and files that are opened with their own."""

import shutil
from pathlib import Path

import pytest

import memory
from memory import AssociativeMemory, HashingEmbedder, SentenceTransformerEmbedder
from memory.embedders import CachedEmbedder, same
from memory.instructions import InstructedEmbedder, Prefixes, prefixes

PUZZLE = Path(__file__).parents[1] / "coat" / "assets" / "puzzle.gguf"


def test_a_name_decides_the_kind():
    assert memory.embedder().name == "sentence-transformers/all-MiniLM-L6-v2"
    assert isinstance(memory.embedder("some/model"), SentenceTransformerEmbedder)
    assert memory.embedder("hashing").dimension == 256
    assert memory.embedder("hashing-32").dimension == 32
    assert memory.embedder(str(PUZZLE)).name == memory.embedder(f"gguf:{PUZZLE}").name
    assert memory.embedder("openai:http://localhost:1/v1#m").name == "openai:http://localhost:1/v1#m"


@pytest.mark.parametrize("name", ["minilm", "hashing-0", "a/b/c", "", "/folder", "hashing-x"])
def test_a_name_of_nothing_is_refused_with_what_there_is(name):
    with pytest.raises(memory.InputError, match=r"there is no embedder .*OWNER/MODEL.*gguf:PATH.*openai:URL#MODEL"):
        memory.embedder(name)


@pytest.mark.parametrize("name", ["openai:localhost:1", "openai:ftp://localhost/v1", "openai:http://"])
def test_an_address_of_no_server_is_refused(name):
    with pytest.raises(memory.InputError, match="is no address of a server"):
        memory.embedder(name)


def test_a_file_is_known_by_what_it_holds_and_a_server_by_its_model():
    assert same("gguf:a.gguf@0123", "gguf:b.gguf@0123")
    assert not same("gguf:a.gguf@0123", "gguf:a.gguf@4567")
    assert not same("gguf:a.gguf@0123", "gguf:a.gguf@0123 after 'passage: '")
    assert same("openai:http://a/v1#m", "openai:http://b/v1#m")
    assert not same("openai:http://a/v1#m", "openai:http://a/v1#n")
    assert not same("a/model", "b/model")


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("intfloat/multilingual-e5-small", "query: "),
        ("intfloat/e5-base-v2", "query: "),
        ("nomic-embed-text-v1.5.Q8_0.gguf@0123", "search_query: "),
        ("Qwen/Qwen3-Embedding-0.6B", "Instruct: "),
        ("google/embeddinggemma-300m", "task: search result | query: "),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence"),
    ],
)
def test_families_that_want_instructions_are_known(name, question):
    assert prefixes(name).question.startswith(question)


@pytest.mark.parametrize("name", ["sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-m3", "some/phase5-small"])
def test_others_get_none(name):
    assert prefixes(name) is None


class Recording(HashingEmbedder):
    def __init__(self):
        super().__init__(16)
        self.read = []

    def embed(self, texts):
        self.read += texts
        return super().embed(texts)


def test_questions_and_facts_are_embedded_with_their_prefixes():
    inner = Recording()
    with AssociativeMemory(None, InstructedEmbedder(inner, Prefixes("ask: ", "text: "))) as mem:
        mem.add("a fact")
        mem.recall("a question", ["a step"], threshold=-1)
        mem.embed(["a question"])
        session = mem.session()
        session.observe("tried", value=0.5)
        session.recall("a question")
    asked = ["ask: a question", "ask: a question a step"]
    assert inner.read == ["text: a fact", *asked, "text: a question", "text: tried"]


def test_the_prefix_of_texts_is_part_of_the_name():
    inner = HashingEmbedder(16)
    assert InstructedEmbedder(inner, Prefixes("ask: ", "")).name == "hashing-16"
    assert InstructedEmbedder(inner, Prefixes("ask: ", "text: ")).name == "hashing-16 after 'text: '"
    known = memory.embedder("intfloat/multilingual-e5-small")
    assert known.name == "intfloat/multilingual-e5-small after 'passage: '"
    assert known.place == "intfloat/multilingual-e5-small"


def test_an_embedder_that_makes_no_difference_is_asked_once():
    inner = Recording()
    cached = CachedEmbedder(inner)
    assert (cached.embed(["a"]) == cached.embed_questions(["a"])).all()
    assert inner.read == ["a"]


def test_a_file_is_opened_with_its_own_embedder(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, "hashing-16") as mem:
        mem.add("a fact")
    with AssociativeMemory(path, default="hashing-64") as mem:
        assert mem.embedder == "hashing-16"
        assert mem.recall("a fact", threshold=0.9)
    with AssociativeMemory(tmp_path / "new.db", default="hashing-64") as mem:
        mem.add("a fact")
        assert mem.embedder == "hashing-64"


def test_a_memory_of_a_file_knows_where_that_is_or_looks_beside_itself(tmp_path):
    model, path = tmp_path / "model.gguf", tmp_path / "facts.db"
    shutil.copy(PUZZLE, model)
    with AssociativeMemory(path, f"gguf:{model}") as mem:
        mem.add("24 = 4 * 6")
    with AssociativeMemory(path) as mem:
        assert mem.recall("24 = 4 * 6", threshold=0.99)
    (tmp_path / "moved").mkdir()
    for file in (model, path):
        file.rename(tmp_path / "moved" / file.name)
    model, path = tmp_path / "moved" / "model.gguf", tmp_path / "moved" / "facts.db"
    with AssociativeMemory(path) as mem:
        assert mem.recall("24 = 4 * 6", threshold=0.99)
    renamed = model.rename(tmp_path / "renamed.gguf")
    with AssociativeMemory(path) as mem:
        assert mem.list()
        with pytest.raises(memory.EmbedderError, match=r"made with gguf:model\.gguf@\w+, which is not at .*reembed"):
            mem.recall("24")
        assert mem.reembed(f"gguf:{renamed}") == 0
    with AssociativeMemory(path) as mem:
        assert mem.recall("24 = 4 * 6", threshold=0.99)


def test_another_model_in_the_same_place_is_noticed(tmp_path):
    model, path = tmp_path / "model.gguf", tmp_path / "facts.db"
    shutil.copy(PUZZLE, model)
    with AssociativeMemory(path, str(model)) as mem:
        mem.add("24 = 4 * 6")
    data = bytearray(model.read_bytes())
    data[-50_000] ^= 1
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    model.write_bytes(data)
    with AssociativeMemory(path) as mem:
        with pytest.raises(memory.EmbedderMismatchError, match=r"is gguf:model.gguf@\w+ now, .*made with gguf:model"):
            mem.recall("24")
        assert mem.forget(1) == 1


def test_facts_of_an_embedder_without_a_name_are_listed_and_forgotten(tmp_path):
    path, own = tmp_path / "facts.db", HashingEmbedder(16)
    own.name = "my own"
    with AssociativeMemory(path, own) as mem:
        mem.add(["one", "two"])
    with AssociativeMemory(path) as mem:
        assert len(mem.list()) == 2
        assert mem.forget(1) == 1
        with pytest.raises(memory.EmbedderError, match="made with my own"):
            mem.recall("two")
