"""Texts become facts: checked, those that are new embedded in batches, and all of them stored at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memory.embedders import Embedder, check_text, embed_checked, place_of
from memory.facts import FactStore, check_embedder
from memory.records import Entry, Update, digest

BATCH = 256
"""Texts that are embedded between two calls of `progress`."""

Progress = Callable[[int, int], None] | None


def entry(fact: str | tuple[str, str] | Entry, source: str, document: str, origin: str) -> Entry:
    """What is to be added, from a text, a (text, source) pair, or an entry, which says all of it itself."""
    if isinstance(fact, Entry):
        return fact
    text, where = (fact, source) if isinstance(fact, str) else fact
    return Entry(text, where, document, origin)


def write(
    facts: FactStore, embedder: Embedder, entries: Sequence[Entry], whole: Sequence[str], progress: Progress
) -> Update:
    """Embed what is new in `entries`, and store them; the rest is as `FactStore.insert` says.

    `progress` is called with (embedded so far, to embed) after every `BATCH` texts.

    Raises:
        InputError: A text, source, document or origin is blank or not valid Unicode.
        EmbedderError: The embedder failed, or is another one than the memory's.
    """
    _check(entries)
    vectors: dict[str, bytes] = {}
    while True:
        _embed_new(facts, embedder, entries, vectors, progress)
        update = facts.insert(entries, vectors, embedder.name, whole, place_of(embedder))
        if update is not None:
            return update


def _embed_new(
    facts: FactStore, embedder: Embedder, entries: Sequence[Entry], vectors: dict[str, bytes], progress: Progress
) -> None:
    wanted = {digest(each.text, each.source): each.text for each in entries}
    known = facts.find(wanted)
    new = [key for key in wanted if key not in known and key not in vectors]
    if new:
        check_embedder(facts.database.path, facts.embedder(), embedder.name, embedder.dimension)
    for start in range(0, len(new), BATCH):
        batch = new[start : start + BATCH]
        rows = embed_checked(embedder, [wanted[key] for key in batch])
        vectors.update((key, row.astype("<f4").tobytes()) for key, row in zip(batch, rows, strict=True))
        if progress:
            progress(start + len(batch), len(new))


def _check(entries: Sequence[Entry]) -> None:
    for number, each in enumerate(entries, start=1):
        check_text(each.text, f"text {number} of {len(entries)}")
        for name in ("source", "document", "origin"):
            if value := getattr(each, name):
                check_text(value, f"the {name} of text {number} of {len(entries)}")
