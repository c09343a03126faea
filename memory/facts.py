"""The facts, in SQLite: the truth that everything else of the memory is made from.

Each call is one transaction, and what it has returned from is on the disk. Ids rise and are never used again, so that
"the facts up to id n" is a snapshot; a row never changes, so that an index only ever adds rows and drops ids.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from memory import derived
from memory.database import Database
from memory.errors import DamagedMemoryError, EmbedderMismatchError, UnknownFactError

if TYPE_CHECKING:
    from memory.embedders import Vectors


@dataclass(frozen=True, slots=True)
class Fact:
    """A text that lasts: its `id`, the `text`, the `source` to cite, and when it was `added` (Unix seconds)."""

    id: int
    text: str
    source: str
    added: float


class Changes(NamedTuple):
    """What an index needs to catch up with the facts; all of one moment.

    `ids` (n,) rising, with `vectors` float32 (n, dimension): the facts above the id that was asked about.
    """

    revision: str
    total: int
    ids: list[int]
    vectors: Vectors


def digest(text: str, source: str) -> str:
    """What makes two facts the same: 128 bits, in hexadecimal, over text and source."""
    return hashlib.blake2b(f"{len(source)}:{source}{text}".encode(), digest_size=16).hexdigest()


class FactStore:
    """The facts of one file, or of this process alone where `path` is None; for several threads.

    Every method raises what `Database` raises.
    """

    def __init__(self, path: Path | None) -> None:
        self._database = Database(path)

    @property
    def database(self) -> Database:
        """The file below."""
        return self._database

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._database.close()

    def embedder(self) -> tuple[str, int] | None:
        """Name and dimension of what made the vectors; None as long as there never was a fact."""
        with self._database.transaction(write=False):
            name, dimension = self._database.meta("embedder"), self._database.meta("dimension")
        if not name:
            return None
        if not (dimension or "").isdecimal():
            raise DamagedMemoryError(f"{self._database.path}: its dimension is {dimension!r}, not a number.")
        return name, int(dimension or 0)

    def revision(self) -> str:
        """A value that is another one after every change, by whichever process."""
        with self._database.transaction(write=False):
            return self._database.meta("revision") or ""

    def count(self) -> int:
        """How many facts there are."""
        with self._database.transaction(write=False) as sql:
            return int(sql.execute("SELECT count(*) FROM facts").fetchone()[0])

    def last_id(self) -> int:
        """The highest id there is, or 0."""
        with self._database.transaction(write=False) as sql:
            return int(sql.execute("SELECT ifnull(max(id), 0) FROM facts").fetchone()[0])

    def ids(self) -> list[int]:
        """All ids, rising."""
        with self._database.transaction(write=False) as sql:
            return [row[0] for row in sql.execute("SELECT id FROM facts ORDER BY id")]

    def facts(self, *, ids: Iterable[int] | None = None, source: str | None = None) -> list[Fact]:
        """The facts by rising id: all, or those of `ids` (unknown ones left out), or those of `source`."""
        where, values = ["1"], []
        if ids is not None:
            where.append("id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(ids)))
        if source is not None:
            where.append("source = ?")
            values.append(source)
        query = f"SELECT id, text, source, added FROM facts WHERE {' AND '.join(where)} ORDER BY id"
        with self._database.transaction(write=False) as sql:
            return [Fact(*row) for row in sql.execute(query, values)]

    def find(self, digests: Iterable[str]) -> dict[str, int]:
        """The ids of the facts that are there, by their digest."""
        query = "SELECT digest, id FROM facts WHERE digest IN (SELECT value FROM json_each(?))"
        with self._database.transaction(write=False) as sql:
            return dict(sql.execute(query, (json.dumps(list(digests)),)).fetchall())

    def changes(self, after: int, dimension: int) -> Changes:
        """The facts above id `after`, with how many there are in all and their revision.

        Raises:
            DamagedMemoryError: A vector does not have `dimension` numbers.
        """
        with self._database.transaction(write=False) as sql:
            revision, total = self.revision(), self.count()
            query = "SELECT id, vector FROM facts WHERE id > ? ORDER BY id"
            rows = sql.execute(query, (after,)).fetchall()
        return Changes(revision, total, [number for number, _ in rows], self._matrix(rows, dimension))

    def vectors(self, ids: Iterable[int], dimension: int) -> tuple[list[int], Vectors]:
        """The facts of `ids` that are there, by rising id, and their vectors: float32, shape (n, dimension).

        Raises:
            DamagedMemoryError: A vector does not have `dimension` numbers.
        """
        query = "SELECT id, vector FROM facts WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        with self._database.transaction(write=False) as sql:
            rows = sql.execute(query, (json.dumps(list(ids)),)).fetchall()
        return [number for number, _ in rows], self._matrix(rows, dimension)

    def _matrix(self, rows: Sequence[tuple[int, bytes]], dimension: int) -> Vectors:
        import numpy as np

        for number, vector in rows:
            if not isinstance(vector, bytes) or len(vector) != 4 * dimension:
                raise DamagedMemoryError(
                    f"{self._database.path}: the vector of fact {number} is not one of {dimension} numbers. "
                    f"Forget fact {number} and add its text again."
                )
        flat = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f4")
        return flat.reshape(len(rows), dimension).astype(np.float32)

    def insert(
        self,
        facts: Sequence[tuple[str, str]],
        vectors: Mapping[str, bytes],
        embedder: str,
    ) -> list[int] | None:
        """Add (text, source) pairs in one transaction; `vectors` holds those of the new ones by digest, float32.

        The first facts of a memory decide its `embedder` and dimension.

        Returns:
            Their ids in order, the old id for a fact that was there. None, with nothing added, where another process
            forgot a fact in the meantime, so that its vector is wanted after all.

        Raises:
            EmbedderMismatchError: The memory's vectors are of another embedder or dimension.
        """
        digests = [digest(text, source) for text, source in facts]
        with self._database.transaction() as sql:
            known = self.find(digests)
            new = {key: fact for key, fact in zip(digests, facts, strict=True) if key not in known}
            if not new.keys() <= vectors.keys():
                return None
            if new:
                self._claim(embedder, len(vectors[next(iter(new))]) // 4)
                self._database.mark_changed()
            now = time.time()
            for key, (text, source) in new.items():
                row = (text, source, now, key, vectors[key])
                query = "INSERT INTO facts (text, source, added, digest, vector) VALUES (?, ?, ?, ?, ?)"
                known[key] = sql.execute(query, row).lastrowid or 0
            derived.add(sql, [(known[key], text) for key, (text, _) in new.items()])
            return [known[key] for key in digests]

    def _claim(self, embedder: str, dimension: int) -> None:
        stored = self.embedder()
        if stored is None:
            self._database.set_meta("embedder", embedder)
            self._database.set_meta("dimension", str(dimension))
        check_embedder(self._database.path, stored, embedder, dimension)

    def delete(self, *, ids: Sequence[int] | None = None, source: str | None = None) -> int:
        """Delete the facts of `ids`, or of `source`, for good, and return how many these were.

        Raises:
            UnknownFactError: An id that no fact has; nothing was deleted.
        """
        with self._database.transaction() as sql:
            facts = self.facts(ids=ids, source=source)
            doomed = [fact.id for fact in facts]
            unknown = sorted(set(ids or ()) - set(doomed))
            if unknown:
                named = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
                raise UnknownFactError(f"no fact has the id {named}; nothing was forgotten. `list` shows the ids.")
            if doomed:
                derived.remove(sql, [(fact.id, fact.text) for fact in facts])
                sql.execute("DELETE FROM facts WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(doomed),))
                self._database.mark_changed()
        self._database.flush()
        return len(doomed)


def check_embedder(path: Path | None, stored: tuple[str, int] | None, name: str, dimension: int | None = None) -> None:
    """Refuse an embedder other than the `stored` one; a `dimension` of None is not looked at.

    Raises:
        EmbedderMismatchError: Names both.
    """
    if stored is None or (stored[0] == name and dimension in (None, stored[1])):
        return
    offered = name if dimension is None else f"{name} ({dimension} dimensions)"
    raise EmbedderMismatchError(
        f"{path or 'the memory of this process'} holds vectors of {stored[0]} ({stored[1]} dimensions), which cannot "
        f"be compared with those of {offered}. Open it with {stored[0]}, or add its texts to a new memory."
    )
