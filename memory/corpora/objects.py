"""JSON and JSON lines: an object is a text with its title and source."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from memory.corpora.reading import Passage, Passages, decoded, fault

TEXT_KEYS = ("text", "paragraph_text", "contents")


def read_jsonl(path: Path) -> Passages:
    """One JSON object a line; blank lines are passed over.

    Raises:
        CorpusError: A line is not a JSON object or lacks a text.
    """
    for number, line in enumerate(decoded(path).split("\n"), start=1):
        if line.strip():
            yield _passage(parsed(str(path), line, number), f"{path}, line {number}", f"{path.name}:{number}")


def read_json(path: Path) -> Passages:
    """A JSON list of objects or texts, or an object from title to a text or a list of sentences.

    Raises:
        CorpusError: The file is not JSON, is built otherwise, or an entry lacks a text.
    """
    data = parsed(str(path), decoded(path))
    if isinstance(data, dict):
        data = [{"title": title, "text": text} for title, text in data.items()]
    if not isinstance(data, list):
        raise fault(str(path), "it must hold a list of objects, or an object from title to text")
    for number, value in enumerate(data, start=1):
        yield _passage(value, f"{path}, entry {number}", f"{path.name}:{number}")


def read_lines(lines: Iterable[str], name: str, source: str = "") -> Passages:
    """Lines of standard input or the like: a line that begins with "{" is a JSON object, any other a text.

    `source` is that of lines without one; else plain lines are cited by `name`, objects by `name` and line.

    Raises:
        CorpusError: An object is not JSON or lacks a text.
    """
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("{"):
            yield _passage(parsed(name, line, number), f"{name}, line {number}", source or f"{name}:{number}")
        elif line.strip():
            yield Passage(line.strip(), source or name)


def parsed(name: str, text: str, line: int = 1) -> Any:
    """`text` as JSON; it stands on `line` of the file `name`.

    Raises:
        CorpusError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise fault(f"{name}, line {line + error.lineno - 1}", f"it is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise fault(f"{name}, line {line}", "it is nested too deeply") from error


def _passage(value: Any, where: str, place: str) -> Passage:
    """What one object (or bare text) holds; `where` names it in an error, `place` as a source."""
    fields = {"text": value} if isinstance(value, str) else value
    if not isinstance(fields, dict):
        raise fault(where, "it is not an object with a text")
    text = next((fields[key] for key in TEXT_KEYS if key in fields), None)
    if isinstance(text, list) and all(isinstance(sentence, str) for sentence in text):
        text = " ".join(sentence.strip() for sentence in text)
    if not isinstance(text, str) or not text.strip():
        raise fault(where, f"it has no text under {', '.join(TEXT_KEYS)}")
    title, source = fields.get("title"), fields.get("source")
    for name, given in (("title", title), ("source", source)):
        if given is not None and not isinstance(given, str):
            raise fault(where, f"its {name} is not a text")
    return Passage(text.strip(), place if source is None and title is None else source or title or "", title or "")
