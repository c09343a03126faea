"""The names by which facts are linked: a fact's title, and the names that its text mentions.

No model tells what a name is: a title is what stands before a text ("Title: text") or its source; a name is a run of
capitalised words, what stands in quotation marks, or a run of Katakana or Chinese characters. What is none, or is
everywhere, is shared by too many facts to link them.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator

MOST = 128
"""The most names that are kept of one fact, and the most words of a text in which names are looked for."""
LONGEST = 6
"""The most words of a name that is looked up in a question, and the most characters of an unspaced one."""

_TITLE = re.compile(r"([^\n]{1,100}?): +\S")
_PLACE = re.compile(r"[/\\]|\.\w{1,6}(:\d+)?$")
_QUOTED = re.compile(r"[\"“„«『「《〈]([^\"“”„«»『』「」《》〈〉\n]{2,60})[\"”“»』」》〉]")
_BREAK = re.compile(r"(?<=\w\w[.!?])\s+|[:;()\[\]{},\"“”„«»]|\s[-–—]\s")
_KANA = re.compile(r"[\u3041-\u30ff]")
_KATAKANA = re.compile(r"[\u30a1-\u30ff]{2,}")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_PARTICLES = re.compile("[的是在了和与與及为為于於]")
_JOIN = "of the de del la le von van der den du da di for al el bin ibn y des"
_OPEN = (
    "a an in on at from by with to as and or but nor so yet if it its he she they we you i his her their our my your "
    "this that these those there here when while where after before since during until although though because "
    "however then than who whom whose what which why how is are was were be been has have had do does did not no some "
    "many most other another both each all any one two"
)
_JOINING = frozenset(_JOIN.split())
_OPENING = _JOINING | frozenset(_OPEN.split())
"""Words that open a sentence or a title, with a capital letter, and are no part of a name that stands in a text."""


def normalised(name: str) -> str:
    """`name` as it is compared: words alone, without letter case, accents and full width."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    plain = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", folded))
    return re.sub(" s$", "", " ".join(re.findall(r"\w+", plain)))


def split(text: str, source: str) -> tuple[str, str]:
    """The title of a fact ("" if it has none), and the text that follows it."""
    match = _TITLE.match(text)
    if match and not re.search(r"[.!?] ", match[1]):
        return match[1], text[match.end(1) + 1 :]
    where = source.rpartition("#")[2]
    return ("" if _PLACE.search(where) else where), text


def titles(title: str) -> list[str]:
    """The names a title gives: all of it, without what stands in brackets, and what stands before a comma."""
    bare = re.sub(r"\s*[(（][^)）]*[)）]", "", title)
    return _distinct([title, bare, bare.split(",")[0]])


def mentions(text: str) -> list[str]:
    """The names in `text`, in order; at most `MOST`."""
    return _distinct([*(match[1] for match in _QUOTED.finditer(text)), *_unspaced(text), *_capitalised(text)])


def asked(text: str) -> list[str]:
    """What may be a name in a question: all its runs of up to `LONGEST` words or unspaced characters."""
    words = normalised(text).split()[:MOST]
    runs = [words[start : start + n] for n in range(1, LONGEST + 1) for start in range(len(words) - n + 1)]
    spaced = [" ".join(run) for run in runs if len(run) > 1 or run[0] not in _OPENING]
    whole = [run[0][:MOST] for run in re.finditer(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,}", text)]
    pieces = [run[start : start + n] for run in whole for n in range(2, LONGEST + 1) for start in range(len(run) - 1)]
    return list(dict.fromkeys([*spaced, *map(normalised, pieces)]))


def add(sql: sqlite3.Connection, fact: int, text: str, source: str) -> None:
    """Keep the names of a new fact, inside the transaction that adds it."""
    title, body = split(text, source)
    own = titles(title)
    rows = [*((name, fact, 1) for name in own), *((name, fact, 0) for name in mentions(body) if name not in own)]
    sql.executemany("INSERT INTO names (name, fact, title) VALUES (?, ?, ?)", rows)


def remove(sql: sqlite3.Connection, facts: Iterable[int]) -> None:
    """Delete the names of facts, inside the transaction that deletes these."""
    sql.executemany("DELETE FROM names WHERE fact = ?", ((number,) for number in facts))


def _distinct(names: Iterable[str]) -> list[str]:
    known: dict[str, None] = {}
    for name in map(normalised, names):
        if len(name) > 1 and name not in _OPENING and not re.fullmatch(r"[\d\W]+", name):
            known[name] = None
            if len(known) == MOST:
                break
    return list(known)


def _unspaced(text: str) -> Iterator[str]:
    yield from (match[0] for match in _KATAKANA.finditer(text))
    japanese = _KANA.search(text)
    for match in _HAN.finditer(text):
        yield from (part for part in ([match[0]] if japanese else _PARTICLES.split(match[0])) if 1 < len(part) <= 8)


def _capitalised(text: str) -> Iterator[str]:
    for part in _BREAK.split(text):
        run: list[str] = []
        first = False
        for number, token in enumerate([*part.split(), ""]):
            word = token.strip(".,!?'\"")
            if word[:1].isupper() or (run and (word[:1].isdigit() or word.casefold() in _JOINING)):
                first = first if run else number == 0
                run.append(word)
            elif run:
                yield from _forms(run, first)
                run = []


def _forms(run: list[str], first: bool) -> Iterator[str]:
    """The names in a run; where it is the `first` of a sentence, its first word may be there for that alone."""
    while run[-1].casefold() in _JOINING:
        run = run[:-1]
        if not run:
            return
    for form in [run, run[1:]] if first else [run]:
        start = next((n for n, word in enumerate(form) if word.casefold() not in _OPENING), len(form))
        yield " ".join(form[start:])
