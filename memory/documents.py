"""Which document holds which fact.

A fact is kept once, however many documents hold it: the first is in its row, `facts.document`, further ones are in the
table `held`. A fact that was added by itself is held by the document '', which nothing takes away but its deletion. A
fact stays while anything holds it. All functions run inside a transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

_BELOW = "(document = ? OR document >= ? AND document < ?) AND document != ''"
FACTS_BELOW = f"SELECT id FROM facts WHERE {_BELOW} UNION SELECT fact FROM held WHERE {_BELOW}"
"""The ids that a document, or those of a folder, hold; takes `limits` twice."""
_HOLD = """INSERT OR IGNORE INTO held (document, fact) SELECT ?1, id FROM facts WHERE id = ?2 AND document != ?1"""
_THESE = "(SELECT value FROM json_each(?))"


def limits(name: str) -> tuple[str, str, str]:
    """A document's name, and the bounds of the names in it, if it is a folder: what `_BELOW` takes."""
    folder = name.rstrip("/")
    return name, f"{folder}/", f"{folder}0"  # "0" is what follows "/"


def counts(sql: sqlite3.Connection, below: str | None = None) -> dict[str, int]:
    """How many facts each document holds, by its name, in order: all documents, or those at or below a name."""
    where, values = ("document != ''", ()) if below is None else (_BELOW, limits(below))
    both = f"SELECT document FROM facts WHERE {where} UNION ALL SELECT document FROM held WHERE {where}"
    query = f"SELECT document, count(*) FROM ({both}) GROUP BY document ORDER BY document"
    return dict(sql.execute(query, (*values, *values)).fetchall())


def holders(sql: sqlite3.Connection, fact: int) -> list[str]:
    """The documents that hold a fact, the first one first; '' where it was added by itself."""
    first = sql.execute("SELECT document FROM facts WHERE id = ?", (fact,)).fetchall()
    more = sql.execute("SELECT document FROM held WHERE fact = ? ORDER BY document", (fact,)).fetchall()
    return [row[0] for row in (*first, *more)]


def hold(sql: sqlite3.Connection, parts: Iterable[tuple[str, int]]) -> None:
    """Note (document, fact) pairs, for facts that are there."""
    sql.executemany(_HOLD, parts)


def keep_only(sql: sqlite3.Connection, names: Iterable[str], parts: Iterable[tuple[str, int]]) -> list[int]:
    """Let each of the documents `names` hold what the (document, fact) pairs `parts` say, and nothing else.

    Returns:
        The facts that nothing holds any more, for deletion.
    """
    kept: dict[str, set[int]] = {name: set() for name in names if name}
    for name, number in parts:
        if name in kept:
            kept[name].add(number)
    orphans: list[int] = []
    for name, numbers in kept.items():
        rows = sql.execute("SELECT id FROM facts WHERE document = ? AND document != ''", (name,)).fetchall()
        rows += sql.execute("SELECT fact FROM held WHERE document = ?", (name,)).fetchall()
        orphans += _release(sql, name, json.dumps(sorted({row[0] for row in rows} - numbers)))
    return orphans


def _release(sql: sqlite3.Connection, name: str, facts: str) -> list[int]:
    """Take `facts`, a JSON list of ids, out of a document; return those that nothing else holds."""
    sql.execute(f"DELETE FROM held WHERE document = ? AND fact IN {_THESE}", (name, facts))
    heirs = sql.execute(
        f"""SELECT min(held.document), fact FROM held JOIN facts ON facts.id = fact
        WHERE facts.document = ? AND fact IN {_THESE} GROUP BY fact""",
        (name, facts),
    ).fetchall()
    sql.executemany("UPDATE facts SET document = ? WHERE id = ?", heirs)
    sql.executemany("DELETE FROM held WHERE document = ? AND fact = ?", heirs)
    query = f"SELECT id FROM facts WHERE document = ? AND document != '' AND id IN {_THESE}"
    return [row[0] for row in sql.execute(query, (name, facts))]
