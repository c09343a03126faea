"""Several rankings made one: reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

RANK_CONSTANT = 1
"""What is added to a rank before its reciprocal is taken.

Measured with association on HotpotQA and MuSiQue (questions 0 to 49), as the supporting passages among the first five:
REPORT
"""

Item = TypeVar("Item", bound=Hashable)


def fuse(rankings: Iterable[tuple[float, Sequence[Item]]], constant: float = RANK_CONSTANT) -> dict[Item, float]:
    """Score each item by the sum of weight / (constant + rank) over (weight, ranking), ranks from 1; best first.

    Cormack, Clarke & Büttcher 2009. Items of one score keep the order in which they first came.
    """
    scores: dict[Item, float] = {}
    for weight, ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (constant + rank)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))
