"""The associative memory: what holds facts, index and embedder together."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from memory import index as vector_index
from memory.embedders import CachedEmbedder, Embedder, check_text, embed_checked
from memory.errors import InputError, StorageError
from memory.facts import Fact, FactStore, check_embedder, digest
from memory.files import write_whole
from memory.hybrid import Asked, Limits, shortlist
from memory.lexical import WordCounts
from memory.pools import gather
from memory.recall import DEFAULT_OPTIONS, DEFAULT_THRESHOLD, Hit, Options, Pool, Query, Shortlist
from memory.sentence_transformer import SentenceTransformerEmbedder
from memory.session import Session

if TYPE_CHECKING:
    from memory.embedders import Vectors

logger = logging.getLogger(__name__)

ADD_BATCH = 256
"""Texts that are embedded between two calls of `progress`."""


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
        self._counts = WordCounts()
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
        facts: str | Iterable[str | tuple[str, str]],
        *,
        source: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> list[int]:
        """Add texts, or (text, source) pairs, in one transaction: all of them or none.

        Args:
            facts: One text, or any number of texts and pairs, such as `corpora.read` gives.
            source: The source of texts that come without one.
            progress: Called with (embedded so far, to embed) after every `ADD_BATCH` texts.

        Returns:
            Their ids in order; a text that is there already, with the same source, keeps its id.

        Raises:
            InputError: A text is empty or cannot be stored, and says which.
            EmbedderError: The embedder failed, or is another one than the memory's.
        """
        pairs = _pairs([facts] if isinstance(facts, str) else facts, source)
        vectors: dict[str, bytes] = {}
        while True:
            self._embed_new(pairs, vectors, progress)
            ids = self._facts.insert(pairs, vectors, self._embedder.name)
            if ids is not None:
                return ids

    def _embed_new(
        self,
        pairs: Sequence[tuple[str, str]],
        vectors: dict[str, bytes],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        wanted = {digest(*pair): pair[0] for pair in pairs}
        known = self._facts.find(wanted)
        new = [key for key in wanted if key not in known and key not in vectors]
        if new:
            self._check_dimension()
        for start in range(0, len(new), ADD_BATCH):
            batch = new[start : start + ADD_BATCH]
            rows = embed_checked(self._embedder, [wanted[key] for key in batch])
            vectors.update((key, row.astype("<f4").tobytes()) for key, row in zip(batch, rows, strict=True))
            if progress:
                progress(start + len(batch), len(new))

    def forget(self, ids: int | Iterable[int] | None = None, *, source: str | None = None) -> int:
        """Remove facts for good, by their ids or by their source: text, vector, and the index file that held it.

        Returns:
            How many facts were removed.

        Raises:
            UnknownFactError: An id that no fact has; nothing was removed.
            InputError: Neither ids nor a source is given, or both.
        """
        if (ids is None) == (source is None):
            raise InputError("forget needs either ids or a source.")
        wanted = [ids] if isinstance(ids, int) else None if ids is None else list(ids)
        removed = self._facts.delete(ids=wanted, source=source)
        file = self._index_file
        if removed and file:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                message = f"the facts are forgotten, but {file} still holds their vectors: {error}. Delete it."
                raise StorageError(message) from error
        return removed

    def count(self) -> int:
        """How many facts there are."""
        return self._facts.count()

    def get(self, ids: Iterable[int]) -> list[Fact]:
        """The facts with these ids, by rising id; unknown ids are left out."""
        return self._facts.facts(ids=ids)

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write all facts as JSON lines (id, text, source, added) that `corpora.read` reads; return how many.

        The file appears whole or not at all.

        Raises:
            StorageError: The file cannot be written.
        """
        facts, target = self.list(), Path(path)
        rows = ({"id": f.id, "text": f.text, "source": f.source, "added": f.added} for f in facts)
        lines = (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        try:
            write_whole(target, lines)
        except OSError as error:
            raise StorageError(f"{target} cannot be written: {error}. Choose another file or folder.") from error
        return len(facts)

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
        options: Options = DEFAULT_OPTIONS,
    ) -> list[Hit]:
        """What `Session.recall` gives where there are no episodes: facts for a question and the path so far."""
        return self.session().recall(question, path, k=k, threshold=threshold, skip=skip, options=options)

    def recall_many(
        self,
        queries: Sequence[Query],
        *,
        k: int = 3,
        threshold: float = DEFAULT_THRESHOLD,
        options: Options = DEFAULT_OPTIONS,
    ) -> list[list[Hit]]:
        """What `recall` gives for each of `queries`, in one batch."""
        return self.session().recall_many(queries, k=k, threshold=threshold, options=options)

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

    def shortlists(self, asked: Sequence[Asked], limits: Limits, options: Options) -> list[Shortlist]:
        """The candidates for each of `asked`, as `memory.hybrid` finds them.

        Raises:
            EmbedderMismatchError: The memory's vectors have another dimension.
        """
        self._check_dimension()
        pools = [Pool([], float("-inf")) for _ in asked]
        if options.mode != "lexical":
            pools = self.nearest([each.vectors for each in asked], limits.size, limits.up_to, limits.threshold)
        pairs = zip(asked, pools, strict=True)
        return [shortlist(self._facts, self._counts, *pair, limits, options) for pair in pairs]

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

    def list(self, source: str | None = None) -> list[Fact]:
        """The facts, or those of one source, by rising id."""
        return self._facts.facts(source=source)


def _pairs(facts: Iterable[str | tuple[str, str]], source: str) -> list[tuple[str, str]]:
    pairs = [(fact, source) if isinstance(fact, str) else fact for fact in facts]
    for number, (text, where) in enumerate(pairs, start=1):
        check_text(text, f"text {number} of {len(pairs)}")
        if where:
            check_text(where, f"the source of text {number} of {len(pairs)}")
    return pairs
