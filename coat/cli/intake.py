"""`coat memory add`: files, folders, lines and single facts into a memory."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coat.cli.stores import DEFAULT, AsJson, Download, EmbedderName, File, made, print_json, progress
from coat.errors import InputError
from memory import naming

if TYPE_CHECKING:
    from memory.corpora import Document

NAMED = 5
"""Documents that a message names."""


def add(
    call: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(help="JSONL, JSON, Markdown, text, HTML and PDF files, folders, or - for lines or JSONL."),
    ] = None,
    *,
    memory: File = DEFAULT,
    text: Annotated[list[str] | None, typer.Option(help="A fact by itself; may be given again.")] = None,
    source: Annotated[str, typer.Option(help="What --text, and lines that name none, are cited by.")] = "",
    prune: Annotated[bool, typer.Option(help="Forget the documents of the folders whose files are gone.")] = False,
    skip_broken: Annotated[bool, typer.Option(help="Pass over files that have a fault, and name them.")] = False,
    embedder: EmbedderName = naming.DEFAULT,
    download: Download = False,
    as_json: AsJson = False,
) -> None:
    """Add facts: all of them, or none where one is broken. A file that was added before is brought up to date."""
    if not (sources or text):
        raise InputError("give files or folders, - for standard input, or --text with a fact")
    passed: Counter[str] = Counter()
    files = [path for path in sources or () if str(path) != "-"]
    documents = list(_read(files, passed, skip_broken))
    loose = [(each, source) for each in text or ()]
    loose += _lines(source) if len(files) < len(sources or ()) else []
    with made(call, memory, embedder, download) as store, progress("embedding") as bar:
        held = {name: n for folder in files if folder.is_dir() for name, n in store.documents(_name(folder)).items()}
        read = {document.name for document in documents}
        missing = [name for name in held if name not in read and not Path(name).exists()]
        update = store.update(documents, facts=loose, gone=missing if prune else (), progress=bar)
        total = store.count()
        with progress("indexing") as bar:
            store.save(progress=bar)
    told = {"added": update.added, "gone": update.gone, "kept": update.kept, "facts": total}
    if as_json:
        print_json(told | {"documents": len(documents), "missing": missing, "passed_over": dict(passed)})
        return
    sys.stdout.write(
        f"{update.added} facts added, {update.gone} gone, {update.kept} as before: {memory} holds {total}.\n"
    )
    if passed:
        parts = ", ".join(f"{count} {what}" for what, count in sorted(passed.items()))
        sys.stdout.write(f"Passed over in folders: {parts}.\n")
    if missing:
        done = "and were forgotten" if prune else "and are still remembered; --prune forgets them"
        named = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
        sys.stdout.write(f"{len(missing)} documents are no longer there, {done}: {named}.\n")


def _name(path: Path) -> str:
    from memory import corpora

    return corpora.name_of(path)


def _read(files: Sequence[Path], passed: Counter[str], skip_broken: bool) -> "Iterator[Document]":
    """The documents of files and folders, read whole, so that no memory is made where one has a fault."""
    import logging

    from memory import CorpusError, corpora

    for library in ("pypdf", "bs4"):  # whose remarks on a file would come before the sentence about it
        logging.getLogger(library).setLevel(logging.ERROR)
    for path in files:
        for document in corpora.documents(path, passed):
            try:
                yield corpora.Document(document.name, tuple(document.pairs))
            except CorpusError as error:
                if not skip_broken:
                    raise
                passed["broken"] += 1
                sys.stderr.write(f"coat: passed over: {error}\n")


def _lines(source: str) -> list[tuple[str, str]]:
    from memory import InputError as BadInput
    from memory import corpora

    try:
        return list(corpora.in_chunks(corpora.read_lines(sys.stdin, "standard input", source)))
    except UnicodeDecodeError as error:
        raise BadInput("standard input is not UTF-8; convert it. Nothing was added.") from error
