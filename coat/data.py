"""Problems from files: the public formats of the tasks, record by record.

    .jsonl .ndjson   an object a line
    .json            a list of objects, or an object that holds one under "examples" or "data", or one by name, or lines
    .csv             a row a record, under the names of the first line

Any of them may be compressed (`.gz`). Which names a record must have is the task's affair; `coat tasks` says.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from coat.errors import InputError
from coat.problem import Problem
from coat.tasks import Task

Records = Iterator[tuple[str, Any]]
"""Each with its place: the file and the line, or the number of the problem."""


def records(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The records of `file`, each with its place.

    Raises:
        InputError: the file cannot be read, or is not what its name says, by line.
    """
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    reader = READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise InputError(f"{file} is none of the files that hold problems: {', '.join(READERS)}, perhaps with .gz")
    found = list(reader(file, _text(file)))
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


def _text(file: Path) -> str:
    """What the file says; InputError where it cannot be read, or is not UTF-8."""
    try:
        data = file.read_bytes()
        if file.suffix.lower() == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line} is not UTF-8 ({error.reason}); write the file as UTF-8") from error


def _lines(file: Path, text: str) -> Records:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{file}:{number}", _parsed(file, line, number)


def _document(file: Path, text: str) -> Records:
    try:
        data = _parsed(file, text)
    except InputError:
        if not _is_object(text.lstrip().partition("\n")[0]):
            raise
        yield from _lines(file, text)
        return
    if isinstance(data, dict):
        data = next((data[name] for name in ("examples", "data") if name in data), list(data.values()))
    if not isinstance(data, list):
        raise InputError(f"{file} holds no list of problems")
    yield from ((f"{file}, problem {number}", record) for number, record in enumerate(data, 1))


def _rows(file: Path, text: str) -> Records:
    rows = csv.reader(io.StringIO(text))
    try:
        names = next(rows, [])
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"{file}:1 has the name {twice[0]!r} twice")
        for row in rows:
            place = f"{file}:{rows.line_num}"
            if row and len(row) != len(names):
                raise InputError(
                    f"{place} has not as many fields ({len(row)}) as the first line has names ({len(names)})"
                )
            if row:
                yield place, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{file}:{rows.line_num} is no CSV: {error}") from error


def _is_object(text: str) -> bool:
    """Whether `text` is a JSON object by itself."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(file: Path, text: str, line: int = 1) -> Any:
    """The value that `text`, which begins at a line of the file, stands for."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{line + error.lineno - 1} is not JSON: {error.msg}, column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}:{line} is not JSON: {error}") from error


READERS: dict[str, Callable[[Path, str], Records]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _document,
    ".csv": _rows,
}
