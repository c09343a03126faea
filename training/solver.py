"""Exhaustive answers to "can the target still be reached?", for many states at once.

A state is n numbers and a target. A step takes two numbers a >= b and leaves a + b, a - b, a * b or, where b
divides a, a / b in their place; results above `LIMIT` are not followed. States are rows of an integer array,
and a whole level of the search tree is one array operation.
"""

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int32]
"""States (batch, n): the numbers left, in any order."""

OPERATORS = "+-*/"
LIMIT = 9999
"""Of solvable puzzles with numbers 1..99 and targets 1..100, 4 % with four numbers and 9 % with five need a
result above 999; of 5,675 and 1,405 drawn, none needed one above 9,999."""
CHUNK = 1 << 15
"""Two-number states worked on together: a few arrays of them fit into a core's L2 cache."""


@cache
def pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of n places: first place (P,), second place (P,), the places that stay (P, n - 2)."""
    chosen = list(combinations(range(n), 2))
    rest = [[place for place in range(n) if place not in pair] for pair in chosen]
    first, second = zip(*chosen, strict=True)
    return np.array(first), np.array(second), np.array(rest, dtype=np.intp).reshape(len(chosen), n - 2)


def operands(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """The larger and the smaller number (batch, P) of every pair."""
    first, second, _ = pairs(numbers.shape[1])
    left, right = numbers[:, first], numbers[:, second]
    return np.maximum(left, right), np.minimum(left, right)


def children(numbers: Numbers, limit: int = LIMIT) -> tuple[Numbers, NDArray[np.bool_]]:
    """Every step from every state.

    Returns:
        The states after it (batch, 4 P, n - 1), the result first, and whether it is legal (batch, 4 P).
        Steps are ordered by operator, then by pair; what an illegal one leaves has no meaning.
    """
    larger, smaller = operands(numbers)
    quotient, remainder = np.divmod(larger, np.maximum(smaller, 1))
    results = np.concatenate((larger + smaller, larger - smaller, larger * smaller, quotient), axis=1)
    legal = results <= limit
    legal[:, -larger.shape[1] :] &= (remainder == 0) & (smaller > 0)
    rest = np.tile(numbers[:, pairs(numbers.shape[1])[2]], (1, 4, 1))
    return np.concatenate((results[:, :, None], rest), axis=2), legal


def solutions(numbers: Numbers, targets: NDArray[np.int32], limit: int = LIMIT) -> NDArray[np.int64]:
    """How many step sequences (batch,) lead from each state to its positive target with nothing left over.

    Equal numbers in different places count apart, so this weighs solutions rather than naming them.

    >>> solutions(np.array([[4, 9, 10, 13], [1, 1, 1, 1]], dtype=np.int32), np.array([24, 24], dtype=np.int32))
    array([5, 0])
    """
    batch, n = numbers.shape
    if n == 1:
        alone: NDArray[np.int64] = (numbers[:, 0] == targets).astype(np.int64)
        return alone
    if n == 2:
        return _pair_solutions(numbers, targets)
    chunk = max(1, CHUNK // _leaves(n))
    total = np.empty(batch, dtype=np.int64)
    for start in range(0, batch, chunk):
        part = slice(start, start + chunk)
        after, legal = children(numbers[part], limit)
        steps = after.shape[1]
        flat = solutions(after.reshape(-1, n - 1), np.repeat(targets[part], steps), limit)
        total[part] = (flat.reshape(-1, steps) * legal).sum(axis=1)
    return total


def reachable(numbers: Numbers, targets: NDArray[np.int32], limit: int = LIMIT) -> NDArray[np.bool_]:
    """Whether the target (batch,) can be reached from each state (batch, n)."""
    return solutions(numbers, targets, limit) > 0


def reached(numbers: Numbers, highest: int, limit: int = LIMIT) -> NDArray[np.bool_]:
    """Which of the targets 1..highest can be reached from each state: (batch, highest).

    >>> np.flatnonzero(reached(np.array([[6, 4]], dtype=np.int32), 100)[0]) + 1
    array([ 2, 10, 24])
    """
    batch, n = numbers.shape
    if n > 2:
        chunk = max(1, CHUNK // _leaves(n))
        found = np.empty((batch, highest), dtype=np.bool_)
        for start in range(0, batch, chunk):
            after, legal = children(numbers[start : start + chunk], limit)
            below = reached(after.reshape(-1, n - 1), highest, limit).reshape(*legal.shape, highest)
            found[start : start + chunk] = (below & legal[:, :, None]).any(axis=1)
        return found
    values, legal = (numbers, np.ones_like(numbers, dtype=np.bool_)) if n == 1 else _pair_results(numbers, limit)
    found = np.zeros((batch, highest), dtype=np.bool_)
    state, column = np.nonzero(legal & (values >= 1) & (values <= highest))
    found[state, values[state, column] - 1] = True
    return found


def _pair_results(numbers: Numbers, limit: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """The four results (batch, 4) of two numbers (batch, 2), and which of them are legal."""
    after, legal = children(numbers, limit)
    return after[:, :, 0], legal


def _pair_solutions(numbers: Numbers, targets: NDArray[np.int32]) -> NDArray[np.int64]:
    """`solutions` for two numbers (batch, 2), without a division."""
    larger, smaller = np.maximum(numbers[:, 0], numbers[:, 1]), np.minimum(numbers[:, 0], numbers[:, 1])
    hits: NDArray[np.int64] = (larger + smaller == targets).astype(np.int64)
    hits += larger - smaller == targets
    hits += larger * smaller == targets
    hits += (smaller * targets == larger) & (smaller > 0)
    return hits


@cache
def _leaves(n: int) -> int:
    """Two-number states under a state of n numbers."""
    return 1 if n <= 2 else 2 * n * (n - 1) * _leaves(n - 1)
