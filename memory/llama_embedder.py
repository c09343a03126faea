"""Vectors from a GGUF by llama.cpp, so that the one file that writes the steps can also find the facts.

The model is loaded beside the search's own (its weights are mapped, so the system keeps them once) and has a context
of its own. It works in this process: what clashes with faiss elsewhere is a second OpenMP runtime of the same name.
llama-cpp-python brings none. On Linux its libraries link the system's libgomp, and faiss's wheel a renamed copy
(`ldd`: libgomp.so.1 and libgomp-e985bcbb.so); on macOS Apple's compiler has no OpenMP, so that llama.cpp is built with
its own threads. A search with a local model holds both anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from memory.embedders import unit
from memory.errors import EmbedderError
from memory.scope import Scope

if TYPE_CHECKING:
    from memory.embedders import Vectors

logger = logging.getLogger(__name__)

PREFIX = "gguf:"
LONGEST = 512
"""Tokens of a text that are read, at most, and tokens in a batch; what follows does not change the vector.

llama.cpp pools within one batch only, and a model that also writes computes the logits of each of its tokens: 512 rows
of 262,144 numbers are 0.5 GiB.
"""
MOST_SEQUENCES = 64
"""Texts in a batch."""
SAMPLES, SAMPLE = 256, 16384
"""How many blocks of how many bytes of the file its fingerprint covers, from its beginning to its end."""


def fingerprint(path: Path) -> str:
    """48 bits, in hexadecimal, over a file's size and `SAMPLES` blocks spread over it, without reading all of it.

    Training changes every layer and quantising the size, so that two models agree only if they are copies.

    Raises:
        EmbedderError: The file cannot be read, or is no GGUF.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest = hashlib.sha256(str(size).encode())
            for number in range(SAMPLES):
                file.seek(max(0, size - SAMPLE) * number // (SAMPLES - 1))
                block = file.read(SAMPLE)
                if not number and not block.startswith(b"GGUF"):
                    raise EmbedderError(f"{path} is no GGUF file. Choose another one.")
                digest.update(block)
    except OSError as error:
        raise EmbedderError(f"{path} cannot be read: {error.strerror or error}. Name a GGUF file.") from error
    return digest.hexdigest()[:12]


class LlamaEmbedder(Scope):
    """The embeddings of a GGUF model: pooled as the file declares, else their mean; on the CPU unless told otherwise.

    `name` is the file's name and its fingerprint, the same wherever the file lies; `place` is how to name it here. The
    model is loaded at the first use, and again at the first use after `close`. The first `LONGEST` tokens of a text
    are read, or fewer where the model was trained on fewer.

    Args:
        path: The file.
        threads: Of llama.cpp; default: the processors that this process may use, at most four.
        gpu_layers: How many layers a GPU holds; -1: all.

    Raises from here, `embed` and `dimension`:
        EmbedderError: The file is missing or is no model, or it ranks texts instead of embedding them.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None, gpu_layers: int = 0) -> None:
        self._path = Path(path).expanduser().absolute()
        self.name = f"{PREFIX}{self._path.name}@{fingerprint(self._path)}"
        self.place = f"{PREFIX}{self._path}"
        self._threads = threads or min(4, len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1)
        self._gpu_layers = gpu_layers
        self._lock = Lock()
        self._loaded: _Loaded | None = None

    @property
    def dimension(self) -> int:
        """The length of a vector, read from the model."""
        with self._lock:
            return self._running().dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        import numpy as np

        with self._lock:
            model = self._running()
            vectors = np.zeros((len(texts), model.dimension), dtype=np.float32)
            tokens = [model.tokens(text) for text in texts]
            for batch in _batches([len(each) for each in tokens], model.longest, model.most):
                vectors[batch] = model.pooled([tokens[n] for n in batch])
        return unit(vectors)

    def close(self) -> None:
        """Free the model, if it is loaded."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
            if loaded:
                loaded.free()

    def _running(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = _Loaded(self._path, self._threads, self._gpu_layers)
        return self._loaded


_LINUX = hasattr(os, "sched_getaffinity")


class _Loaded:
    """A model in memory with a context for embeddings; for one thread at a time."""

    def __init__(self, path: Path, threads: int, gpu_layers: int) -> None:
        import llama_cpp

        self._cpp, self._path, self._threads = llama_cpp, path, threads
        self._context: Any = None
        llama_cpp.llama_backend_init()
        with _quiet(llama_cpp):
            params = llama_cpp.llama_model_default_params()
            params.n_gpu_layers = gpu_layers
            self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
            if not self._model:
                raise EmbedderError(f"llama.cpp cannot load {path}: it is damaged, too large, or of an unknown kind.")
            try:
                self._open()
            except BaseException:
                self.free()
                raise
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.dimension = int(llama_cpp.llama_model_n_embd_out(self._model))

    def _open(self) -> None:
        cpp = self._cpp
        self.longest = min(LONGEST, cpp.llama_model_n_ctx_train(self._model) or LONGEST)
        self.most = min(MOST_SEQUENCES, self.longest)
        self._context = self._new_context(cpp.LLAMA_POOLING_TYPE_UNSPECIFIED)
        if cpp.llama_pooling_type(self._context) == cpp.LLAMA_POOLING_TYPE_NONE:
            cpp.llama_free(self._context)
            self._context = self._new_context(cpp.LLAMA_POOLING_TYPE_MEAN)
        if cpp.llama_pooling_type(self._context) == cpp.LLAMA_POOLING_TYPE_RANK:
            raise EmbedderError(f"{self._path} ranks texts and has no vectors for them. Choose an embedding model.")
        self._memory = cpp.llama_get_memory(self._context)
        self._decodes = self._memory and not cpp.llama_model_has_encoder(self._model)

    def _new_context(self, pooling: int) -> Any:
        params = self._cpp.llama_context_default_params()
        params.embeddings, params.pooling_type = True, pooling
        params.n_ctx = params.n_batch = params.n_ubatch = self.longest
        params.n_seq_max = self.most
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = self._threads
        context = self._cpp.llama_init_from_model(self._model, params)
        if not context:
            raise EmbedderError(f"{self._path}: a context of {self.longest} tokens does not fit into memory.")
        return context

    def tokens(self, text: str) -> list[int]:
        """The first tokens of `text`, at least one; what looks like a control token is text."""
        data = text.encode()
        found, count = self._tokenized(data, len(data) + 8)
        if count < 0:  # more tokens than bytes, which says how many
            found, count = self._tokenized(data, -count)
        ids = found[: min(count, self.longest)]
        end = self._cpp.llama_vocab_sep(self._vocabulary)
        if count > self.longest and end >= 0 and found[count - 1] == end:
            ids[-1] = end
        return ids or [max(0, self._cpp.llama_vocab_bos(self._vocabulary))]

    def _tokenized(self, data: bytes, size: int) -> tuple[Any, int]:
        found = (self._cpp.llama_token * size)()
        return found, self._cpp.llama_tokenize(self._vocabulary, data, len(data), found, size, True, False)

    def pooled(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """The pooled vectors of token lists that fit into one batch, not normalised."""
        import numpy as np

        cpp = self._cpp
        rows = sum(map(len, texts))
        batch = cpp.llama_batch_init(rows, 0, 1)
        try:
            batch.n_tokens = rows
            places = ((number, place, token) for number, text in enumerate(texts) for place, token in enumerate(text))
            for row, (number, place, token) in enumerate(places):
                batch.token[row], batch.pos[row], batch.logits[row] = token, place, 1
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, number
            if self._memory:
                cpp.llama_memory_clear(self._memory, True)
            failed = (cpp.llama_decode if self._decodes else cpp.llama_encode)(self._context, batch)
        finally:
            cpp.llama_batch_free(batch)
        if failed:
            raise EmbedderError(f"{self._path}: llama.cpp failed with code {failed} at a batch of {rows} tokens.")
        read = (cpp.llama_get_embeddings_seq(self._context, number) for number in range(len(texts)))
        return np.stack([np.ctypeslib.as_array(each, (self.dimension,)).copy() for each in read])

    def free(self) -> None:
        """Free context and model."""
        with _quiet(self._cpp):
            if self._context:
                self._cpp.llama_free(self._context)
            self._cpp.llama_model_free(self._model)


def _batches(lengths: Sequence[int], tokens: int, texts: int) -> Iterator[list[int]]:
    """Numbers of at most `texts` texts of like lengths that together have at most `tokens` tokens."""
    batch: list[int] = []
    used = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (used + lengths[number] > tokens or len(batch) == texts):
            yield batch
            batch, used = [], 0
        batch.append(number)
        used += lengths[number]
    if batch:
        yield batch


@contextlib.contextmanager
def _quiet(cpp: Any) -> Iterator[None]:
    """Send what llama.cpp says while it loads to this module's logger, then let it speak as before."""
    before, data = cpp.llama_log_callback(), ctypes.c_void_p()
    cpp.llama_log_get(ctypes.byref(before), ctypes.byref(data))
    cpp.llama_log_set(_to_logger(cpp), ctypes.c_void_p())
    try:
        yield
    finally:
        cpp.llama_log_set(before, data)


@functools.cache
def _to_logger(cpp: Any) -> Any:
    """A log callback of llama.cpp; made once and kept, since another thread may be calling it."""

    @cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        logger.debug("llama.cpp (%d): %s", level, text.decode("utf-8", "replace").rstrip())

    return log
