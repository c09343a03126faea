"""The file of the vector index, beside the memory: so that the next start need not make the index again.

It is one JSON line (what the index was taken from), the index as faiss writes it, and the SHA-256 of all that. A file
that is missing, damaged or another memory's is no index, and the memory makes it anew from SQLite; one that is behind
the facts is taken, since an index can catch up.

Reading goes over the file twice, for the hash and for faiss, and never holds it twice. For 200,000 facts of 384
dimensions, 80 MB, the hash takes 0.06 s, and so does faiss; a mapped file would save the second, but could not grow.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import BinaryIO

from memory.errors import StorageError
from memory.facts import FactStore
from memory.files import whole
from memory.index import VectorIndex
from memory.trained import load_faiss

logger = logging.getLogger(__name__)

CHUNK = 1 << 20
"""Bytes that are read or written at once."""
HASH = 32
"""Bytes of the hash at the end."""


def write(index: VectorIndex, path: Path) -> None:
    """Write the index in one step: whoever reads sees the old file or the new one.

    Raises:
        StorageError: The folder cannot be written; the facts are safe in SQLite.
    """
    stamp = {name: getattr(index, name) for name in ("revision", "last_id", "anchor", "trained")}
    hashed = hashlib.sha256()
    try:
        with whole(path) as file:

            def put(part: bytes) -> None:
                hashed.update(part)
                file.write(part)

            put(json.dumps(stamp).encode() + b"\n")
            faiss = load_faiss()
            faiss.write_index(index.faiss, faiss.PyCallbackIOWriter(put, CHUNK))
            file.write(hashed.digest())
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error}. No fact is lost: the index is made again when it is needed."
        ) from error


def read(path: Path, facts: FactStore, dimension: int) -> VectorIndex | None:
    """The index in the file, or None where it is missing, damaged, or not of these facts; it may be behind them."""
    faiss = load_faiss()
    try:
        with path.open("rb") as file:
            _check(file)
            index = VectorIndex(None, **json.loads(file.readline()))
            if index.revision != facts.revision() and facts.anchor(index.last_id) != (index.last_id, index.anchor):
                raise ValueError("it is not of these facts")
            index.faiss = faiss.read_index(faiss.PyCallbackIOReader(file.read, CHUNK))
        if index.faiss.d != dimension:
            raise ValueError(f"it has {index.faiss.d} dimensions")
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # RuntimeError: a newer faiss wrote it
        logger.info("%s is not used (%s); the index is made again from the facts", path, error)
        return None
    return index


def _check(file: BinaryIO) -> None:
    """Compare the hash at the end with what is before it, and go back to the beginning."""
    left, hashed = file.seek(0, os.SEEK_END) - HASH, hashlib.sha256()
    file.seek(0)
    while left > 0:
        part = file.read(min(CHUNK, left))
        hashed.update(part)
        left -= len(part)
    if file.read() != hashed.digest():
        raise ValueError("it is damaged")
    file.seek(0)
