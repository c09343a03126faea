"""Part `knobs`: what k and the threshold do to what a recall tells, and what β does to a search (see `weighing`).

Of HotpotQA's and MuSiQue's questions 0 to 49 are there to choose by (`tuned`), 50 to 99 are reported. A fact that is
told and supports nothing costs tokens, and leads a small model astray.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.memory import weighing
from benchmarks.memory.association import HELD_OUT, TUNED, KeptEmbedder, Question, read
from memory import AssociativeMemory, Query, SentenceTransformerEmbedder

KS = (1, 2, 3, 5, 10)
THRESHOLDS = (-1.0, 0.2, 0.3, 0.4, 0.5, 0.6)
"""-1 lets everything pass."""

Asked = tuple[Query, tuple[str, ...]]
"""A query, and the passages that it is to find."""


def measure(data: Path, cache: Path, *, quick: bool = False) -> dict[str, Any]:
    """`fa_auc` and `beta_f1` (see `weighing`); in `detail` the grid of k and thresholds for each data set.

    Raises:
        InputError: A file is missing.
    """
    grids: dict[str, Any] = {}
    with SentenceTransformerEmbedder() as minilm:
        embedder = KeptEmbedder(minilm, cache / "association.npz")
        for name in ("hotpotqa",) if quick else ("hotpotqa", "musique"):
            passages, questions = read(data / name)
            with AssociativeMemory(None, embedder) as memory:
                memory.add(passages)
                parts = {"reported": [questions[n] for n in HELD_OUT]}
                if not quick:
                    parts["tuned"] = [questions[n] for n in TUNED]
                ways = (KS[::2], THRESHOLDS[2:5]) if quick else (KS, THRESHOLDS)
                grids[name] = {part: grid(memory, chosen, *ways) for part, chosen in parts.items()}
            embedder.keep()
        found = weighing.measure(data, embedder, quick=quick)
        embedder.keep()
    detail = found.pop("detail")
    return found | {"detail": {"recall": grids, **detail}}


def grid(
    memory: AssociativeMemory, questions: Sequence[Question], ks: Sequence[int], thresholds: Sequence[float]
) -> dict[str, list[dict[str, float]]]:
    """The figures of `told` for every k and threshold: by the question alone, and `stepwise` with a first passage.

    `silent` is the share of the questions that are told nothing by a memory without the passages of any of them.
    """
    direct = [(Query(question.text), question.support) for question in questions]
    stepwise = [
        (Query(question.text, (first,)), tuple(text for text in question.support if text != first))
        for question in questions
        for first in question.support
    ]
    own = {text for question in questions for text in question.context}
    facts = memory.list()
    rows = {
        name: [_row(memory, asked, k, threshold) for threshold in thresholds for k in ks]
        for name, asked in (("direct", direct), ("stepwise", stepwise))
    }
    memory.forget([fact.id for fact in facts if fact.text in own])
    queries = [query for query, _ in direct]
    for row in rows["direct"]:
        hits = memory.recall_many(queries, k=1, threshold=row["threshold"])
        row["silent"] = round(statistics.fmean(not each for each in hits), 4)
    memory.add([(fact.text, fact.source) for fact in facts])
    return rows


def _row(memory: AssociativeMemory, asked: Sequence[Asked], k: int, threshold: float) -> dict[str, float]:
    hits = memory.recall_many([query for query, _ in asked], k=k, threshold=threshold)
    texts = [[hit.text for hit in each] for each in hits]
    return {"k": k, "threshold": threshold} | told(texts, [wanted for _, wanted in asked])


def told(texts: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """What was told against what was `wanted`, for each query.

    Returns:
        `found`, the mean share of the wanted; `told`, the mean number of texts, and how many of these `support`
        nothing that was asked (`beside`); `precision`, the share of all texts that were wanted.

    >>> told([["a", "x"], []], [["a", "b"], ["c"]])
    {'found': 0.25, 'told': 1.0, 'beside': 0.5, 'precision': 0.5}
    """
    right = [len(set(want) & set(have)) for have, want in zip(texts, wanted, strict=True)]
    total = sum(map(len, texts))
    return {
        "found": round(statistics.fmean(n / len(want) for n, want in zip(right, wanted, strict=True)), 4),
        "told": round(total / len(texts), 4),
        "beside": round((total - sum(right)) / len(texts), 4),
        "precision": round(sum(right) / total, 4) if total else 0.0,
    }


if __name__ == "__main__":
    import sys

    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
