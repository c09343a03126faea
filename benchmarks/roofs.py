"""What the machine could do: a bare loop over llama.cpp, the speed of its memory, and that of its arithmetic."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from coat.models import Sampling, Tokens
from coat.models.llama import ContextOptions
from coat.models.llama.bindings import Llama

READ_BYTES = 256 << 20
"""Read for the memory's speed: more than four times the largest cache of a laptop's processor."""
PROMPT = 512
"""Rows of the batch for the arithmetic's speed, or as many as llama.cpp gives logits for."""


class Bare:
    """llama_decode and llama.cpp's own samplers, and nothing else: lanes side by side after one prefix."""

    def __init__(self, file: Path, options: ContextOptions, sampling: Sampling) -> None:
        self.llama = Llama(file, options)
        self._sampling = sampling

    def run(self, prefix: Tokens, lanes: int, seed: int) -> float:
        """Seconds for `lanes` texts after `prefix`, of which all but the last token is decoded already."""
        llama, end = self.llama, len(prefix)
        rows = [(token, at, 0, at == end - 1) for at, token in enumerate(prefix)]
        for start in range(0, end - 1, llama.options.batch):
            llama.decode(rows[start : min(start + llama.options.batch, end - 1)])
        begun = time.perf_counter()
        chains = [self._chain(seed + lane) for lane in range(lanes)]
        llama.decode(rows[-1:])
        for lane in range(lanes):
            llama.fork(0, lane + 1, end)
        drawn = [llama_cpp.llama_sampler_sample(chain, llama.ctx, -1) for chain in chains]
        for step in range(self._sampling.max_tokens - 1):
            llama.decode([(token, end + step, lane, True) for lane, token in enumerate(drawn, 1)])
            drawn = [llama_cpp.llama_sampler_sample(chain, llama.ctx, lane) for lane, chain in enumerate(chains)]
        seconds = time.perf_counter() - begun
        for chain in chains:
            llama_cpp.llama_sampler_free(chain)
        llama.clear()
        return seconds

    def _chain(self, seed: int) -> Any:
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for part in (
            llama_cpp.llama_sampler_init_top_k(self._sampling.top_k),
            llama_cpp.llama_sampler_init_top_p(self._sampling.top_p, 1),
            llama_cpp.llama_sampler_init_temp(self._sampling.temperature),
            llama_cpp.llama_sampler_init_dist(seed),
        ):
            llama_cpp.llama_sampler_chain_add(chain, part)
        return chain

    def close(self) -> None:
        """Free the model."""
        self.llama.close()


@dataclass(frozen=True)
class Roofs:
    """`bandwidth`: bytes a second that memory is read with. `rows`: tokens a second in the largest batch.

    `weights` are the model's bytes and `cell` those of one token in the KV cache.
    """

    bandwidth: float
    rows: float
    weights: int
    cell: int

    def ideal(self, rows: int, lanes: int, prefill: int, cells: float) -> float:
        """Least seconds for `rows` tokens, `prefill` of them in large batches, the rest `lanes` at a time.

        t(B) ≥ max(weights / bandwidth, B / rows) + cells of the cache / bandwidth, as in the roofline model (Williams
        et al. 2009).
        """
        step = max(self.weights / self.bandwidth, lanes / self.rows) + cells * self.cell / self.bandwidth
        return prefill / self.rows + (rows - prefill) / lanes * step


def roofs(file: Path, prompt: Tokens, threads: int, repeats: int) -> Roofs:
    """Measure them: medians of `repeats`."""
    llama = Llama(file, ContextOptions(cells=PROMPT, batch=PROMPT, threads=threads))
    rows = [(token, at, 0, True) for at, token in enumerate(prompt[: min(PROMPT, llama.sequences)])]
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        llama.decode(rows)
        llama.logits(1)
        times.append(time.perf_counter() - begun)
        llama.clear()
    llama.decode(rows)
    cell = len(llama.save(0, 0, len(rows))) // len(rows)
    llama.close()
    data = np.ones(READ_BYTES // 8)
    parts = np.array_split(data, threads)
    reads = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            list(pool.map(np.add.reduce, parts))
            reads.append(time.perf_counter() - begun)
    return Roofs(
        READ_BYTES / statistics.median(reads[1:]), len(rows) / statistics.median(times[1:]), file.stat().st_size, cell
    )
