"""`coat memory` stats, export, import, verify and compact: what a memory's file needs now and then."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from coat.cli.stores import (
    DEFAULT,
    AsJson,
    Download,
    EmbedderName,
    File,
    made,
    opened,
    print_json,
    progress,
    size,
    when,
)
from memory import naming

NAMED = 20
"""Ids of damaged facts that a message names."""
_INDEX = {
    "none": "none; it is made at the first recall",
    "current": "current",
    "old": "of an earlier state; the next recall brings it up to date",
    "damaged": "damaged; the next recall makes it anew",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(stats)
    app.command()(export)
    app.command("import")(import_facts)
    app.command()(verify)
    app.command()(compact)
    app.command()(reembed)


def stats(*, memory: File = DEFAULT, as_json: AsJson = False) -> None:
    """Show how much a memory holds, by which embedder, and its size."""
    with opened(memory) as store:
        found = store.stats()
    if as_json:
        print_json(asdict(found))
        return
    rows = {
        "facts": f"{found.facts}",
        "sources": f"{found.sources}",
        "documents": f"{found.documents}",
        "embedder": f"{found.embedder or 'none yet'}",
        "dimension": f"{found.dimension or 'none yet'}",
        "database": size(found.database_bytes),
        "index": f"{size(found.index_bytes)}, {_INDEX[found.index]}",
        "last added": when(found.last_added),
    }
    for name, value in rows.items():
        sys.stdout.write(f"{name:<11} {value}\n")


def export(file: Annotated[Path, typer.Argument(help="The JSONL file to write.")], *, memory: File = DEFAULT) -> None:
    """Write all facts to a JSONL file, which `import` and `add` read; of a damaged memory, those that are whole."""
    with opened(memory) as store:
        done = store.export(file)
    sys.stdout.write(f"{done.facts} facts written to {file}\n")
    if done.damaged:
        named = ", ".join(map(str, done.damaged[:NAMED])) + (", …" if len(done.damaged) > NAMED else "")
        sys.stdout.write(f"{len(done.damaged)} facts are damaged and were passed over: {named}\n")
        raise typer.Exit(1)


def import_facts(
    call: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.")],
    *,
    memory: File = DEFAULT,
    embedder: EmbedderName = naming.DEFAULT,
    download: Download = False,
) -> None:
    """Add the facts of an export, with new ids, and with their sources, documents, origins and times."""
    from memory import exchange

    exchange.read(file)  # so that no memory is made where it has a fault
    with made(call, memory, embedder, download) as store, progress("embedding") as bar:
        done = store.import_(file, progress=bar)
        total = store.count()
    sys.stdout.write(f"{done.added} facts added, {done.kept} as before: {memory} holds {total}.\n")


def verify(*, memory: File = DEFAULT, as_json: AsJson = False) -> None:
    """Look for damage in a memory and its index, and say what mends it; exit code 1 if there is any."""
    with opened(memory) as store, progress("reading") as bar:
        problems = store.verify(bar)
        count = store.count() if not problems else 0
    if as_json:
        print_json([problem._asdict() for problem in problems])
    elif not problems:
        sys.stdout.write(f"{memory} is whole: {count} facts with their vectors and words\n")
    else:
        for problem in problems:
            sys.stdout.write(f"{problem.what}. To mend it: {problem.cure}.\n")
    if problems:
        raise typer.Exit(1)


def compact(*, memory: File = DEFAULT, as_json: AsJson = False) -> None:
    """Write a memory and its index anew, as small as they can be."""
    with opened(memory) as store:
        done = store.compact()
    if as_json:
        print_json(done._asdict())
    else:
        sys.stdout.write(f"{memory}: {size(done.before)} before, {size(done.after)} now\n")


def reembed(
    *,
    embedder: Annotated[
        str, typer.Option(help="The new one: a sentence-transformers model, gguf:PATH or openai:URL#MODEL.")
    ],
    memory: File = DEFAULT,
    download: Download = False,
) -> None:
    """Change the embedder: every fact gets its vector, in one step at the end; or say where the embedder is now."""
    with opened(memory) as store, progress("embedding") as bar:
        count = store.reembed(embedder, progress=bar, download=download)
        name = store.embedder
    sys.stdout.write(f"{count} facts embedded anew: {memory} is of {name}.\n")
