"""Sudoku: what a grid is, which steps the rules allow, and grids that have one solution."""

import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import coat
from coat.errors import IllegalStepError, InputError
from coat.models.scripted import ScriptedModel
from coat.tasks.sudoku import Sudoku, candidates, filled, units

TASK = Sudoku()
SMALL = TASK.read("12.4 3412 2143 432.")
BIG = (
    "53..7.... 6..195... .98....6. 8...6...3 4..8.3..1 7...2...6 .6....28. ...419..5 ....8..79",
    "534678912 672195348 198342567 859761423 426853791 713924856 961537284 287419635 345286179",
)
"""A published puzzle and its only solution."""


def steps_of(puzzle: str, solution: str) -> list[str]:
    return [
        f"r{row}c{column} = {digit}"
        for row, (given, full) in enumerate(zip(puzzle.split(), solution.split(), strict=True), 1)
        for column, (cell, digit) in enumerate(zip(given, full, strict=True), 1)
        if cell == "."
    ]


def test_a_published_puzzle_is_filled_step_by_step() -> None:
    problem, steps = TASK.read(BIG[0]), steps_of(*BIG)
    actions = [TASK.parse(problem, steps[:place], step)[0] for place, step in enumerate(steps)]
    assert actions == ["think"] * 50 + ["answer"]
    assert TASK.verify(problem, steps) is True
    assert TASK.state(problem, steps) == BIG[1]
    assert TASK.depth(problem) == 51
    assert [TASK.verify(problem, path) for path in ([], steps[:-1], [*steps, "r1c1 = 5"])] == [False] * 3


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("r1c1 = 3", "writes into a cell that has the digit 1"),
        ("r1c3 = 4", "the row has a 4"),
        ("r4c4 = 2", "the row has a 2"),
        ("r1c3 = 5", "numbers from 1 to 4"),
        ("r5c1 = 1", "numbers from 1 to 4"),
        ("r1c3=3", "not of the form r1c2 = 3"),
        ("3", "not of the form"),
        ("", "not of the form"),
    ],
)
def test_a_step_that_breaks_a_rule_is_named(step: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        TASK.parse(SMALL, [], step)


def test_columns_and_boxes_are_looked_at_too() -> None:
    problem = TASK.read("1... .... ..2. ....")
    for step, where in (("r4c1 = 1", "column"), ("r2c2 = 1", "box"), ("r3c1 = 2", "row"), ("r1c3 = 2", "column")):
        with pytest.raises(IllegalStepError, match=where):
            TASK.parse(problem, [], step)
    assert TASK.parse(problem, [], " r2c3 = 1\n") == ("think", "r2c3 = 1")


def test_a_grid_reads_the_same_in_every_format() -> None:
    rows = "1.3. .41. 2..3 .3.1"
    for text in (rows, "1030041020030301", "1.3.\n.41.\n2..3\n.3.1\n", "1.|3. / .4|1. / 2.|.3 / .3|.1"):
        assert TASK.read(text).question == rows
    assert TASK.read('{"puzzle": "1030041020030301"}').question == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 cells"),
        ("123", "has 3 cells; a sudoku has 16 or 81"),
        ("11.. .... .... ....", "the digit 1 of r1c1 is in the same row"),
        ("1... 1... .... ....", "in the same column"),
        ("1... .1.. .... ....", "in the same box"),
        ("5... .... .... ....", "'5' is in no sudoku of 4 rows"),
        ("1234 3412 2143 4321", "no empty cell"),
        ("٣... .... .... ....", "is in no sudoku"),
        ('{"grid": "1"}', 'no text as "puzzle"'),
        ('{"puzzle": 5}', 'no text as "puzzle"'),
    ],
)
def test_what_is_no_sudoku_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TASK.read(text)


@given(st.text() | st.text("01234. {}", max_size=90))
def test_any_text_is_a_problem_or_refused_in_a_sentence(text: str) -> None:
    try:
        problem = TASK.read(text)
    except InputError as error:
        assert str(error)  # noqa: PT017
    else:
        assert TASK.read(problem.question) == problem


@pytest.mark.parametrize("seed", range(20))
def test_a_made_up_grid_has_one_solution(seed: int) -> None:
    text = TASK.generate(random.Random(seed))
    assert text is not None
    cells = TASK.read(text).given["cells"]
    assert cells.count(".") >= 6
    rows = ["".join(row) for row in product("1234", repeat=4) if len(set(row)) == 4]
    fits = [[row for row in rows if matches(row, cells[4 * at : 4 * at + 4])] for at in range(4)]
    full = [grid for each in product(*fits) if is_sudoku(grid := "".join(each))]
    assert len(full) == 1


def matches(row: str, given: str) -> bool:
    return all(cell in (".", digit) for digit, cell in zip(row, given, strict=True))


def is_sudoku(cells: str) -> bool:
    """By the definition, beside the task's own tables."""
    columns = [cells[at::4] for at in range(4)]
    boxes = [cells[at : at + 2] + cells[at + 4 : at + 6] for at in (0, 2, 8, 10)]
    return all(len(set(part)) == 4 for part in columns + boxes)


@pytest.mark.parametrize("size", [4, 9])
def test_a_filled_grid_has_each_digit_once_everywhere(size: int) -> None:
    cells = filled(size, random.Random(size))
    assert cells != filled(size, random.Random(size + 1))
    for place, parts in enumerate(units(size)):
        assert all(len(part) == size - 1 for part in parts.values())
        assert all(cells[place] not in {cells[each] for each in part} for part in parts.values())


def test_candidates_are_what_nothing_in_sight_has() -> None:
    assert candidates("1...............", 0) == ""
    assert candidates("1...............", 1) == "234"
    assert candidates("1..2..3.........", 2) == "4"


def test_the_model_reads_examples_with_the_notes_of_a_search(check_examples: Any) -> None:
    assert check_examples(TASK, SMALL).endswith("\nRows: 12.4 3412 2143 432.\n")


def test_a_search_fills_a_grid() -> None:
    script = {"Rows: 1234 3412 2143 432.\n": ["r4c4 = 1\n"], "": ["r1c3 = 3\n", "r1c3 = 4\n", "r4c1 = 1\n"]}
    knobs: dict[str, Any] = {"task": "sudoku", "evaluator": "verifier"}
    result = coat.solve(SMALL.question, model=ScriptedModel(script), **knobs)
    assert (result.correct, result.path) == (True, ["r1c3 = 3", "r4c4 = 1"])
    assert result.usage.illegal > 0
