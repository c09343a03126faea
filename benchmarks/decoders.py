"""Those who grow the trees: coat's engine, `llama_cpp.Llama`, and a llama-server built from the same source."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from benchmarks.growing import Workload
from coat.errors import BackendError
from coat.models import Tokens
from coat.models.llama import ContextOptions, LlamaModel
from coat.models.llama.work import Request
from coat.usage import Usage

SERVER = Path(sys.executable).parent / "llama-server"
"""Where `make peers` puts it; LLAMA_SERVER names another."""


class Engine:
    """coat's own decoder."""

    def __init__(self, file: Path, workload: Workload, options: ContextOptions) -> None:
        self.model = LlamaModel(file, options=options)
        self.usage = Usage()
        self._workload = workload
        self._decoder = self.model._decoder
        self._decoder.llama.is_end = lambda token: False  # type: ignore[method-assign]
        self._worked = self._waited = 0.0
        self._watch()

    def _watch(self) -> None:
        """Note at every decode for how long how many of the lanes had been at work."""
        llama, last = self._decoder.llama, [0.0]
        decode = llama.decode

        def watched(rows: Any) -> int:
            busy = sum(len(lane.members) for lane in self._decoder.active) / self._decoder.lanes
            code = decode(rows)
            now = time.perf_counter()
            if last[0]:
                self._worked += busy * (now - last[0])
                self._waited += now - last[0]
            last[0] = now
            return code

        llama.decode = watched  # type: ignore[method-assign]

    @property
    def occupancy(self) -> float:
        """The share of the lanes that were at work, weighted with time."""
        return self._worked / self._waited

    async def sample(self, path: Tokens, seeds: Sequence[int]) -> list[Tokens]:
        """See `Backend`."""
        request = Request(path, self.usage, seeds=tuple(seeds), sampling=self._workload.sampling)
        completions = await asyncio.wrap_future(self._decoder.submit(request))
        self.usage.generated += sum(each.generated for each in completions)
        return [each.tokens for each in completions]

    async def score(self, path: Tokens) -> None:
        """See `Backend`."""
        request = Request(path, self.usage, suffix=self._workload.suffix, candidates=self._workload.readings)
        await asyncio.wrap_future(self._decoder.submit(request))

    def close(self) -> None:
        """Free the model."""
        self.model.close()


class Naive:
    """A loop over `llama_cpp.Llama`: each child in turn, and its score at once, while its tokens are in the cache.

    It draws with `Llama.generate`, which reuses what the prompt shares with the last one; `fresh` forgets that before
    each child.
    """

    def __init__(self, file: Path, workload: Workload, threads: int, *, fresh: bool) -> None:
        import llama_cpp

        longest = max(map(len, workload.roots)) + (workload.expansions + 1) * workload.tokens + len(workload.suffix)
        self._llama: Any = llama_cpp.Llama(
            str(file), n_ctx=min(longest, 4096), n_threads=threads, n_threads_batch=threads, verbose=False
        )
        self._workload, self._fresh = workload, fresh

    async def sample(self, path: Tokens, seeds: Sequence[int]) -> list[Tokens]:
        """See `Backend`."""
        return [self._child(path, seed) for seed in seeds]

    def _child(self, path: Tokens, seed: int) -> Tokens:
        sampling = self._workload.sampling
        if self._fresh:
            self._llama.reset()
        self._llama.set_seed(seed)
        knobs = {"top_k": sampling.top_k, "top_p": sampling.top_p, "min_p": 0.0, "temp": sampling.temperature}
        drawing = self._llama.generate(list(path), **knobs)
        child = tuple(next(drawing) for _ in range(self._workload.tokens))
        next(self._llama.generate([*path, *child, *self._workload.suffix], temp=0.0))
        return child

    async def score(self, path: Tokens) -> None:
        """Nothing: it was done with the child, where the order is best."""

    def close(self) -> None:
        """Free the model."""
        self._llama.close()


def find_server() -> str:
    """The llama-server that is compared with; BackendError where there is none."""
    binary = os.environ.get("LLAMA_SERVER") or (str(SERVER) if SERVER.exists() else shutil.which("llama-server"))
    if not binary:
        raise BackendError("there is no llama-server; `make peers` builds it from the source of llama-cpp-python")
    return binary


class Server:
    """A llama-server with as many slots as lanes, its prompt cache on, asked with as many requests at once."""

    def __init__(self, file: Path, workload: Workload, lanes: int, threads: int) -> None:
        self._workload = workload
        binary = find_server()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        longest = max(map(len, workload.roots)) + (workload.expansions + 1) * workload.tokens + len(workload.suffix)
        context = min(longest, 2048) * lanes
        flags = ["-c", str(context), "-np", str(lanes), "-no-kvu", "-fa", "off", "-t", str(threads)]
        flags += ["--port", self.url.rpartition(":")[2], "--no-webui", "--log-disable"]
        self._process = subprocess.Popen(
            [binary, "-m", str(file), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._client = httpx.AsyncClient(base_url=self.url, timeout=None, limits=httpx.Limits(max_connections=None))
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            if self._process.poll() is not None:
                raise BackendError(f"llama-server ended at once, with code {self._process.returncode}")
            try:
                if httpx.get(f"{self.url}/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        self.close()
        raise BackendError("llama-server was not ready within a minute")

    def question(self, path: Tokens, **changes: Any) -> dict[str, Any]:
        """The body of a request for a child of `path`."""
        sampling = self._workload.sampling
        return {
            "prompt": list(path),
            "n_predict": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "ignore_eos": True,
            "return_tokens": True,
            "cache_prompt": True,
        } | changes

    def judgement(self, path: Tokens) -> dict[str, Any]:
        """The body of a request for what `path` is worth."""
        return self.question((*path, *self._workload.suffix), n_predict=1, temperature=0.0)

    async def sample(self, path: Tokens, seeds: Sequence[int]) -> list[Tokens]:
        """See `Backend`; the siblings are one request, by `n_cmpl`."""
        answer = await self._client.post("/completion", json=self.question(path, seed=seeds[0] + 1, n_cmpl=len(seeds)))
        answer.raise_for_status()
        found = answer.json()
        return [tuple(each["tokens"]) for each in (found if isinstance(found, list) else [found])]

    async def score(self, path: Tokens) -> None:
        """See `Backend`."""
        (await self._client.post("/completion", json=self.judgement(path))).raise_for_status()

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
