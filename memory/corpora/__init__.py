"""Readers of corpora: generators of (text, source) pairs, chosen by a file's suffix.

    .jsonl .ndjson   one object a line: its text under text, paragraph_text or contents; title and source if any
    .json            a list of such objects or of texts, or an object from title to text or sentences (HotpotQA)
    .md .markdown    one text a paragraph, source "file.md#heading"
    .txt .text       one text a paragraph, source "file.txt"
    .html .htm .xhtml   one text a paragraph, list or table, source "file.html#heading"
    .pdf             one text a page, source "file.pdf, page 3"

A text that has a title, or stands under a heading, begins with it ("Title: text"), so that it reads well in a
prompt; the title is its source unless the object names another. An object without either is cited by its place,
"file.jsonl:12". A text too long for an embedder comes in chunks (see `chunks`), each with the title and the source of
the whole. A reader that meets a fault raises CorpusError with file and line before `add` has kept anything.

A file is a document, and so is each file of a folder. A document's name is its absolute path, with links in what was
given resolved: from whatever folder a file is added again, it is the same document, and two files of one name in two
folders are two. A file that has moved is another document.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from memory.corpora.chunking import CHUNK_TOKENS, chunks
from memory.corpora.folders import walk
from memory.corpora.html import read_html
from memory.corpora.objects import read_json, read_jsonl, read_lines
from memory.corpora.pdf import read_pdf
from memory.corpora.prose import read_markdown, read_text
from memory.corpora.reading import Passage, Passages, titled
from memory.errors import CorpusError

__all__ = ["CHUNK_TOKENS", "READERS", "Document", "chunks", "documents", "in_chunks", "name_of", "read", "read_lines"]

Pairs = Iterator[tuple[str, str]]

READERS: dict[str, Callable[[Path], Passages]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".txt": read_text,
    ".text": read_text,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".pdf": read_pdf,
}


@dataclass(frozen=True, slots=True)
class Document:
    """A file as facts: its `name` (see this module), and all its (text, source) `pairs`, read as they are asked for."""

    name: str
    pairs: Iterable[tuple[str, str]]


def read(path: str | os.PathLike[str]) -> Pairs:
    """The (text, source) pairs of a file, by its suffix, or of a folder's files.

    Raises:
        CorpusError: The file is missing, of an unknown kind, has a fault, or is not UTF-8; names file and line.
    """
    for document in documents(path):
        yield from document.pairs


def documents(path: str | os.PathLike[str], passed: Counter[str] | None = None) -> Iterator[Document]:
    """The file at `path`, or the files of a folder and of the folders in it, those of a folder first, by name.

    Hidden files and those of other kinds are passed over in a folder, and counted in `passed` (see `folders.walk`).

    Raises:
        CorpusError: There is no such file, it is of an unknown kind, or a folder cannot be read.
    """
    given = Path(path)
    if not given.exists():
        raise CorpusError(f"{given} cannot be read: No such file or folder.")
    if not given.is_dir():
        reader = READERS.get(given.suffix.casefold())
        if reader is None:
            known = " ".join(READERS)
            raise CorpusError(f"{given}: files ending in {given.suffix or 'nothing'!r} cannot be read, only {known}.")
        yield Document(name_of(given), in_chunks(reader(given)))
        return
    root = Path(name_of(given))
    for file in walk(given, READERS, Counter() if passed is None else passed):
        name = (root / file.relative_to(given)).as_posix()
        yield Document(name, in_chunks(READERS[file.suffix.casefold()](file)))


def name_of(path: str | os.PathLike[str]) -> str:
    """The name of the document that the file at `path` is, or the beginning of those in the folder there."""
    return Path(os.path.realpath(path)).as_posix()


def in_chunks(passages: Iterable[Passage]) -> Pairs:
    """The (text, source) pairs of passages: each chunk of a text with its title."""
    for passage in passages:
        for chunk in chunks(passage.text, passage.title):
            yield titled(passage.title, chunk), passage.source
