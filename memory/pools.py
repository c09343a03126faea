"""From vectors to candidates: the facts that are near to queries, with their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memory.facts import FactStore
from memory.index import VectorIndex, nearest
from memory.recall import Pool, candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.embedders import Vectors


def gather(
    index: VectorIndex, facts: FactStore, queries: Sequence[Vectors], size: int, up_to: int, threshold: float
) -> list[Pool]:
    """For each of `queries`, float32 (views, d), the `size` facts nearest to each of its views.

    A fact's score is its largest cosine to a view; one below `threshold` is left out, and so are ids above `up_to`.
    """
    import numpy as np

    scores, ids, vectors = nearest(index, facts, np.concatenate(queries), size, up_to)
    ends = np.cumsum([len(views) for views in queries])[:-1]
    blocks = list(zip(np.split(scores, ends), np.split(ids, ends), strict=True))
    found = [_best(*block, threshold) for block in blocks]
    stored = {fact.id: fact for fact in facts.facts(ids=set().union(*found))}
    pools = []
    for best, (block, _) in zip(found, blocks, strict=True):
        there = ((stored[number], score) for number, score in best.items() if number in stored)
        near = [candidate(fact, vectors[fact.id], score) for fact, score in there]
        pools.append(Pool(near, float(block[:, -1].max())))
    return pools


def _best(scores: NDArray[np.float32], ids: NDArray[np.int64], threshold: float) -> dict[int, float]:
    """The largest score of each id, of those of at least `threshold`; both arrays are (views, size)."""
    best: dict[int, float] = {}
    for number, score in zip(ids.ravel().tolist(), scores.ravel().tolist(), strict=True):
        if number >= 0 and score >= threshold:
            best[number] = max(score, best.get(number, score))
    return best
