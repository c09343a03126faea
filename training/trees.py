"""Rows of training data: trees of lines that share their prefixes, as a search would grow them.

Every branch is a line of text (or a judge's tag) below the branch that it continues. A token sees its own
branch and the branches above it, nothing else, and counts its position along that path. So what the model
learns in a tree is exactly what it is asked on a path, and a prefix is computed once for everything below it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training import text
from training.solver import LIMIT, OPERATORS
from training.splits import trainable

POLICY, JUDGE, BACKTRACK, RESULT = range(4)
"""What a target teaches: the next step, P(good) against P(bad), taking a step back, or what a legal step leaves."""

EXPLORATION, COMPUTATION, RULE = range(3)
MISTAKES = (1, 2, 2)
"""Weights of the three kinds of mistake in D_back of Self-Backtracking (arXiv 2502.04404)."""


class Step(NamedTuple):
    """One line: two numbers of a state, what is made of them, and the other numbers, ascending."""

    larger: int
    operator: str
    smaller: int
    result: int
    others: tuple[int, ...]

    @property
    def left(self) -> tuple[int, ...]:
        """The numbers left after it, ascending."""
        return tuple(sorted((*self.others, self.result)))

    @property
    def ids(self) -> list[int]:
        """Its token ids, the newline included."""
        return text.step_ids(*self)


class Level(NamedTuple):
    """A state on the way: its numbers, its legal steps with how many solutions each has, and the one taken."""

    numbers: tuple[int, ...]
    steps: dict[Step, int]
    taken: Step | None


class Target(NamedTuple):
    """One term of the loss: after token number `source` of the row comes `label`, this much and of this kind."""

    source: int
    label: int
    weight: float
    kind: int


class State(NamedTuple):
    """The numbers that are left, as the line that ends with token number `place` says."""

    place: int
    numbers: tuple[int, ...]


@dataclass
class Row:
    """Branches written one after another, with what each token sees and what should follow it."""

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def grow(self, parent: int | None, ids: Sequence[int]) -> int:
        """Append a branch below `parent` (a new tree when None) and return its number."""
        branch = len(self.ends)
        start = 0 if parent is None else self.positions[self.ends[parent]] + 1
        self.tokens += ids
        self.positions += range(start, start + len(ids))
        self.branches += [branch] * len(ids)
        self.parents.append(branch if parent is None else parent)
        self.ends.append(len(self.tokens) - 1)
        return branch

    def line(self, parent: int | None, ids: Sequence[int], numbers: tuple[int, ...]) -> int:
        """Append a line after which `numbers` are left and return its branch."""
        branch = self.grow(parent, ids)
        self.states.append(State(self.ends[branch], numbers))
        return branch

    def expect(self, branch: int, label: int, weight: float, kind: int) -> None:
        """Make `label` a target after the end of `branch`."""
        self.targets.append(Target(self.ends[branch], label, weight, kind))

    def visible(self, length: int) -> NDArray[np.bool_]:
        """Which tokens (length, length) each token sees; padding sees only itself and its like."""
        ancestors = np.eye(len(self.ends) + 1, dtype=np.bool_)
        for branch, parent in enumerate(self.parents):
            ancestors[branch] |= ancestors[parent]
        branches = np.full(length, len(self.ends))
        branches[: len(self.branches)] = self.branches
        return np.tril(ancestors[branches[:, None], branches])


@dataclass(frozen=True)
class Mixture:
    """What the training data is made of.

    Attributes:
        sizes: shares of rows with puzzles of 3, 4 and 5 numbers (two trees a row for 3).
        human: share of puzzles with numbers 1..13 instead of 1..99.
        unsolvable: share of puzzles without a solution; they only teach the judge.
        good: share of the judged side branches that keep the target within reach, where there are any.
        mistakes: share of side branches that are mistakes of the three kinds, 1 : 2 : 2.
        patience: weight of a good step is its number of solutions to this power; 0 makes them all equal.
        judge: weight of a judgement in the loss, where a token of a step weighs 1.
        backtrack: weight of a backtrack token. Trees hold 1.4 times as many states after legal but wrong
            steps as states to go on from; below 0.7 the model leans towards going on where it is in doubt.
    """

    sizes: tuple[float, float, float] = (0.15, 0.5, 0.35)
    human: float = 0.3
    unsolvable: float = 0.1
    good: float = 0.35
    mistakes: float = 0.4
    patience: float = 0.0
    judge: float = 1.0
    backtrack: float = 0.5


def good_steps(level: Level, target: int, mixture: Mixture) -> dict[Step, float]:
    """The steps to aim at and their weights: those that keep the target within reach and may be trained on."""
    return {
        step: count**mixture.patience for step, count in level.steps.items() if count and trainable(step.left, target)
    }


def grow_tree(row: Row, levels: Sequence[Level], target: int, size: int, mixture: Mixture, random: Random) -> None:
    """Add one puzzle's tree of at most `size` tokens to `row`: a solution, then side branches until it is full.

    `levels` are the states along the solution, the puzzle first; a puzzle without one has a single level.
    """
    limit = len(row.tokens) + size
    branch = row.line(None, text.problem_ids(levels[0].numbers, target), levels[0].numbers)
    _judge(row, branch, any(levels[0].steps.values()), mixture)
    stems, goods = [branch], [good_steps(level, target, mixture) for level in levels]
    for level, good in zip(levels, goods, strict=True):
        if level.taken is not None:
            branch = _good_branch(row, branch, level.taken, good, mixture, first=True)
            stems.append(branch)
    if levels[-1].taken is not None:
        row.expect(branch, text.END, 1.0, POLICY)
    seen = [{level.taken} for level in levels]
    weights = [len(level.numbers) - 1 for level in levels]
    for _ in range(size):
        (place,) = random.choices(range(len(levels)), weights)
        mistake = random.random() < mixture.mistakes
        pick = _mistake if mistake else _judged
        step = pick(levels[place], goods[place], target, mixture, random)
        if step is None or step in seen[place]:
            continue
        if len(row.tokens) + len(step.ids) + 1 > limit:
            break
        seen[place].add(step)
        if step in goods[place]:
            _good_branch(row, stems[place], step, goods[place], mixture, first=False)
        else:
            _bad_branch(row, stems[place], step, mixture, legal=step in levels[place].steps)


def _judge(row: Row, branch: int, good: bool, mixture: Mixture) -> None:
    """Put a tag below `branch` and the judgement after it."""
    tag = row.grow(branch, [text.symbol(text.TAG)])
    row.expect(tag, text.symbol(text.GOOD if good else text.BAD), mixture.judge, JUDGE)


def _good_branch(row: Row, parent: int, step: Step, good: dict[Step, float], mixture: Mixture, first: bool) -> int:
    """Add a good step; its targets are, token by token, the share of all good steps that go on so.

    The parent's own next token is a target only for the `first` branch, since it is the same for all.
    """
    source, ids = row.ends[parent], step.ids
    branch = row.line(parent, ids, step.left)
    rivals = [(rival.ids, weight) for rival, weight in good.items()]
    for place, token in enumerate(ids):
        shares: defaultdict[int, float] = defaultdict(float)
        for rival, weight in rivals:
            shares[rival[place]] += weight
        total = sum(shares.values())
        if place or first:
            row.targets += [Target(source, label, share / total, POLICY) for label, share in shares.items()]
        rivals = [(rival, weight) for rival, weight in rivals if rival[place] == token]
        source = row.ends[branch] - len(ids) + 1 + place
    _judge(row, branch, True, mixture)
    return branch


def _bad_branch(row: Row, parent: int, step: Step, mixture: Mixture, *, legal: bool) -> None:
    """Add a wrong step, then a bad judgement and a backtrack token.

    Its tokens carry no loss, so that nobody learns to take it. Only what follows the equals sign of a `legal` one does:
    a step that leads nowhere is reckoned as rightly as a good one, and there are more of them.
    """
    ids = step.ids
    branch = row.line(parent, ids, step.left)
    if legal:
        first = row.ends[branch] - len(ids) + 1
        equals = ids.index(text.symbol("="))
        row.targets += [Target(first + place, ids[place + 1], 1.0, RESULT) for place in range(equals, len(ids) - 1)]
    row.expect(branch, text.symbol(text.BACKTRACK), mixture.backtrack, BACKTRACK)
    _judge(row, branch, False, mixture)


def _judged(level: Level, good: dict[Step, float], target: int, mixture: Mixture, random: Random) -> Step | None:
    """A legal step to judge: a good one now and then, else one after which the target is out of reach."""
    if good and random.random() < mixture.good:
        return random.choice(list(good))
    step = random.choice(list(level.steps))
    return None if level.steps[step] or not trainable(step.left, target) else step


def _mistake(level: Level, good: dict[Step, float], target: int, mixture: Mixture, random: Random) -> Step | None:
    """A mistake of one of the three kinds, 1 : 2 : 2, or None where this draw gave none."""
    (kind,) = random.choices((EXPLORATION, COMPUTATION, RULE), MISTAKES)
    step = mistaken(level, kind, random)
    return step if step is not None and trainable(step.left, target) else None


def mistaken(level: Level, kind: int, random: Random) -> Step | None:
    """A wrong step of the given kind from a state, or None where this draw gave none."""
    step = random.choice(list(level.steps))
    if kind == EXPLORATION:
        return None if level.steps[step] else step
    if kind == COMPUTATION:
        result = _misreckoned(step, random)
        return step._replace(result=result) if 0 <= result <= LIMIT and result != step.result else None
    broken = random.choice((_foreign, _miscounted, _impossible))(step, level.numbers, random)
    return broken if broken is not None and 0 <= broken.result <= LIMIT and broken not in level.steps else None


def _misreckoned(step: Step, random: Random) -> int:
    """A result near the right one, or that of another operator, or any."""
    near = step.result + random.choice((-10, -2, -1, 1, 2, 10))
    other = random.choice((step.larger + step.smaller, step.larger - step.smaller, step.larger * step.smaller))
    return random.choice((near, near, other, random.randint(0, 99)))


def _foreign(step: Step, numbers: tuple[int, ...], random: Random) -> Step | None:
    """The step with an operand that is not among the numbers, its arithmetic right."""
    stranger = random.choice((step.larger, step.smaller)) + random.choice((-3, -2, -1, 1, 2, 3))
    if stranger in numbers or stranger < 1:
        return None
    kept = random.choice((step.larger, step.smaller))
    larger, smaller = max(stranger, kept), min(stranger, kept)
    if step.operator == "/" and (smaller == 0 or larger % smaller):
        return None
    return Step(larger, step.operator, smaller, _computed(larger, step.operator, smaller), step.others)


def _miscounted(step: Step, numbers: tuple[int, ...], random: Random) -> Step | None:
    """The step with one of the other numbers changed, lost or left twice."""
    others = list(step.others)
    if not others:
        return None
    place = random.randrange(len(others))
    change = random.choice(("another", "used", "lost", "twice"))
    if change == "lost":
        del others[place]
    elif change == "twice":
        others.append(others[place])
    else:
        others[place] = random.choice((step.larger, step.smaller)) if change == "used" else random.randint(1, 99)
    return step._replace(others=tuple(sorted(others)))


def _impossible(step: Step, numbers: tuple[int, ...], random: Random) -> Step | None:
    """A division with a remainder left out, or a subtraction the wrong way round."""
    if step.larger == step.smaller:
        return None
    if random.random() < 0.5:
        return step._replace(larger=step.smaller, operator="-", smaller=step.larger, result=step.larger - step.smaller)
    if step.smaller == 0 or step.larger % step.smaller == 0:
        return None
    return step._replace(operator="/", result=step.larger // step.smaller)


def _computed(larger: int, operator: str, smaller: int) -> int:
    """What the operator makes of two numbers; a division is rounded down."""
    results = (larger + smaller, larger - smaller, larger * smaller, larger // max(smaller, 1))
    return results[OPERATORS.index(operator)]
