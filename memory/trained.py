"""The trained index for many vectors: lists around centroids, of which a search looks into the nearest few.

An inverted file (IVF, faiss's `IndexIVFScalarQuantizer`): k-means gives the centroids, and a vector is kept in the
list of its nearest one, as 8 bits for each dimension of its difference from the centroid (SQ8, one range for all
dimensions, which is scanned in four fifths of the time that a range for each takes, and finds as much). That is a
quarter of its bytes, and the cosines are a little off, which is why whoever searches ranks the best again. 4 bits were
not faster and need twice as many to be ranked again; with 1 bit (RaBitQ) a scan takes half as long, but of the 44
nearest, 200 ranked again, it finds 0.967 where 4 bits find 0.990. The centroids are compared one by one: 0.1 ms for
4,000.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.embedders import Vectors

LISTS = 4
"""Lists for each square root of the number of vectors.

In a million vectors, 16,000 scanned, queries that are near-copies of none: recall@10 is 0.960 with 2,000 lists and
0.990 with 4,000, which take four times as long to train.
"""
TRAINING = 40
"""Vectors that k-means sees for each list.

In 60,000 vectors, 16,000 scanned, queries that are near-copies of none: recall@10 is 0.995 with 20 in 4 rounds, 0.998
with 40 in 4, and 0.999 with 40 in 6, which takes three times as long. In a million it is 0.970 with 20 in 4 rounds and
10,000 scanned, and 0.984 with 40 in 6 and 8,000.
"""
ITERATIONS = 6
"""Rounds of k-means; see `TRAINING`."""
SCANNED = 8_000
"""A search looks into so many lists that they hold so many vectors, or `SCANNED_EACH` for each that it is to find.

In a million vectors of 384 dimensions, where an exact search takes 100 ms on one thread, 8,000 take 0.8 ms and 16,000
1.5 ms; to rank the best again takes 0.4 ms more. Of the ten nearest of a query that has near-copies both find 1.000, of
those of one that has none 0.984 and 0.990. A number of vectors rather than of lists, so that a search takes about as
long at every size.
"""
SCANNED_EACH = 16
"""See `SCANNED`."""


def load_faiss() -> Any:
    """The module faiss."""
    with warnings.catch_warnings():  # SWIG's types warn about themselves on newer Pythons
        warnings.simplefilter("ignore", DeprecationWarning)
        import faiss
    return faiss


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep faiss to the calling thread: a recall runs beside a model that has all cores.

    With both of two cores busy, two rows against 10,000 facts took faiss 30 ms on two threads, which wait for each
    other, and 1.3 ms on one.
    """
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # OpenMP keeps this number for each thread that calls
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def lists(total: int) -> int:
    """How many lists an index of `total` vectors has.

    >>> lists(1_000_000)
    4000
    """
    return round(LISTS * math.sqrt(total))


def training_size(total: int) -> int:
    """How many of `total` vectors an index is trained with.

    >>> training_size(1_000_000), training_size(20_000)
    (160000, 20000)
    """
    return min(total, TRAINING * lists(total))


def make(sample: Vectors, total: int) -> Any:
    """An index without vectors for `total` of them, trained with `sample`: float32, (n, d), unit rows."""
    faiss = load_faiss()
    centroids, dimension = faiss.IndexFlatIP(sample.shape[1]), sample.shape[1]
    count, kind = min(lists(total), len(sample)), faiss.ScalarQuantizer.QT_8bit_uniform
    index = faiss.IndexIVFScalarQuantizer(centroids, dimension, count, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = ITERATIONS, 1, TRAINING
    index.train(sample)
    return index


def search(index: Any, queries: Vectors, n: int, selector: Any) -> NDArray[np.int64]:
    """The ids (m, n) of vectors near to `queries`, float32 (m, d), that faiss's `selector` lets through.

    It looks into more lists, in the end into all, before it finds fewer than `n` for a query; -1 stands for the rest.
    """
    share = max(SCANNED, SCANNED_EACH * n) / max(index.ntotal, 1)
    probes = min(math.ceil(share * index.nlist), index.nlist)
    while True:
        chosen = load_faiss().SearchParametersIVF(sel=selector, nprobe=probes)
        _, ids = index.search(queries, n, params=chosen)
        if probes == index.nlist or (ids[:, -1] >= 0).all():
            found: NDArray[np.int64] = ids
            return found
        probes = min(4 * probes, index.nlist)


def ids(index: Any) -> NDArray[np.int64]:
    """The ids of all vectors in the index."""
    import numpy as np

    parts, held = [np.zeros(0, dtype=np.int64)], index.invlists
    for number in range(index.nlist):
        if size := held.list_size(number):
            parts.append(load_faiss().rev_swig_ptr(held.get_ids(number), size).copy())
    return np.concatenate(parts)
