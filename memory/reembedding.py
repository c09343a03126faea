"""Another embedder for the facts of a file: their new vectors beside the old, then all of them exchanged at once.

New vectors are written in batches, each a transaction, to a table that nobody else reads; readers and writers go on
with the old ones. Facts that are forgotten meanwhile take their new vector along (a trigger), facts that are added are
caught up with, the last of them within the transaction that exchanges the vectors. So a kill at any point leaves the
old vectors or the new, and what was embedded by then is not embedded again by a later call with the same embedder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from memory.database import Database
from memory.embedders import Embedder, embed_checked
from memory.errors import MemoryInUseError

BATCH = 256
"""Facts that are embedded between two calls of `progress`."""
LAST = 16
"""How many facts may be left for the transaction that exchanges the vectors: others wait while these are embedded."""

_MISSING = """SELECT facts.id, text FROM facts LEFT JOIN new_vectors ON fact = facts.id
    WHERE fact IS NULL AND facts.id > ? ORDER BY facts.id LIMIT ?"""


def reembed(
    database: Database,
    embedder: Embedder,
    exchanged: Callable[[], None],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Embed the texts of all facts again and exchange the vectors; return how many facts there were.

    Args:
        database: A memory with facts.
        embedder: Its new embedder.
        exchanged: Called within the last transaction, to write down whose vectors they are now.
        progress: Called with (embedded so far, to embed) after every `BATCH` facts.

    Raises:
        EmbedderError: The embedder failed; the old vectors are whole.
        MemoryInUseError: Another process re-embeds with another embedder, or has just done it.
    """
    mark = f"{embedder.name} ({embedder.dimension} dimensions)"
    total = _begin(database, mark)
    last = done = 0
    while True:
        with database.transaction(write=False) as sql:
            rows = sql.execute(_MISSING, (last, BATCH)).fetchall()
        if len(rows) > LAST:
            _write(database, mark, _embedded(embedder, rows))
            last, done = rows[-1][0], done + len(rows)
        else:
            with database.transaction() as sql:
                rows = sql.execute(_MISSING, (0, LAST + 1)).fetchall()
                if len(rows) <= LAST:
                    _write(database, mark, _embedded(embedder, rows))
                    count = _exchange(sql)
                    exchanged()
                    break
            last = 0
        if progress:
            progress(done, max(done, total))
    database.flush()
    if progress:
        progress(count, count)
    return count


def _begin(database: Database, mark: str) -> int:
    """Note what the new vectors are of, drop those of another embedder, and return how many facts lack one."""
    with database.transaction() as sql:
        if database.meta("reembedding") != mark:
            sql.execute("DELETE FROM new_vectors")
            database.set_meta("reembedding", mark)
        counts = sql.execute("SELECT (SELECT count(*) FROM facts) - (SELECT count(*) FROM new_vectors)")
        return int(counts.fetchone()[0])


def _embedded(embedder: Embedder, rows: Sequence[tuple[int, str]]) -> list[tuple[int, bytes]]:
    if not rows:
        return []
    vectors = embed_checked(embedder, [text for _, text in rows])
    return [(number, each.astype("<f4").tobytes()) for (number, _), each in zip(rows, vectors, strict=True)]


def _write(database: Database, mark: str, rows: Sequence[tuple[int, bytes]]) -> None:
    with database.transaction() as sql:
        if database.meta("reembedding") != mark:
            other = database.meta("reembedding") or database.meta("embedder")
            raise MemoryInUseError(
                f"{database.path}: another process re-embeds it, or just did, with {other}; open the memory again."
            )
        query = "INSERT OR REPLACE INTO new_vectors SELECT id, ? FROM facts WHERE id = ?"  # not of a forgotten fact
        sql.executemany(query, [(vector, number) for number, vector in rows])


def _exchange(sql: sqlite3.Connection) -> int:
    query = "UPDATE facts SET vector = (SELECT new_vectors.vector FROM new_vectors WHERE fact = facts.id)"
    count = sql.execute(query).rowcount
    abandon(sql)
    return count


def abandon(sql: sqlite3.Connection) -> None:
    """Drop the new vectors, inside a transaction."""
    sql.execute("DELETE FROM new_vectors")
    sql.execute("DELETE FROM meta WHERE key = 'reembedding'")
