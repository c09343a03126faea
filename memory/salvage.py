"""Reading rows of a file of which a part may be damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from memory.database import Database
from memory.errors import DamagedMemoryError
from memory.facts import FactStore
from memory.records import digest

BLOCK = 1000
"""Ids that are asked for at once; a block that cannot be read is halved until the rows that fail are found."""


def rows(
    facts: FactStore, columns: str, damaged: list[int], progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[Any, ...]]:
    """The rows of the facts by rising id, each (id, text, source, digest, *columns).

    The ids of those that cannot be read, or whose text and source are not what was stored, are put into `damaged`.

    Raises:
        DamagedMemoryError: Not even the highest id can be read.
    """
    last = _last(facts)
    known = _known(facts)
    for low in range(1, last + 1, BLOCK):
        high = min(low + BLOCK - 1, last)
        for row in _between(facts.database, columns, low, high, damaged):
            if _is_whole(row):
                yield row
            else:
                damaged.append(row[0])
        if progress:
            progress(high, last)
    if known is not None:
        damaged[:] = [number for number in damaged if number in known]


def _between(database: Database, columns: str, low: int, high: int, failed: list[int]) -> list[tuple[Any, ...]]:
    where = "id = ?1" if low == high else "id BETWEEN ?1 AND ?2"  # a range looks at the row after it too
    query = f"SELECT id, text, source, digest, {columns} FROM facts WHERE {where} ORDER BY id"
    try:
        with database.transaction(write=False) as sql:
            return sql.execute(query, (low, high)[: query.count("?")]).fetchall()
    except DamagedMemoryError:
        if low == high:
            failed.append(low)
            return []
    middle = (low + high) // 2
    return [
        *_between(database, columns, low, middle, failed),
        *_between(database, columns, middle + 1, high, failed),
    ]


def _last(facts: FactStore) -> int:
    """The highest id that was ever given, or that there is."""
    try:
        with facts.database.transaction(write=False) as sql:
            row = sql.execute("SELECT seq FROM sqlite_sequence WHERE name = 'facts'").fetchone()
    except DamagedMemoryError:
        return facts.last_id()
    return int(row[0]) if row else 0


def _known(facts: FactStore) -> set[int] | None:
    """All ids, as an index of the file tells them, so that a damaged row is not taken for a forgotten one."""
    try:
        return set(facts.ids())
    except DamagedMemoryError:
        return None


def _is_whole(row: tuple[Any, ...]) -> bool:
    _, text, source, stored, *_ = row
    return isinstance(text, str) and isinstance(source, str) and digest(text, source) == stored
