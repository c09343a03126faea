"""The 2×2×2 cube: turn faces until each has one colour.

The facelets are numbered face by face (up, right, front, down, left, back), in each row by row, as one sees them when
the cube is unfolded round its front. Turns of the up, right and front face suffice, since the corner opposite to these
stays where it is; by them every one of the 3,674,160 states is solved in at most 11 turns.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any

from coat.errors import IllegalStepError, InputError, shown
from coat.problem import Problem
from coat.tasks.planning import Planning, integer

Vector = tuple[int, int, int]
"""Towards the right, up, and towards the front."""
Facelet = tuple[Vector, Vector]
"""The corner, with coordinates ±1, and the normal of the face."""

FACES: dict[str, tuple[Vector, Vector, Vector]] = {
    "U": ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    "R": ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "F": ((0, 0, 1), (1, 0, 0), (0, -1, 0)),
    "D": ((0, -1, 0), (1, 0, 0), (0, 0, -1)),
    "L": ((-1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "B": ((0, 0, -1), (-1, 0, 0), (0, -1, 0)),
}
"""The normal of a face, and the directions in which its columns and its rows are counted."""
TURNS = {f"{face}{suffix}": (face, quarters) for face in "URF" for suffix, quarters in (("", 1), ("'", 3), ("2", 2))}
SOLVED = "".join(digit * 4 for digit in "012345")
MOST, SLACK = 11, 2
RULES = (
    "Turn the faces of a 2x2x2 cube until each face has one colour. The colours of the faces U (up), R (right), F"
    " (front), D (down), L (left) and B (back) are told row by row, as the cube unfolds round F. A step is a turn: U, R"
    " or F clockwise, U', R' or F' counter-clockwise, U2, R2 or F2 half. Write one turn a line."
)
WORKED = (("R U2", ("U2", "R'")), ("F' R U'", ("U", "R'", "F")))


class Cube2x2(Planning[str]):
    """A state is the colours of the 24 facelets, a digit each."""

    name = "cube2x2"
    summary = "solve a 2x2x2 cube by turns of its up, right and front face"
    source = "a generator; github.com/moisotico/Sys2Bench, data/cube/cube_test.csv (Apache-2.0)"
    sample = "R U2 F'"
    rules, solved = RULES, WORKED
    between = " "
    step_tokens: int = 8

    def typed(self, text: str) -> Problem:
        """The 24 colours, with or without spaces, or the turns that scramble a solved cube."""
        if digits := "".join(re.findall(r"[0-9]", text)) if re.fullmatch(r"[\s0-9,]+", text) else "":
            return self._problem(digits, None)
        turns = text.replace("’", "'").split()
        if not turns or (strange := [turn for turn in turns if turn not in TURNS]):
            wrong = f"{shown(strange[0])} is no turn" if turns else "there is no cube"
            raise InputError(
                f"{wrong}; write the 24 colours 0 to 5, or turns of {', '.join(TURNS)} like {self.sample!r}"
            )
        return self._problem(self.reached(Problem("", self.name, {"facelets": SOLVED}), turns), len(turns))

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """The colours "state_1" to "state_24"; "minmumStep_to_win", spelt so, may be missing."""
        names = [f"state_{place}" for place in range(1, 25)]
        if missing := [name for name in names if name not in record]:
            raise InputError(f'the record has no "{missing[0]}"; a cube has "state_1" to "state_24"')
        facelets = "".join(str(integer(record[name], f'"{name}"', 0, 5)) for name in names)
        fewest = record.get("minmumStep_to_win")
        return self._problem(facelets, None if fewest is None else integer(fewest, '"minmumStep_to_win"', 1, MOST))

    def _problem(self, facelets: str, length: int | None) -> Problem:
        if len(facelets) != len(SOLVED):
            raise InputError(f"{shown(facelets)} has {len(facelets)} colours; a cube has 24, four each of 0 to 5")
        if wrong := [colour for colour in "012345" if facelets.count(colour) != 4]:
            raise InputError(
                f"the colour {wrong[0]} is there {facelets.count(wrong[0])} times; every colour is 4 times"
            )
        if not _solvable(facelets):
            raise InputError(f"no turns solve {shown(facelets)}; look at the colours of its corners again")
        if _uniform(facelets):
            raise InputError(f"the cube {shown(facelets)} is solved already; scramble it, like {self.sample!r}")
        return Problem(_by_face(facelets), self.name, {"facelets": facelets, "length": length})

    def posed(self, problem: Problem) -> str:
        """The colours of the faces."""
        return self.told(problem, self.start(problem))

    def start(self, problem: Problem) -> str:
        """The colours at first."""
        facelets: str = problem.given["facelets"]
        return facelets

    def after(self, problem: Problem, state: str, step: str) -> str:
        """The colours after a turn."""
        if step not in TURNS:
            raise IllegalStepError(f"{step!r} is none of the turns {', '.join(TURNS)}")
        return "".join(state[place] for place in _origins(*TURNS[step]))

    def finished(self, problem: Problem, state: str) -> bool:
        """Whether every face has one colour."""
        return _uniform(state)

    def told(self, problem: Problem, state: str) -> str:
        """The colours of the faces, by name."""
        return f"Cube: {_by_face(state)}"

    def depth(self, problem: Problem) -> int:
        """A little more than the fewest turns, or than those of the scramble; never more than 11, which always do."""
        length = problem.given["length"]
        return MOST if length is None else min(MOST, length + SLACK)

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """The 24 colours."""
        return self.reached(problem, path)

    def generate(self, lot: Random) -> str | None:
        """A scramble of two to four turns, none of the face that was turned just before."""
        turns: list[str] = []
        length = lot.randint(2, 4)
        while len(turns) < length:
            turn = lot.choice(list(TURNS))
            if not turns or turn[0] != turns[-1][0]:
                turns.append(turn)
        return " ".join(turns)


def _uniform(facelets: str) -> bool:
    return all(len(set(facelets[place : place + 4])) == 1 for place in range(0, 24, 4))


def _by_face(facelets: str) -> str:
    return " ".join(f"{face} {facelets[4 * place : 4 * place + 4]}" for place, face in enumerate(FACES))


@cache
def _facelets() -> tuple[Facelet, ...]:
    """Where the facelets are, in their order."""
    return tuple(
        (_sum(normal, _scaled(2 * column - 1, across), _scaled(2 * row - 1, down)), normal)
        for normal, across, down in FACES.values()
        for row, column in product(range(2), repeat=2)
    )


@cache
def _origins(face: str, quarters: int) -> tuple[int, ...]:
    """By facelet, which one is there after `quarters` quarter turns of `face`, clockwise as one looks at it."""
    places, normal = _facelets(), FACES[face][0]
    arrived = list(range(len(places)))
    for origin, (corner, side) in enumerate(places):
        if sum(a * b for a, b in zip(corner, normal, strict=True)) > 0:
            for _ in range(quarters):
                corner, side = _turned(corner, normal), _turned(side, normal)
            arrived[places.index((corner, side))] = origin
    return tuple(arrived)


def _turned(vector: Vector, axis: Vector) -> Vector:
    """`vector` turned a quarter about the unit vector `axis`, clockwise against it: (v·n)n + v×n."""
    along = sum(a * b for a, b in zip(vector, axis, strict=True))
    (x, y, z), (a, b, c) = vector, axis
    return _sum(_scaled(along, axis), (y * c - z * b, z * a - x * c, x * b - y * a))


def _sum(*vectors: Vector) -> Vector:
    x, y, z = map(sum, zip(*vectors, strict=True))
    return x, y, z


def _scaled(factor: int, vector: Vector) -> Vector:
    x, y, z = vector
    return factor * x, factor * y, factor * z


@cache
def _corners() -> tuple[tuple[int, ...], ...]:
    """The facelets of each corner, clockwise from the one that looks up or down."""
    places = _facelets()
    found = []
    for x, y, z in product((-1, 1), repeat=3):
        sides: list[Vector] = [(0, y, 0), (x, 0, 0), (0, 0, z)]
        clockwise = sides if x * y * z > 0 else [sides[0], sides[2], sides[1]]
        found.append(tuple(places.index(((x, y, z), side)) for side in clockwise))
    return tuple(found)


def _solvable(facelets: str) -> bool:
    """Whether turns lead from `facelets` to faces of one colour.

    They do where the corners are those of a solved cube with the same corner at the back, left and down, and their
    twists add up to none; every order of the other seven corners can be reached.
    """
    corners = [tuple(facelets[place] for place in corner) for corner in _corners()]
    partners = {colour: set("012345").difference(*(each for each in corners if colour in each)) for colour in "012345"}
    if any(len(opposite) != 1 for opposite in partners.values()):
        return False
    fixed = {face: facelets[4 * place + 2 + (face == "B")] for place, face in enumerate(FACES) if face in "DLB"}
    colours = {**fixed, **{up: min(partners[fixed[down]]) for up, down in ("UD", "RL", "FB")}}
    solved = "".join(colours[face] * 4 for face in FACES)
    wanted = {_canonical(tuple(solved[place] for place in corner)) for corner in _corners()}
    twist = sum(i for each in corners for i, colour in enumerate(each) if colour in (colours["U"], colours["D"]))
    return {_canonical(each) for each in corners} == wanted and twist % 3 == 0


def _canonical(corner: tuple[str, ...]) -> tuple[str, ...]:
    """The colours of a corner, clockwise from the least."""
    first = corner.index(min(corner))
    return corner[first:] + corner[:first]
