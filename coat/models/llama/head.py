"""A process reward model with a head of its own: the backbone's GGUF, and the head's few weights in safetensors.

The head is applied in numpy to the hidden state at the end of what is judged. The backbone decodes in a context of its
own, one path after the other; what a path shares with the last one is not decoded again.
"""

import asyncio
import itertools
import math
import operator
import re
import threading
from pathlib import Path

import llama_cpp
import numpy as np
import numpy.typing as npt

from coat.errors import BackendError, ContextError, ModelError
from coat.models import Capabilities, Completion, SampleRequest, ScoreRequest, Tokens
from coat.models.catalog import file_hash
from coat.models.header import check_writes, read_header
from coat.models.llama.bindings import ContextOptions, Llama
from coat.models.llama.reader import Reader
from coat.usage import Usage

Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class HeadModel(Reader):
    """A `LanguageModel` that only judges: the first candidate of a score is what the head calls good, the last bad."""

    def __init__(self, path: Path, head: Path, name: str, options: ContextOptions) -> None:
        """Load the backbone `path` and its `head`.

        Raises:
            ModelError: a file is missing or broken, or the head does not fit the backbone.
        """
        header = read_header(path)
        check_writes(header)
        self._head = read_head(head)
        self._llama = Llama(path, options, states=True)
        super().__init__(self._llama)
        width = int(llama_cpp.llama_model_n_embd(self._llama.model))
        if self._head[0][0].shape[1] != width:
            self._llama.close()
            raise ModelError(
                f"{head} reads {self._head[0][0].shape[1]} numbers, and {path} gives {width}: not its head"
            )
        self.name, self.note, self.closed = name, "", False
        context = min(options.cells, self._llama.trained_context)
        self.capabilities = Capabilities(context=context, tokens=True, logprobs=False, candidates=True)
        hashes = "+".join(map(file_hash, (*header.parts, head)))
        self.fingerprint = f"{hashes}:{options.cells}:{options.batch}:{llama_cpp.__version__}"
        self._held: Tokens = ()
        self._door = threading.Lock()

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Raises ModelError: it writes nothing."""
        raise ModelError(f"{self.name} only judges; name another model to write the steps")

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """Log-probabilities of good, for the first candidate, and of bad, for the last, after prompt and suffix."""
        path = self.path(request.prompt)
        target = self.path((*request.prompt, *request.suffix))
        if len(target) > self.capabilities.context:
            raise ContextError(f"the path has {len(target)} tokens and {self.name} holds {self.capabilities.context}")
        good = await asyncio.to_thread(self._judge, target, usage)
        usage.scored += len(target) - len(path)
        return [math.log(max(each, 1e-30)) for each in (good, 1 - good)]

    def close(self) -> None:
        """See `LanguageModel`."""
        with self._door:
            self._llama.close()
            self.closed = True

    def _judge(self, target: Tokens, usage: Usage) -> float:
        with self._door:
            if self.closed:
                raise BackendError("the model is closed")
            return apply(self._head, self._read(target, usage))

    def _read(self, target: Tokens, usage: Usage) -> npt.NDArray[np.float32]:
        """The hidden state after `target`."""
        llama, batch = self._llama, self._llama.options.batch
        done = 0 if llama.recurrent else min(_common(self._held, target), len(target) - 1)
        llama.cut(0, done)
        self._held = ()
        rows = [(target[at], at, 0, at == len(target) - 1) for at in range(done, len(target))]
        for start in range(0, len(rows), batch):
            if code := llama.decode(rows[start : start + batch]):
                raise BackendError(f"llama_decode failed with code {code}")
            usage.decodes += 1
        usage.evaluated += len(rows)
        usage.need(target)
        self._held = target
        return llama.state(-1)


def read_head(path: Path) -> list[Layer]:
    """The head's linear layers in their order, each as weights (out, in) and bias (out,); ReLU lies between them.

    Raises:
        ModelError: the file is missing, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        held = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"{path} is no head in safetensors: {error}") from error
    names = sorted((name for name in held if held[name].ndim == 2), key=_number)
    layers = [(held[name].astype(np.float32), _bias(held, name).astype(np.float32).reshape(-1)) for name in names]
    fits = all(one[0].shape[0] == other[0].shape[1] for one, other in itertools.pairwise(layers))
    if not layers or not fits or layers[-1][0].shape[0] not in (1, 2):
        shapes = ", ".join(f"{name} {held[name].shape}" for name in names) or "no matrix"
        raise ModelError(f"{path} is no head: it holds {shapes}; linear layers that end in 1 or 2 numbers are needed")
    return layers


def apply(head: list[Layer], state: npt.NDArray[np.float32]) -> float:
    """The probability of good: the sigmoid of one number, or the share of the second of two (arXiv 2501.07301).

    >>> round(apply([(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))], np.array([0, 1], np.float32)), 4)
    0.7311
    """
    for weights, bias in head[:-1]:
        state = np.maximum(weights @ state + bias, 0)
    weights, bias = head[-1]
    out = (weights @ state + bias).astype(np.float64)
    lead = float(out[0] if len(out) == 1 else out[1] - out[0])
    return 1 / (1 + math.exp(-lead)) if lead > -700 else 0.0


def _common(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with."""
    return sum(1 for _ in itertools.takewhile(bool, map(operator.eq, one, other)))


def _number(name: str) -> tuple[list[int], str]:
    """Layers are numbered in their names, as PyTorch does."""
    return [int(digits) for digits in re.findall(r"\d+", name)], name


def _bias(held: dict[str, npt.NDArray[np.float32]], name: str) -> npt.NDArray[np.float32]:
    return held.get(name.removesuffix("weight") + "bias", np.zeros(held[name].shape[0], np.float32))
