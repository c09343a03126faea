"""Embedders by name."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from memory.embedders import Embedder, HashingEmbedder, QuestionEmbedder, same
from memory.errors import AssociativeMemoryError, EmbedderError, EmbedderMismatchError, InputError
from memory.instructions import InstructedEmbedder, prefixes
from memory.sentence_transformer import MINILM, SentenceTransformerEmbedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.embedders import Vectors

DEFAULT = MINILM
"""The embedder of a memory that is made without naming one: the same everywhere, so that any file reads anywhere."""
_HUB, _HASHING = r"[\w.-]+/[\w.-]+", r"hashing(?:-([1-9][0-9]{0,4}))?"


class OwnedEmbedder(Embedder, Protocol):
    """An embedder that is closed by whoever made it."""

    def close(self) -> None:
        """Free what it holds; a later use takes it again."""


def embedder(name: str = DEFAULT, *, download: bool = False) -> OwnedEmbedder:
    """The embedder called `name`; it loads nothing yet.

    Args:
        name: `OWNER/MODEL`, a sentence-transformers model; `gguf:PATH` or a path that ends in .gguf; `openai:URL` or
            `openai:URL#MODEL`; `hashing` or `hashing-DIMENSION`, the fake.
        download: Whether a sentence-transformers model that is not on this machine may be fetched.

    Raises:
        InputError: There is no such kind of embedder.
        EmbedderError: The GGUF cannot be read; or the server, which is asked for its model where none is named.
    """
    made = _plain(name, download)
    known = prefixes(made.name.rpartition("#")[2])
    return InstructedEmbedder(made, known) if known else made


def _plain(name: str, download: bool) -> OwnedEmbedder:
    if name.startswith("gguf:") or name.endswith(".gguf"):
        from memory.llama_embedder import LlamaEmbedder

        return LlamaEmbedder(name.removeprefix("gguf:"))
    if name.startswith("openai:"):
        from memory.openai_embedder import OpenAIEmbedder

        url, _, model = name.removeprefix("openai:").partition("#")
        return OpenAIEmbedder(url, model)
    if hashing := re.fullmatch(_HASHING, name):
        return HashingEmbedder(int(hashing[1] or 256))
    if re.fullmatch(_HUB, name):
        return SentenceTransformerEmbedder(name, download=download)
    raise InputError(
        f"there is no embedder {name!r}; name a sentence-transformers model as OWNER/MODEL ({DEFAULT}), a file as "
        "gguf:PATH, or a server as openai:URL#MODEL"
    )


class StoredEmbedder:
    """The embedder that made a memory's vectors, looked for when it is first needed: facts are listed without it.

    Args:
        name: Its name, as the memory has it.
        dimension: The length of the memory's vectors.
        place: Where it was last.
        near: A folder in which to look for a file that is not there.
        download: Whether a sentence-transformers model that is not on this machine may be fetched.

    Raises from `embed` and `embed_questions`:
        EmbedderError: It cannot be found or used here, or has another dimension.
        EmbedderMismatchError: What is found is another model by now.
    """

    def __init__(self, name: str, dimension: int, place: str, near: Path | None, *, download: bool = False) -> None:
        self.name, self.dimension, self.place = name, dimension, place
        self._near, self._download = near, download
        self._lock = Lock()
        self._found: OwnedEmbedder | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        return self._opened().embed(texts)

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """The same of texts that ask."""
        found = self._opened()
        return found.embed_questions(texts) if isinstance(found, QuestionEmbedder) else found.embed(texts)

    def close(self) -> None:
        """Free what was found."""
        if self._found:
            self._found.close()

    def _opened(self) -> OwnedEmbedder:
        with self._lock:
            if self._found is None:
                self._found = self._look()
            return self._found

    def _look(self) -> OwnedEmbedder:
        place = self.place
        if place.startswith("gguf:") and self._near and not Path(place[5:]).exists():
            place = f"gguf:{self._near / Path(place[5:]).name}"
        try:
            found = embedder(place, download=self._download)
        except AssociativeMemoryError as error:
            raise EmbedderError(
                f"the memory was made with {self.name}, which is not at {self.place}: {error} "
                "`coat memory reembed --embedder NAME` tells where it is now, or changes to another."
            ) from error
        if not same(found.name, self.name):
            message = f"{place} is {found.name} now, and the memory was made with {self.name}."
            raise EmbedderMismatchError(f"{message} Put that file back, or change with `coat memory reembed`.")
        return found
