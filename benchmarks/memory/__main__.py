"""What the memory does and costs: `python -m benchmarks.memory --json`, with `--only PART` a part of it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from benchmarks.command import report
from benchmarks.memory.progress import say
from coat.errors import InputError

PARTS = {name: f"benchmarks.memory.{name}" for name in ("scale", "association", "knobs", "answers", "peers")}
"""Modules with `measure(data, cache, quick=...) -> figures`, by the names that `--only` takes."""
DATA = Path("../shared/data")
CACHE = Path(platformdirs.user_cache_dir("coat")) / "benchmarks"


def measure(parts: list[str], data: Path, cache: Path, *, quick: bool) -> dict[str, Any]:
    """The figures of `parts`, in one dict; each part's `detail` stands under its name in `detail`.

    Raises:
        InputError: There is no such part, or the data are missing.
    """
    unknown = sorted(set(parts) - PARTS.keys())
    if unknown:
        raise InputError(f"there is no part {unknown[0]}; parts are {', '.join(PARTS)}")
    if not data.is_dir():
        raise InputError(f"there is no folder {data}; name the one that holds hotpotqa/ with --data")
    figures: dict[str, Any] = {}
    detail: dict[str, Any] = {}
    for part in parts or PARTS:
        say(f"part {part}")
        found = importlib.import_module(PARTS[part]).measure(data, cache, quick=quick)
        detail[part] = found.pop("detail", {})
        figures |= found
    return figures | {"detail": detail}


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[bool, typer.Option(help="Less of everything.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Parts, of: {', '.join(PARTS)}.")] = None,
    data: Annotated[Path, typer.Option(help="The folder that holds hotpotqa/.")] = DATA,
    cache: Annotated[Path, typer.Option(help="Where embeddings are kept for the next time.")] = CACHE,
) -> None:
    """Measure the memory against its goals."""
    report(lambda: measure(only or [], data, cache, quick=quick), as_json=as_json)


if __name__ == "__main__":
    app()
