"""The 2×2×2 cube by breadth-first search from both ends: the fewest turns that solve it."""

from functools import cache
from random import Random

from coat.tasks.cube2x2 import SOLVED, TURNS, Cube2x2

TASK = Cube2x2()
PROBLEM = TASK.read("R")
DEPTH = 5
"""Turns that are looked at from the solved cube; from the other end no more than 11 less these are needed."""
FIXED = (14, 18, 23)
"""The facelets of the corner at the back, left and down."""
LONGEST = 8
"""Turns of a scramble."""


def effort(question: str) -> float:
    """The fewest turns that solve the cube, whose corner that no turn moves is coloured and held as in `SOLVED`.

    Raises:
        ValueError: it is held or coloured in another way.

    >>> effort("R U2 F'"), effort("R R")
    (3.0, 1.0)
    """
    state = TASK.read(question).given["facelets"]
    if any(state[place] != SOLVED[place] for place in FIXED):
        raise ValueError(f"the cube {question!r} is not held or coloured like {SOLVED}")
    known, edge, seen, turned = _near(), {state}, {state}, 0
    while not any(each in known for each in edge):
        edge = {TASK.after(PROBLEM, each, turn) for each in edge for turn in TURNS} - seen
        seen |= edge
        turned += 1
    return float(turned + min(known[each] for each in edge if each in known))


def deal(lot: Random) -> str:
    """The colours, face by face, of a cube after one to eight turns, none of the face that was turned just before."""
    while True:
        state, face = SOLVED, ""
        for _ in range(lot.randint(1, LONGEST)):
            turn = lot.choice([turn for turn in TURNS if turn[0] != face])
            state, face = TASK.after(PROBLEM, state, turn), turn[0]
        if state != SOLVED:
            return " ".join(state[place : place + 4] for place in range(0, 24, 4))


@cache
def _near() -> dict[str, int]:
    """The fewest turns of every state that `DEPTH` turns can reach from the solved cube."""
    known, edge = {SOLVED: 0}, {SOLVED}
    for turned in range(1, DEPTH + 1):
        edge = {TASK.after(PROBLEM, each, turn) for each in edge for turn in TURNS} - known.keys()
        known |= dict.fromkeys(edge, turned)
    return known
