"""The stream of training batches: a pure function of seed and step, so that any run can stop and go on.

Puzzles are drawn and solved in bulk with numpy; one tree a puzzle (`trees`) fills the rows.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.solver import OPERATORS, Numbers, children, operands, reachable, reached, solutions
from training.splits import trainable, trainable_targets
from training.trees import Level, Mixture, Row, Step, good_steps, grow_tree

TARGETS = range(1, 101)
SIZES = (3, 4, 5)


class Batch(NamedTuple):
    """One step's data; `Array` is numpy's when made and torch's when it leaves the loader.

    tokens, positions: (rows, length). mask: (rows, length, length), true where a token may look.
    sources: (outputs,) places in the flattened tokens whose next token is predicted.
    slots, labels, weights, kinds: (targets,) terms of the loss: index into sources, token, weight, kind.
    places: (states,) places in the flattened tokens where a line ends that leaves at least two numbers.
    reached: (states, 100) which of the targets 1..100 can be reached from these numbers.
    known: (states, 100) which of them may be trained on.
    """

    tokens: NDArray[np.int64] | Tensor
    positions: NDArray[np.int64] | Tensor
    mask: NDArray[np.bool_] | Tensor
    sources: NDArray[np.int64] | Tensor
    slots: NDArray[np.int64] | Tensor
    labels: NDArray[np.int64] | Tensor
    weights: NDArray[np.float32] | Tensor
    kinds: NDArray[np.int64] | Tensor
    places: NDArray[np.int64] | Tensor
    reached: NDArray[np.bool_] | Tensor
    known: NDArray[np.bool_] | Tensor


@dataclass(frozen=True)
class DataConfig:
    """What makes the stream: `rows` of `length` tokens a batch, a seed, and the mixture."""

    rows: int = 32
    length: int = 128
    seed: int = 0
    mixture: Mixture = field(default_factory=Mixture)


def draw_puzzles(
    size: int,
    solvable: NDArray[np.bool_],
    high: NDArray[np.int32],
    generator: np.random.Generator,
    allowed: Callable[[Sequence[int], int], bool] = trainable,
) -> tuple[Numbers, NDArray[np.int32]]:
    """Random puzzles: numbers (count, size), ascending, and targets (count,).

    Args:
        size: numbers in a puzzle.
        solvable: (count,) whether puzzle i has a solution.
        high: (count,) the largest number allowed in puzzle i.
        generator: source of randomness.
        allowed: whether numbers and target may be used; evaluation passes `held_out`.
    """
    numbers = np.zeros((len(solvable), size), dtype=np.int32)
    targets = np.zeros(len(solvable), dtype=np.int32)
    open_places = np.arange(len(solvable))
    while len(open_places):
        tries = np.repeat(open_places, 4)
        drawn = np.sort(generator.integers(1, high[tries, None] + 1, (len(tries), size), dtype=np.int32), axis=1)
        goal = generator.integers(TARGETS.start, TARGETS.stop, len(tries), dtype=np.int32)
        fits = np.flatnonzero(reachable(drawn, goal) == solvable[tries])
        for index in fits[::-1]:
            if allowed(drawn[index].tolist(), int(goal[index])):
                numbers[tries[index]], targets[tries[index]] = drawn[index], goal[index]
        open_places = np.flatnonzero(targets == 0)
    return numbers, targets


def legal_steps(numbers: Numbers, targets: NDArray[np.int32]) -> list[dict[Step, int]]:
    """For each state (batch, n >= 2) its legal steps and how many solutions go through each."""
    n = numbers.shape[1]
    after, legal = children(numbers)
    flat = after.reshape(-1, n - 1)
    counts = solutions(flat, np.repeat(targets, after.shape[1])).reshape(legal.shape)
    larger, smaller = (side.tolist() for side in operands(numbers))
    found = []
    for state in range(len(numbers)):
        steps: dict[Step, int] = {}
        rows = after[state].tolist()
        for column in np.flatnonzero(legal[state]).tolist():
            operator, pair = divmod(column, len(larger[state]))
            result, *others = rows[column]
            step = Step(larger[state][pair], OPERATORS[operator], smaller[state][pair], result, tuple(sorted(others)))
            steps[step] = steps.get(step, 0) + int(counts[state, column])
        found.append(steps)
    return found


def solve_paths(numbers: Numbers, targets: NDArray[np.int32], mixture: Mixture, random: Random) -> list[list[Level]]:
    """A random solution of each puzzle (count, n), as the levels from the puzzle down to two numbers.

    A path stops early where the puzzle has no solution, or none that avoids held-out states.
    """
    paths: list[list[Level]] = [[] for _ in numbers]
    active, states = list(range(len(numbers))), numbers
    for _ in range(numbers.shape[1] - 1):
        going, following = [], []
        for index, state, steps in zip(active, states, legal_steps(states, targets[active]), strict=True):
            level = Level(tuple(state.tolist()), steps, None)
            good = good_steps(level, int(targets[index]), mixture)
            if good:
                (taken,) = random.choices(list(good), list(good.values()))
                level = level._replace(taken=taken)
                going.append(index)
                following.append(taken.left)
            paths[index].append(level)
        if not going:
            break
        active, states = going, np.array(following, dtype=np.int32)
    return paths


def make_rows(config: DataConfig, step: int) -> list[Row]:
    """The rows of batch number `step`, in random order."""
    random = Random(f"{config.seed}:{step}")
    generator = np.random.default_rng((config.seed, step))
    kinds = random.choices(SIZES, config.mixture.sizes, k=config.rows)
    rows = []
    for size in SIZES:
        trees = 2 if size == 3 else 1
        count = trees * kinds.count(size)
        if not count:
            continue
        solvable = generator.random(count) >= config.mixture.unsolvable
        high = np.where(generator.random(count) < config.mixture.human, 13, 99).astype(np.int32)
        numbers, targets = draw_puzzles(size, solvable, high, generator)
        paths = solve_paths(numbers, targets, config.mixture, random)
        for start in range(0, count, trees):
            row = Row()
            for index in range(start, start + trees):
                budget = config.length // trees
                grow_tree(row, paths[index], int(targets[index]), budget, config.mixture, random)
            rows.append(row)
    random.shuffle(rows)
    return rows


def pack(rows: list[Row], length: int) -> Batch:
    """Rows of at most `length` tokens as one batch; padding is token 0, seen by nothing else."""
    tokens = np.zeros((len(rows), length), dtype=np.int64)
    positions = np.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, : len(row.tokens)] = row.tokens
        positions[index, : len(row.positions)] = row.positions
    flat = [
        (index * length + target.source, target.label, target.kind, target.weight)
        for index, row in enumerate(rows)
        for target in row.targets
    ]
    places, labels, kinds, weights = zip(*flat, strict=True)
    sources, slots = np.unique(np.array(places), return_inverse=True)
    return Batch(
        tokens,
        positions,
        np.stack([row.visible(length) for row in rows]),
        sources,
        slots,
        np.array(labels),
        np.array(weights, dtype=np.float32),
        np.array(kinds),
        *reaches(rows, length),
    )


def reaches(rows: list[Row], length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """`places`, `reached` and `known` of a batch."""
    found = [
        (index * length + state.place, state.numbers)
        for index, row in enumerate(rows)
        for state in row.states
        if len(state.numbers) > 1
    ]
    places = np.array([place for place, _ in found])
    reach = np.zeros((len(found), len(TARGETS)), dtype=np.bool_)
    for size in {len(numbers) for _, numbers in found}:
        chosen = [index for index, (_, numbers) in enumerate(found) if len(numbers) == size]
        reach[chosen] = reached(np.array([found[index][1] for index in chosen], dtype=np.int32), TARGETS.stop - 1)
    known = np.array([trainable_targets(numbers, TARGETS) for _, numbers in found])
    return places, reach, known


class Stream(Dataset[Batch]):
    """Batches by number: `stream[step]` is the same in every process and every run."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config

    def __getitem__(self, step: int) -> Batch:
        return pack(make_rows(self.config, step), self.config.length)


def batches(config: DataConfig, start: int, stop: int, workers: int) -> Iterator[Batch]:
    """Batches `start` to `stop - 1` as torch tensors, made by `workers` processes (0: in this one)."""
    ahead = 4 if workers else None
    steps = range(start, stop)
    loader = DataLoader(
        Stream(config),
        sampler=steps,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=ahead,
        worker_init_fn=_leave_signals_to_the_loop,
    )
    return iter(loader)


def _leave_signals_to_the_loop(_: int) -> None:
    """In a worker: Ctrl-C reaches the whole process group, and the loop, which answers it, ends its workers itself."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
