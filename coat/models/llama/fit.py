"""What of a model is loaded where: chosen so that weights, cache and buffers fit into the memory that is free."""

from collections.abc import Iterator
from dataclasses import replace

from coat.errors import ModelError
from coat.models.header import Header
from coat.models.known import CELL_BYTES, footprint
from coat.models.llama.bindings import CACHE_TYPES, ContextOptions
from coat.models.llama.devices import MARGIN, Device

LEAST_CELLS = 512
"""Fewer tokens of context than this are not tried: a search would hardly begin."""
SMALL_CELLS = 2048
"""With a GPU layers are left to the processor before there are fewer tokens of context than this."""

GIB = 1 << 30


def needed(header: Header, device: Device, options: ContextOptions) -> int:
    """Bytes of `device` that the part of the model that lies there takes."""
    share = 1.0 if device.kind == "CPU" else _share(header, options)
    cells = options.cells * (header.cell_bytes or CELL_BYTES) * CACHE_TYPES[options.cache_type].bytes / 2
    return footprint(header.bytes, cells, share)


def fitting(
    header: Header,
    device: Device,
    asked: ContextOptions,
    fixed: frozenset[str] = frozenset(),
    reserve: int = 0,
) -> list[ContextOptions]:
    """`asked`, and less and less of it, as far as it fits on `device`; what is named in `fixed` stays as it is.

    `reserve` bytes are left for another model.

    With a GPU the cache is kept in 8 bits before it becomes smaller, and layers are left to the processor last.

    Raises:
        ModelError: not even the least fits.
    """
    free, tried = int(device.free * MARGIN) - reserve, list(steps(header, device, asked, fixed))
    found = [options for options in tried if not device.free or needed(header, device, options) <= free]
    if not found:
        raise ModelError(
            f"{header.path} needs {needed(header, device, tried[-1]) / GIB:.1f} GiB with {tried[-1].cells} tokens of"
            f" context, and {free / GIB:.1f} GiB can be filled ({device.description}); free some, or see"
            " `coat models recommend`"
        )
    return found


def steps(header: Header, device: Device, asked: ContextOptions, fixed: frozenset[str]) -> Iterator[ContextOptions]:
    """`asked`, and then less and less of it."""
    yield asked
    least, gpu = asked, device.kind != "CPU"
    if gpu and "cache_type" not in fixed and asked.cache_type == "f16":
        yield (least := replace(least, cache_type="q8_0"))
    while "cells" not in fixed and least.cells // 2 >= (SMALL_CELLS if gpu else LEAST_CELLS):
        yield (least := replace(least, cells=least.cells // 2))
    if gpu and "gpu_layers" not in fixed:
        for layers in range(header.layers, -1, -1):
            yield replace(least, gpu_layers=layers)


def describe(asked: ContextOptions, chosen: ContextOptions) -> str:
    """What was chosen otherwise than asked for, in a sentence; empty where nothing was."""
    texts = {"cells": "{} tokens of context", "gpu_layers": "{} layers on the GPU", "cache_type": "a cache in {}"}
    changed = {name: getattr(chosen, name) for name in texts if getattr(chosen, name) != getattr(asked, name)}
    told = " and ".join(texts[name].format(value) for name, value in changed.items())
    return f"To fit into memory, the model was loaded with {told}." if told else ""


def _share(header: Header, options: ContextOptions) -> float:
    """The share of the model that lies on the device: of its layers, and of what comes after them."""
    return 1.0 if options.gpu_layers < 0 else min(1.0, options.gpu_layers / (header.layers + 1))
