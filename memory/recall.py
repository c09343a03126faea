"""What a recall asks for and what it keeps: pure functions over texts, cosines and vectors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from memory.embedders import check_text
from memory.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_THRESHOLD = 0.4
"""The least cosine of a hit, for all-MiniLM-L6-v2.

On HotpotQA (questions 0 to 49 against all 994 passages, k = 3) it costs 0.02 of the supporting passages that no
threshold would find (0.67 against 0.69), and 60 % of these questions get nothing where their own passages are taken
away. A cosine of 0.3 silences 10 % of them, one of 0.5 costs 0.09. Another embedder needs another value.
"""
DUPLICATE = 0.95
"""Above this cosine, and with the same numbers in the same order, two texts say the same.

Of MuSiQue's 1,890 passages 25 pairs are above it, all but one of them copies or retellings. Numbers must agree
because a small embedder hardly sees them: "4 + 9 = 13" and "4 + 10 = 14" are not the same step.
"""
RECENT_STEPS = 2
"""How many of the path's last steps a recall looks from.

With two, a filler after the step that matters ("so next I need …") costs no second hop on HotpotQA (0.81 of 200 within
the first three); with one it does (0.73). More than two changed nothing.
"""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the memory: the `question`, the `path` of step texts so far, and ids to `skip`."""

    question: str
    path: Sequence[str] = ()
    skip: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A recalled text: its `id` (episodes have negative ones), the `source` to cite, and its cosine, `score`."""

    id: int
    text: str
    source: str
    score: float
    kind: Literal["fact", "episode"]


class Candidate(NamedTuple):
    """A hit that may be chosen, with its `vector`: float32, shape (d,)."""

    hit: Hit
    vector: NDArray[np.float32]


class Pool(NamedTuple):
    """The candidates of one query, and the `floor`: no fact outside of it has a higher score.

    Among many facts that is so but for those that the index missed (see `memory.index.nearest`), and these no larger
    pool would bring back for sure; a pool of all facts there are has a floor below every cosine.
    """

    candidates: list[Candidate]
    floor: float


def views(query: Query) -> list[str]:
    """The texts that are embedded for one query: the question alone, and the question with the last steps.

    A text's score is its larger cosine. The second finds what the path has led to, the next hop; the first keeps the
    question when a step went astray. With a sentence of one supporting passage as the path, the other passage is
    among the first three for 0.83 of 100 HotpotQA questions, both ways round and without a threshold; by the question
    alone for 0.75, by the best weighted sum of question and step for 0.78.

    Raises:
        InputError: Question and path are blank or not valid Unicode, or the path is one text instead of a list.
    """
    if isinstance(query.path, str):
        raise InputError("the path of a recall is a list of step texts, not one text.")
    recent = [step for step in query.path if step.strip()][-RECENT_STEPS:]
    texts = [query.question.strip(), " ".join([query.question.strip(), *recent]).strip()]
    asked = list(dict.fromkeys(text for text in texts if text))
    if not asked:
        raise InputError("a recall needs a question or a path; both are empty.")
    for text in asked:
        check_text(text, "the question or path of a recall")
    return asked


def choose(candidates: Iterable[Candidate], query: Query, k: int, threshold: float) -> list[Hit]:
    """The best `k` of `candidates` with a score of at least `threshold`, best first.

    Left out are ids to skip, texts that a step of the path holds (letter case and spacing aside), and texts that say
    the same as one already chosen (see `DUPLICATE`).
    """
    held = [_plain(step) for step in query.path]
    chosen: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: (-each.hit.score, each.hit.id)):
        hit = candidate.hit
        if len(chosen) == k or hit.score < threshold:
            break
        if hit.id in query.skip or any(_plain(hit.text) in step for step in held):
            continue
        if not any(_says_the_same(candidate, other) for other in chosen):
            chosen.append(candidate)
    return [candidate.hit for candidate in chosen]


def check_limits(k: int, threshold: float) -> None:
    """Refuse limits that make no sense.

    Raises:
        InputError: `k` is below 1, or `threshold` is no cosine.
    """
    if k < 1:
        raise InputError(f"k is {k}; a recall returns at least 1 text.")
    if not -1 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; it is a cosine, between -1 and 1.")


def _says_the_same(one: Candidate, other: Candidate) -> bool:
    near = float(one.vector @ other.vector) > DUPLICATE
    return near and _numbers(one.hit.text) == _numbers(other.hit.text)


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
