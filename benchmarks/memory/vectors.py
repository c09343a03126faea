"""A million vectors like those of real texts: embeddings of sentences, each with noise of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.memory.progress import say
from memory import SentenceTransformerEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.embedders import Vectors

FILES = (
    "hotpotqa/hipporag_train_100_corpus.json",
    "musique/hipporag_train_100_corpus.json",
    "strategyqa/dev.json",
    "gsm8k/test_first300.jsonl",
    "math500/first100.jsonl",
)
"""Where the sentences are from, under the folder of data."""
SENTENCE = (40, 400)
"""The least and the most characters of a sentence."""
LEAST = 10_000
"""Fewer distinct sentences are not enough."""
NOISE = 0.6
"""How long the noise of a vector is, beside an embedding of length 1."""
CHUNK = 65_536
"""Vectors that are made at once."""


def sentences(data: Path) -> list[str]:
    """The distinct sentences of `FILES`, in order.

    Raises:
        OSError: A file is missing.
        ValueError: These are fewer than `LEAST`.
    """
    texts = (text for name in FILES for text in _strings(_parsed(data / name)))
    cut = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+", text))
    found = list(dict.fromkeys(part for part in cut if SENTENCE[0] <= len(part) <= SENTENCE[1]))
    if len(found) < LEAST:
        raise ValueError(f"{data} has {len(found)} sentences, which are fewer than {LEAST}.")
    return found


def _parsed(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def embeddings(data: Path, cache: Path) -> tuple[list[str], Vectors]:
    """The sentences and what all-MiniLM-L6-v2 makes of them: float32, (n, 384), unit rows; kept under `cache`."""
    import numpy as np

    texts = sentences(data)
    file = cache / f"minilm-{len(texts)}.npy"
    if not file.exists():
        say(f"embedding {len(texts)} sentences into {file}")
        cache.mkdir(parents=True, exist_ok=True)
        with SentenceTransformerEmbedder() as embedder:
            np.save(file, embedder.embed(texts))
    return texts, np.load(file)


def jittered(base: Vectors, count: int, seed: int) -> Vectors:
    """`count` vectors, float32 (count, d), unit rows: a row of `base` plus gaussian noise of length `NOISE`.

    Rows of `base` are taken in turn, in an order of chance.
    """
    import numpy as np

    chance = np.random.default_rng(seed)
    made = np.empty((count, base.shape[1]), dtype=np.float32)
    for start in range(0, count, CHUNK):
        rows: NDArray[np.float32] = made[start : start + CHUNK]
        chance.standard_normal(out=rows, dtype=np.float32)
        rows *= NOISE / base.shape[1] ** 0.5
        rows += base[chance.integers(len(base), size=len(rows))]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return made
