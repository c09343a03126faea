"""Long texts in pieces that an embedder reads whole: cut after sentences, each beginning with the end of the last."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate

from memory.sentences import sentences

CHUNK_TOKENS = 220
"""The most tokens of a chunk with its title, by the estimate of `tokens`.

all-MiniLM-L6-v2 reads 254 tokens of a text, and what follows does not change its vector. With this value no chunk of
HotpotQA's and MuSiQue's sample passages (one by one, and all in a row), MATH-500's solutions, this project's own code
and documentation, or of Chinese, Japanese, Korean, Thai, Arabic and Russian sentences had more than 241; with 230 one
had 256. Half of the chunks that long passages are cut into have more than 140.
"""
OVERLAP_TOKENS = 40
"""The most tokens that a chunk repeats of the one before it, so that "it" and "there" keep what they stand for."""

_PIECES = re.compile(r"[A-Za-z]+|[0-9]+|[^\W_]+|\S")
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:\n {0,3}\1[`~]*[ \t]*(?:\n|\Z)|\Z)", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"(?<=\n)(?=[ \t]*(?:[-*+•|]|\d{1,3}[.)])[ \t])")
_WEAKER = (re.compile(r"(?<=\n)"), re.compile(r"(?<=[;,])(?=\s)|(?<=[，、；：])"), re.compile(r"(?<=\s)(?=\S)"))


def tokens(text: str) -> int:
    """About how many tokens `text` has: one for six letters or three digits of ASCII, one for any other character."""
    return sum(_cost(piece) for piece in _PIECES.findall(text))


def _cost(piece: str) -> int:
    if not piece.isascii():
        return len(unicodedata.normalize("NFD", piece))  # as the tokenizer does: a Korean syllable is two or three
    return -(-len(piece) // (3 if piece.isdigit() else 6))


def chunks(text: str, title: str = "") -> Iterator[str]:
    """`text` in pieces that have, with `title` before each, at most `CHUNK_TOKENS` tokens; most are one piece.

    They are cut after sentences, list items and table rows. Code between fences stays whole where it fits, and is cut
    after lines where not; a sentence that is too long is cut after a clause, or else after a word.
    """
    room = max(CHUNK_TOKENS - tokens(title), CHUNK_TOKENS // 2)
    if tokens(text) <= room:
        yield text
        return
    units = list(_units(text, room))
    upto = list(accumulate(map(tokens, units), initial=0))
    start = 0
    while True:
        stop = next((n for n in range(start + 1, len(units)) if upto[n + 1] - upto[start] > room), len(units))
        piece = "".join(units[start:stop]).strip()
        if piece:
            yield piece
        if stop == len(units):
            return
        start = _back(upto, start, stop, room)


def _back(upto: Sequence[int], start: int, stop: int, room: int) -> int:
    """Where the next chunk begins: as far before `stop` as the overlap, and the unit at `stop`, leave room for."""
    first = stop
    while (
        first - 1 > start
        and upto[stop] - upto[first - 1] <= OVERLAP_TOKENS
        and upto[stop + 1] - upto[first - 1] <= room
    ):
        first -= 1
    return first


def _units(text: str, room: int) -> Iterator[str]:
    """The parts of `text` that are not cut, in order and complete: none of more than `room` tokens."""
    end = 0
    for code in _FENCED.finditer(text):
        yield from _prose(text[end : code.start()], room)
        yield from _cut(code[0], room, _WEAKER)
        end = code.end()
    yield from _prose(text[end:], room)


def _prose(text: str, room: int) -> Iterator[str]:
    for item in _ITEM.split(text):
        for sentence in sentences(item):
            yield from _cut(sentence, room, _WEAKER)


def _cut(text: str, room: int, cuts: Sequence[re.Pattern[str]]) -> Iterator[str]:
    if tokens(text) <= room:
        yield text
    elif cuts:
        for piece in cuts[0].split(text):
            yield from _cut(piece, room, cuts[1:])
    else:
        size = room // 3  # the most tokens that one character has
        yield from (text[n : n + size] for n in range(0, len(text), size))
