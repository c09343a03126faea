"""The vector index: which facts are near to a query, as a cache of the facts' vectors.

Few facts are searched exactly: inner products of unit vectors over all rows (`IndexFlatIP`), addressed by fact id
(`IndexIDMap2`). Many are searched in a trained index (`memory.trained`), and the best of what that finds are ranked
again by their vectors in SQLite. Which of both it is follows from the number of facts alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from memory import trained
from memory.facts import FactStore
from memory.trained import load_faiss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.embedders import Vectors

logger = logging.getLogger(__name__)

EXACT = 20_000
"""So many facts are searched exactly.

In 384 dimensions, on one busy core, an exact search of 10,000, 20,000 and 50,000 facts takes 0.4, 1.9 and 3.2 ms, the
trained one with all it ranks again 1.4, 2.2 and 1.8 ms (16,000 scanned). Up to here the exact one is as fast, and
misses nothing.
"""
GROWTH = 2
"""A trained index is trained anew when it holds more than so many times the facts that it was trained for.

Trained on 50,000 vectors of one source and grown with those of others (128 lists probed, queries that are near-copies
of no fact), recall@10 was 0.973 at twice that size and 0.973 at four times, where one that was trained for the size had
0.988 and 0.992, and a search took 1.3 times as long at twice the size. All trainings together cost twice the last one.
"""
BATCH = 16_384
"""Facts that are taken in at once; 384 dimensions of them are 25 MB."""
RERANKED = 1.5
"""So many times the wanted facts, and `RERANKED_LEAST` more, are ranked again by their exact cosines.

Of a million near-copies 8 bits alone find 0.973 of the ten nearest; with 20 ranked again nothing is lost any more, nor
of 44 with 60. A fact costs 6 µs to read.
"""
RERANKED_LEAST = 8
"""See `RERANKED`."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class VectorIndex:
    """A faiss index and which state of the facts it holds.

    `revision` is the facts' own, `last_id` the highest id in the index, `anchor` that fact's (see `FactStore.anchor`),
    and `trained` how many facts there were when it was trained: 0 where it is exact.
    """

    faiss: Any
    revision: str = ""
    last_id: int = 0
    anchor: str = ""
    trained: int = 0


class Neighbours(NamedTuple):
    """`scores` (m, n), best first, the `ids` (m, n) they are of, -1 where there are no more, and vectors by id."""

    scores: NDArray[np.float32]
    ids: NDArray[np.int64]
    vectors: dict[int, Vectors]


def empty(dimension: int) -> VectorIndex:
    """An index of no vectors."""
    faiss = load_faiss()
    return VectorIndex(faiss.IndexIDMap2(faiss.IndexFlatIP(dimension)))


def catch_up(index: VectorIndex, facts: FactStore, progress: Progress | None = None) -> None:
    """Bring `index` to what `facts` holds now: add the rows above its last id, drop those that were forgotten.

    It is made anew where their number asks for it: beyond `EXACT` it is trained, and trained again whenever there are
    `GROWTH` times the facts that it was trained for; below half of `EXACT` it is exact again. Facts are read in
    batches, and `progress` is called with (facts taken in, facts in all) after each.

    Raises:
        DamagedMemoryError: A stored vector has the wrong length.
    """
    import numpy as np

    if facts.revision() == index.revision:
        return
    if progress:
        progress(0, facts.count())
    _fit(index, facts)
    more = True
    while more:
        changes = facts.changes(index.last_id, index.faiss.d, BATCH)
        more = len(changes.ids) == BATCH
        if changes.ids:
            index.faiss.add_with_ids(changes.vectors, np.array(changes.ids, dtype=np.int64))
            index.last_id = changes.ids[-1]
            if progress:
                progress(min(index.faiss.ntotal, changes.total), changes.total)
            if more:
                logger.info("%d of %d facts are in the index", index.faiss.ntotal, changes.total)
    if index.faiss.ntotal != changes.total:
        gone = np.setdiff1d(_ids(index), np.array(facts.ids(), dtype=np.int64))
        index.faiss.remove_ids(gone)
    index.revision = changes.revision
    index.last_id, index.anchor = facts.anchor(index.last_id)


def nearest(index: VectorIndex, facts: FactStore, queries: Vectors, n: int, up_to: int) -> Neighbours:
    """The `n` facts nearest to each of `queries`, float32 (m, d), among those with an id of at most `up_to`.

    Scores are exact cosines. Where the index is trained, a fact that is near may be missed, but there are never fewer
    than `n` unless there are no more facts.
    """
    selector = load_faiss().IDSelectorRange(0, up_to + 1) if up_to < index.last_id else None
    with trained.one_thread():
        if index.trained:
            return _reranked(index, facts, queries, n, selector)
        scores, ids = index.faiss.search(queries, n, params=load_faiss().SearchParameters(sel=selector))
    found = _distinct(ids)
    vectors = index.faiss.reconstruct_batch(found)
    return Neighbours(scores, ids, dict(zip(found.tolist(), vectors, strict=True)))


def _reranked(index: VectorIndex, facts: FactStore, queries: Vectors, n: int, selector: Any) -> Neighbours:
    import numpy as np

    ids = trained.search(index.faiss, queries, round(RERANKED * n) + RERANKED_LEAST, selector)
    stored, vectors = facts.vectors(_distinct(ids).tolist(), index.faiss.d)
    known = np.array(stored, dtype=np.int64)
    # One row more stands for what is not there: ids of -1, and facts that another process forgot just now.
    cosines = np.vstack([vectors @ queries.T, np.full((1, len(queries)), -np.inf, dtype=np.float32)]).T
    places = np.searchsorted(known, ids)
    rows = np.where(np.append(known, -2)[places] == ids, places, len(known))
    scores = np.take_along_axis(cosines, rows, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    scores = np.take_along_axis(scores, order, axis=1)
    best = np.where(np.isneginf(scores), -1, np.take_along_axis(ids, order, axis=1))
    return Neighbours(scores, best, dict(zip(stored, vectors, strict=True)))


def _distinct(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    import numpy as np

    return np.unique(ids[ids >= 0])


def _fit(index: VectorIndex, facts: FactStore) -> None:
    """Empty the index and choose its kind again, where it does not fit the number of facts."""
    total, dimension = facts.count(), index.faiss.d
    enough = EXACT // 2 <= total <= GROWTH * index.trained if index.trained else total <= EXACT
    if enough:
        return
    fresh = empty(dimension)
    if total > EXACT:
        logger.info("the index is trained for %d facts", total)
        ids = facts.ids()
        chosen = random.Random(total).sample(ids, min(len(ids), trained.training_size(total)))
        fresh.faiss, fresh.trained = trained.make(facts.vectors(chosen, dimension)[1], total), total
    index.faiss, index.trained, index.last_id = fresh.faiss, fresh.trained, 0


def _ids(index: VectorIndex) -> NDArray[np.int64]:
    import numpy as np

    if index.trained:
        return trained.ids(index.faiss)
    held: NDArray[np.int64] = load_faiss().vector_to_array(index.faiss.id_map)
    return np.asarray(held)
