"""What the commands of `coat memory` share: opening a memory's file, and showing what is in it."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.show import printable
from coat.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from memory import AssociativeMemory, Fact

File = Annotated[Path, typer.Option("--memory", help="The memory file.")]
Download = Annotated[bool, typer.Option(help="Fetch the embedding model where it is not installed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EmbedderName = Annotated[
    str,
    typer.Option("--embedder", help="Of a new memory: a sentence-transformers model, gguf:PATH or openai:URL#MODEL."),
]
DEFAULT = Path("facts.db")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def opened(file: Path, *, download: bool = False) -> "AssociativeMemory":
    """The memory in `file`, with the embedder that it was made with."""
    from memory import AssociativeMemory

    _check_there(file)
    return AssociativeMemory(file, download=download)


def made(call: typer.Context, file: Path, embedder: str, download: bool) -> "AssociativeMemory":
    """The memory in `file`, or a new one of `embedder`; where that is a setting, an older memory keeps its own."""
    from memory import AssociativeMemory

    source = call.get_parameter_source("embedder")
    if source is not None and source.name == "COMMANDLINE":
        return AssociativeMemory(file, embedder, download=download)
    return AssociativeMemory(file, default=embedder, download=download)


def _check_there(file: Path) -> None:
    if not file.exists():
        raise InputError(f"there is no memory file {file}; `coat memory add FILE --memory {file}` makes one")
    if file.is_file() and not file.stat().st_size:
        cure = f"put a copy back, or begin anew with `coat memory add FILE --memory {file}`"
        raise InputError(f"{file} is empty, 0 bytes, and no memory; if it was one, its facts are lost: {cure}")


@contextmanager
def progress(what: str) -> "Iterator[Callable[[int, int], None]]":
    """A bar on standard error, if that is a terminal, for what takes long: called with (done, in all)."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        job = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(job, completed=done, total=total)


def line(fact: "Fact") -> str:
    """A fact in one line."""
    return f"[{fact.id}] {printable(fact.text)}  ({printable(fact.source)})\n"


def when(seconds: float | None) -> str:
    """A time in the machine's own zone, to the second."""
    return "never" if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


def age(text: str) -> float:
    """An age in seconds: a number and h, d, w or y, as in 30d.

    Raises:
        InputError: It is not one.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdwy])", text.strip())
    if not found:
        raise InputError(f"{text!r} is no age; write a number and h, d, w or y (hours, days, weeks, years), as in 30d")
    return float(found[1]) * _SECONDS[found[2]]


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def size(count: int) -> str:
    """Bytes as a person reads them.

    >>> size(512), size(123_456_789)
    ('512 B', '123.5 MB')
    """
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.1f} {units[0]}" if units[0] != "B" else f"{count} B"
