"""The few calls of llama.cpp that coat needs, with Python types; every method belongs to the owner thread."""

import ctypes
import logging
import os

if "OMP_WAIT_POLICY" not in os.environ:  # before libgomp loads
    # Threads that never spin lose most of the speed on a quiet machine, those that spin for long starve a busy one.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from coat.errors import BackendError, ModelError, OutOfMemoryError
from coat.models.header import read_header
from coat.models.known import CELLS

log = logging.getLogger("coat.llama")
LEVELS = {2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
MAX_SEQUENCES = 256
"""llama.cpp's own limit on sequence ids."""
LOGITS_BYTES = 64 << 20
"""llama.cpp reserves a row of logits for every sequence id; with a large vocabulary there are fewer ids, for memory."""

STATE_BYTES = 512 << 20
"""A recurrent model keeps a state for every sequence id; there are as many as fit in here, and as many lanes as fit."""
LEAST_SEQUENCES = 8

SMALL = 20_000_000
"""Parameters below which a second thread costs more than it brings: each layer waits for all of them several times."""

Row = tuple[int, int, int, bool]
"""One row of a batch: token id, position, sequence id, whether its logits are wanted."""


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _to_logging(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    log.log(LEVELS.get(level, logging.DEBUG), text.decode("utf-8", "replace").rstrip())


def quiet() -> None:
    """Send llama.cpp's log to the logger "coat.llama", which shows nothing unless it is asked to."""
    log.addHandler(logging.NullHandler())
    log.propagate = False
    llama_cpp.llama_log_set(_to_logging, ctypes.c_void_p(0))


def default_threads(parameters: int) -> int:
    """Decoding threads: one for a model of less than `SMALL` parameters, which threads only make wait for each other;

    else the processors this process may use, halved above four where two share a core.
    """
    if parameters < SMALL:
        return 1
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return count if count <= 4 else count // 2


@dataclass(frozen=True, slots=True)
class CacheType:
    """A type of number in the KV cache: ggml's id, and the bytes that one takes."""

    ggml: int
    bytes: float


CACHE_TYPES = {"f16": CacheType(1, 2), "q8_0": CacheType(8, 34 / 32), "q4_0": CacheType(2, 18 / 32)}


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How the model is loaded.

    `cells`: tokens in the KV cache. `lanes`: siblings that grow at once. `batch`: rows in one decode. `threads` 0: as
    many as the machine has. `gpu_layers` −1: all. `cache_type`: of the KV cache, one of `CACHE_TYPES`; all but f16 need
    flash attention, and give other scores in the last digits. `think`: whether a model whose chat template has a switch
    for it thinks before it answers: "on", "off", "auto" (as the template does by itself), None for off where it can be.
    """

    cells: int = CELLS
    lanes: int = 16
    batch: int = 512
    threads: int = 0
    gpu_layers: int = -1
    cache_type: str = "f16"
    think: str | None = None


class Llama:
    """One loaded GGUF and one context with a unified KV cache.

    `sequences` are the ids that callers may use. `recurrent` says that layers keep one state a sequence, beside
    attention or instead of it: a sequence is then forked at its end only, and dropped as a whole. `window` is how far
    back layers with a sliding window look, 0 where there are none. `patience`: rows whose attention to a cell takes as
    long as decoding its token again, 4·layers·width operations at about a third of the speed against 2·weights.
    """

    def __init__(self, path: Path, options: ContextOptions, *, states: bool = False) -> None:
        """Load `path`; with `states` for reading hidden states.

        Raises:
            ModelError: llama.cpp cannot load the file, or the model cannot drive a tree search.
        """
        quiet()
        llama_cpp.llama_backend_init()
        self.options, self._reads_states = options, states
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = options.gpu_layers
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            offloaded = options.gpu_layers and llama_cpp.llama_supports_gpu_offload()
            raise (OutOfMemoryError if offloaded else ModelError)(
                f"llama.cpp cannot load {path}: the file is damaged, it does not fit into memory, or this version"
                f" ({llama_cpp.__version__}) does not know the architecture {read_header(path).architecture!r}."
                " `--verbose` shows llama.cpp's own words."
            )
        self.ctx: Any = None
        try:
            self._open(path)
        except ModelError:
            self.close()
            raise
        self.memory: Any = llama_cpp.llama_get_memory(self.ctx)
        self.trained_context: int = llama_cpp.llama_model_n_ctx_train(self.model)
        weights, layers = llama_cpp.llama_model_n_params(self.model), llama_cpp.llama_model_n_layer(self.model)
        self.patience = max(1, weights // (6 * layers * llama_cpp.llama_model_n_embd(self.model)))
        self._saved = (ctypes.c_uint8 * 0)()
        self._cell_bytes = 1
        self._pieces: dict[int, bytes] = {}
        self._shown: set[int] = set()
        self._ends: dict[int, bool] = {}
        self._batch, self._columns = _batch(options.batch)

    def _open(self, path: Path) -> None:
        if not llama_cpp.llama_model_has_decoder(self.model):
            raise ModelError(f"{path} generates no text; use a model that does.")
        if llama_cpp.llama_model_has_encoder(self.model) or llama_cpp.llama_model_is_diffusion(self.model):
            raise ModelError(f"{path} does not write from left to right, token by token; use a model that does.")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.window = llama_cpp.llama_model_n_swa(self.model)
        self.threads = self.options.threads or default_threads(llama_cpp.llama_model_n_params(self.model))
        hybrid = llama_cpp.llama_model_is_hybrid(self.model)
        self.recurrent = bool(hybrid or llama_cpp.llama_model_is_recurrent(self.model))
        ids, cells = min(MAX_SEQUENCES, LOGITS_BYTES // (4 * self.vocabulary)), self.options.cells
        if self.recurrent:
            ids = min(ids, max(LEAST_SEQUENCES, STATE_BYTES // self._state_bytes(path)))
            self.options = replace(self.options, lanes=min(self.options.lanes, ids // 4))
        if hybrid:
            cells *= 2  # branches that begin with the same words hold them twice, since only whole states are shared
        self.sequences = max(4 * self.options.lanes, ids) - 1
        self.ctx = self._context(path, cells, self.sequences + 1)

    def _context(self, path: Path, cells: int, sequences: int) -> Any:
        """A context of `cells` tokens for `sequences` sequence ids."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = self.options.batch
        params.n_seq_max = params.n_outputs_max = sequences
        params.kv_unified = params.swa_full = True
        if self._reads_states:
            params.embeddings, params.pooling_type = True, llama_cpp.LLAMA_POOLING_TYPE_NONE
        params.type_k = params.type_v = CACHE_TYPES[self.options.cache_type].ggml
        if self.options.cache_type != "f16":
            params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        elif not (self.options.gpu_layers and llama_cpp.llama_supports_gpu_offload()):
            params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED  # on a CPU it is slower with many lanes
        params.n_threads = params.n_threads_batch = self.threads
        context = llama_cpp.llama_init_from_model(self.model, params)
        if not context:
            raise OutOfMemoryError(f"{path} was read, but a context of {cells} tokens does not fit into memory.")
        return context

    def _state_bytes(self, path: Path) -> int:
        """The size of the state of one sequence, found by decoding a token."""
        context = self._context(path, 64, 1)
        try:
            token = (llama_cpp.llama_token * 1)(0)
            if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(token, 1)):
                raise ModelError(f"{path} was read, but llama.cpp cannot decode with it.")
            return int(llama_cpp.llama_state_seq_get_size(context, 0))
        finally:
            llama_cpp.llama_free(context)

    def close(self) -> None:
        """Free the context and the model."""
        if self.ctx:
            llama_cpp.llama_free(self.ctx)
            self.ctx = None
        if self.model:
            llama_cpp.llama_model_free(self.model)
            self.model = None

    def decode(self, rows: Sequence[Row]) -> int:
        """Decode one batch of at most `options.batch` rows; llama.cpp's return code."""
        self._batch.n_tokens = len(rows)
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=False):
            column[: len(rows)] = values
        return int(llama_cpp.llama_decode(self.ctx, self._batch))

    def logits(self, rows: int) -> npt.NDArray[np.float32]:
        """The logits of the batch's `rows` rows that wanted them, in their order, shape (rows, vocabulary).

        It is a view that the next decode overwrites.
        """
        pointer = llama_cpp.llama_get_logits(self.ctx)
        if not pointer:
            raise BackendError(f"llama.cpp kept no logits for {rows} rows")
        return np.ctypeslib.as_array(pointer, (rows, self.vocabulary))

    def state(self, row: int) -> npt.NDArray[np.float32]:
        """The hidden state after the last normalisation at `row` of the batch, which wanted its output; shape (width,).

        It is a view that the next decode overwrites.
        """
        pointer = llama_cpp.llama_get_embeddings_ith(self.ctx, row)
        if not pointer:
            raise BackendError("llama.cpp kept no hidden state")
        return np.ctypeslib.as_array(pointer, (llama_cpp.llama_model_n_embd(self.model),))

    def fork(self, source: int, target: int, length: int, start: int = 0) -> None:
        """Let sequence `target` share the tokens of `source` from position `start` up to `length`."""
        llama_cpp.llama_memory_seq_cp(self.memory, source, target, start, length)

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        """Remove the tokens of `sequence` from position `start` on, up to `end` where that is given."""
        if not llama_cpp.llama_memory_seq_rm(self.memory, sequence, start, end):
            raise BackendError(f"llama.cpp could not cut sequence {sequence} at position {start}")

    def first(self, sequence: int) -> int:
        """The position from which on `sequence` has cells in every layer; -1 where it has none."""
        return int(llama_cpp.llama_memory_seq_pos_min(self.memory, sequence))

    def save(self, sequence: int, start: int, end: int) -> Any:
        """A copy of the cells of `sequence` from position `start` up to `end`, in ordinary memory."""
        spare = self.sequences
        self.fork(sequence, spare, end, start)
        size = 0
        if self._cell_bytes * (end - start) <= len(self._saved):  # the size is about the same for every cell
            size = llama_cpp.llama_state_seq_get_data(self.ctx, self._saved, len(self._saved), spare)
        if not size:
            self._saved = (ctypes.c_uint8 * llama_cpp.llama_state_seq_get_size(self.ctx, spare))()
            self._cell_bytes = -(-len(self._saved) // (end - start))
            size = llama_cpp.llama_state_seq_get_data(self.ctx, self._saved, len(self._saved), spare)
        self.cut(spare, 0)
        if not size:
            raise BackendError(f"llama.cpp could not save sequence {sequence}")
        return (ctypes.c_uint8 * size).from_buffer_copy(self._saved)

    def load(self, data: Any, sequence: int, start: int, end: int) -> bool:
        """Put what `save` gave into the cache, for `sequence`, which holds what lies before; False without room."""
        spare = self.sequences
        if not llama_cpp.llama_state_seq_set_data(self.ctx, data, len(data), spare):
            return False
        self.fork(spare, sequence, end, start)
        self.cut(spare, 0)
        return True

    def clear(self) -> None:
        """Empty the cache."""
        llama_cpp.llama_memory_clear(self.memory, True)

    def tokenize(self, text: str, control: bool) -> tuple[int, ...]:
        """Token ids of `text`; control tokens are recognised only where `control` is true."""
        if not self.model:
            raise BackendError("the model is closed")
        data = text.encode("utf-8", "surrogatepass")
        room = len(data) + 8
        while True:
            ids = (llama_cpp.llama_token * room)()
            count = int(llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, room, False, control))
            if count >= 0:
                return tuple(ids[:count])
            if -count <= room:
                raise BackendError(f"llama.cpp could not tokenize a text of {len(data)} bytes")
            room = -count  # a vocabulary without a token for the space spells it in three

    def piece(self, token: int) -> bytes:
        """The bytes that `token` stands for; control tokens stand for none, unless they are shown."""
        if token not in self._pieces:
            room = 256
            while (count := self._piece_into(token, buffer := ctypes.create_string_buffer(room))) < 0:
                room = -count
            self._pieces[token] = buffer.raw[:count]
        return self._pieces[token]

    def _piece_into(self, token: int, buffer: Any) -> int:
        special = token in self._shown
        return int(llama_cpp.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, special))

    def show(self, text: str) -> None:
        """From now on the control tokens that spell `text` stand for it."""
        self._shown.update(self.tokenize(text, True))
        self._pieces.clear()

    def is_end(self, token: int) -> bool:
        """Whether `token` ends a generation."""
        if token not in self._ends:
            self._ends[token] = bool(llama_cpp.llama_vocab_is_eog(self.vocab, token))
        return self._ends[token]

    def opening(self) -> tuple[int, ...]:
        """The token that every path begins with, where the vocabulary asks for one."""
        if not llama_cpp.llama_vocab_get_add_bos(self.vocab):
            return ()
        return (int(llama_cpp.llama_vocab_bos(self.vocab)),)

    def markers(self) -> tuple[str, str]:
        """The texts of the opening token and of the end token; empty where the vocabulary has none."""
        ids = (llama_cpp.llama_vocab_bos(self.vocab), llama_cpp.llama_vocab_eos(self.vocab))
        texts = (llama_cpp.llama_vocab_get_text(self.vocab, i) if i >= 0 else b"" for i in ids)
        opening, end = (text.decode("utf-8", "replace") for text in texts)
        return opening, end

    def metadata(self, key: str) -> str | None:
        """A text from the GGUF's metadata."""
        room = 256
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = llama_cpp.llama_model_meta_val_str(self.model, key.encode(), buffer, room)
            if count < 0:
                return None
            if count < room:
                return buffer.raw[:count].decode("utf-8", "replace")
            room = count + 1


def _batch(rows: int) -> tuple[Any, tuple[npt.NDArray[Any], ...]]:
    """A batch of up to `rows` rows, each of one sequence, over numpy columns: token, position, sequence, output."""
    token, position, sequence, count = (np.zeros(rows, np.int32) for _ in range(4))
    output = np.zeros(rows, np.int8)
    count[:] = 1
    ids = ctypes.POINTER(ctypes.c_int32)
    batch = llama_cpp.llama_batch()
    batch.token, batch.pos, batch.n_seq_id = (column.ctypes.data_as(ids) for column in (token, position, count))
    batch.logits = output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
    batch.seq_id = (ids * rows)(*(sequence[i:].ctypes.data_as(ids) for i in range(rows)))
    return batch, (token, position, sequence, output, count)
