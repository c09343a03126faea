"""What is kept of a fact beside it, to find it by: its words, in a full-text index (SQLite's FTS5), and its names.

The index holds no text. A fact's words are taken out of it by the same text that put them in, and what is taken out
leaves no trace in the file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from memory import names

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_UNSPACED}]+")


def segmented(text: str) -> str:
    """`text` with every run of a script that sets no spaces (Chinese, Japanese, Thai, …) as overlapping pairs.

    Pairs rather than FTS5's own trigrams, since these find no word of two characters, which most Chinese words are.
    """
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(max(1, len(run) - 1))]


def add(sql: sqlite3.Connection, facts: Iterable[tuple[int, str, str]]) -> None:
    """Take in new facts, (id, text, source), inside the transaction that adds these."""
    for number, text, source in facts:
        sql.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, segmented(text)))
        names.add(sql, number, text, source)


def remove(sql: sqlite3.Connection, facts: Iterable[tuple[int, str]]) -> None:
    """Take out the texts of facts that are forgotten, inside the transaction that deletes these, without a trace.

    FTS5 only marks words as deleted, and drops them where it merges what it wrote before and after: all of it is
    merged, which takes 0.12 s of CPU for 100,000 short facts, however many are forgotten at once. Merging in steps
    costs as much until nothing is left. FTS5's own secure-delete would take 0.6 ms, but what it writes SQLite before
    3.42 (2023) cannot read, and a memory's file is to be read everywhere.
    """
    rows = [(number, segmented(text)) for number, text in facts]
    sql.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", rows)
    names.remove(sql, (number for number, _ in rows))
    if rows:
        sql.execute("INSERT INTO words (words) VALUES ('optimize')")
