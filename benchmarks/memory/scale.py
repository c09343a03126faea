"""Part `scale`: what recall costs among many facts, and what it misses; vectors as in `benchmarks.memory.vectors`.

Searches and recalls are timed in seconds of CPU of this process, in which others on the machine do not show; what the
clock said stands in `detail` under `clock_ms`.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.memory.progress import say
from benchmarks.memory.texts import Recombined
from benchmarks.memory.vectors import NOISE, embeddings, jittered
from memory import AssociativeMemory, SentenceTransformerEmbedder

if TYPE_CHECKING:
    from memory.embedders import Vectors

SIZES = (10_000, 100_000, 1_000_000)
CHUNK = 10_000
"""Facts in one transaction."""
RECALLS = 200
"""Recalls of which the median is taken."""
QUERIES = 500
"""Queries, jittered as the facts are, of which recall@10 is the mean."""
TIMED = 100
"""Queries that are timed."""
BLOCK = 20
"""Queries of one kind in a row."""
HELD_OUT = 500
"""Sentences that no vector is made of: queries too, that have no near-copies among the facts."""
SENTENCES = 2_000
"""Texts for the rate of adding."""


class Prepared:
    """An embedder that looks its vectors up."""

    def __init__(self, dimension: int) -> None:
        self.dimension, self.name = dimension, f"prepared-{dimension}"
        self._known: dict[str, Vectors] = {}

    def prepare(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Know these texts, and no others."""
        self._known = dict(zip(texts, vectors, strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`."""
        import numpy as np

        return np.stack([self._known[text] for text in texts])


class Times:
    """What is done in its `with`, again and again: median milliseconds by `cpu` and by `clock`."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, float]] = []

    def __enter__(self) -> None:
        self._taken.append((time.process_time(), time.perf_counter()))

    def __exit__(self, *_: object) -> None:
        cpu, clock = self._taken.pop()
        self._taken.append((time.process_time() - cpu, time.perf_counter() - clock))

    @property
    def cpu(self) -> float:
        """Of this process, all threads."""
        return round(1000 * statistics.median(cpu for cpu, _ in self._taken), 3)

    @property
    def clock(self) -> float:
        """On the wall."""
        return round(1000 * statistics.median(clock for _, clock in self._taken), 3)


class Bench:
    """A memory that grows from size to size, and what was measured on the way."""

    def __init__(self, folder: Path, data: Path, cache: Path) -> None:
        import numpy as np

        self.path = folder / "facts.db"
        self.sentences, vectors = embeddings(data, cache)
        order = np.random.default_rng(0).permutation(len(vectors))
        self.unseen, self.base = vectors[order[:HELD_OUT]], vectors[order[HELD_OUT:]]
        self.embedder = Prepared(vectors.shape[1])
        self.texts = Recombined(self.sentences, 1)
        self.count = self.characters = 0
        self.detail: dict[str, Any] = {"sentences": len(vectors), "noise": NOISE}

    def grow(self, vectors: Vectors) -> None:
        """Add facts until there are as many as `vectors`."""
        begun, before = time.perf_counter(), self.count
        with AssociativeMemory(self.path, self.embedder) as memory:
            for start in range(before, len(vectors), CHUNK):
                texts = self.texts.draw(min(CHUNK, len(vectors) - start))
                self.embedder.prepare(texts, vectors[start : start + CHUNK])
                memory.add(texts)
                self.characters += sum(len(text.encode()) for text in texts)
                if (start + CHUNK) % (10 * CHUNK) == 0:
                    say(f"{start + CHUNK} facts added")
        self.count = len(vectors)
        rate = (self.count - before) / (time.perf_counter() - begun)
        self.detail.setdefault("added_per_second", {})[self.count] = round(rate)

    def index(self) -> None:
        """Make the index, and load it, in a process of its own each, for what it costs."""
        for what in ("made", "loaded"):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                found = pool.submit(opened, self.path, self.embedder.dimension).result()
            found["bytes_per_fact"] = round(found["bytes_per_fact"] / self.count)
            self.detail.setdefault(f"index_{what}", {})[self.count] = found
            say(f"{self.count} facts, index {what}: {found}")

    def recall(self) -> float:
        """Median milliseconds of a recall for a question and a step."""
        questions, steps = self.texts.draw(RECALLS), self.texts.draw(RECALLS)
        asked = [text for q, step in zip(questions, steps, strict=True) for text in (q, f"{q} {step}")]
        self.embedder.prepare(asked, jittered(self.base, len(asked), 7))
        times = Times()
        with AssociativeMemory(self.path, self.embedder) as memory:
            memory.recall(questions[0])  # loads the index
            for question, step in zip(questions, steps, strict=True):
                with times:
                    memory.recall(question, [step])
        self.detail.setdefault("clock_ms", {})[f"recall {self.count}"] = times.clock
        return times.cpu

    def against_exact(self, vectors: Vectors) -> dict[str, float]:
        """Recall@10 and time beside faiss's `IndexFlatIP`, one query at a time, `BLOCK` of each in turn.

        Ours reads the texts too. `ours_after_exact` is ours right after an exact search, which has emptied the caches.
        """
        import faiss
        import numpy as np

        exact: Any = faiss.IndexFlatIP(vectors.shape[1])
        exact.add(vectors)
        queries = np.vstack([jittered(self.base, QUERIES, 8), self.unseen])
        _, truth = exact.search(queries, 10)
        faiss.omp_set_num_threads(1)  # as ours; one query is one thread's work for either
        times, shares = {name: Times() for name in ("exact", "ours", "ours_after_exact")}, []
        with AssociativeMemory(self.path, self.embedder) as memory:
            memory.nearest([queries[:1]], 10, self.count, -1.0)  # loads the index
            for start in range(0, len(queries), BLOCK):
                block = queries[start : start + BLOCK, None]
                for n, query in enumerate(block, start):
                    with times["ours"]:
                        (pool,) = memory.nearest([query], 10, self.count, -1.0)
                    shares.append(len({each.hit.id - 1 for each in pool.candidates} & set(truth[n].tolist())) / 10)
                for query in block if start < TIMED else ():
                    with times["exact"]:
                        exact.search(query, 10)
                    with times["ours_after_exact"]:
                        memory.nearest([query], 10, self.count, -1.0)
        self.detail["search_ms"] = {who: each.cpu for who, each in times.items()}
        self.detail["clock_ms"] |= {f"search {who}": each.clock for who, each in times.items()}
        self.detail["recall_at_10_unseen"] = round(statistics.fmean(shares[QUERIES:]), 4)
        return {
            "recall_at_10": round(statistics.fmean(shares[:QUERIES]), 4),
            "speedup_exact": round(times["exact"].cpu / times["ours"].cpu, 1),
        }


def opened(path: Path, dimension: int) -> dict[str, float]:
    """Seconds until a memory has its index, and bytes that this process has grown by when it has, and at most."""
    import faiss  # noqa: F401 - the library itself does not count

    process = psutil.Process()
    with AssociativeMemory(":memory:", Prepared(dimension)) as memory:
        memory.count()
    before, begun = process.memory_info().rss, time.perf_counter()
    with AssociativeMemory(path, Prepared(dimension)) as memory:
        memory.save()
        seconds = time.perf_counter() - begun
        grown = process.memory_info().rss - before
    return {"seconds": round(seconds, 2), "bytes_per_fact": grown}


def add_efficiency(sentences: Sequence[str]) -> float:
    """The rate of adding over the rate of all-MiniLM-L6-v2 alone, on the same texts, in turn."""
    step, alone, adding = 500, 0.0, 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        SentenceTransformerEmbedder() as embedder,
        AssociativeMemory(Path(folder) / "facts.db", embedder) as memory,
    ):
        embedder.embed(sentences[:64])
        for start in range(0, len(sentences), step):
            texts = sentences[start : start + step]
            for add in (False, True) if start % (2 * step) else (True, False):  # who is first changes
                begun = time.perf_counter()
                if add:
                    memory.add(texts)
                    adding += time.perf_counter() - begun
                else:
                    embedder.embed(texts)
                    alone += time.perf_counter() - begun
            say(f"{start + len(texts)} sentences: {alone:.1f} s alone, {adding:.1f} s with adding")
    return round(alone / adding, 3)


def measure(data: Path, cache: Path, *, quick: bool) -> dict[str, Any]:
    """The figures by name."""
    sizes = SIZES[:-1] if quick else SIZES
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), data, cache)
        vectors = jittered(bench.base, sizes[-1], 2)
        recall_ms = {}
        for size in sizes:
            bench.grow(vectors[:size])
            bench.index()
            recall_ms[size] = bench.recall()
            say(f"{size} facts: a recall takes {recall_ms[size]:.2f} ms")
        figures: dict[str, Any] = bench.against_exact(vectors)
        say(f"{figures}")
        index = bench.path.with_name(f"{bench.path.name}.faiss").stat().st_size
        disk = bench.path.stat().st_size + index - bench.characters
    bench.detail["bytes_per_fact"] = {
        "memory": bench.detail["index_loaded"][sizes[-1]]["bytes_per_fact"],
        "disk": round(disk / sizes[-1]),
        "index_file": round(index / sizes[-1]),
    }
    bench.detail["recall_ms"] = recall_ms
    return figures | {
        "recall_growth": round(recall_ms[sizes[-1]] / recall_ms[sizes[-2]], 2),
        "bytes_per_fact": bench.detail["bytes_per_fact"]["memory"],
        "add_efficiency": add_efficiency(bench.sentences[: SENTENCES // 4 if quick else SENTENCES]),
        "detail": bench.detail,
    }
