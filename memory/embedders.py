"""What an embedder is to the memory: texts in, unit vectors out.

A vector's direction is the text's meaning, so the inner product of two is their cosine. An embedder's `name` is
stored with the facts: vectors of two embedders cannot be compared.
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from memory.errors import EmbedderError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors; may be called from several threads.

    One that embeds questions otherwise than the texts that answer them is a `QuestionEmbedder` too; one whose name
    does not say where it is has a `place`, the name under which `memory.embedder` finds it here.
    """

    @property
    def name(self) -> str:
        """What made the vectors; the same for the same model, however it was installed."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""


@runtime_checkable
class QuestionEmbedder(Protocol):
    """What an embedder that was trained with instructions has besides."""

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts` that ask: as `Embedder.embed`."""


def unit(vectors: Vectors) -> Vectors:
    """The rows of `vectors`, float32 (n, d), each divided by its length; a row of zeros stays one."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def same(one: str, other: str) -> bool:
    """Whether two names are of one embedder: of a file its fingerprint counts, of a server its model.

    >>> same("gguf:a.gguf@0123", "gguf:renamed.gguf@0123"), same("openai:http://a/v1#m", "openai:http://b/v1#m")
    (True, True)
    """
    return _essence(one) == _essence(other)


def _essence(name: str) -> str:
    kind, _, rest = name.partition(":")
    return f"{kind}:{rest.rpartition({'gguf': '@', 'openai': '#'}[kind])[2]}" if kind in ("gguf", "openai") else name


def place_of(embedder: Embedder) -> str:
    """The name under which `memory.embedder` finds `embedder` on this machine."""
    return str(getattr(embedder, "place", embedder.name))


def check_text(text: str, name: str) -> None:
    """Refuse a text that can be neither embedded nor stored; `name` is what the message calls it.

    Raises:
        InputError: It is blank, or not valid Unicode (half of a surrogate pair).
    """
    if not text.strip():
        raise InputError(f"{name} is empty; nothing was changed.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        where = f"{error.reason}, character {error.start}"
        raise InputError(f"{name} is not valid Unicode ({where}); nothing was changed.") from error


def embed_checked(embedder: Embedder, texts: Sequence[str], *, asking: bool = False) -> Vectors:
    """The vectors of `texts`, or of questions where they are `asking`, refused unless they are what was promised.

    Returns:
        float32, shape (n, dimension), rows of length 1.

    Raises:
        EmbedderError: The shape is another one, a number is not finite, or a row is not of length 1.
    """
    import numpy as np

    plain = not (asking and isinstance(embedder, QuestionEmbedder))
    made = embedder.embed(texts) if plain else cast(QuestionEmbedder, embedder).embed_questions(texts)
    vectors = np.ascontiguousarray(made, dtype=np.float32)
    if vectors.shape != (len(texts), embedder.dimension):
        expected = (len(texts), embedder.dimension)
        raise EmbedderError(f"embedder {embedder.name} gave vectors of shape {vectors.shape}, not {expected}.")
    lengths = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))  # written so that NaN is bad too
    if bad.size:
        text, length = texts[int(bad[0])], float(lengths[bad[0]])
        raise EmbedderError(
            f"embedder {embedder.name} gave a vector of length {length} instead of 1 for {text[:60]!r}; "
            "nothing was stored. Use an embedder whose rows are finite and normalised."
        )
    return vectors


class HashingEmbedder:
    """Words and their three-letter pieces, hashed into a vector of signed counts: no model, no meaning.

    The fake that ships: the same text gives the same vector in every process, and texts that share words are
    near. A word weighs 1, a piece 0.25; the hash is CRC-32, its last bit the sign (feature hashing, Weinberger
    et al. 2009, arXiv 0902.2206).
    """

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.name = f"hashing-{dimension}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature, weight in _features(text):
                code = zlib.crc32(feature.encode())
                row[(code >> 1) % self.dimension] += weight if code & 1 else -weight
            if not row.any():
                row[zlib.crc32(text.encode()) % self.dimension] = 1
            row /= np.linalg.norm(row)
        return vectors

    def close(self) -> None:
        """Nothing is held."""


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in re.findall(r"\w+|[^\w\s]", text.casefold()):
        yield word, 1.0
        if len(word) > 3:
            for start in range(len(word) - 2):
                yield f"~{word[start : start + 3]}", 0.25


class CachedEmbedder:
    """An embedder that remembers the vectors of the last `size` texts: a search asks for its question often.

    Raises from `embed` and `embed_questions` what `embed_checked` raises.
    """

    def __init__(self, embedder: Embedder, size: int = 2048) -> None:
        self._embedder, self._size = embedder, size
        self._known: OrderedDict[tuple[bool, str], Vectors] = OrderedDict()
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name of the embedder below."""
        return self._embedder.name

    @property
    def dimension(self) -> int:
        """The dimension of the embedder below."""
        return self._embedder.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1; unknown ones in one call."""
        return self._embed(texts, asking=False)

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """The same of texts that ask; where the embedder makes no difference, the very same."""
        return self._embed(texts, asking=isinstance(self._embedder, QuestionEmbedder))

    def _embed(self, texts: Sequence[str], *, asking: bool) -> Vectors:
        import numpy as np

        keys = [(asking, text) for text in texts]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            made = embed_checked(self._embedder, [text for _, text in missing], asking=asking)
            found.update(zip(missing, made, strict=True))
        with self._lock:
            for key in keys:
                self._known[key] = found[key]
                self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return np.stack([found[key] for key in keys])
