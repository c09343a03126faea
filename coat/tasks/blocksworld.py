"""Blocksworld: restack blocks with one hand, by the STRIPS domain with four operators (arXiv 2206.10498)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from coat.errors import IllegalStepError, InputError, shown
from coat.problem import Problem
from coat.tasks.planning import Planning, integer

State = frozenset[str]
"""The atoms that hold."""

ARITY = {"on": 2, "ontable": 1, "holding": 1, "clear": 1, "handempty": 0}
"""How many blocks an atom speaks of, in the order in which atoms are told."""
TABLE, HAND = "the table", "the hand"
BLOCK = re.compile(r"[A-Za-z0-9_-]{1,20}")
MOST = 20
"""Blocks."""
SLACK = 4
"""Steps that a plan may take beyond the reference plan: two blocks moved once more than needed."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A STRIPS operator over blocks {0} and {1}; each of these four deletes what it needs, and nothing else."""

    blocks: int
    needs: tuple[str, ...]
    adds: tuple[str, ...]


OPERATORS = {
    "pick-up": Operator(1, ("clear {0}", "ontable {0}", "handempty"), ("holding {0}",)),
    "put-down": Operator(1, ("holding {0}",), ("clear {0}", "handempty", "ontable {0}")),
    "stack": Operator(2, ("holding {0}", "clear {1}"), ("handempty", "clear {0}", "on {0} {1}")),
    "unstack": Operator(2, ("on {0} {1}", "clear {0}", "handempty"), ("holding {0}", "clear {1}")),
}
RULES = (
    "Move blocks with one hand until the goal holds. A step is one of: pick-up X (a clear block, from the table),"
    " put-down X (on the table), stack X Y (the block in the hand, on a clear one), unstack X Y (a clear X, from Y)."
    " A block is clear if nothing is on it. The hand holds one block. Write one step a line."
)
SOLVED = (
    ("on a b, ontable b, ontable c -> on b c", ("unstack a b", "put-down a", "pick-up b", "stack b c")),
    (
        "on c a, ontable a, ontable b -> on a b, on b c",
        ("unstack c a", "put-down c", "pick-up b", "stack b c", "pick-up a", "stack a b"),
    ),
)


class Blocksworld(Planning[State]):
    """Atoms that hold at first, and atoms of the goal; from where the blocks are follow `clear` and `handempty`."""

    name = "blocksworld"
    summary = "plan how one hand restacks blocks, by pick-up, put-down, stack and unstack"
    source = "a generator; github.com/karthikv792/LLMs-Planning, plan-bench/instances/blocksworld (MIT)"
    sample = "on a b, ontable b, clear a, handempty -> on b a"
    rules, solved = RULES, SOLVED

    def typed(self, text: str) -> Problem:
        """The atoms that hold, `->`, and the atoms of the goal, separated by commas."""
        init, arrow, goal = text.partition("->")
        if not arrow:
            raise InputError(f"{shown(text)} has no goal; write what holds, then -> and the goal: {self.sample!r}")
        return self._problem(init.split(","), goal.split(","), None)

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """The lists "init" and "goal"; "objects" and "plan_len", the reference plan's length, may be missing."""
        init, goal = _texts(record, "init"), _texts(record, "goal")
        length = record.get("plan_len")
        problem = self._problem(init, goal, None if length is None else integer(length, 'the "plan_len"', 1, 1000))
        blocks: frozenset[str] = problem.given["blocks"]
        if "objects" in record and (lost := blocks.symmetric_difference(_texts(record, "objects"))):
            raise InputError(f'"objects" and "init" do not agree about the blocks {shown(", ".join(sorted(lost)))}')
        return problem

    def _problem(self, init: Iterable[str], goal: Iterable[str], length: int | None) -> Problem:
        start, target = frozenset(map(_atom, init)), frozenset(map(_atom, goal))
        below = _below(start)
        if not 1 <= len(below) <= MOST:
            raise InputError(f"there are {len(below)} blocks; give 1 to {MOST}, like {self.sample!r}")
        full = _full(below)
        if wrong := start - full:
            raise InputError(
                f"{shown(_told(wrong))} does not fit to the rest of what holds; leave it out or correct it"
            )
        _below(target)
        if strange := {block for atom in target for block in atom.split()[1:]} - set(below):
            raise InputError(
                f"the goal speaks of {shown(', '.join(sorted(strange)))}, of which it is not said where it is"
            )
        if target <= full:
            raise InputError(f"the goal {shown(_told(target))} holds already; there is nothing to plan")
        given = {"init": full, "goal": target, "blocks": frozenset(below), "length": length}
        return Problem(f"{_told(full)} -> {_told(target)}", self.name, given)

    def posed(self, problem: Problem) -> str:
        """The state and the goal."""
        return f"{self.told(problem, self.start(problem))}\nGoal: {_told(problem.given['goal'])}"

    def start(self, problem: Problem) -> State:
        """The atoms that hold at first."""
        atoms: State = problem.given["init"]
        return atoms

    def after(self, problem: Problem, state: State, step: str) -> State:
        """The atoms that hold after `pick-up a`, `put-down a`, `stack a b` or `unstack a b`."""
        name, *blocks = step.split(" ")
        operator = OPERATORS.get(name)
        if operator is None or len(blocks) != operator.blocks:
            raise IllegalStepError(f"{step!r} is not of the form pick-up a, put-down a, stack a b or unstack a b")
        needs = {atom.format(*blocks) for atom in operator.needs}
        if missing := needs - state:
            raise IllegalStepError(f"{step!r} needs {_told(missing)}")
        return (state - needs) | {atom.format(*blocks) for atom in operator.adds}

    def finished(self, problem: Problem, state: State) -> bool:
        """Whether all atoms of the goal hold."""
        goal: State = problem.given["goal"]
        return goal <= state

    def told(self, problem: Problem, state: State) -> str:
        """The atoms that hold."""
        return f"State: {_told(state)}"

    def depth(self, problem: Problem) -> int:
        """A few steps more than the reference plan; without one 4 a block, to put every block down and stack it."""
        length = problem.given["length"]
        return 4 * len(problem.given["blocks"]) if length is None else length + SLACK

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """The atoms that hold, in their order."""
        return _told(self.reached(problem, path))

    def generate(self, lot: Random) -> str | None:
        """Three to five blocks in random towers, to be restacked as other random towers."""
        blocks = "abcde"[: lot.randint(3, 5)]
        while True:
            init, towers = _towers(blocks, lot), _towers(blocks, lot)
            goal = {atom for atom in towers if atom.startswith("on ")}
            if not goal <= init:
                return f"{_told(init)} -> {_told(goal)}"


def _texts(record: Mapping[str, Any], name: str) -> list[str]:
    given = record.get(name)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InputError(f'the record has no list of texts as "{name}"; write it like "{name}": ["on a b"]')
    return given


def _atom(text: str) -> str:
    """An atom with single spaces; InputError where it is none."""
    name, *blocks = text.split() or [""]
    if ARITY.get(name) != len(blocks) or not all(map(BLOCK.fullmatch, blocks)):
        raise InputError(f"{shown(text.strip())} is no atom; write on a b, ontable a, holding a, clear a or handempty")
    return " ".join([name, *blocks])


def _below(atoms: State) -> dict[str, str]:
    """By block what it is on, of the blocks of which `atoms` say so; InputError where that cannot be."""
    below: dict[str, str] = {}
    for name, block, *under in (atom.split() for atom in sorted(atoms) if atom.startswith(("on", "hold"))):
        if block in below:
            raise InputError(f"the block {block!r} is said to be in two places at once")
        below[block] = under[0] if under else TABLE if name == "ontable" else HAND
    places = [place for place in below.values() if place != TABLE]
    if twice := {place for place in places if places.count(place) > 1}:
        raise InputError(f"two blocks are said to be on or in {min(twice)!r}, where there is room for one")
    held = [block for block, place in below.items() if place == HAND]
    denied = {f"clear {place}" for place in (*places, *held)} | {"handempty" for _ in held}
    if wrong := denied & atoms:
        raise InputError(f"{shown(_told(wrong))} cannot hold together with where blocks are said to be")
    if above := [block for block, place in below.items() if place in held or _above_itself(block, below)]:
        raise InputError(f"the block {above[0]!r} cannot be where it is said to be: no tower leads down to the table")
    return below


def _above_itself(block: str, below: Mapping[str, str]) -> bool:
    place, seen = block, set[str]()
    while place in below and place not in seen:
        seen.add(place)
        place = below[place]
    return place in seen


def _full(below: Mapping[str, str]) -> State:
    """All atoms that hold where blocks are on what `below` says; InputError where a tower stands on nothing."""
    if lost := sorted(set(below.values()) - {TABLE, HAND} - set(below)):
        raise InputError(f"it is not said where the block {lost[0]!r} is; add 'ontable {lost[0]}' or the like")
    covered, words = set(below.values()), {TABLE: "ontable {0}", HAND: "holding {0}"}
    atoms = {words.get(place, "on {0} {1}").format(block, place) for block, place in below.items()}
    atoms |= {f"clear {block}" for block, place in below.items() if block not in covered and place != HAND}
    return frozenset(atoms if HAND in covered else atoms | {"handempty"})


def _told(atoms: Iterable[str]) -> str:
    """Atoms in one order: where the blocks are, which are clear, and the hand."""
    order = list(ARITY)
    return ", ".join(sorted(atoms, key=lambda atom: (order.index(atom.split()[0]), atom)))


def _towers(blocks: Sequence[str], lot: Random) -> State:
    """Where the blocks are in random towers, without what is clear."""
    tops: list[str] = []
    atoms = set()
    for block in lot.sample(blocks, len(blocks)):
        place = lot.randrange(len(tops) + 1)
        if place == len(tops):
            tops.append(block)
            atoms.add(f"ontable {block}")
        else:
            atoms.add(f"on {block} {tops[place]}")
            tops[place] = block
    return frozenset(atoms)
