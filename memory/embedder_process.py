"""The process in which sentence-transformers, and with it torch, works.

torch and faiss each bring an OpenMP runtime, and on macOS both in one process crash (faiss-wheels #73). Apart they
also do not fight llama.cpp over threads. So the memory's own process never imports torch, and this one never
imports faiss.

The two talk over pipes in frames: the lengths of header and payload, a JSON header, a payload of raw float32. The
child first says how it started, {"dimension": d} or {"error": why}, then answers each {"texts": [...]} with
{"shape": [n, d]} and n·d floats, or with {"error": why}. It ends when its input ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

_LENGTHS = struct.Struct("<IQ")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the child is to load: `folder` (with its weights' `sha256`) if there is one, else `model` by its name.

    `threads`: torch's threads. `download`: whether a model that is not on this machine may be fetched.
    """

    model: str
    folder: str | None
    sha256: str | None
    threads: int
    download: bool

    def command(self) -> list[str]:
        """The command that starts the child; it imports what its parent can import."""
        paths = [str(path) for path in sys.path]
        code = f"import sys; sys.path[:] = {paths!r}; from memory.embedder_process import main; main()"
        return [sys.executable, "-c", code, json.dumps(asdict(self))]


def send(stream: BinaryIO, header: dict[str, Any], payload: bytes = b"") -> None:
    """Write one frame.

    Raises:
        OSError: The other side is gone.
    """
    head = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(head), len(payload)) + head + payload)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read one frame.

    Raises:
        EOFError: The stream ended before the frame did.
    """
    head_length, payload_length = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    header: dict[str, Any] = json.loads(_read(stream, head_length))
    return header, _read(stream, payload_length)


def _read(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the other side of the pipe is gone")
    return data


def weights_problem(folder: Path, sha256: str) -> str | None:
    """What is wrong with `folder`/model.safetensors, or None where its hash is `sha256`."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return f"{weights} is missing; install the package that brought it again."
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        return f"{weights} has sha256 {found}, not {sha256}: it is damaged or another model. Install it again."
    return None


def load(settings: Settings) -> Any:
    """The SentenceTransformer of `settings`, on the CPU.

    Raises:
        ValueError: The weights are not the expected ones.
        OSError: The model is not on this machine and may not, or cannot, be downloaded.
    """
    if settings.folder and settings.sha256:
        problem = weights_problem(Path(settings.folder), settings.sha256)
        if problem:
            raise ValueError(problem)
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(settings.threads)
    local_only = not settings.download
    return SentenceTransformer(settings.folder or settings.model, device="cpu", local_files_only=local_only)


def serve(settings: Settings, requests: BinaryIO, replies: BinaryIO) -> None:
    """Load the model, then answer requests until they end.

    Failures of the model are sent to the parent, which raises them; only a broken pipe ends this side.
    """
    try:
        model = load(settings)
        dimension = model.encode(["dimension"], show_progress_bar=False).shape[1]
    except Exception as error:  # noqa: BLE001 - whatever the library raises is reported to the parent
        send(replies, {"error": str(error)})
        return
    send(replies, {"dimension": dimension})
    while True:
        try:
            header, _ = receive(requests)
        except EOFError:
            return
        try:
            vectors = model.encode(header["texts"], normalize_embeddings=True, show_progress_bar=False)
        except Exception as error:  # noqa: BLE001 - as above
            send(replies, {"error": str(error)})
        else:
            send(replies, {"shape": vectors.shape}, vectors.astype("float32").tobytes())


def environment(settings: Settings) -> dict[str, str]:
    """The variables that torch and its neighbours read when they are imported.

    Waiting threads sleep: while llama.cpp keeps the cores busy, threads that spin made one embedding ten times slower
    (200 ms against 20 ms on two cores).
    """
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    threads = {"OMP_NUM_THREADS": str(settings.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return quiet | threads | ({} if settings.download else {"HF_HUB_OFFLINE": "1"})


def main() -> None:
    """Serve the parent: frames on standard input and output, all else that prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = Settings(**json.loads(sys.argv[1]))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.environ.update(environment(settings))
    serve(settings, sys.stdin.buffer, replies)
