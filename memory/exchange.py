"""Facts out of a memory and into another: JSON lines, one fact a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from memory import salvage
from memory.corpora.objects import parsed
from memory.corpora.reading import decoded, fault
from memory.errors import StorageError
from memory.facts import FactStore
from memory.files import write_whole
from memory.records import Entry

_KINDS: dict[str, type | tuple[type, ...]] = {
    "source": str,
    "document": str,
    "origin": str,
    "added": (int, float),
    "held_by": list,
}


class Exported(NamedTuple):
    """How many `facts` were written, and the ids of those that are `damaged` and were passed over."""

    facts: int
    damaged: list[int]


def write(facts: FactStore, path: Path) -> Exported:
    """Write the facts to a file as they are at one moment; the file appears whole or not at all.

    A line is an object of id, text, source, added (Unix seconds), document and origin, with the further documents that
    hold the fact under held_by, if there are any. Facts that cannot be read, or whose text is not what was stored, are
    passed over.

    Raises:
        StorageError: The file cannot be written.
        DamagedMemoryError: Nothing can be read.
    """
    damaged: list[int] = []
    written = 0

    def lines() -> Iterator[bytes]:
        nonlocal written
        for number, text, source, _, added, document, origin, more in salvage.rows(facts, _WITH_HOLDERS, damaged):
            row = {"id": number, "text": text, "source": source, "added": added}
            row |= {"document": document, "origin": origin}
            row |= {"held_by": json.loads(more)} if more != "[]" else {}
            written += 1
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n"

    try:
        with facts.database.transaction(write=False):
            write_whole(path, lines())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}. Choose another file or folder.") from error
    return Exported(written, damaged)


_WITH_HOLDERS = """added, document, origin,
    (SELECT json_group_array(document) FROM (SELECT document FROM held WHERE fact = facts.id ORDER BY document))"""


def read(path: Path) -> list[Entry]:
    """The entries of an export, one for each document that holds a fact.

    Raises:
        CorpusError: The file cannot be read or is no export; names the line.
    """
    entries: list[Entry] = []
    for number, line in enumerate(decoded(path).split("\n"), start=1):
        if line.strip():
            entries += _entries(parsed(str(path), line, number), f"{path}, line {number}")
    return entries


def _entries(row: Any, where: str) -> Iterator[Entry]:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not row["text"].strip():
        raise fault(where, "it is not an object with a text, as an export's lines are")
    for name, kind in _KINDS.items():
        if name in row and (not isinstance(row[name], kind) or isinstance(row[name], bool)):
            raise fault(where, f"its {name} is {row[name]!r}, which no export writes")
    added, more = row.get("added"), row.get("held_by", [])
    if (added is not None and not math.isfinite(added)) or not all(isinstance(name, str) for name in more):
        raise fault(where, "its time or its documents are not what an export writes")
    for document in (row.get("document", ""), *more):
        yield Entry(row["text"], row.get("source", ""), document, row.get("origin", ""), added)
