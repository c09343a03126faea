"""The upkeep of a memory's file: what is in it, whether it is whole, and making it small again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from memory import derived, index_file, salvage
from memory.errors import DamagedMemoryError
from memory.facts import FactStore

IndexState = Literal["none", "current", "old", "damaged"]
"""An index file is old where facts came or went since it was written; the next recall brings it up to date."""
NAMED = 5
"""Ids that a problem names."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a memory holds: how many facts, sources and documents, by which embedder, and bytes on the disk.

    The database's bytes include its write-ahead log. `last_added` is in Unix seconds; None where there are no facts.
    """

    facts: int
    sources: int
    documents: int
    embedder: str | None
    dimension: int | None
    database_bytes: int
    index_bytes: int
    index: IndexState
    last_added: float | None


class Problem(NamedTuple):
    """What is wrong, and what mends it."""

    what: str
    cure: str


class Compacted(NamedTuple):
    """Bytes of database and index on the disk."""

    before: int
    after: int


def stats(facts: FactStore, beside: Path | None) -> Stats:
    """The figures of a memory.

    Raises:
        DamagedMemoryError: They cannot be read.
    """
    query = "SELECT count(*), count(DISTINCT source), max(added) FROM facts"
    with facts.database.transaction(write=False) as sql:
        total, sources, last = sql.execute(query).fetchone()
        documents = len(facts.documents())
        name, dimension = facts.embedder() or (None, None)
        state = index_state(facts, beside)
    database, index = _bytes(facts.database.path), _bytes(beside)
    return Stats(total, sources, documents, name, dimension, database, index, state, last)


def size(*files: Path | None) -> int:
    """Bytes on the disk of a database and its index."""
    return sum(map(_bytes, files))


def _bytes(path: Path | None) -> int:
    files = [path, path.with_name(f"{path.name}-wal")] if path else []
    return sum(file.stat().st_size for file in files if file.exists())


def index_state(facts: FactStore, file: Path | None) -> IndexState:
    """Whether the index file is there, whole, and of the facts as they are."""
    stored = facts.embedder()
    if file is None or not file.exists() or stored is None:
        return "none"
    index = index_file.read(file, facts, stored[1])
    if index is None:
        return "damaged"
    return "current" if index.revision == facts.revision() else "old"


def verify(facts: FactStore, beside: Path | None, progress: Callable[[int, int], None] | None = None) -> list[Problem]:
    """Look at everything in the file and at the index beside it, and say what is wrong; an empty list is good news.

    The file by SQLite's own check; each text against its digest; each vector's length, and that it is one of length 1;
    that words, names and documents are those of the facts there are; and that the index file is whole. An index of an
    earlier state is nothing wrong.
    """
    problems: list[Problem] = []
    for look in (_look_at_file, _look_at_words, _look_at_leftovers):
        try:
            problems += look(facts)
        except DamagedMemoryError as error:
            problems.append(Problem(str(error), _RESCUE))
    try:
        problems += _look_at_rows(facts, progress)
    except DamagedMemoryError as error:
        problems.append(Problem(str(error), _RESCUE))
    if not problems and index_state(facts, beside) == "damaged":
        problems.append(Problem(f"{beside} is damaged; the facts are not", "compact writes it anew"))
    return list(dict.fromkeys(problems))


_RESCUE = "export what is whole, and import it into a new memory"


def _look_at_file(facts: FactStore) -> Iterator[Problem]:
    with facts.database.transaction(write=False) as sql:
        found = [str(row[0]) for row in sql.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        yield Problem(f"SQLite finds the file damaged: {'; '.join(' '.join(each.split()) for each in found)}", _RESCUE)


def _look_at_words(facts: FactStore) -> Iterator[Problem]:
    try:
        with facts.database.transaction() as sql:
            sql.execute("INSERT INTO words (words) VALUES ('integrity-check')")  # changes nothing
    except DamagedMemoryError:
        yield Problem("the index of words is damaged", "compact makes it anew")
        return
    with facts.database.transaction(write=False) as sql:
        here = set(facts.ids())
        indexed = {row[0] for row in sql.execute("SELECT id FROM words_docsize")}
    for what, ids in (("are not in", here - indexed), ("are gone, and still in", indexed - here)):
        if ids:
            yield Problem(f"{_these(ids)} {what} the index of words", "compact makes it anew")


def _look_at_leftovers(facts: FactStore) -> Iterator[Problem]:
    for table, what in (("names", "names"), ("held", "documents")):
        query = f"SELECT DISTINCT fact FROM {table} WHERE fact NOT IN (SELECT id FROM facts)"
        with facts.database.transaction(write=False) as sql:
            ids = {row[0] for row in sql.execute(query)}
        if ids:
            yield Problem(f"{_these(ids)} are gone, and still in the table of {what}", "compact takes them out")


def _look_at_rows(facts: FactStore, progress: Callable[[int, int], None] | None) -> Iterator[Problem]:
    stored = facts.embedder()
    damaged: list[int] = []
    bad = set()
    for row in salvage.rows(facts, "vector", damaged, progress):
        if stored is None or not _is_unit(row[4], stored[1]):
            bad.add(row[0])
    if damaged:
        yield Problem(f"{_these(damaged)} cannot be read, or are not what was stored", _RESCUE)
    if bad:
        number = min(bad)
        cure = f"forget {number}, and add its text again; export and import do so for all"
        yield Problem(f"{_these(bad)} have no vector of length 1 and {stored[1] if stored else 0} numbers", cure)


def _is_unit(vector: Any, dimension: int) -> bool:
    import numpy as np

    if not isinstance(vector, bytes) or len(vector) != 4 * dimension:
        return False
    length = float(np.linalg.norm(np.frombuffer(vector, dtype="<f4")))
    return abs(length - 1) < 1e-3  # false for NaN too


def _these(ids: Sequence[int] | set[int]) -> str:
    named = ", ".join(map(str, sorted(ids)[:NAMED]))
    return f"{len(ids)} facts ({named}{', …' if len(ids) > NAMED else ''})"


def compact(facts: FactStore) -> None:
    """Put the words in order, or make them and the names anew where they do not agree; give free room back.

    Raises:
        StorageError: There is not as much free room as the file takes, or it cannot be written.
        DamagedMemoryError: A part of the file cannot be read.
    """
    with facts.database.transaction() as sql:
        for table in ("names", "held"):
            sql.execute(f"DELETE FROM {table} WHERE fact NOT IN (SELECT id FROM facts)")
        if any(_look_at_words(facts)):
            sql.execute("INSERT INTO words (words) VALUES ('delete-all')")
            sql.execute("DELETE FROM names")
            derived.add(sql, sql.execute("SELECT id, text, source FROM facts"))
        sql.execute("INSERT INTO words (words) VALUES ('optimize')")
    facts.database.vacuum()
