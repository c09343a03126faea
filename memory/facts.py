"""The facts, in SQLite: the truth that everything else of the memory is made from.

Each call is one transaction, and what it has returned from is on the disk. Ids rise and are never used again, so that
"the facts up to id n" is a snapshot; a row never changes, so that an index only ever adds rows and drops ids.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from memory import derived, documents
from memory.database import Database
from memory.embedders import Embedder, place_of, same
from memory.errors import DamagedMemoryError, EmbedderMismatchError, UnknownFactError
from memory.records import Entry, Fact, Update, digest
from memory.reembedding import abandon, reembed

if TYPE_CHECKING:
    from memory.embedders import Vectors


COLUMNS = "id, text, source, added, document, origin"
"""What a `Fact` is read from, in its order."""
_INSERT = "INSERT INTO facts (text, source, added, digest, vector, document, origin) VALUES (?, ?, ?, ?, ?, ?, ?)"


class Changes(NamedTuple):
    """What an index needs to catch up with the facts, or the next part of it; all of one moment.

    `ids` (n,) rising, with `vectors` float32 (n, dimension): the facts above the id that was asked about.
    """

    revision: str
    total: int
    ids: list[int]
    vectors: Vectors


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

    def place(self) -> str:
        """Where the embedder was when it last made vectors; its name where that says so."""
        with self._database.transaction(write=False):
            return self._database.meta("place") or self._database.meta("embedder") or ""

    def reembed(self, embedder: Embedder, progress: Callable[[int, int], None] | None = None) -> int:
        """Give all facts vectors of `embedder`: see `memory.reembedding`; return how many were made anew.

        None are where the memory is of this embedder already; then its place is written down, and vectors that were
        begun for another one are dropped.

        Raises:
            EmbedderError, MemoryInUseError: As `memory.reembedding.reembed`.
        """

        def claim() -> None:
            self._database.set_meta("embedder", embedder.name)
            self._database.set_meta("dimension", str(embedder.dimension))
            self._database.set_meta("place", place_of(embedder))
            self._database.mark_changed()

        stored = self.embedder()
        if stored is None:
            return 0
        if same(stored[0], embedder.name) and stored[1] == embedder.dimension:
            with self._database.transaction() as sql:
                abandon(sql)
                self._database.set_meta("place", place_of(embedder))
            return 0
        return reembed(self._database, embedder, claim, progress)

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

    def ids(
        self, *, among: Iterable[int] | None = None, source: str | None = None, before: float | None = None
    ) -> list[int]:
        """All ids, rising, or those `among` some, of a source, added before a time, that there are facts of."""
        where, values = _conditions(among, source, None, before)
        with self._database.transaction(write=False) as sql:
            return [row[0] for row in sql.execute(f"SELECT id FROM facts WHERE {where} ORDER BY id", values)]

    def facts(
        self,
        *,
        ids: Iterable[int] | None = None,
        source: str | None = None,
        document: str | None = None,
        before: float | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Fact]:
        """The facts by rising id: all, or those that every given condition holds for.

        Args:
            ids: Unknown ones are left out.
            source: The source, as it was given.
            document: A document that holds them, or a folder of documents.
            before: They were added earlier than this (Unix seconds).
            limit: The most facts.
            offset: How many to pass over before the first.
        """
        where, values = _conditions(ids, source, document, before)
        query = f"SELECT {COLUMNS} FROM facts WHERE {where} ORDER BY id LIMIT ? OFFSET ?"
        with self._database.transaction(write=False) as sql:
            return [Fact(*row) for row in sql.execute(query, (*values, -1 if limit is None else limit, offset))]

    def documents(self, below: str | None = None) -> dict[str, int]:
        """The documents, or those that are or lie below a name, in order, with how many facts each holds."""
        with self._database.transaction(write=False) as sql:
            return documents.counts(sql, below)

    def holders(self, fact: int) -> list[str]:
        """The documents that hold a fact; see `documents.holders`."""
        with self._database.transaction(write=False) as sql:
            return documents.holders(sql, fact)

    def find(self, digests: Iterable[str]) -> dict[str, int]:
        """The ids of the facts that are there, by their digest."""
        query = "SELECT digest, id FROM facts WHERE digest IN (SELECT value FROM json_each(?))"
        with self._database.transaction(write=False) as sql:
            return dict(sql.execute(query, (json.dumps(list(digests)),)).fetchall())

    def anchor(self, up_to: int) -> tuple[int, str]:
        """The highest id of at most `up_to`, and what no other memory has at that id; 0 and nothing if there is none.

        Ids rise and facts only go, so that an index that has seen this fact at this id has seen all below it that are
        here: what it lacks lies above. Copies of a memory that went different ways differ in the moment of adding.
        """
        query = "SELECT id, digest, added FROM facts WHERE id <= ? ORDER BY id DESC LIMIT 1"
        with self._database.transaction(write=False) as sql:
            row = sql.execute(query, (up_to,)).fetchone()
            embedder = self._database.meta("embedder")
        return (row[0], f"{row[1]} {row[2]!r} {embedder}") if row else (0, "")

    def changes(self, after: int, dimension: int, most: int) -> Changes:
        """The first facts above id `after`, `most` of them, with how many facts there are in all and their revision.

        Raises:
            DamagedMemoryError: A vector does not have `dimension` numbers.
        """
        with self._database.transaction(write=False) as sql:
            revision, total = self.revision(), self.count()
            query = "SELECT id, vector FROM facts WHERE id > ? ORDER BY id LIMIT ?"
            rows = sql.execute(query, (after, most)).fetchall()
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
        entries: Sequence[Entry],
        vectors: Mapping[str, bytes],
        embedder: str,
        whole: Iterable[str] = (),
        place: str = "",
    ) -> Update | None:
        """Add entries in one transaction; `vectors` holds those of the new ones by digest, float32.

        The first facts of a memory decide its `embedder` and dimension; `place` is where that is now. The entries of
        the documents named in `whole` are all that these hold from now on: what else they held is deleted, unless
        something else holds it too.

        Returns:
            What was done; a fact that was there keeps its id. None, with nothing done, where another process forgot a
            fact in the meantime, so that its vector is wanted after all.

        Raises:
            EmbedderMismatchError: The memory's vectors are of another embedder or dimension.
        """
        digests = [digest(entry.text, entry.source) for entry in entries]
        with self._database.transaction() as sql:
            known = self.find(digests)
            new: dict[str, Entry] = {}
            for key, entry in zip(digests, entries, strict=True):
                if key not in known:
                    new.setdefault(key, entry)
            if not new.keys() <= vectors.keys():
                return None
            if new:
                self._claim(embedder, len(vectors[next(iter(new))]) // 4, place or embedder)
                self._database.mark_changed()
            now = time.time()
            for key, entry in new.items():
                added = now if entry.added is None else entry.added
                row = (entry.text, entry.source, added, key, vectors[key], entry.document, entry.origin)
                known[key] = sql.execute(_INSERT, row).lastrowid or 0
            derived.add(sql, [(known[key], entry.text, entry.source) for key, entry in new.items()])
            ids = [known[key] for key in digests]
            parts = [(entry.document, number) for entry, number in zip(entries, ids, strict=True)]
            documents.hold(sql, parts)
            gone = self._erase(documents.keep_only(sql, whole, parts))
        if gone:
            self._database.flush()
        return Update(ids, len(new), gone, len(set(ids)) - len(new))

    def _claim(self, embedder: str, dimension: int, place: str) -> None:
        stored = self.embedder()
        if stored is None:
            self._database.set_meta("embedder", embedder)
            self._database.set_meta("dimension", str(dimension))
        check_embedder(self._database.path, stored, embedder, dimension)
        if self._database.meta("place") != place:
            self._database.set_meta("place", place)

    def delete(
        self, *, ids: Sequence[int] | None = None, source: str | None = None, before: float | None = None
    ) -> int:
        """Delete the facts of `ids`, or of `source` or added `before` (or both), for good; return how many these were.

        Raises:
            UnknownFactError: An id that no fact has; nothing was deleted.
        """
        with self._database.transaction():
            self.check_known(ids or ())
            count = self._erase(self.ids(among=ids, source=source, before=before))
        self._database.flush()
        return count

    def check_known(self, ids: Sequence[int]) -> None:
        """Refuse ids that no fact has.

        Raises:
            UnknownFactError: Names them.
        """
        unknown = sorted(set(ids).difference(self.ids(among=ids)))
        if unknown:
            named = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
            raise UnknownFactError(f"no fact has the id {named}; nothing was changed. `list` shows the ids.")

    def drop(self, document: str) -> int:
        """Delete a document, or those of a folder: its facts, but for those that something else holds too."""
        with self._database.transaction() as sql:
            count = self._erase(documents.keep_only(sql, documents.counts(sql, document), ()))
        self._database.flush()
        return count

    def _erase(self, doomed: Sequence[int]) -> int:
        """Delete facts and all that is made from them, inside a transaction, and return how many these were."""
        with self._database.transaction() as sql:
            if doomed:
                ids = (json.dumps(list(doomed)),)
                texts = sql.execute("SELECT id, text FROM facts WHERE id IN (SELECT value FROM json_each(?))", ids)
                derived.remove(sql, texts.fetchall())
                sql.execute("DELETE FROM held WHERE fact IN (SELECT value FROM json_each(?))", ids)
                sql.execute("DELETE FROM facts WHERE id IN (SELECT value FROM json_each(?))", ids)
                self._database.mark_changed()
        return len(doomed)


def _conditions(
    ids: Iterable[int] | None, source: str | None, document: str | None, before: float | None
) -> tuple[str, list[str | float]]:
    """A condition in SQL and the values that it takes."""
    where, values = ["1"], list[str | float]()
    if ids is not None:
        where.append("id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(ids)))
    if source is not None:
        where.append("source = ?")
        values.append(source)
    if document is not None:
        where.append(f"id IN ({documents.FACTS_BELOW})")
        values.extend(2 * documents.limits(document))
    if before is not None:
        where.append("added < ?")
        values.append(before)
    return " AND ".join(where), values


def check_embedder(path: Path | None, stored: tuple[str, int] | None, name: str, dimension: int | None = None) -> None:
    """Refuse an embedder other than the `stored` one; a `dimension` of None is not looked at.

    Raises:
        EmbedderMismatchError: Names both.
    """
    if stored is None or (same(stored[0], name) and dimension in (None, stored[1])):
        return
    offered = name if dimension is None else f"{name} ({dimension} dimensions)"
    raise EmbedderMismatchError(
        f"{path or 'the memory of this process'} holds vectors of {stored[0]} ({stored[1]} dimensions), which cannot "
        f"be compared with those of {offered}. Open it with {stored[0]}, or `reembed` it."
    )
