"""Lexical recall: facts that share words with a text, by BM25 (Robertson & Zaragoza 2009) from SQLite's FTS5.

Words that many facts share tell little and cost most, so a search takes the rarest words first and stops where their
rows would exceed a budget: its work does not grow with the number of facts, and no list of stopwords is needed.
"""

from __future__ import annotations

import math
import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from memory.derived import segmented

BUDGET = 512
"""The most rows of the word index that one search reads.

On HotpotQA and MuSiQue (questions 0 to 49, 994 and 1,890 passages) a budget of 300 rows finds as much as all rows do:
0.80 and 0.56 of the supporting passages among the first five, against 0.80 and 0.55; one of 100 finds 0.73 and 0.53.
"""
TERMS = 96
"""The most different words of a text that are looked up, the first ones."""
_KNOWN = 50_000


class Matches(NamedTuple):
    """The facts found: `ids` best first, the `coverage` of each, and whether there are `more` beyond these ids.

    A fact's coverage is its share of what the text's words tell: of the sum of their IDF, those no fact holds included.
    """

    ids: list[int]
    coverage: dict[int, float]
    more: bool


def terms(text: str) -> list[str]:
    """The different words and numbers of `text`, as FTS5 queries."""
    words = re.findall(r"\w+", segmented(unicodedata.normalize("NFC", text).casefold()))
    return [f'"{word}"' for word in dict.fromkeys(words)][:TERMS]


class WordCounts:
    """How many facts hold a word, counted up to `BUDGET` and remembered until the facts change."""

    def __init__(self) -> None:
        self._revision = ""
        self._rows: dict[str, int] = {}

    def of(self, sql: sqlite3.Connection, revision: str, words: Sequence[str]) -> dict[str, int]:
        """The count of each of `words`, FTS5 queries; `revision` is the facts' own."""
        if revision != self._revision or len(self._rows) > _KNOWN:
            self._revision, self._rows = revision, {}
        known, query = self._rows, "SELECT count(*) FROM (SELECT rowid FROM words WHERE words MATCH ? LIMIT ?)"
        for word in words:
            if word not in known:
                known[word] = sql.execute(query, (word, BUDGET + 1)).fetchone()[0]
        return {word: known[word] for word in words}


def search(sql: sqlite3.Connection, rows: dict[str, int], size: int, up_to: int) -> Matches:
    """The `size` facts with the highest BM25 for words that so many `rows` hold, with ids of at most `up_to`."""
    weights = {word: math.log(1 + (max(up_to, n) - n + 0.5) / (n + 0.5)) for word, n in rows.items()}
    scores: dict[int, float] = {}
    held: dict[int, float] = {}
    left = BUDGET
    for word in sorted(rows, key=lambda each: rows[each]):
        left -= rows[word]
        if left < 0:
            break
        query = "SELECT rowid, bm25(words) FROM words WHERE words MATCH ? AND rowid <= ?"
        for number, score in sql.execute(query, (word, up_to)):
            scores[number] = scores.get(number, 0.0) - score
            held[number] = held.get(number, 0.0) + weights[word]
    total = sum(weights.values())
    order = sorted(scores, key=lambda number: (-scores[number], number))
    return Matches(order[:size], {number: held[number] / total for number in held}, len(order) > size)
