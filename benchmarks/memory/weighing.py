"""What F_a tells, and what its weight β does to a search, on HotpotQA.

Without a model: a step that says a supporting sentence should have a higher F_a than one that says a sentence of a
passage that supports nothing. With one: whole searches that differ in β alone.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import coat
from benchmarks.memory import answers
from benchmarks.memory.association import HELD_OUT, QUESTIONS, TUNED, KeptEmbedder, Question, read
from benchmarks.memory.progress import say
from coat.association import Associations
from coat.intervals import paired
from coat.tasks import get
from memory import DEFAULT_THRESHOLD, AssociativeMemory
from search import Node

BETAS = (0.0, 0.25, 0.5, 1.0, 2.0)
ASKED = 25
"""How many questions are searched of those to choose by, and as many of the others."""
RANKED_QUICKLY = 10
"""How many questions are enough for a quick `fa_auc`."""


class Outcome(NamedTuple):
    """A search: the answer's F1, the share of the passages on its path, its words, and what F_a `changed`."""

    f1: float
    found: float
    words: int
    changed: tuple[bool, ...]


class Steps(NamedTuple):
    """Sentences that may be said about a question: those that support its answer, by passage, and others."""

    question: str
    good: tuple[tuple[str, ...], ...]
    bad: tuple[str, ...]


def measure(data: Path, embedder: KeptEmbedder, *, quick: bool = False) -> dict[str, Any]:
    """`fa_auc` on the questions that nothing was chosen by, and by β the answers' F1 and passages found on 25 of them.

    `detail` has the same on questions to choose by, and what else is known of the searches. `quick` searches nothing.

    Raises:
        InputError: A file is missing.
    """
    passages, questions = read(data / "hotpotqa")
    steps = sentences(data / "hotpotqa")
    records = answers.records(data / "hotpotqa")
    halves = {"reported": HELD_OUT[:RANKED_QUICKLY]} if quick else {"reported": HELD_OUT, "tuned": TUNED}
    with AssociativeMemory(None, embedder) as memory:
        memory.add(passages)
        ranked = {half: ranking(memory, [steps[n] for n in numbers]) for half, numbers in halves.items()}
        embedder.keep()
        told = {"fa_auc": ranked["reported"]["second"]["fa"]}
        if quick:
            return told | {"detail": {"fa": ranked}}
        searched: dict[str, Any] = {}
        with coat.load(answers.MODEL) as policy:
            for half, numbers in halves.items():
                chosen = [(questions[n], records[n]) for n in numbers[:ASKED]]
                searched[half] = searches(chosen, BETAS, policy, memory, half)
    return told | {
        "beta_f1": {beta: each["f1"] for beta, each in searched["reported"].items()},
        "detail": {"fa": ranked, "beta": searched, "model": answers.MODEL},
    }


def sentences(folder: Path) -> list[Steps]:
    """The sentences of each question of HotpotQA in `folder`."""
    found = []
    for entry in json.loads((folder / QUESTIONS).read_text(encoding="utf-8")):
        context = dict(entry["context"])
        said: dict[str, list[str]] = {}
        for title, number in entry["supporting_facts"]:
            if number < len(context[title]):  # of two questions a sentence is named that is not there
                said.setdefault(title, []).append(context[title][number].strip())
        bad = [text.strip() for title, texts in context.items() if title not in said for text in texts]
        found.append(Steps(entry["question"], tuple(map(tuple, said.values())), tuple(filter(None, bad))))
    return found


def ranking(memory: AssociativeMemory, steps: Sequence[Steps]) -> dict[str, dict[str, Any]]:
    """How well F_a tells supporting sentences from others, as the mean AUC of the questions.

    `first`: as the first step, with what the question recalls. `second`: a supporting sentence of one passage is the
    path, and those of another are to be told from the others, with what is recalled then too.

    Returns:
        For each, `fa`; `cosine`, that of question and step, which knows no memory; `gap`, their mean difference with
        its 95 % interval; `told`, F_a against the sentences of recalled passages alone; how many `questions`.
    """
    memory.embed(list(dict.fromkeys(text for each in steps for text in (*itertools.chain(*each.good), *each.bad))))
    found: dict[str, list[Mapping[str, float]]] = {"first": [], "second": []}
    for each in steps:
        associations = Associations(memory, answers.RECALL, DEFAULT_THRESHOLD)
        root = associations.recall(each.question, (), (), 0)
        good = list(itertools.chain(*each.good))
        found["first"].append(_ranked(memory, associations, root, each, (), good))
        for passage in each.good:
            path = passage[:1]
            hits = associations.recall(each.question, path, [hit["id"] for hit in root], 0)
            other = [text for text in good if text not in passage]
            if other:
                found["second"].append(_ranked(memory, associations, [*root, *hits], each, path, other))
    return {name: _means(rows) for name, rows in found.items()}


def _ranked(
    memory: AssociativeMemory,
    associations: Associations,
    hits: Sequence[dict[str, Any]],
    steps: Steps,
    path: Sequence[str],
    good: Sequence[str],
) -> dict[str, float]:
    fa = {text: associations.weigh(hits, text, path) for text in (*good, *steps.bad)}
    question = memory.embed([" ".join([steps.question, *path])])[0]
    cosine = {text: float(memory.embed([text])[0] @ question) for text in fa}
    recalled = [text for text in steps.bad if any(text in hit["text"] for hit in hits)]
    row = {"fa": auc([fa[text] for text in good], [fa[text] for text in steps.bad])}
    row["cosine"] = auc([cosine[text] for text in good], [cosine[text] for text in steps.bad])
    return row | ({"told": auc([fa[text] for text in good], [fa[text] for text in recalled])} if recalled else {})


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    means = {
        name: round(statistics.fmean(row[name] for row in rows if name in row), 4)
        for name in ("fa", "cosine", "told")
        if any(name in row for row in rows)
    }
    gap = paired([row["fa"] for row in rows], [row["cosine"] for row in rows])
    return means | {"gap": [round(each, 4) for each in gap], "questions": len(rows)}


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """The share of pairs of which the good one is larger, ties as half (Hanley & McNeil 1982).

    >>> auc([0.5, 0.2], [0.2, 0.1])
    0.875
    """
    pairs = [(one > other) + (one == other) / 2 for one in good for other in bad]
    return statistics.fmean(pairs)


def searches(
    chosen: Sequence[tuple[Question, str]], betas: Sequence[float], policy: Any, memory: AssociativeMemory, half: str
) -> dict[str, dict[str, Any]]:
    """By each of `betas`, the means of what its searches found for questions with their records; see `summed`."""
    rows: list[dict[str, Outcome]] = []
    for number, (question, record) in enumerate(chosen, start=1):
        say(f"β: question {number} of {len(chosen)} ({half})")
        rows.append({f"{beta:g}": search(question, record, policy, memory, beta) for beta in betas})
    return summed(rows)


def search(question: Question, record: str, policy: Any, memory: AssociativeMemory, beta: float) -> Outcome:
    """One search with this β."""
    task = get("hotpotqa")
    result = answers.solve(record, policy, memory, answers.RECALL, beta=beta)
    score = task.score(task.read(record), result.answer) if result.answer else None
    turned = changes([result.tree[n] for n in range(len(result.tree))])
    return Outcome(score or 0.0, answers.found(question, result), len((result.answer or "").split()), tuple(turned))


def summed(rows: Sequence[Mapping[str, Outcome]]) -> dict[str, dict[str, Any]]:
    """The outcomes of several questions, each by β, as means by β.

    Returns:
        `f1` of the answers and its `gap` to the first β's with a 95 % interval, the share of the supporting passages
        `found` on the answer's path, an answer's `words`, and the share of `expansions` whose best child F_a `changed`.
    """
    figures: dict[str, dict[str, Any]] = {}
    first = [next(iter(row.values())).f1 for row in rows]
    for beta in rows[0]:
        each = [row[beta] for row in rows]
        turned = [change for one in each for change in one.changed]
        figures[beta] = {
            "f1": round(statistics.fmean(one.f1 for one in each), 4),
            "gap": [round(value, 4) for value in paired([one.f1 for one in each], first)],
            "found": round(statistics.fmean(one.found for one in each), 4),
            "words": round(statistics.fmean(one.words for one in each), 1),
            "changed": round(statistics.fmean(turned), 4) if turned else 0.0,
            "expansions": len(turned),
        }
    return figures


def changes(nodes: Sequence[Node]) -> list[bool]:
    """For each node with several judged children: whether the best of them is another one than F_g alone says."""
    children: dict[int, list[Node]] = {}
    for node in nodes:
        if node.parent is not None and "F_a" in node.parts and node.judged is not None:
            children.setdefault(node.parent, []).append(node)
    return [
        max(each, key=lambda node: node.parts["F_g"]) is not max(each, key=lambda node: node.judged or 0.0)
        for each in children.values()
        if len(each) > 1
    ]
