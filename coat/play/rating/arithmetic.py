"""Game of 24 and Countdown by exhaustion: every way to use up the numbers."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

from coat.tasks import get


def effort(task: str, question: str) -> float:
    """Ways to use up the numbers for each that reaches the target: what a player without an idea has to try.

    Infinite where no way leads there. Grows with the factorial of the numbers squared: for up to five of them.
    """
    ways, hits = count(task, question)
    return ways / hits if hits else float("inf")


def count(task: str, question: str) -> tuple[int, int]:
    """How many ways there are to use up the numbers, and how many of these reach the target.

    Two ways differ where at some point other numbers are left.

    >>> count("countdown", "2 3 = 6")
    (6, 1)
    """
    given = get(task).read(question).given
    target = Fraction(given["target"])
    ways = {tuple(sorted(map(Fraction, given["numbers"]))): 1}
    for _ in range(len(given["numbers"]) - 1):
        following: dict[tuple[Fraction, ...], int] = {}
        for numbers, found in ways.items():
            for left in set(_left(numbers)):
                following[left] = following.get(left, 0) + found
        ways = following
    return sum(ways.values()), ways.get((target,), 0)


def _left(numbers: tuple[Fraction, ...]) -> Iterator[tuple[Fraction, ...]]:
    """What one step can leave, in ascending order."""
    for first, second in combinations(range(len(numbers)), 2):
        a, b = numbers[first], numbers[second]
        rest = [number for place, number in enumerate(numbers) if place not in (first, second)]
        results = [a + b, a * b, a - b, b - a]
        results += [a / b] if b else []
        results += [b / a] if a else []
        yield from (tuple(sorted([*rest, result])) for result in results)
