"""Problems from files: the public formats of the tasks, record by record.

    .jsonl .ndjson   an object a line
    .json            a list of objects, or an object that holds one under "examples" or "data", or one by name
    .csv             a row a record, under the names of the first line

Any of them may be compressed (`.gz`). Which names a record must have is the task's affair; `coat tasks` says.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from coat.errors import InputError
from coat.problem import Problem
from coat.tasks import Task

Records = Iterator[tuple[int, Any]]


def records(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The records of `file`, each with its place.

    Raises:
        InputError: the file cannot be read, or is not what its name says, by line.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    reader = READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise InputError(f"{file} is none of the files that hold problems: {', '.join(READERS)}, perhaps with .gz")
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.suffix.lower() == ".gz" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    found = [(f"{file}:{number}", record) for number, record in reader(file, text)]
    if strange := next((place for place, record in found if not isinstance(record, dict)), None):
        raise InputError(f"{strange} is no object with names, as a problem is")
    if not found:
        raise InputError(f"{file} holds no problem")
    return found


def problems(task: Task, file: Path, limit: int | None = None) -> list[tuple[str, Problem]]:
    """The first `limit` problems of `file`, each as the JSON text that `task` reads, and as it is read.

    Raises:
        InputError: a record is no problem of the task, by its place.
    """
    found: list[tuple[str, Problem]] = []
    for place, record in records(file)[:limit]:
        text = json.dumps(record, ensure_ascii=False)
        try:
            found.append((text, task.read(text)))
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
    return found


def _lines(file: Path, text: str) -> Records:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _parsed(f"{file}:{number}", line)


def _document(file: Path, text: str) -> Records:
    data = _parsed(str(file), text)
    if isinstance(data, dict):
        data = data.get("examples") or data.get("data") or list(data.values())
    if not isinstance(data, list):
        raise InputError(f"{file} holds no list of problems")
    yield from enumerate(data, 1)


def _rows(file: Path, text: str) -> Records:
    rows = csv.DictReader(io.StringIO(text))
    for row in rows:
        if None in row or None in row.values():
            raise InputError(f"{file}:{rows.line_num} has not as many fields as the first line has names")
        yield rows.line_num, row


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON: {error}") from error


READERS: dict[str, Callable[[Path, str], Records]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _document,
    ".csv": _rows,
}
