import doctest
import importlib
from collections import Counter
from fractions import Fraction
from itertools import permutations
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch")

from training import text
from training.data import TARGETS, DataConfig, Stream, batches, make_rows, reaches, solve_paths
from training.evaluate import follow, held_out_puzzles, probes, read_step
from training.solver import LIMIT, children, reachable, reached, solutions
from training.splits import held_out, key, trainable
from training.trees import (
    BACKTRACK,
    COMPUTATION,
    EXPLORATION,
    JUDGE,
    POLICY,
    RESULT,
    RULE,
    Level,
    Mixture,
    mistaken,
)


@pytest.mark.parametrize("module", ["splits", "solver", "text", "train", "evaluate"])
def test_the_examples_in_the_docstrings_hold(module):
    failed, tried = doctest.testmod(importlib.import_module(f"training.{module}"))
    assert tried
    assert not failed


def brute_force(numbers, target):
    """All ways through fractions, one step after the other, by the rules as a person would state them."""
    if len(numbers) == 1:
        return numbers[0] == target
    for a, b, *rest in permutations(numbers):
        results = {a + b, a - b, a * b} | ({Fraction(a, b)} if b else set())
        for result in results:
            whole = result >= 0 and result == int(result) and result <= LIMIT
            if whole and brute_force((int(result), *rest), target):
                return True
    return False


@pytest.mark.parametrize(("size", "high", "count"), [(1, 99, 20), (2, 99, 300), (3, 30, 200), (4, 13, 12)])
def test_the_solver_agrees_with_brute_force(size, high, count):
    generator = np.random.default_rng(size)
    numbers = generator.integers(0, high + 1, (count, size), dtype=np.int32)
    targets = generator.integers(1, 40, count, dtype=np.int32)
    expected = [brute_force(tuple(row), target) for row, target in zip(numbers.tolist(), targets.tolist(), strict=True)]
    assert reachable(numbers, targets).tolist() == expected


def test_solutions_of_a_state_are_those_of_its_children():
    numbers = np.array([[3, 8, 8, 10]], dtype=np.int32)
    after, legal = children(numbers)
    below = solutions(after[0][legal[0]], np.full(int(legal.sum()), 16, dtype=np.int32))
    assert solutions(numbers, np.array([16], dtype=np.int32)).tolist() == [below.sum()]


def test_numbers_above_the_limit_are_not_followed():
    numbers, targets = np.array([[42, 60, 63]], dtype=np.int32), np.array([90], dtype=np.int32)
    assert reachable(numbers, targets)[0]
    assert not reachable(numbers, targets, limit=999)[0]


@pytest.fixture(scope="module")
def rows():
    config = DataConfig(rows=64, seed=7)
    return [row for step in range(6) for row in make_rows(config, step)]


def paths(row):
    """For each branch of a row: its lines from the problem on, as text."""
    lines = [[] for _ in row.ends]
    for token, branch in zip(row.tokens, row.branches, strict=True):
        lines[branch].append(token)
    found = []
    for branch, parent in enumerate(row.parents):
        found.append([*(found[parent] if parent != branch else []), text.decode(lines[branch])])
    return found


def states(path):
    """The numbers that each line of a path claims are left, and the target."""
    target, first = path[0].split(":")
    yield [int(number) for number in first.split(",")], int(target)
    for line in path[1:]:
        if line != "?":
            yield [int(number) for number in line.split("=")[1].replace(":", ",").split(",")], int(target)


def test_no_held_out_state_and_no_target_of_24_is_in_the_training_stream(rows):
    sizes = Counter()
    for row in rows:
        for path in paths(row):
            for numbers, target in states(path):
                sizes[len(numbers)] += 1
                assert target != 24
                assert len(numbers) < 3 or not held_out(numbers, target), key(numbers, target)
    assert min(sizes[size] for size in (1, 2, 3, 4, 5)) > 200


def test_judgements_and_backtracks_are_what_the_solver_says(rows):
    seen = Counter()
    for row in rows[::3]:
        lines = paths(row)
        for target in row.targets:
            if target.kind in (POLICY, RESULT):
                continue
            path = [line.removesuffix("\n") for line in lines[row.branches[target.source]] if line != "?"]
            (numbers, goal), *_ = states(path)
            legal, _ = follow(path[1:], numbers, goal)
            *_, (left, _) = states(path)
            good = legal == len(path) - 1 and bool(
                reachable(np.array([left], dtype=np.int32), np.array([goal], dtype=np.int32))[0]
            )
            expected = "~" if target.kind == BACKTRACK else "+" if good else "-"
            assert not (good and target.kind == BACKTRACK)
            assert text.decode([target.label]) == expected, path
            seen[target.kind, good] += 1
    assert min(seen[JUDGE, True], seen[JUDGE, False], seen[BACKTRACK, False]) > 100
    assert 0.5 < seen[JUDGE, True] / seen[JUDGE, False] < 2


def test_the_policy_learns_only_steps_that_keep_the_target_within_reach(rows):
    for row in rows[::5]:
        lines = paths(row)
        taught = {row.branches[t.source] for t in row.targets if t.kind == POLICY and t.source not in row.ends}
        for branch in taught - {0}:
            path = [line.removesuffix("\n") for line in lines[branch] if line != "?"]
            (numbers, goal), *_ = states(path)
            assert follow(path[1:], numbers, goal)[0] == len(path) - 1
            *_, (left, _) = states(path)
            assert reachable(np.array([left], dtype=np.int32), np.array([goal], dtype=np.int32))[0]


def test_of_a_wrong_step_only_what_a_legal_one_leaves_is_learned(rows):
    seen = Counter()
    for row in rows[::3]:
        lines = paths(row)
        wrong = {row.branches[target.source] for target in row.targets if target.kind == BACKTRACK}
        for branch in wrong:
            path = [line.removesuffix("\n") for line in lines[branch]]
            (numbers, _), *_ = states(path)
            legal = follow(path[1:], numbers, -1)[0] == len(path) - 1
            places = [place for place, owner in enumerate(row.branches) if owner == branch]
            inside = [target for target in row.targets if target.source in places[:-1]]
            assert {target.kind for target in inside} <= {RESULT}
            told = text.decode(target.label for target in sorted(inside))
            assert told == (path[-1].partition("=")[2] + "\n" if legal else "")
            seen[legal] += 1
    assert min(seen[True], seen[False]) > 50


def test_what_a_line_can_reach_is_what_the_solver_says_and_held_out_targets_are_not_told(rows):
    places, reach, known = reaches(rows[:20], 128)
    states_of = {index * 128 + s.place: s.numbers for index, row in enumerate(rows[:20]) for s in row.states}
    assert len(places) > 100
    for place, can, told in zip(places[::7], reach[::7], known[::7], strict=True):
        numbers = states_of[int(place)]
        states_again = np.tile(np.array(numbers, dtype=np.int32), (len(TARGETS), 1))
        assert can.tolist() == reachable(states_again, np.array(TARGETS, dtype=np.int32)).tolist()
        assert told.tolist() == [trainable(numbers, target) for target in TARGETS]
        assert not told[24 - TARGETS.start]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_targets_reached_are_those_with_a_solution(size):
    numbers = np.random.default_rng(size).integers(0, 60, (20, size), dtype=np.int32)
    found = reached(numbers, 100)
    for target in range(1, 101, 9):
        assert found[:, target - 1].tolist() == reachable(numbers, np.full(20, target, dtype=np.int32)).tolist()


def test_policy_targets_after_a_token_are_a_distribution(rows):
    for row in rows[:40]:
        mass = Counter()
        for target in row.targets:
            if target.kind == POLICY:
                mass[target.source] += target.weight
        assert all(weight == pytest.approx(1) for weight in mass.values())


def test_mistakes_are_wrong_in_the_way_they_are_called():
    generator = Random(0)
    ((level, *_),) = solve_paths(
        np.array([[3, 8, 8, 10]], dtype=np.int32), np.array([16], dtype=np.int32), Mixture(), generator
    )
    for kind in (EXPLORATION, COMPUTATION, RULE):
        found = [step for _ in range(200) if (step := mistaken(level, kind, generator)) is not None]
        assert len(found) > 50
        for step in found:
            read = read_step(text.step_line(*step).strip(), level.numbers)
            assert (read is None) == (kind != EXPLORATION)
            if kind == EXPLORATION:
                assert level.steps[step] == 0
            if kind == COMPUTATION:
                assert any(right._replace(result=step.result) == step for right in level.steps)


def test_mistakes_come_one_to_two_to_two():
    config = DataConfig(rows=64, seed=3, mixture=Mixture(mistakes=1.0, sizes=(0, 1, 0), unsolvable=0))
    kinds = Counter()
    for step in range(4):
        for row in make_rows(config, step):
            lines = paths(row)
            for target in row.targets:
                if target.kind == BACKTRACK:
                    *before, last = [line.removesuffix("\n") for line in lines[row.branches[target.source]]]
                    *_, (numbers, _) = states(before)
                    kinds[_kind(last, numbers)] += 1
    shares = {kind: count / kinds.total() for kind, count in kinds.items()}
    assert shares["exploration"] == pytest.approx(0.2, abs=0.06)
    assert shares["computation"] == pytest.approx(0.4, abs=0.08)
    assert shares["rule"] == pytest.approx(0.4, abs=0.08)


def _kind(line, numbers):
    if read_step(line, numbers) is not None:
        return "exploration"
    level = Level(tuple(numbers), {}, None)
    a, _, rest = line.partition("=")
    results = range(LIMIT + 1)
    tail = rest.partition(":")[1] + rest.partition(":")[2]
    operator = next(c for c in "+-*/" if c in a)
    x, y = map(int, a.split(operator))
    right = {"+": x + y, "-": x - y, "*": x * y, "/": x // y if y and x % y == 0 else -1}[operator]
    assert level.numbers
    return "computation" if right in results and read_step(f"{a}={right}{tail}", numbers) else "rule"


def test_the_stream_is_a_function_of_seed_and_step_whoever_makes_it():
    config = DataConfig(rows=4, seed=5)
    here = [Stream(config)[step] for step in range(2, 5)]
    for worker in (0, 1):
        for mine, theirs in zip(here, batches(config, 2, 5, worker), strict=True):
            for one, other in zip(mine, theirs, strict=True):
                assert np.array_equal(one, other)
    other_seed = Stream(DataConfig(rows=4, seed=6))[2]
    assert not np.array_equal(here[0].tokens, other_seed.tokens)


def test_a_token_sees_its_own_path_and_nothing_else():
    row = make_rows(DataConfig(rows=1, seed=1, mixture=Mixture(sizes=(1, 0, 0))), 0)[0]
    visible = row.visible(140)
    for place in range(len(row.tokens)):
        allowed, branch = set(), row.branches[place]
        while branch not in allowed:
            allowed.add(branch)
            branch = row.parents[branch]
        expected = [i for i in range(place + 1) if row.branches[i] in allowed]
        assert np.flatnonzero(visible[place]).tolist() == expected
        assert [row.positions[i] for i in expected] == list(range(len(expected)))
    assert visible[len(row.tokens) :, : len(row.tokens)].sum() == 0
    assert visible.diagonal().all()


@pytest.mark.parametrize(
    "line", ["7/2=3:4", "4-9=5:2,7", "9-4=5:7", "9+9=18:2,4,7", "9-4=5:2,7,7", "9-4=5 :2,7", "9-4=5:2,7\n", "~", ""]
)
def test_illegal_lines_are_not_read_as_steps(line):
    assert read_step(line, [2, 4, 7, 9]) is None


def test_the_held_out_tenth_is_what_evaluation_asks():
    puzzles = held_out_puzzles(4, 30, 99, seed=0)
    assert all(held_out(numbers, target) and not trainable(numbers, target) for numbers, target in puzzles)
    share = np.mean([held_out([a, b, 50], 30) for a in range(1, 50) for b in range(1, 50)])
    assert share == pytest.approx(26 / 256, abs=0.02)


def test_probes_are_held_out_at_both_ends():
    found = probes(4, 20, 99, seed=0)
    assert Counter(probe.kind for probe in found) == {None: 20, EXPLORATION: 20, COMPUTATION: 20, RULE: 20}
    for probe in found:
        path = text.decode(probe.ids).rstrip("\n").split("\n")
        assert all(held_out(numbers, target) for numbers, target in states(path))
