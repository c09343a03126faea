"""Part `answers`: what a memory inside the search adds to answers, against retrieval beside it, and none.

HotpotQA's questions over the passages of all 100. `in_search` recalls for every expansion, from the question and the
path; `beside` retrieves once, by the question, as many passages as the answer's path of `in_search` holds, and tells
them at the root; `off` tells nothing. Model, strategy, seed and token budget are the same.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coat
from benchmarks.memory.association import QUESTIONS, KeptEmbedder, Question, read
from coat.intervals import paired
from coat.tasks import get
from memory import AssociativeMemory, SentenceTransformerEmbedder

MODEL = "gemma3-270m"
"""The strongest small model that comes with a package."""
TOKENS, WIDTH = 400, 3
RECALL = 2
"""Facts for an expansion."""
TUNED, ASKED, ASKED_QUICKLY = 50, 25, 2
"""Questions that the memory's constants were chosen by, and how many of the others are asked."""
WAYS = ("in_search", "beside", "off")


def measure(data: Path, cache: Path, *, quick: bool = False, model: str = MODEL) -> dict[str, Any]:
    """`qa_f1` by way, with paired differences; the supporting passages found by `in_search` and `beside`.

    Raises:
        InputError: a file is missing.
    """
    passages, questions = read(data / "hotpotqa")
    golds = records(data / "hotpotqa")
    chosen = list(zip(questions, golds, strict=True))[TUNED:][: ASKED_QUICKLY if quick else ASKED]
    rows: list[dict[str, Any]] = []
    with SentenceTransformerEmbedder() as minilm, coat.load(model) as policy:
        embedder = KeptEmbedder(minilm, cache / "association.npz")
        with AssociativeMemory(None, embedder) as memory:
            memory.add(passages)
            for number, (question, record) in enumerate(chosen, 1):
                began = time.monotonic()
                rows.append(ask(question, record, policy, memory, embedder))
                taken = time.monotonic() - began
                sys.stderr.write(f"answers: question {number} of {len(chosen)}, {taken:.0f} s\n")
    return figures(rows) | {"model": model}


def ask(question: Question, record: str, policy: Any, memory: AssociativeMemory, embedder: Any) -> dict[str, Any]:
    """F1 and passages found of one question, each way."""
    inside = solve(record, policy, memory, RECALL)
    told = len(inside.recalled) or RECALL
    with AssociativeMemory(None, embedder) as few:
        few.add([(hit.text, hit.source) for hit in memory.recall(question.text, k=told, threshold=-1)])
        beside = solve(record, policy, few, told, recall_threshold=0.0)
    results = dict(zip(WAYS, (inside, beside, solve(record, policy, None, RECALL)), strict=True))
    task = get("hotpotqa")
    problem = task.read(record)
    return {
        "f1": {
            name: (task.score(problem, each.answer) or 0.0) if each.answer else 0.0 for name, each in results.items()
        },
        "found": {name: found(question, results[name]) for name in WAYS[:2]},
        "told": {name: len(results[name].recalled) for name in WAYS[:2]},
        "spent": {name: each.usage.spent for name, each in results.items()},
    }


def solve(record: str, policy: Any, memory: AssociativeMemory | None, recall: int, **knobs: Any) -> coat.Result:
    """One search of CoAT."""
    return coat.solve(
        record, task="hotpotqa", model=policy, memory=memory, recall=recall, tokens=TOKENS, width=WIDTH, **knobs
    )


def found(question: Question, result: coat.Result) -> float:
    """The share of the supporting passages that were told on the answer's path."""
    told = {hit["text"] for hit in result.recalled}
    return len(told & set(question.support)) / len(question.support)


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the questions, and differences with 95 % bootstrap intervals."""
    f1 = {name: [row["f1"][name] for row in rows] for name in WAYS}
    shares = {name: [row["found"][name] for row in rows] for name in WAYS[:2]}
    gaps = {f"in_search - {name}": _rounded(paired(f1["in_search"], f1[name])) for name in WAYS[1:]}
    gap = _rounded(paired(shares["in_search"], shares["beside"]))
    return {
        "qa_f1": {name: round(statistics.fmean(each), 4) for name, each in f1.items()} | gaps,
        "in_search": round(statistics.fmean(shares["in_search"]), 4),
        "beside": round(statistics.fmean(shares["beside"]), 4),
        "detail": {
            "questions": len(rows),
            "found_gap": gap,
            "told": {name: round(statistics.fmean([row["told"][name] for row in rows]), 2) for name in WAYS[:2]},
            "spent": {name: round(statistics.fmean([row["spent"][name] for row in rows]), 1) for name in WAYS},
        },
    }


def _rounded(gap: Sequence[float]) -> list[float]:
    return [round(each, 4) for each in gap]


def records(folder: Path) -> list[str]:
    """The records of the questions, as the task reads them."""
    entries = json.loads((folder / QUESTIONS).read_text(encoding="utf-8"))
    return [json.dumps({"question": entry["question"], "answer": entry["answer"]}) for entry in entries]
