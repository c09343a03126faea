"""What a GGUF says of itself: read from its header, as carefully as one must before llama.cpp sees the file.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import difflib
import math
import mmap
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from coat.errors import ModelError

_SPLIT = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
_KV_NUMBER = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_KV_STRING, _KV_ARRAY = 8, 9
_MOST_PARTS = 99_999
"""As many as the names of parts can number."""
_LARGEST_COUNT = 1 << 32
_LONGEST_TEXT = 1 << 20
_LONGEST_LIST = 4096
"""Numbers of a metadata array that are read; longer ones, such as a vocabulary's scores, are passed over."""

_TENSOR_BYTES = (
    {0: (1, 4), 1: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2)}
    | {2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 20: (32, 18), 39: (32, 17)}
    | {10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)}
    | {16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 21: (256, 110), 22: (256, 82)}
    | {23: (256, 136), 29: (256, 56), 34: (256, 54), 35: (256, 66)}
    | {40: (64, 36), 41: (128, 18), 42: (64, 18)}
)
"""Elements and bytes of a block of each ggml type (`GGML_QUANT_SIZES` in gguf-py/gguf/constants.py)."""


@dataclass(frozen=True, slots=True)
class Header:
    """Of a GGUF: its `metadata` by key, with numbers, texts and lists of numbers; the `parameters` in this file.

    `parts` are the files of a model that was split, in their order, else the one file; `bytes` those of all of them.
    """

    path: Path
    metadata: Mapping[str, Any]
    parameters: int
    bytes: int
    parts: tuple[Path, ...]

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture; empty where the file does not say."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def cell_bytes(self) -> int | None:
        """Bytes that one token takes in a KV cache of 16 bits; None where the header does not tell.

        Layers with a sliding window count in full, since coat keeps all of their cells.
        """
        heads, layers = self._counts("attention.head_count"), self._counts("block_count")
        groups = self._counts("attention.head_count_kv") or heads
        width = self._counts("embedding_length")
        if not (layers and groups and width and any(heads)):
            return None
        head = width[0] // max(heads)
        each = sum((self._counts(f"attention.{part}_length") or (head,))[0] for part in ("key", "value"))
        return 2 * (groups[0] * layers[0] if len(groups) == 1 else sum(groups)) * each

    @property
    def layers(self) -> int:
        """How many layers the model has, 32 where the header does not tell; llama.cpp takes no more than 512."""
        return min((self._counts("block_count") or (32,))[0], 512)

    def _counts(self, key: str) -> tuple[int, ...]:
        """One number, or one a layer, of the architecture's own; nothing where the file holds something else."""
        held = self.own(key)
        each = held if isinstance(held, tuple) else (held,)
        counts = tuple(count for count in each if _is_count(count))
        return counts if len(counts) == len(each) else ()

    def own(self, key: str, default: Any = None) -> Any:
        """A value of the architecture's own, such as `block_count`."""
        return self.metadata.get(f"{self.architecture}.{key}", default)


def read_header(path: Path) -> Header:
    """Read the header; the weights are not read.

    Raises:
        ModelError: the file is missing, a folder, unreadable, no GGUF, of another version, damaged, or shorter than its
            header promises; or a part of it is missing.
    """
    path = regular_file(path)
    try:
        with path.open("rb") as file:
            begin = file.read(24)
            _check_begin(begin, path)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                walk = _Walk(data, path)
                needed, size = walk.length(), len(data)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if needed > size:
        raise _incomplete(path, size, f"its header promises {needed}")
    parts = _parts(path, walk.metadata)
    return Header(path, walk.metadata, walk.parameters, size + sum(part.stat().st_size for part in parts[1:]), parts)


def check_writes(header: Header) -> None:
    """Whether the file is a model that writes text.

    Raises:
        ModelError: it is something else, by name.
    """
    path, kind, architecture = header.path, header.metadata.get("general.type"), header.architecture
    if kind == "adapter":
        base = header.metadata.get("general.base_model.0.name", "a model")
        raise ModelError(f"{path} is an adapter (LoRA) for {base} and no model by itself; merge it into that one first")
    if kind == "mmproj" or architecture == "clip":
        raise ModelError(f"{path} is a vision projector, which only reads pictures; name the model that it belongs to")
    if kind == "imatrix" or architecture == "imatrix":
        raise ModelError(f"{path} holds statistics for quantising a model, and no model; name the model's own file")
    if header.own("attention.causal") is False or "bert" in architecture or architecture == "t5encoder":
        raise ModelError(f"{path} is an embedding model and writes no text; name a model that does")


def _parts(path: Path, metadata: Mapping[str, Any]) -> tuple[Path, ...]:
    """The files of a split model, of which the first is to be named; ModelError where one is missing."""
    count, split = metadata.get("split.count", 1), _SPLIT.fullmatch(path.name)
    if not _is_count(count) or count > _MOST_PARTS:
        raise ModelError(f"{path} is damaged: it counts {str(count)[:40]} parts; download or copy it again")
    if count <= 1:
        return (path,)
    if split is None:
        raise ModelError(
            f"{path} is one of {count} parts; give it back its name, which ends in -00001-of-{count:05}.gguf"
        )
    parts = tuple(path.with_name(f"{split[1]}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1))
    if path != parts[0]:
        raise ModelError(f"{path} is part {int(split[2])} of {count}; name the first one: {parts[0].name}")
    if missing := [part.name for part in parts if not part.is_file()]:
        raise ModelError(
            f"{path} is one of {count} parts, and {missing[0]} is missing beside it; download that as well"
        )
    return parts


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT


def regular_file(name: str | Path) -> Path:
    """The path that `name` means; ModelError where it is no regular file."""
    try:
        path = Path(name).expanduser()
        mode = path.stat().st_mode
    except FileNotFoundError:
        near = [each.name for each in path.parent.glob("*.gguf")]
        close = difflib.get_close_matches(path.name, near, n=1)
        hint = f"; did you mean {path.with_name(close[0])}?" if close else "; check the path"
        raise ModelError(f"there is no file {path}{hint}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{str(name)!r} cannot be read: {error}") from error
    if stat.S_ISDIR(mode):
        held = ", ".join(sorted(each.name for each in path.glob("*.gguf"))[:5])
        raise ModelError(f"{path} is a folder; name a .gguf file" + (f" in it: {held}" if held else ""))
    if not stat.S_ISREG(mode):
        raise ModelError(f"{path} is not a regular file; name a .gguf file")
    return path


def _check_begin(begin: bytes, path: Path) -> None:
    if not begin:
        raise ModelError(f"{path} is empty; download or copy it again")
    if begin.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path} is a pointer of Git LFS and not the model itself; run: git lfs pull")
    if not begin.startswith(b"GGUF"):
        raise ModelError(f"{path} is not a GGUF file (it begins with {begin[:8]!r}); convert the model to GGUF first")
    if len(begin) < 24:
        raise _incomplete(path, len(begin), "a header needs 24")
    (version,) = struct.unpack_from("<I", begin, 4)
    if version not in (2, 3):
        old_or_swapped = "it is big-endian" if version > 0xFFFF else f"it has version {version}"
        raise ModelError(f"{path} is a GGUF that cannot be read here: {old_or_swapped}; convert the model again")


def _incomplete(path: Path, size: int, why: str) -> ModelError:
    return ModelError(f"{path} is incomplete: it has {size} bytes and {why}; download or copy it again")


class _Walk:
    """A walk over the header of a GGUF, which trusts nothing that it reads."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data, self._path, self._at = data, path, 8
        self._size = len(data)
        self.metadata: dict[str, Any] = {}
        self.parameters = 0

    def length(self) -> int:
        """The number of bytes that the file must have."""
        tensors, values = self._take("<QQ")
        if tensors * 24 + values * 13 > self._size:
            raise self._damaged(f"it counts {tensors} tensors and {values} metadata values")
        for _ in range(values):
            key = self._text()
            (kind,) = self._take("<I")
            value = self._value(key, kind)
            if value is not None:
                self.metadata[key] = value
        if not tensors and self.metadata.get("split.count", 1) in (0, 1):
            raise ModelError(f"{self._path} holds no weights (a vocabulary alone?); name a whole model")
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._damaged(f"it aligns to {alignment} bytes")
        end = max((self._tensor_end() for _ in range(tensors)), default=0)
        return -(-self._at // alignment) * alignment + end

    def _take(self, layout: str) -> tuple[Any, ...]:
        at = self._at
        self._forward(struct.calcsize(layout))
        return struct.unpack_from(layout, self._data, at)

    def _forward(self, count: int) -> None:
        self._at += count
        if self._at > self._size:
            raise self._short()

    def _text(self) -> str:
        (length,) = self._take("<Q")
        at = self._at
        self._forward(length)
        return self._data[at : min(self._at, at + _LONGEST_TEXT)].decode("utf-8", "replace")

    def _value(self, key: str, kind: int) -> Any:
        """One metadata value; None for a list that is not read."""
        if kind == _KV_STRING:
            return self._text()
        if kind in _KV_NUMBER:
            return self._take(f"<{_KV_NUMBER[kind]}")[0]
        if kind != _KV_ARRAY:
            raise self._damaged(f"its value {key!r} has the unknown type {kind}")
        kind, count = self._take("<IQ")
        if kind == _KV_STRING:
            return self._skip_texts(count)
        if kind not in _KV_NUMBER:
            raise self._damaged(f"its value {key!r} is a list of the unknown type {kind}")
        if count <= _LONGEST_LIST:
            return self._take(f"<{count}{_KV_NUMBER[kind]}")
        return self._forward(count * struct.calcsize(_KV_NUMBER[kind]))

    def _skip_texts(self, count: int) -> None:
        at, last, read = self._at, self._size - 8, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at > last:
                raise self._short()
            at += 8 + read(self._data, at)[0]
        self._forward(at - self._at)

    def _tensor_end(self) -> int:
        """Where a tensor's data ends, in bytes from the beginning of all data."""
        (length,) = self._take("<Q")
        self._forward(length)
        (dimensions,) = self._take("<I")
        if dimensions > 4:
            raise self._damaged(f"it has a tensor of {dimensions} dimensions")
        *shape, kind, offset = self._take(f"<{dimensions}QIQ")
        elements, size = _TENSOR_BYTES.get(kind, (1, 0))
        self.parameters += math.prod(shape)
        return int(offset + math.prod(shape) * size // elements)

    def _short(self) -> ModelError:
        return _incomplete(self._path, self._size, "its header goes on after them")

    def _damaged(self, why: str) -> ModelError:
        return ModelError(f"{self._path} is damaged: {why}; download or copy it again")
