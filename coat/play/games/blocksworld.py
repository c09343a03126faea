"""Blocksworld: towers now and towers wanted, and the steps that one hand can take."""

from collections.abc import Iterable, Sequence

from coat.errors import IllegalStepError
from coat.play.game import Board, Span
from coat.problem import Problem
from coat.tasks.blocksworld import OPERATORS, Blocksworld, State

ROWS = 6
"""Of towers that are always shown, so that the board keeps its place."""


class BlocksworldGame:
    """Typed as the task's steps: `pick-up a`, `put-down a`, `stack a b`, `unstack a b`."""

    name, title = "blocksworld", "Blocksworld"
    aimed = False
    form = "pick-up a, put-down a, stack a b or unstack a b"

    def __init__(self) -> None:
        self.task = Blocksworld()

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """The words with single spaces."""
        return [" ".join(text.split())]

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """The hand, the towers now beside those of the goal, and the goal in words."""
        state, goal = self.task.reached(problem, path), frozenset(problem.given["goal"])
        held = [atom.split()[1] for atom in state if atom.startswith("holding")]
        now, wanted = _picture(_towers(state)), _picture(_towers(_standing(goal)))
        wide = max(18, *(len(line) + 2 for line in now))
        rows = max(ROWS, len(now), len(wanted))
        lines = [[Span(f"{'Now':<{wide}}Wanted", mark="faint")]]
        for left, right in zip(_lifted(now, rows), _lifted(wanted, rows), strict=True):
            lines.append([Span(f"{left:<{wide}}", mark="title"), Span(right)])
        met = sum(atom in state for atom in goal)
        lines.append([Span(f"Hand: {held[0] if held else 'empty'}")])
        lines.append([Span(f"Goal: {', '.join(sorted(goal))} ({met} of {len(goal)} hold)")])
        return lines

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """The legal steps, whole."""
        if picked:
            return []
        state = self.task.reached(problem, path)
        return [step for step in _written(problem.given["blocks"]) if self._legal(problem, state, step)]

    def _legal(self, problem: Problem, state: State, step: str) -> bool:
        try:
            self.task.after(problem, state, step)
        except IllegalStepError:
            return False
        return True


def _written(blocks: Iterable[str]) -> list[str]:
    """Every step that can be written of `blocks`."""
    names = sorted(blocks)
    alone = [f"{name} {block}" for name, each in OPERATORS.items() if each.blocks == 1 for block in names]
    pairs = [(block, other) for block in names for other in names if block != other]
    return alone + [f"{name} {a} {b}" for name, each in OPERATORS.items() if each.blocks == 2 for a, b in pairs]


def _standing(goal: State) -> State:
    """The goal, where the blocks that are on nothing it speaks of stand on the table."""
    on = [atom.split() for atom in goal if atom.startswith("on ")]
    upper = {above for _, above, _ in on}
    return goal | {f"ontable {below}" for *_, below in on if below not in upper}


def _towers(atoms: State) -> list[list[str]]:
    """The blocks of each tower, from the table up."""
    above = {atom.split()[2]: atom.split()[1] for atom in atoms if atom.startswith("on ")}
    towers = []
    for bottom in sorted(atom.split()[1] for atom in atoms if atom.startswith("ontable ")):
        tower = [bottom]
        while tower[-1] in above:
            tower.append(above[tower[-1]])
        towers.append(tower)
    return towers


def _picture(towers: list[list[str]]) -> list[str]:
    """The towers side by side over the table, the uppermost line first."""
    height = max(map(len, towers), default=0)
    widths = [max(map(len, tower)) for tower in towers]
    lines = []
    for level in reversed(range(height)):
        parts = [
            f"[{tower[level]:^{wide}}]" if level < len(tower) else " " * (wide + 2)
            for tower, wide in zip(towers, widths, strict=True)
        ]
        lines.append(" ".join(parts))
    return [*lines, "=" * (sum(widths) + 3 * len(widths) - 1 if widths else 3)]


def _lifted(lines: list[str], rows: int) -> list[str]:
    return [""] * (rows - len(lines)) + lines
