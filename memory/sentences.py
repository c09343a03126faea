"""Where sentences end, in scripts with spaces and without."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(
    r"""(?P<mark>[.!?…؟۔।]+)["'”’»)\]]*(?=\s+(?P<next>\S))|[。！？｡]+["'”’」』）】》]*""",
)
_DOTTED = re.compile(r"(?:\w\.)*\w|\d{1,2}")
_WORDS = (
    "al approx art ave bd bzw ca capt cf ch chap co col corp dept dipl dr ed eds eq est etc ex fig figs ft gen gov "
    "hon hr inc jr lt ltd mgr misc mr mrs ms mt nr no nos op par pp pl pres prof ref refs rep resp rev sec sen sgt sr "
    "st tab univ usw vgl viz vol vols vs"
)
_ABBREVIATIONS = frozenset(_WORDS.split())


def sentences(text: str) -> list[str]:
    """`text` cut after its sentences; joined, the pieces are `text` again, each with the white space that follows it.

    A full stop ends no sentence inside a number or an address (nothing blank follows it), before a small letter, after
    an initial, a common abbreviation ("Dr.", "e.g.") or a number of one or two digits ("3. Oktober", a list's "1.").

    >>> sentences("Dr. Ada paid 3.14 pounds, e.g. to J. Wu. 東京は首都。大阪は違う。 So?")
    ['Dr. Ada paid 3.14 pounds, e.g. to J. Wu. ', '東京は首都。', '大阪は違う。 ', 'So?']
    """
    return list(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        if end["mark"] and (end["next"].islower() or (end["mark"] == "." and _goes_on(text, start, end.start()))):
            continue
        stop = end.end()
        while stop < len(text) and text[stop].isspace():
            stop += 1
        yield text[start:stop]
        start = stop
    if start < len(text):
        yield text[start:]


def _goes_on(text: str, start: int, stop: int) -> bool:
    """Whether the word before a full stop at `stop` is one that the stop belongs to."""
    words = text[max(start, stop - 20) : stop].split()
    word = words[-1].strip("([{\"'“‘«*_") if words else ""
    return word.casefold() in _ABBREVIATIONS or _DOTTED.fullmatch(word) is not None
