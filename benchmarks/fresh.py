"""A context that shares nothing: what a model says when the whole path is decoded anew, to compare with."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Fresh:
    """Greedy decoding in a context of its own: the whole path at once, then one token at a time.

    Two logits that are nearer to each other than `tie` may change places: another batch changes the last digits.
    """

    def __init__(self, llama: Any, tie: float = 1e-2) -> None:
        self.llama, self.tie = llama, tie

    def _read(self, path: Sequence[int], step: int | None = None) -> Any:
        self.llama.clear()
        step = step or self.llama.options.batch
        rows = [(token, at, 0, at == len(path) - 1) for at, token in enumerate(path)]
        for start in range(0, len(rows), step):
            assert self.llama.decode(rows[start : start + step]) == 0
        return self.llama.logits(1)[0]

    def noise(self, path: Sequence[int]) -> float:
        """How far a logit after `path` moves when the path is decoded token by token instead of at once.

        A quantised model's kernels differ with the size of the batch.
        """
        return float(np.abs(self._read(path).copy() - self._read(path, 1)).max())

    def text(self, path: Sequence[int], count: int) -> list[tuple[int, float]]:
        """`count` tokens after `path`, each with how far its logit lies above the second best."""
        drawn: list[tuple[int, float]] = []
        while len(drawn) < count:
            if drawn:
                assert self.llama.decode([(drawn[-1][0], len(path) + len(drawn) - 1, 0, True)]) == 0
            logits = self.llama.logits(1)[0] if drawn else self._read(path)
            first, second = np.argsort(-logits)[:2]
            drawn.append((int(first), float(logits[first] - logits[second])))
        return drawn

    def agrees(self, path: Sequence[int], tokens: Sequence[int]) -> bool:
        """Whether `tokens` follow `path` greedily; from where two tokens tie anything may."""
        for (token, lead), got in zip(self.text(path, len(tokens)), tokens, strict=True):
            if token != got:
                return lead < self.tie
        return True

    def scores(self, path: Sequence[int], candidates: Sequence[int]) -> list[float]:
        """Log-probabilities of `candidates` after `path`."""
        logits = self._read(path).astype(np.float64)
        normaliser = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
        return [float(logits[candidate] - normaliser) for candidate in candidates]
