"""Facts that cannot both hold: the same words, but for one value or a negation.

No model reads them, so that this is a suspicion, which is told, and never a reason to drop a fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.recall import Candidate, Hit

ALIKE = 0.6
"""The least share of words that two contradicting texts have in common."""
LONGEST = 4
"""The most words of a value in which they differ."""

LONG = 600
"""The most characters of a text that is compared; a longer one says more than one thing."""
NEAR = 0.7
"""The least cosine of two texts that are compared: by all-MiniLM-L6-v2 six pairs that dispute have 0.74 to 0.98."""
RIVALS = 16
"""The most texts that one is compared with, the nearest."""

_WORDS = re.compile(r"\d[\d.,:/%-]*\d%?|\d+%?|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\d_]+")
_SHORT = re.compile(r"(?<=\w)n['’]t\b|(?<=\bcan)not\b", re.IGNORECASE)
_NEGATIONS = {"not", "no", "never", "不", "没", "沒", "未", "無", "无", "非"}
_CARRIERS = {"do", "does", "did"}
"""Words that come and go with a negation."""


def contradict(one: str, other: str) -> bool:
    """Whether two texts say the same of the same subject but for one number, one name, or a negation.

    They must be alike in their first half: the subject comes first. Where they differ in two places, the one may
    explain the other ("In 1990 … 100", "In 2000 … 120").

    >>> contradict("The Seine is 777 km long.", "The Seine is 775 km long.")
    True
    >>> contradict("Paris lies on the Seine.", "Rome lies on the Tiber.")
    False
    """
    if max(len(one), len(other)) > LONG or min(len(one), len(other)) < ALIKE * max(len(one), len(other)) / 2:
        return False
    left, right = _words(one), _words(other)
    if len(set(left) ^ set(right)) > 2 * LONGEST:
        return False
    plain, others = ([word.casefold() for word in words] for words in (left, right))
    matcher = SequenceMatcher(None, plain, others, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    if len(changes) != 1 or matcher.ratio() < ALIKE:
        return False
    _, start, end, begin, stop = changes[0]
    gone, come = left[start:end], right[begin:stop]
    if _negates(gone, come) or _negates(come, gone):
        return True
    said_first = 2 * start >= min(len(left), len(right))
    return said_first and all(0 < len(value) <= LONGEST and all(map(_is_value, value)) for value in (gone, come))


@lru_cache(4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(_SHORT.sub(" not", normalize("NFKC", text))))


def told_apart(chosen: Sequence[Candidate], free: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Hit]:
    """The hits of `chosen`, each with the ids of those of `candidates` that may contradict it.

    One that a fact of higher standing disputes, of those that are `free` to be chosen, gives it its place; if that is
    chosen too, they change places.
    """
    import numpy as np

    vectors = np.stack([each.vector for each in candidates])
    order, allowed = list(chosen), {each.hit.id for each in free}
    for place in range(len(order)):
        rivals = [each for each in _rivals(order[place], candidates, vectors) if each.hit.id in allowed]
        best = max([order[place], *rivals], key=lambda each: each.standing)
        if best is not order[place]:
            other = next((n for n, each in enumerate(order) if each.hit.id == best.hit.id), None)
            if other is None:
                order[place] = best
            elif other > place:
                order[place], order[other] = best, order[place]
    disputed = (tuple(rival.hit.id for rival in _rivals(each, candidates, vectors)) for each in order)
    return [replace(each.hit, disputed=ids) for each, ids in zip(order, disputed, strict=True)]


def _rivals(each: Candidate, candidates: Sequence[Candidate], vectors: NDArray[np.float32]) -> list[Candidate]:
    import numpy as np

    cosines = vectors @ each.vector
    nearest = np.argsort(-cosines, kind="stable")[: RIVALS + 1]
    near = [candidates[n] for n in nearest[cosines[nearest] > NEAR].tolist()]
    return [other for other in near if contradict(each.hit.text, other.hit.text)]


def _negates(gone: Sequence[str], come: Sequence[str]) -> bool:
    """Whether the only change is that a negation came."""
    plain = [word.casefold() for word in come]
    negations = [word for word in plain if word in _NEGATIONS]
    return not gone and len(negations) == 1 and all(word in _CARRIERS or word in _NEGATIONS for word in plain)


def _is_value(word: str) -> bool:
    """A number, a name, or a character of a script without capitals."""
    return word[0].isdigit() or word[0].isupper() or not (word[0].islower() or word[0].isupper())
