"""Bin packing: put items into as few bins as possible, each filled up to its capacity at most."""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from coat.errors import IllegalStepError, InputError, shown
from coat.problem import Problem
from coat.tasks.planning import Planning, integer

Items = tuple[int, ...]

STEP = re.compile(r"bin:((?: [0-9]{1,10})+)", re.ASCII)
MOST, LARGEST = 100, 10**9
COUNTED = 12
"""Items for which the fewest bins are counted out, by a table over all sets of items."""
RULES = (
    "Pack all items into as few bins as possible. The items of a bin add up to the capacity at most. A step is one bin:"
    " 'bin:' and its items, of those that are left. Write one bin a line."
)
SOLVED = (
    ("7 6 4 3 2 = 11", ("bin: 7 4", "bin: 6 3 2")),
    ("5 5 8 2 9 3 = 12", ("bin: 9 3", "bin: 8 2", "bin: 5 5")),
)


class BinPacking(Planning[Items]):
    """A state is the items that are left."""

    name = "binpacking"
    summary = "pack items into as few bins of one capacity as possible"
    source = "a generator; github.com/moisotico/Sys2Bench, data/binpacking/test.csv (Apache-2.0)"
    sample = "5 10 8 1 4 = 12"
    rules, solved = RULES, SOLVED
    step_tokens: int = 32

    def typed(self, text: str) -> Problem:
        """The items, `=` and the capacity."""
        items, equals, capacity = text.partition("=")
        if not equals:
            raise InputError(
                f"{shown(text)} has no capacity; write the items, then = and the capacity: {self.sample!r}"
            )
        return self._problem(re.split(r"[\s,]+", items.strip(" \t\n,")), capacity, None)

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """The "item_sizes", as a text or a list, and the "bin_capacity"; "optimal_bins" may be missing."""
        if missing := [name for name in ("item_sizes", "bin_capacity") if name not in record]:
            raise InputError(f'the record has no "{missing[0]}"; it needs "item_sizes" and "bin_capacity"')
        items = record["item_sizes"]
        words = re.split(r"[\s,]+", items.strip()) if isinstance(items, str) else items
        if not isinstance(words, list):
            raise InputError(f'"item_sizes" is a {type(items).__name__}; write the items like "5 10 8 1 4"')
        return self._problem(words, record["bin_capacity"], record.get("optimal_bins"))

    def _problem(self, words: Sequence[object], capacity: object, fewest: object) -> Problem:
        if not 1 <= len(words) <= MOST:
            raise InputError(f"there are {len(words)} items; give 1 to {MOST}, like {self.sample!r}")
        most = integer(capacity, "the capacity", 1, LARGEST)
        items = tuple(integer(word, "an item", 1, most) for word in words)
        bins = None if fewest is None else integer(fewest, '"optimal_bins"', -(-sum(items) // most), len(items))
        if len(items) <= COUNTED:
            counted = fewest_bins(items, most)
            if bins not in (None, counted):
                raise InputError(f'"optimal_bins" is {bins}, but {counted} bins are the fewest for these items')
            bins = counted
        elif bins is None:
            raise InputError(f'of {len(items)} items the fewest bins must be given, as "optimal_bins" in a record')
        question = f"{' '.join(map(str, items))} = {most}"
        return Problem(question, self.name, {"items": items, "capacity": most, "fewest": bins})

    def posed(self, problem: Problem) -> str:
        """The capacity and the items."""
        return f"Capacity: {problem.given['capacity']}\nItems: {' '.join(map(str, problem.given['items']))}"

    def start(self, problem: Problem) -> Items:
        """All items."""
        items: Items = problem.given["items"]
        return items

    def after(self, problem: Problem, state: Items, step: str) -> Items:
        """The items left after `bin: a b c`, in their order."""
        match = STEP.fullmatch(step)
        if match is None:
            raise IllegalStepError(f"{step!r} is not of the form bin: a b c")
        packed, left = [int(word) for word in match[1].split()], list(state)
        for item in packed:
            if item not in left:
                raise IllegalStepError(f"{step!r} packs {item}, which is not left")
            left.remove(item)
        if sum(packed) > problem.given["capacity"]:
            raise IllegalStepError(f"{step!r} is {sum(packed)} in all, more than {problem.given['capacity']}")
        return tuple(left)

    def finished(self, problem: Problem, state: Items) -> bool:
        """Whether no item is left."""
        return not state

    def told(self, problem: Problem, state: Items) -> str:
        """The items that are left."""
        return f"Items left: {' '.join(map(str, state)) or 'none'}"

    def depth(self, problem: Problem) -> int:
        """A bin for every item, at most."""
        return len(problem.given["items"])

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """How many bins there are, and the items left in ascending order."""
        return f"{len(path)}: {' '.join(map(str, sorted(self.reached(problem, path))))}"

    def key(self, answer: str) -> str:
        """The bins in one order, and the items of each."""
        bins = (sorted(map(int, re.findall(r"[0-9]+", each))) for each in answer.split(self.between))
        return str(sorted(bins))

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether all items are packed, by the rules, into the fewest possible bins."""
        return super().verify(problem, path) and len(path) == problem.given["fewest"]

    def generate(self, lot: Random) -> str | None:
        """Four to six items of 1 to 10 that do not fit into one bin."""
        while True:
            items = [lot.randint(1, 10) for _ in range(lot.randint(4, 6))]
            capacity = lot.randint(max(items), 12)
            if sum(items) > capacity:
                return f"{' '.join(map(str, items))} = {capacity}"


def fewest_bins(items: Sequence[int], capacity: int) -> int:
    """The fewest bins of `capacity` that hold `items`, none of them larger, by dynamic programming over their subsets.

    For every set of items: the fewest bins that hold it, and how full the last one must at least be. 2ⁿ·n steps.

    >>> fewest_bins((5, 10, 8, 1, 4), 12)
    3
    """
    best = [(1, 0)] + [(len(items) + 1, 0)] * (2 ** len(items) - 1)
    for packed in range(1, len(best)):
        for place, item in enumerate(items):
            if packed >> place & 1:
                bins, filled = best[packed ^ (1 << place)]
                tried = (bins, filled + item) if filled + item <= capacity else (bins + 1, item)
                best[packed] = min(best[packed], tried)
    return best[-1][0]
