"""Texts that a word index finds like real ones: frequent and rare words as in the sentences they are made from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LENGTHS = (8, 20)
"""The least and the most words of a text."""


class Recombined:
    """Texts of words drawn by chance, each as often as it is in `sentences`, where by Zipf's law most are rare."""

    def __init__(self, sentences: Sequence[str], seed: int) -> None:
        import numpy as np

        counts = Counter(word for text in sentences for word in re.findall(r"[^\W_]+", text))
        self._words = list(counts)
        self._shares = np.cumsum(np.array(list(counts.values()), dtype=np.float64))
        self._shares /= self._shares[-1]
        self._chance = np.random.default_rng(seed)

    def draw(self, count: int) -> list[str]:
        """So many texts; that two are the same is next to impossible."""
        import numpy as np

        lengths = self._chance.integers(LENGTHS[0], LENGTHS[1] + 1, size=count)
        places = np.searchsorted(self._shares, self._chance.random(int(lengths.sum())))
        words = [self._words[place] for place in places.tolist()]
        ends = np.cumsum(lengths).tolist()
        return [" ".join(words[end - size : end]) + "." for end, size in zip(ends, lengths.tolist(), strict=True)]
