"""What a memory holds: facts put in, taken out, listed and looked after, apart from recalling them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memory import adding, exchange, graph, maintenance
from memory.embedders import Embedder
from memory.errors import InputError
from memory.facts import FactStore
from memory.records import Entry, Fact, Update

if TYPE_CHECKING:
    import networkx as nx

    from memory.corpora import Document


class Holdings(ABC):
    """The facts of a memory, with the embedder for new ones."""

    path: Path | None
    _facts: FactStore
    _embedder: Embedder

    @property
    @abstractmethod
    def _index_file(self) -> Path | None:
        """The index beside the file."""

    @abstractmethod
    def _ready_index(self) -> None:
        """Read a trained index before its file is deleted, or a few facts that go would cost a training."""

    @abstractmethod
    def _drop_index(self) -> None:
        """Delete the index file, since it holds vectors of facts that are gone."""

    def add(
        self,
        facts: str | Iterable[str | tuple[str, str] | Entry],
        *,
        source: str = "",
        document: str = "",
        origin: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> list[int]:
        """Add texts, (text, source) pairs, or entries, in one transaction: all of them or none.

        Args:
            facts: One text, or any number of texts, pairs and entries, such as `corpora.read` gives.
            source: The source of texts that come without one.
            document: What the texts and pairs are the whole of: what it held before and is not among them is forgotten.
            origin: How the texts and pairs were found, as JSON.
            progress: Called with (embedded so far, to embed) after every `adding.BATCH` texts.

        Returns:
            Their ids in order; a text that is there already, with the same source, keeps its id.

        Raises:
            InputError: A text is empty or cannot be stored, and says which.
            EmbedderError: The embedder failed, or is another one than the memory's.
        """
        given = [facts] if isinstance(facts, str) else facts
        entries = [adding.entry(fact, source, document, origin) for fact in given]
        return self._write(entries, [document], progress).ids

    def update(
        self,
        documents: Iterable[Document],
        *,
        facts: Iterable[str | tuple[str, str] | Entry] = (),
        gone: Iterable[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Update:
        """Bring documents to what they hold now, forget those that are `gone`, and add `facts`, in one transaction.

        What has not changed keeps its id and its vector, and is not embedded again.

        Raises:
            CorpusError, InputError, EmbedderError: A document or text cannot be read or used; nothing was changed.
        """
        names, entries = list(gone), [adding.entry(fact, "", "", "") for fact in facts]
        for document in documents:
            names.append(document.name)
            entries += [adding.entry(pair, "", document.name, "") for pair in document.pairs]
        return self._write(entries, names, progress)

    def _write(
        self, entries: Sequence[Entry], whole: Sequence[str], progress: Callable[[int, int], None] | None
    ) -> Update:
        if any(whole):
            self._ready_index()
        update = adding.write(self._facts, self._embedder, entries, whole, progress)
        if update.gone:
            self._drop_index()
        return update

    def forget(
        self,
        ids: int | Iterable[int] | None = None,
        *,
        source: str | None = None,
        document: str | None = None,
        before: float | None = None,
    ) -> int:
        """Remove facts for good: text, words, vector, and the index file that held it.

        Args:
            ids: One id, or several.
            source: The facts of this source.
            document: The facts of this document or folder of documents, but for those that something else holds too.
            before: The facts that were added before this time (Unix seconds); with a source, those of that source.

        Returns:
            How many facts were removed.

        Raises:
            UnknownFactError: An id that no fact has; nothing was removed.
            InputError: None of the arguments is given, or two that do not go together.
        """
        by_kind = source is not None or before is not None
        if (ids is not None) + (document is not None) + by_kind != 1:
            raise InputError("forget needs either ids or a source (or an age, or both), or a document.")
        self._ready_index()
        if document is not None:
            removed = self._facts.drop(document)
        else:
            wanted = [ids] if isinstance(ids, int) else None if ids is None else list(ids)
            removed = self._facts.delete(ids=wanted, source=source, before=before)
        if removed:
            self._drop_index()
        return removed

    def count(self) -> int:
        """How many facts there are."""
        return self._facts.count()

    def get(self, ids: Iterable[int]) -> list[Fact]:
        """The facts with these ids, by rising id; unknown ids are left out."""
        return self._facts.facts(ids=ids)

    def documents(self, below: str | None = None) -> dict[str, int]:
        """The documents by name, or those at or below one, with how many facts each holds."""
        return self._facts.documents(below)

    def held_by(self, number: int) -> Sequence[str]:
        """The documents that hold a fact, the first one first; '' where it was added by itself."""
        return self._facts.holders(number)

    def names(self, number: int) -> Sequence[str]:
        """The names that link a fact to others, as they are compared: those that its title gives first.

        Raises:
            UnknownFactError: No fact has this id.
        """
        with self._facts.database.transaction(write=False) as sql:
            self._facts.check_known([number])
            return graph.names_of(sql, number)

    def links(self, number: int) -> dict[int, Sequence[str]]:
        """The facts that association leads to from a fact, strongest link first: by id, the names that both have.

        A name that more than `graph.SHARED` facts have is no link.

        Raises:
            UnknownFactError: No fact has this id.
        """
        with self._facts.database.transaction(write=False) as sql:
            self._facts.check_known([number])
            found = graph.neighbours(sql, number, self._facts.last_id())
        return {other: list(weights) for other, weights in found.items()}

    def to_networkx(self, ids: Iterable[int] | None = None) -> nx.DiGraph[int]:
        """The facts with these ids, or all, and the links among them.

        Returns:
            A networkx.DiGraph: nodes are ids with `text` and `source`; an edge has the `weight` with which one fact
            makes the other active, and the `names` that both have, the one that links most first.

        Raises:
            UnknownFactError: An id that no fact has.
        """
        with self._facts.database.transaction(write=False) as sql:
            wanted = None if ids is None else list(ids)
            self._facts.check_known(wanted or ())
            return graph.network(sql, self._facts.facts(ids=wanted), self._facts.last_id())

    def export(self, path: str | os.PathLike[str]) -> exchange.Exported:
        """Write all facts as JSON lines that `import_` and `corpora.read` read; see `exchange.write`."""
        return exchange.write(self._facts, Path(path))

    def import_(self, path: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None) -> Update:
        """Add the facts of an export: with new ids, and with their own sources, documents, origins and times.

        Raises:
            CorpusError: The file cannot be read or is no export; names the line, and nothing was added.
            EmbedderError: As `add`.
        """
        return self._write(exchange.read(Path(path)), (), progress)

    def stats(self) -> maintenance.Stats:
        """How much there is, of what, and how large it is."""
        return maintenance.stats(self._facts, self._index_file)

    def verify(self, progress: Callable[[int, int], None] | None = None) -> list[maintenance.Problem]:
        """What is wrong with the file and the index beside it, each with what mends it; see `maintenance.verify`."""
        return maintenance.verify(self._facts, self._index_file, progress)

    def list(
        self,
        source: str | None = None,
        *,
        document: str | None = None,
        before: float | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Fact]:
        """The facts by rising id, or those that every given condition holds for; see `FactStore.facts`."""
        return self._facts.facts(source=source, document=document, before=before, limit=limit, offset=offset)
