"""The hits that are chosen of the candidates: new to the path, and each unlike those before it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memory.conflicts import contradict, told_apart
from memory.derived import segmented

if TYPE_CHECKING:
    from memory.recall import Candidate, Hit, Query

DUPLICATE = 0.95
"""Above this cosine, and with the same numbers in the same order, two texts say the same.

Of MuSiQue's 1,890 passages 25 pairs are above it, all but one of them copies or retellings. Numbers must agree
because a small embedder hardly sees them: "4 + 9 = 13" and "4 + 10 = 14" are not the same step.
"""
SHARED_PAIRS = 0.5
"""The least share of pairs of characters that two texts in scripts without spaces have in common if they say the same.

An embedder of English knows few Chinese or Japanese characters, and finds texts alike that share nothing.
"""


def choose(candidates: Sequence[Candidate], query: Query, k: int, diversity: float) -> list[Hit]:
    """The `k` best of `candidates` by maximal marginal relevance (Carbonell & Goldstein 1998), best first.

    A candidate's relevance is its fused score as a share of the largest; `diversity` is the weight of its largest
    cosine to what is chosen already, that of the relevance is the rest. Left out are ids to skip, texts that a step of
    the path holds (letter case, width and spacing aside), and texts that say the same as one already chosen.
    """
    import numpy as np

    held = [_plain(step) for step in query.path]
    rest = [each for each in candidates if each.hit.id not in query.skip and not _is_held(each.hit.text, held)]
    if not rest:
        return []
    relevance = np.array([each.fused for each in rest]) / max(each.fused for each in rest)
    vectors = np.stack([each.vector for each in rest])
    nearest = np.zeros(len(rest))
    free = np.ones(len(rest), dtype=bool)
    chosen: list[Candidate] = []
    while len(chosen) < k and free.any():
        worth = np.where(free, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(worth.argmax())
        chosen.append(rest[best])
        cosines = vectors @ vectors[best]
        nearest = np.maximum(nearest, cosines)
        free[best] = False
        for other in np.flatnonzero(free & (cosines > DUPLICATE)).tolist():
            free[other] = not _says_the_same(rest[best].hit.text, rest[other].hit.text)
    return told_apart(chosen, rest, candidates)


def _is_held(text: str, steps: Sequence[str]) -> bool:
    return bool(steps) and any(_plain(text) in step for step in steps)


def _says_the_same(one: str, other: str) -> bool:
    """Whether two texts whose vectors are near say the same."""
    if numbers(one) != numbers(other) or contradict(one, other):
        return False
    mine, theirs = _pairs(one), _pairs(other)
    return not (mine or theirs) or len(mine & theirs) >= SHARED_PAIRS * len(mine | theirs)


def numbers(text: str) -> list[str]:
    """The numbers in `text`, in order: digits of any script and width, fractions, Chinese and Roman numerals."""
    if text.isascii():
        return re.findall(r"\d+", text)
    folded = "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in text)
    runs = "".join(sign if sign.isnumeric() else " " for sign in folded)
    return runs.split()


def _pairs(text: str) -> set[str]:
    return {pair for pair in re.findall(r"\w+", segmented(text)) if segmented(pair) != pair}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
