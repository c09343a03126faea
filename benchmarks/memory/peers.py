"""Part `peers`: the same facts, the same vectors and the same questions in coat, Chroma and mem0.

mem0 keeps texts as they are (`infer=False`), in its default vector store. Vectors are made beforehand, by one embedder
for all, so that what is timed is the stores' own. Each store is in a folder of its own on the disk. Quality is
recall@5 of the supporting passages from the question alone, on the questions that nothing was chosen by.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.memory.association import HELD_OUT, K, KeptEmbedder, Question, read
from coat.errors import InputError
from memory import AssociativeMemory, Options, SentenceTransformerEmbedder
from memory.recall import DEFAULT_OPTIONS

Recall = Callable[[str], Sequence[str]]
"""A question to the texts of its `K` hits."""
ROUNDS = 3
"""How often every question is asked; the median counts."""


def measure(data: Path, cache: Path, *, quick: bool = False) -> dict[str, Any]:
    """`peers`: for each store facts added a second, the median milliseconds of a recall, and recall@5.

    Raises:
        InputError: a file is missing, or a peer is not installed.
    """
    os.environ |= {"ANONYMIZED_TELEMETRY": "False", "MEM0_TELEMETRY": "False", "OPENAI_API_KEY": "none"}
    try:
        versions = {name: version(package) for name, package in (("chroma", "chromadb"), ("mem0", "mem0ai"))}
    except ImportError as error:
        raise InputError(f"{error}: `make peers` installs what the benchmark compares with") from error
    passages, questions = read(data / "hotpotqa")
    chosen = [questions[number] for number in HELD_OUT][: 10 if quick else None]
    found: dict[str, Any] = {}
    with SentenceTransformerEmbedder() as minilm, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        embedder = KeptEmbedder(minilm, cache / "association.npz")
        embedder.embed([*(text for text, _ in passages), *(question.text for question in chosen)])
        embedder.keep()
        for name, fill in STORES.items():
            place = Path(folder) / name
            place.mkdir()
            began = time.perf_counter()
            recall = fill(place, passages, embedder, stack)
            added = time.perf_counter() - began
            found[name] = {"version": versions.get(name, "here"), "added_per_second": round(len(passages) / added)}
            found[name] |= asked(recall, chosen)
    return {"peers": found}


def asked(recall: Recall, questions: Sequence[Question]) -> dict[str, float]:
    """The median time of a recall and its quality."""
    times, shares = list[float](), list[float]()
    for number in range(ROUNDS + 1):
        for question in questions:
            began = time.perf_counter()
            texts = recall(question.text)
            times += [time.perf_counter() - began] if number else []
            if not number:
                shares.append(len(set(texts) & set(question.support)) / len(question.support))
    return {
        "recall_ms": round(1000 * statistics.median(times), 2),
        f"recall_at_{K}": round(statistics.fmean(shares), 4),
    }


def coat_store(
    folder: Path,
    passages: Sequence[tuple[str, str]],
    embedder: KeptEmbedder,
    stack: ExitStack,
    options: Options = DEFAULT_OPTIONS,
) -> Recall:
    """This memory, with its defaults but for the threshold."""
    memory = stack.enter_context(AssociativeMemory(folder / "facts.db", embedder))
    memory.add(passages)
    memory.save()
    return lambda question: [hit.text for hit in memory.recall(question, k=K, threshold=-1, options=options)]


def chroma_store(folder: Path, passages: Sequence[tuple[str, str]], embedder: KeptEmbedder, stack: ExitStack) -> Recall:
    """A persistent collection of cosines."""
    import chromadb

    client = chromadb.PersistentClient(str(folder))
    facts = client.create_collection("facts", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    texts = [text for text, _ in passages]
    vectors = embedder.embed(texts).tolist()
    for start in range(0, len(texts), 1000):
        part = slice(start, start + 1000)
        facts.add(ids=[str(n) for n in range(len(texts))[part]], documents=texts[part], embeddings=vectors[part])

    def recall(question: str) -> list[str]:
        hits = facts.query(query_embeddings=embedder.embed([question]).tolist(), n_results=K)
        return list(hits["documents"][0])

    return recall


def mem0_store(folder: Path, passages: Sequence[tuple[str, str]], embedder: KeptEmbedder, stack: ExitStack) -> Recall:
    """A mem0 memory over its local vector store, with this embedder put into it."""
    from mem0 import Memory

    class Given:
        """The embedder as mem0 calls it."""

        def embed(self, text: str, memory_action: str | None = None) -> list[float]:
            return [float(number) for number in embedder.embed([text])[0]]

        def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
            return [[float(number) for number in row] for row in embedder.embed(texts)]

    where = {"path": str(folder / "vectors"), "embedding_model_dims": embedder.dimension, "on_disk": True}
    config = {"vector_store": {"provider": "qdrant", "config": where}, "history_db_path": str(folder / "history.db")}
    facts = Memory.from_config(config)
    stack.callback(facts.vector_store.client.close)
    facts.embedding_model = Given()
    for text, _ in passages:
        facts.add(text, user_id="all", infer=False)

    def recall(question: str) -> list[str]:
        hits = facts.search(question, filters={"user_id": "all"}, top_k=K, threshold=0.0)
        return [hit["memory"] for hit in hits["results"]]

    return recall


STORES: dict[str, Callable[..., Recall]] = {
    "coat": coat_store,
    "coat_dense": partial(coat_store, options=Options("dense", "off")),
    "chroma": chroma_store,
    "mem0": mem0_store,
}
"""What is compared; `coat_dense` recalls by vectors alone, as the peers do here."""
