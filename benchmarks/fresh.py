"""A context that shares nothing: what a model says when the whole path is decoded anew, to compare with."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Fresh:
    """Greedy decoding in a context of its own: the whole path at once, then one token at a time."""

    TIE = 1e-2
    """Two logits that are nearer than this may change places: another batch changes the last digits."""

    def __init__(self, llama: Any) -> None:
        self.llama = llama

    def _read(self, path: Sequence[int]) -> Any:
        self.llama.clear()
        rows = [(token, at, 0, at == len(path) - 1) for at, token in enumerate(path)]
        for start in range(0, len(rows), self.llama.options.batch):
            assert self.llama.decode(rows[start : start + self.llama.options.batch]) == 0
        return self.llama.logits(1)[0]

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
        """Whether `tokens` follow `path` greedily; from where two tokens tie, within `TIE`, anything may."""
        for (token, lead), got in zip(self.text(path, len(tokens)), tokens, strict=True):
            if token != got:
                return lead < self.TIE
        return True

    def scores(self, path: Sequence[int], candidates: Sequence[int]) -> list[float]:
        """Log-probabilities of `candidates` after `path`."""
        logits = self._read(path).astype(np.float64)
        normaliser = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
        return [float(logits[candidate] - normaliser) for candidate in candidates]
