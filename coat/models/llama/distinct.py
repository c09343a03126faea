"""Sampling without replacement: a trie of what was drawn, and how much of each place's probability that has used up.

The idea is UniqueRandomizer's (Shi, Bieber and Singh 2020, arXiv 2002.09067): a token is drawn with its share times
what is left below it. Siblings draw beside each other, so one may find that another was faster and nothing is left
where it stands; it then begins again, along odds that are kept, which costs no decode.
"""

import random
from collections.abc import Sequence

from coat.models import Draw, Sampling
from coat.models.llama.odds import Odds, pick, shares_at

LEAST = 1e-12
"""A place of which less than this is left is used up."""


class Place:
    """A place in the trie: `used` of its probability is used up; `shares` and `below` by the tokens drawn from it."""

    __slots__ = ("below", "shares", "used")

    def __init__(self) -> None:
        self.below: dict[int, Place] = {}
        self.shares: dict[int, float] = {}
        self.used = 0.0

    def go(self, token: int, share: float) -> "Place":
        """The place after `token`, which is drawn here with probability `share`."""
        self.shares[token] = share
        return self.below.setdefault(token, Place())


class Drawn:
    """All that was drawn after one path."""

    def __init__(self, seen: Sequence[Draw]) -> None:
        self.start = Place()
        for draw in seen:
            self.use_up(draw)

    def use_up(self, draw: Draw) -> None:
        """Note that nothing is left after the tokens of `draw`: it is complete, or a dead end."""
        places = [self.start]
        for token, share in draw:
            places.append(places[-1].go(token, share))
        places[-1].used = 1.0
        for place in reversed(places[:-1]):
            place.used = sum(place.shares[token] * below.used for token, below in place.below.items())


class DistinctSampler:
    """Draws one sibling's tokens so that it becomes none of those in `drawn`, which its siblings share."""

    def __init__(self, drawn: Drawn, sampling: Sampling, seed: int, penalised: frozenset[int] = frozenset()) -> None:
        self._drawn, self._sampling, self._penalised = drawn, sampling, penalised
        self._random = random.Random(seed)
        self.begin()

    def begin(self) -> bool:
        """Go to the start; whether anything is left there."""
        self._place = self._drawn.start
        self._draw: list[tuple[int, float]] = []
        return self._place.used < 1 - LEAST

    def draw(self, odds: Odds) -> tuple[int, float] | None:
        """A token and its log-probability; None where nothing is left, which is then noted."""
        shares = shares_at(odds, self._sampling, self._penalised, len(self._draw))
        left = shares
        if self._place.below:
            used = {token: below.used for token, below in self._place.below.items()}
            left = shares * [max(0.0, 1 - used.get(token, 0.0)) for token in odds.ids.tolist()]
        if left.sum() < LEAST:
            self.complete()
            return None
        at = pick(left, self._random)
        token, share = int(odds.ids[at]), float(shares[at])
        self._place = self._place.go(token, share)
        self._draw.append((token, share))
        return token, odds.logprob(at)

    def complete(self) -> Draw:
        """Note that what was drawn is not to be drawn again; it."""
        draw = tuple(self._draw)
        self._drawn.use_up(draw)
        return draw
