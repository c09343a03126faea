"""Readers of corpora: generators of (text, source) pairs, chosen by a file's suffix.

    .jsonl .ndjson   one object a line: its text under text, paragraph_text or contents; title and source if any
    .json            a list of such objects or of texts, or an object from title to text or sentences (HotpotQA)
    .md .markdown    one text a paragraph, source "file.md#heading"
    .txt .text       one text a paragraph, source "file.txt"

A text that has a title, or stands under a heading, begins with it ("Title: text"), so that it reads well in a
prompt; the title is its source unless the object names another. An object without either is cited by its place,
"file.jsonl:12". A reader that meets a fault raises CorpusError with file and line before `add` has kept anything.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memory.errors import CorpusError

Pairs = Iterator[tuple[str, str]]

TEXT_KEYS = ("text", "paragraph_text", "contents")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read(path: str | os.PathLike[str]) -> Pairs:
    """The (text, source) pairs of a file, by its suffix.

    Raises:
        CorpusError: The file is missing, of an unknown kind, not UTF-8, or has a fault; names file and line.
    """
    file = Path(path)
    reader = READERS.get(file.suffix.casefold())
    if reader is None:
        known = " ".join(READERS)
        raise CorpusError(f"{file}: files ending in {file.suffix or 'nothing'!r} cannot be read, only {known}.")
    return reader(file)


def read_jsonl(path: Path) -> Pairs:
    """One JSON object a line; blank lines are passed over.

    Raises:
        CorpusError: A line is not a JSON object or lacks a text.
    """
    for number, line in enumerate(_contents(path).split("\n"), start=1):
        if line.strip():
            yield _entry(_parsed(path, line, number), f"{path}, line {number}", f"{path.name}:{number}")


def read_json(path: Path) -> Pairs:
    """A JSON list of objects or texts, or an object from title to a text or a list of sentences.

    Raises:
        CorpusError: The file is not JSON, is built otherwise, or an entry lacks a text.
    """
    data = _parsed(path, _contents(path))
    if isinstance(data, dict):
        data = [{"title": title, "text": text} for title, text in data.items()]
    if not isinstance(data, list):
        raise _fault(str(path), "it must hold a list of objects, or an object from title to text")
    for number, value in enumerate(data, start=1):
        yield _entry(value, f"{path}, entry {number}", f"{path.name}:{number}")


def read_markdown(path: Path) -> Pairs:
    """One text a paragraph, each beginning with the heading it stands under; fenced code is never split.

    Raises:
        CorpusError: The file cannot be read.
    """
    heading, fence, lines = "", "", list[str]()
    for line in [*_contents(path).split("\n"), ""]:
        mark = _FENCE.match(line)
        title = _HEADING.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif title or not line.strip():
            yield from _section(path, heading, lines)
            heading, lines = (title[1] if title else heading), []
            continue
        lines.append(line)
    yield from _section(path, heading, lines)


def read_text(path: Path) -> Pairs:
    """One text a paragraph: what stands between blank lines.

    Raises:
        CorpusError: The file cannot be read.
    """
    for paragraph in re.split(r"\n[ \t]*\n", _contents(path)):
        if paragraph.strip():
            yield paragraph.strip(), path.name


READERS: dict[str, Callable[[Path], Pairs]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".txt": read_text,
    ".text": read_text,
}


def _section(path: Path, heading: str, lines: list[str]) -> Pairs:
    text = "\n".join(lines).strip()
    if text:
        yield _titled(heading, text), f"{path.name}#{heading}" if heading else path.name


def _entry(value: Any, where: str, place: str) -> tuple[str, str]:
    """The pair of one object (or bare text); `where` names it in an error, `place` as a source."""
    fields = {"text": value} if isinstance(value, str) else value
    if not isinstance(fields, dict):
        raise _fault(where, "it is not an object with a text")
    text = next((fields[key] for key in TEXT_KEYS if key in fields), None)
    if isinstance(text, list) and all(isinstance(sentence, str) for sentence in text):
        text = " ".join(sentence.strip() for sentence in text)
    if not isinstance(text, str) or not text.strip():
        raise _fault(where, f"it has no text under {', '.join(TEXT_KEYS)}")
    title, source = fields.get("title"), fields.get("source")
    for name, given in (("title", title), ("source", source)):
        if given is not None and not isinstance(given, str):
            raise _fault(where, f"its {name} is not a text")
    return _titled(title, text.strip()), place if source is None and title is None else source or title or ""


def _titled(title: str | None, text: str) -> str:
    return f"{title}: {text}" if title and not text.startswith(f"{title}: ") else text


def _contents(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _fault(f"{path}, line {line}", "it is not UTF-8; convert the file") from error


def _parsed(path: Path, text: str, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _fault(f"{path}, line {line + error.lineno - 1}", f"it is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise _fault(f"{path}, line {line}", "it is nested too deeply") from error


def _fault(where: str, what: str) -> CorpusError:
    return CorpusError(f"{where}: {what}. None of the file was kept; correct it and add it again.")
