"""Which puzzles may be trained on: the one rule that training, tests and benchmarks share."""

from collections.abc import Sequence
from hashlib import sha256

NEVER_TRAINED = 24
"""Game of 24 stays a new target: no state with this target is in the training data, whatever its size."""

HELD_OUT_BYTES = 26
"""Of 256 values of the key's first digest byte, those below this are held out (about 10 %)."""


def key(numbers: Sequence[int], target: int) -> str:
    """The sorted numbers and the target as one string.

    >>> key([13, 4, 10, 9], 24)
    '4,9,10,13=24'
    """
    return f"{','.join(map(str, sorted(numbers)))}={target}"


def held_out(numbers: Sequence[int], target: int) -> bool:
    """Whether a state with three or more numbers left is set apart for evaluation.

    >>> held_out([1, 2, 3], 7), held_out([2, 3], 7)
    (False, False)
    >>> held_out([1, 5, 7], 9), held_out([7, 1, 5], 9)
    (True, True)
    """
    return len(numbers) >= 3 and sha256(key(numbers, target).encode()).digest()[0] < HELD_OUT_BYTES


def trainable_targets(numbers: Sequence[int], targets: Sequence[int]) -> list[bool]:
    """`trainable(numbers, target)` for each of `targets`, faster.

    >>> trainable_targets([1, 5, 7], range(7, 11)) == [trainable([1, 5, 7], target) for target in range(7, 11)]
    True
    """
    if len(numbers) < 3:
        return [target != NEVER_TRAINED for target in targets]
    begun = sha256(key(numbers, 0).removesuffix("0").encode())
    found = []
    for target in targets:
        whole = begun.copy()
        whole.update(b"%d" % target)
        found.append(target != NEVER_TRAINED and whole.digest()[0] >= HELD_OUT_BYTES)
    return found


def trainable(numbers: Sequence[int], target: int) -> bool:
    """Whether a state may appear in the training data, as a puzzle or on the way to a solution.

    >>> trainable([1, 2, 3], 7), trainable([4, 6], 24)
    (True, False)
    """
    return target != NEVER_TRAINED and not held_out(numbers, target)
