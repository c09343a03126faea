"""What all readers share: what they give, how a file is opened, and how a fault is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from memory.errors import CorpusError


class Passage(NamedTuple):
    """A text as a file has it, of any length, with the `source` to cite and the `title` it stands under, if any."""

    text: str
    source: str
    title: str = ""


Passages = Iterator[Passage]


def titled(title: str, text: str) -> str:
    """`text` with its `title` before it, unless it begins with that already."""
    return f"{title}: {text}" if title and not text.startswith(f"{title}: ") else text


def contents(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        CorpusError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}.") from error


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        CorpusError: It cannot be read, or is not UTF-8; names the line.
    """
    try:
        return contents(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise fault(f"{path}, line {line}", "it is not UTF-8; convert the file") from error


def fault(where: str, what: str) -> CorpusError:
    """The error for a fault in a file."""
    return CorpusError(f"{where}: {what}. None of the file was kept; correct it and add it again.")
