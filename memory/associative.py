"""The associative memory: what holds facts, index and embedder together."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from memory import adding, exchange, maintenance
from memory import index as vector_index
from memory.embedders import CachedEmbedder, Embedder
from memory.errors import InputError, StorageError
from memory.facts import FactStore, check_embedder
from memory.pools import gather
from memory.recall import DEFAULT_THRESHOLD, Hit, Pool, Query
from memory.records import Entry, Fact, Update
from memory.sentence_transformer import SentenceTransformerEmbedder
from memory.session import Session

if TYPE_CHECKING:
    from memory.corpora import Document
    from memory.embedders import Vectors

logger = logging.getLogger(__name__)


class AssociativeMemory:
    """Facts that last, recalled by meaning; for several threads, and a context manager.

    Every method raises StorageError where the file cannot be used or the memory is closed, MemoryInUseError where
    another process writes for too long, and DamagedMemoryError where a part of the file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, embedder: Embedder | None = None) -> None:
        """Open a memory, or make it; neither embedder nor index starts before it is needed.

        Args:
            path: The SQLite file; None or ":memory:" keeps everything in this process.
            embedder: What turns texts into vectors, and stays the caller's to close; default: all-MiniLM-L6-v2.

        Raises:
            NotAMemoryError: The file is something else.
            SchemaVersionError: The file was written by a newer release.
            EmbedderMismatchError: The vectors in the file were made by another embedder.
        """
        self.path = None if path is None or str(path) == ":memory:" else Path(path)
        self._closing = ExitStack()
        if embedder is None:
            embedder = self._closing.enter_context(SentenceTransformerEmbedder())
        self._embedder = embedder
        self._cached = CachedEmbedder(embedder)
        self._lock = RLock()
        self._index: vector_index.VectorIndex | None = None
        self._on_disk = ""
        self._facts = FactStore(self.path)
        self._closing.callback(self._facts.close)
        try:
            check_embedder(self.path, self._facts.embedder(), embedder.name)
        except BaseException:
            self._closing.close()
            raise

    # Facts

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
        gone: Iterable[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Update:
        """Bring documents to what they hold now, and forget those that are `gone`, in one transaction.

        What has not changed keeps its id and its vector, and is not embedded again.

        Raises:
            CorpusError, InputError, EmbedderError: A document or text cannot be read or used; nothing was changed.
        """
        names, entries = list(gone), list[Entry]()
        for document in documents:
            names.append(document.name)
            entries += [adding.entry(pair, "", document.name, "") for pair in document.pairs]
        return self._write(entries, names, progress)

    def _write(
        self, entries: Sequence[Entry], whole: Sequence[str], progress: Callable[[int, int], None] | None
    ) -> Update:
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
        if document is not None:
            removed = self._facts.drop(document)
        else:
            wanted = [ids] if isinstance(ids, int) else None if ids is None else list(ids)
            removed = self._facts.delete(ids=wanted, source=source, before=before)
        if removed:
            self._drop_index()
        return removed

    def _drop_index(self) -> None:
        try:
            if self._index_file:
                self._index_file.unlink(missing_ok=True)
        except OSError as error:
            cure = "If facts were forgotten, it still holds their vectors; delete it."
            raise StorageError(f"{self._index_file} cannot be deleted: {error}. {cure}") from error

    def count(self) -> int:
        """How many facts there are."""
        return self._facts.count()

    def get(self, ids: Iterable[int]) -> list[Fact]:
        """The facts with these ids, by rising id; unknown ids are left out."""
        return self._facts.facts(ids=ids)

    def documents(self, below: str | None = None) -> dict[str, int]:
        """The documents by name, or those at or below one, with how many facts each holds."""
        return self._facts.documents(below)

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

    # Upkeep

    def stats(self) -> maintenance.Stats:
        """How much there is, of what, and how large it is."""
        return maintenance.stats(self._facts, self._index_file)

    def verify(self, progress: Callable[[int, int], None] | None = None) -> list[maintenance.Problem]:
        """What is wrong with the file and the index beside it, each with what mends it; see `maintenance.verify`."""
        return maintenance.verify(self._facts, self._index_file, progress)

    def compact(self) -> maintenance.Compacted:
        """Write the file and the index anew, as small as they can be; mends words and an index that do not agree.

        Raises:
            StorageError: There is not as much free room as the file takes, or it cannot be written.
        """
        before = maintenance.size(self.path, self._index_file)
        maintenance.compact(self._facts)
        with self._lock:
            self._index, self._on_disk = None, ""
            self._drop_index()
            self.save()
        return maintenance.Compacted(before, maintenance.size(self.path, self._index_file))

    # Recall

    @property
    def revision(self) -> str:
        """Another one after every change of the facts; empty before the first."""
        return self._facts.revision()

    def session(self) -> Session:
        """A view of the facts as they are now, with episodes of its own: what one search recalls from."""
        return Session(self, self._facts.last_id())

    def recall(
        self,
        question: str,
        path: Sequence[str] = (),
        *,
        k: int = 3,
        threshold: float = DEFAULT_THRESHOLD,
        skip: Iterable[int] = (),
    ) -> list[Hit]:
        """What `Session.recall` gives where there are no episodes: facts for a question and the path so far."""
        return self.session().recall(question, path, k=k, threshold=threshold, skip=skip)

    def recall_many(
        self, queries: Sequence[Query], *, k: int = 3, threshold: float = DEFAULT_THRESHOLD
    ) -> list[list[Hit]]:
        """What `recall` gives for each of `queries`, in one batch."""
        return self.session().recall_many(queries, k=k, threshold=threshold)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, d), rows of length 1; those of late are remembered.

        Raises:
            EmbedderError: The embedder failed.
        """
        return self._cached.embed(texts)

    def nearest(self, queries: Sequence[Vectors], size: int, up_to: int, threshold: float) -> list[Pool]:
        """The `size` facts nearest to each row of each of `queries`, (views, d), with an id of at most `up_to`.

        A fact's score is its largest cosine to a view; below `threshold` it is left out.

        Raises:
            EmbedderMismatchError: The memory's vectors have another dimension.
        """
        if self._facts.embedder() is None:
            return [Pool([], float("-inf")) for _ in queries]
        with self._lock:
            return gather(self._synced(), self._facts, queries, size, up_to, threshold)

    # The index file, and the end

    def save(self) -> None:
        """Write the index file, so that the next start need not make it again. Facts are safe without it.

        Raises:
            StorageError: The file cannot be written.
        """
        file = self._index_file
        if file is None or self._facts.embedder() is None:
            return
        with self._lock:
            index = self._synced()
            if index.revision != self._on_disk:
                vector_index.write(index, file)
                self._on_disk = index.revision

    def close(self) -> None:
        """Write the index file if a recall needed the index, and end; closing twice is fine.

        An index file that cannot be written is only logged, since it is made again when it is needed.
        """
        with self._closing:
            if self._index is not None:
                try:
                    self.save()
                except StorageError as error:
                    logger.warning("%s", error)
            self._index = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _index_file(self) -> Path | None:
        return self.path and self.path.with_name(f"{self.path.name}.faiss")

    def _synced(self) -> vector_index.VectorIndex:
        self._check_dimension()
        index, file, dimension = self._index, self._index_file, self._embedder.dimension
        if index is None and file:
            index = vector_index.read(file, self._facts.revision(), dimension)
            self._on_disk = index.revision if index else ""
        index = index or vector_index.empty(dimension)
        vector_index.catch_up(index, self._facts)
        self._index = index
        return index

    def _check_dimension(self) -> None:
        check_embedder(self.path, self._facts.embedder(), self._embedder.name, self._embedder.dimension)

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
