"""The devices that llama.cpp sees, and how much of their memory is free."""

import ctypes
from dataclasses import dataclass
from typing import Any, Literal

import llama_cpp._ctypes_extensions as extensions
import psutil
from llama_cpp import _ggml

from coat.models.llama.bindings import quiet

MARGIN = 0.9
"""The share of a device's free memory that is filled."""

KINDS: tuple[Literal["CPU", "GPU", "integrated GPU", "accelerator"], ...]
KINDS = ("CPU", "GPU", "integrated GPU", "accelerator")
"""By the number that ggml has for each."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device; `free` and `total` are bytes of its memory, 0 where it does not tell."""

    name: str
    description: str
    kind: Literal["CPU", "GPU", "integrated GPU", "accelerator"]
    free: int
    total: int


def devices() -> list[Device]:
    """All that this build of llama.cpp can use."""
    quiet()
    registry = _ggml.libggml
    base = extensions.load_shared_library("ggml-base", _ggml.libggml_base_path)
    registry.ggml_backend_dev_count.restype = ctypes.c_size_t
    registry.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    registry.ggml_backend_dev_get.restype = ctypes.c_void_p
    return [_device(base, registry.ggml_backend_dev_get(number)) for number in range(registry.ggml_backend_dev_count())]


def _device(base: Any, handle: int) -> Device:
    device, free, total = ctypes.c_void_p(handle), ctypes.c_size_t(), ctypes.c_size_t()
    base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
    for name in ("name", "description"):
        getattr(base, f"ggml_backend_dev_{name}").restype = ctypes.c_char_p
    kind = KINDS[min(base.ggml_backend_dev_type(device), len(KINDS) - 1)]
    if kind == "CPU":  # of which ggml tells the whole memory as free
        free.value = psutil.virtual_memory().available
    texts = (getattr(base, f"ggml_backend_dev_{name}")(device) for name in ("name", "description"))
    name, description = ((text or b"").decode("utf-8", "replace") for text in texts)
    return Device(name, description, kind, free.value, total.value)


def room(gpu_layers: int = -1) -> Device:
    """The device that a model is loaded onto: the GPU with the most free memory, where there is one to be used."""
    found = devices()
    gpus = [each for each in found if each.kind != "CPU" and each.total] if gpu_layers else []
    return max(gpus or [each for each in found if each.kind == "CPU"], key=lambda each: each.free)
