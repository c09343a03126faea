"""The associative memory: what holds facts, index and embedder together."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from memory import index as vector_index
from memory import index_file, maintenance, naming
from memory.embedders import CachedEmbedder, Embedder
from memory.errors import EmbedderMismatchError, StorageError
from memory.facts import FactStore, check_embedder
from memory.holdings import Holdings
from memory.hybrid import Asked, Limits, shortlist
from memory.lexical import WordCounts
from memory.pools import gather
from memory.recall import DEFAULT_OPTIONS, DEFAULT_THRESHOLD, Hit, Options, Pool, Query, Shortlist
from memory.scope import Scope
from memory.session import Session

if TYPE_CHECKING:
    from memory.embedders import Vectors

logger = logging.getLogger(__name__)


class AssociativeMemory(Holdings, Scope):
    """Facts that last, recalled by meaning; for several threads, and a context manager.

    Every method raises StorageError where the file cannot be used or the memory is closed, MemoryInUseError where
    another process writes for too long, and DamagedMemoryError where a part of the file cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        embedder: Embedder | str | None = None,
        *,
        default: str = naming.DEFAULT,
        download: bool = False,
    ) -> None:
        """Open a memory, or make it; neither embedder nor index starts before it is needed.

        Args:
            path: The SQLite file; None or ":memory:" keeps everything in this process.
            embedder: What turns texts into vectors: a name that `memory.embedder` knows, or an embedder, which stays
                the caller's to close. None: the one that the file was made with.
            default: The name of the embedder of a memory that has none yet.
            download: Whether a named model that is not on this machine may be fetched.

        Raises:
            InputError, EmbedderError: There is no embedder of that name.
            NotAMemoryError: The file is something else.
            SchemaVersionError: The file was written by a newer release.
            EmbedderMismatchError: The vectors in the file were made by another embedder.
        """
        self.path = None if path is None or str(path) == ":memory:" else Path(path)
        self._closing = ExitStack()
        self._lock = RLock()
        self._index: vector_index.VectorIndex | None = None
        self._on_disk = ""
        self._counts = WordCounts()
        self._facts = FactStore(self.path)
        self._closing.callback(self._facts.close)
        try:
            stored = self._facts.embedder()
            if embedder is None and stored:
                near = self.path and self.path.absolute().parent
                place = self._facts.place()
                embedder = self._owned(naming.StoredEmbedder(*stored, place, near, download=download))
            if embedder is None or isinstance(embedder, str):
                embedder = self._owned(naming.embedder(embedder or default, download=download))
            check_embedder(self.path, stored, embedder.name)
        except BaseException:
            self._closing.close()
            raise
        self._embedder = embedder
        self._cached = CachedEmbedder(embedder)

    def _owned(self, embedder: naming.OwnedEmbedder) -> Embedder:
        self._closing.callback(embedder.close)
        return embedder

    @property
    def embedder(self) -> str:
        """The name of the embedder."""
        return self._embedder.name

    def reembed(
        self,
        embedder: Embedder | str,
        *,
        progress: Callable[[int, int], None] | None = None,
        download: bool = False,
    ) -> int:
        """Change to another embedder: all facts get its vectors, in one step at the end; the old vectors are gone.

        Until then, and where it fails or is killed, everything stays as it was; begun again it goes on where it was.
        Facts that are added and forgotten meanwhile, by whomever, are so afterwards too. Sessions that began before,
        and memories that other processes have open, say afterwards that they must be opened again.

        Args:
            embedder: As for a new memory.
            progress: Called with (embedded so far, to embed) after every 256 facts.
            download: As for a new memory.

        Returns:
            How many facts were embedded: 0 where the memory has none, or is of this embedder already, of which it then
            only learns where it is.

        Raises:
            InputError, EmbedderError: There is no such embedder, or it failed.
            MemoryInUseError: Another process re-embeds the memory with another one.
        """
        made = self._owned(naming.embedder(embedder, download=download)) if isinstance(embedder, str) else embedder
        count = self._facts.reembed(made, progress)
        with self._lock:
            self._embedder, self._cached = made, CachedEmbedder(made)
            self._index = None
        if count:
            self._drop_index()
        return count

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

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """As `embed`, of texts that ask for facts, which some embedders treat otherwise than those that answer.

        Raises:
            EmbedderError: The embedder failed.
        """
        return self._cached.embed_questions(texts)

    def nearest(self, queries: Sequence[Vectors], size: int, up_to: int, threshold: float) -> list[Pool]:
        """The `size` facts nearest to each row of each of `queries`, (views, d), with an id of at most `up_to`.

        A fact's score is its largest cosine to a view; below `threshold` it is left out.

        Raises:
            EmbedderMismatchError: The memory's vectors have another dimension.
        """
        with self._view():
            if not self._is_current() and self._facts.embedder() is None:
                return [Pool([], float("-inf")) for _ in queries]
            return gather(self._synced(), self._facts, queries, size, up_to, threshold)

    def shortlists(self, asked: Sequence[Asked], limits: Limits, options: Options) -> list[Shortlist]:
        """The candidates for each of `asked`, as `memory.hybrid` finds them.

        Raises:
            EmbedderMismatchError: The memory's vectors have another dimension.
        """
        with self._view():
            if not self._is_current():
                self._check_dimension()
            pools = [Pool([], float("-inf")) for _ in asked]
            if options.mode != "lexical":
                pools = self.nearest([each.vectors for each in asked], limits.size, limits.up_to, limits.threshold)
            pairs = zip(asked, pools, strict=True)
            return [shortlist(self._facts, self._counts, *pair, limits, options) for pair in pairs]

    @contextmanager
    def _view(self) -> Iterator[None]:
        """The index for this thread alone, and the file as it is at one moment, whatever other processes write."""
        with self._lock, self._facts.database.transaction(write=False):
            yield

    # The index file, and the end

    def save(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Write the index file, so that the next start need not make it again. Facts are safe without it.

        Args:
            progress: Called with (facts in the index, facts in all) while the index catches up.

        Raises:
            StorageError: The file cannot be written.
        """
        file = self._index_file
        if file is None or self._facts.embedder() is None:
            return
        self._check_dimension()
        with self._lock:
            index = self._synced(progress)
            if index.revision != self._on_disk:
                index_file.write(index, file)
                self._on_disk = index.revision

    def close(self) -> None:
        """Write the index file if a recall needed the index, and end; closing twice is fine.

        An index file that cannot be written is only logged, since it is made again when it is needed.
        """
        with self._closing:
            if self._index is not None:
                try:
                    self.save()
                except (StorageError, EmbedderMismatchError) as error:
                    logger.warning("%s", error)
            self._index = None

    @property
    def _index_file(self) -> Path | None:
        return self.path and self.path.with_name(f"{self.path.name}.faiss")

    def _is_current(self) -> bool:
        """Whether the index is of the facts as they are, and so of the embedder, a change of which changes these."""
        return self._index is not None and self._index.revision == self._facts.revision()

    def _synced(self, progress: Callable[[int, int], None] | None = None) -> vector_index.VectorIndex:
        if self._index is not None and self._is_current():
            return self._index
        _, dimension = self._facts.embedder() or ("", 0)
        index, file = self._index, self._index_file
        if index is None and file:
            index = index_file.read(file, self._facts, dimension)
            self._on_disk = index.revision if index else ""
        index = index or vector_index.empty(dimension)
        vector_index.catch_up(index, self._facts, progress)
        self._check_dimension()
        self._index = index
        return index

    def _check_dimension(self) -> None:
        check_embedder(self.path, self._facts.embedder(), self._embedder.name, self._embedder.dimension)

    def compact(self) -> maintenance.Compacted:
        """Write the file, and the index beside it if there is one, anew and as small as they can be.

        Words and an index that do not agree with the facts are mended by that.

        Raises:
            StorageError: There is not as much free room as the file takes, or it cannot be written.
        """
        before = maintenance.size(self.path, self._index_file)
        maintenance.compact(self._facts)
        with self._lock:
            if self._index_file and self._index_file.exists():
                self._index, self._on_disk = None, ""
                self._drop_index()
                self.save()
        return maintenance.Compacted(before, maintenance.size(self.path, self._index_file))

    def _ready_index(self) -> None:
        file = self._index_file
        if file and file.is_file() and self.count() > vector_index.EXACT:
            with self._lock:
                self._synced()

    def _drop_index(self) -> None:
        try:
            if self._index_file:
                self._index_file.unlink(missing_ok=True)
        except OSError as error:
            cure = "If facts were forgotten, it still holds their vectors; delete it."
            raise StorageError(f"{self._index_file} cannot be deleted: {error}. {cure}") from error
