"""The FAISS index: nearness, as a cache of the facts' vectors.

Exact for now: inner products of unit vectors over all rows (`IndexFlatIP`), addressed by fact id (`IndexIDMap2`). Its
file is one JSON line, which says what the rest must be, and the serialised index; a file that is missing, of another
revision of the facts, or damaged is no index, and the memory makes it again from SQLite.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.errors import StorageError
from memory.facts import FactStore
from memory.files import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memory.embedders import Vectors

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class VectorIndex:
    """A faiss index and which state of the facts it holds: their `revision`, and the highest id it took in."""

    faiss: Any
    revision: str
    last_id: int


def _faiss() -> Any:
    with warnings.catch_warnings():  # SWIG's types warn about themselves on newer Pythons
        warnings.simplefilter("ignore", DeprecationWarning)
        import faiss
    return faiss


def empty(dimension: int) -> VectorIndex:
    """An index of no vectors."""
    faiss = _faiss()
    return VectorIndex(faiss.IndexIDMap2(faiss.IndexFlatIP(dimension)), "", 0)


def catch_up(index: VectorIndex, facts: FactStore) -> None:
    """Bring `index` to what `facts` holds now: add the rows above its last id, drop those that were forgotten.

    Raises:
        DamagedMemoryError: A stored vector has the wrong length.
    """
    import numpy as np

    if facts.revision() == index.revision:
        return
    changes = facts.changes(index.last_id, index.faiss.d)
    if changes.ids:
        index.faiss.add_with_ids(changes.vectors, np.array(changes.ids, dtype=np.int64))
        index.last_id = changes.ids[-1]
    if index.faiss.ntotal != changes.total:
        here = _faiss().vector_to_array(index.faiss.id_map)
        index.faiss.remove_ids(np.setdiff1d(here, np.array(facts.ids(), dtype=np.int64)))
    index.revision = changes.revision


def nearest(index: VectorIndex, queries: Vectors, n: int, up_to: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The `n` facts nearest to each of `queries`, float32 (m, d), among those with an id of at most `up_to`.

    Returns:
        Cosines and ids, both (m, n), best first; an id of -1 stands where there are no more.
    """
    faiss = _faiss()
    chosen = faiss.SearchParameters(sel=faiss.IDSelectorRange(0, up_to + 1))
    scores, ids = index.faiss.search(queries, n, params=chosen)
    return scores, ids


def vectors_of(index: VectorIndex, ids: NDArray[np.int64]) -> Vectors:
    """The vectors of facts that are in the index: float32, shape (n, d)."""
    vectors: Vectors = index.faiss.reconstruct_batch(ids)
    return vectors


def write(index: VectorIndex, path: Path) -> None:
    """Write the index beside its memory, in one step: whoever reads sees the old file or the new one.

    Raises:
        StorageError: The folder cannot be written; the facts are safe in SQLite.
    """
    payload = _faiss().serialize_index(index.faiss).tobytes()
    header = {"revision": index.revision, "sha256": hashlib.sha256(payload).hexdigest()}
    try:
        write_whole(path, [json.dumps(header).encode() + b"\n", payload])
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error}. No fact is lost: the index is made again when it is needed."
        ) from error


def read(path: Path, revision: str, dimension: int) -> VectorIndex | None:
    """The index in the file, or None where it is missing, not of `revision`, or damaged."""
    try:
        with path.open("rb") as file:
            header, payload = file.readline(), file.read()
        stamp = json.loads(header)
        current = stamp["revision"] == revision and stamp["sha256"] == hashlib.sha256(payload).hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.info("%s is not used (%s); the index is made again from the facts", path, error)
        return None
    if not current:
        logger.info("%s is stale or damaged; the index is made again from the facts", path)
        return None
    import numpy as np

    faiss = _faiss()
    index = faiss.deserialize_index(np.frombuffer(payload, dtype=np.uint8))
    ids = faiss.vector_to_array(index.id_map)
    return VectorIndex(index, revision, int(ids.max(initial=0))) if index.d == dimension else None
