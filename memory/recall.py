"""What a recall asks for and what it gives: plain data, and what is checked of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from memory.embedders import check_text
from memory.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.records import Fact

DEFAULT_THRESHOLD = 0.4
"""The least cosine of a hit, for all-MiniLM-L6-v2.

On HotpotQA (questions 0 to 49 against all 994 passages, k = 3) 60 % of the questions get nothing where their own
passages are taken away, whatever the options. It costs 0.02 of the supporting passages that vectors alone find without
a threshold (0.67 against 0.69), and 0.05 of those that words and association find too (0.82 against 0.87). A cosine of
0.3 silences 10 % of them, one of 0.5 costs vectors alone 0.09. Another embedder needs another value.
"""
COVERAGE = 0.55
"""A fact of a lower cosine than the threshold is a hit if it holds so much of what the question's words tell.

On the same questions it keeps the silence of `DEFAULT_THRESHOLD` (60 %; on MuSiQue 46 %) and lets 0.02 more of the
supporting passages pass, 0.79 against 0.77 before they are ranked. 0.5 silences 4 % fewer of MuSiQue's questions.
"""
ASSOCIATED = 0.3
"""A fact that is associated with a hit is one itself from this share of the threshold on.

A second hop is often far from the question: with k = 3 the same questions get 0.85 of the supporting passages and 3.0
facts, against 0.82 and 2.96 with 0.5; with one of the two as the path 0.94 against 0.92, and on MuSiQue 0.665 and 0.732
against 0.635 and 0.709. 0.25 and less find no more, and neither does a lower share for a name that is a title alone.
What is silenced stays so, since nothing is associated with nothing.
"""
DIVERSITY = 0.15
"""The weight of being unlike the hits before (1 - lambda of maximal marginal relevance).

The same mean (see `RANK_CONSTANT`, here 1) is 0.870 for 0, 0.873 for 0.1 and 0.15, 0.874 for 0.2, 0.872 for 0.3.
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


Mode = Literal["dense", "lexical", "hybrid"]
Association = Literal["off", "hop", "pagerank"]


@dataclass(frozen=True, slots=True)
class Options:
    """How facts are found and chosen.

    Attributes:
        mode: By their vectors, by their words, or by both.
        association: Whether facts that share names with the first hits come up too: those one hop away, or those that
            personalised PageRank finds within two hops.
        diversity: The weight of being unlike the hits before, from 0 (relevance alone) to 1.
    """

    mode: Mode = "hybrid"
    association: Association = "hop"
    diversity: float = DIVERSITY

    def __post_init__(self) -> None:
        """Refuse what is not there.

        Raises:
            InputError: A value is none of those above.
        """
        for name, value, known in (("mode", self.mode, Mode), ("association", self.association, Association)):
            if value not in get_args(known):
                raise InputError(f"the {name} of a recall is {value!r}; it is one of {', '.join(get_args(known))}.")
        if not 0 <= self.diversity <= 1:
            raise InputError(f"the diversity of a recall is {self.diversity}; it lies between 0 and 1.")


DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Hit:
    """A recalled text: its `id` (episodes have negative ones), the `source` to cite, and its cosine, `score`.

    `via` tells what it was associated through, a name and the fact that shares it; it is empty where question and path
    alone lead to the text. `disputed` are the ids of facts that may contradict it. Hits are in the order of their fused
    ranks, which need not be that of their scores; of two that dispute each other what was verified comes first, then
    what is newer.
    """

    id: int
    text: str
    source: str
    score: float
    kind: Literal["fact", "episode"]
    via: str = ""
    disputed: tuple[int, ...] = ()


class Candidate(NamedTuple):
    """A hit that may be chosen, with its `vector`, float32 of shape (d,), and its `fused` score.

    `standing` says what to believe where two dispute each other: whether it was verified, and when it was added.
    """

    hit: Hit
    vector: NDArray[np.float32]
    fused: float = 0.0
    standing: tuple[bool, float] = (False, 0.0)


def candidate(fact: Fact, vector: NDArray[np.float32], score: float) -> Candidate:
    """A fact as a candidate, with its largest cosine to a view of the query."""
    hit = Hit(fact.id, fact.text, fact.source, min(score, 1.0), "fact")
    return Candidate(hit, vector, standing=(fact.verified, fact.added))


class Pool(NamedTuple):
    """The candidates of one query, and the `floor`: no fact outside of it has a higher score.

    Among many facts that is so but for those that the index missed (see `memory.index.nearest`), and these no larger
    pool would bring back for sure; a pool of all facts there are has a floor below every cosine.
    """

    candidates: list[Candidate]
    floor: float


class Shortlist(NamedTuple):
    """The candidates of one query by falling fused score, and whether they are the `whole` of what there is."""

    candidates: list[Candidate]
    whole: bool


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


def check_limits(k: int, threshold: float) -> None:
    """Refuse limits that make no sense.

    Raises:
        InputError: `k` is below 1, or `threshold` is no cosine.
    """
    if k < 1:
        raise InputError(f"k is {k}; a recall returns at least 1 text.")
    if not -1 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; it is a cosine, between -1 and 1.")
