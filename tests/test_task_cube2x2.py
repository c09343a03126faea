"""The 2×2×2 cube: how turns move the facelets, what a cube is, and when it is solved."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import coat
from coat import data, tasks
from coat.errors import IllegalStepError, InputError
from coat.models.scripted import ScriptedModel
from coat.problem import Problem
from coat.tasks.cube2x2 import TURNS, Cube2x2

TASK = Cube2x2()
SOLVED = "000011112222333344445555"
NEW = Problem("", "cube2x2", {"facelets": SOLVED, "length": None})
"""A cube from the shop."""
SCRAMBLED = TASK.read("R U2 F'")
SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/sys2bench/cube_cube_test.csv"


def record(facelets: str, **more: Any) -> str:
    return json.dumps({f"state_{place}": colour for place, colour in enumerate(facelets, 1)} | more)


def turned(*turns: str) -> str:
    return TASK.state(NEW, turns)


def back(turns: list[str]) -> list[str]:
    """The turns that take `turns` back."""
    other = {"": "'", "'": "", "2": "2"}
    return [turn[0] + other[turn[1:]] for turn in reversed(turns)]


@pytest.mark.parametrize(
    ("turn", "facelets"),
    [  # worked out with a cube in the hand: a clockwise turn of U brings the front's upper row to the left
        ("U", "0000 5511 1122 3333 2244 4455"),
        ("R", "0202 1111 2323 3535 4444 0505"),
        ("F", "0044 0101 2222 1133 4343 5555"),
    ],
)
def test_a_turn_moves_the_rows_beside_its_face(turn: str, facelets: str) -> None:
    assert turned(turn) == facelets.replace(" ", "")


@pytest.mark.parametrize("face", "URF")
def test_half_and_counter_clockwise_turns_are_two_and_three_quarters(face: str) -> None:
    assert turned(f"{face}2") == turned(face, face)
    assert turned(f"{face}'") == turned(face, face, face)
    assert turned(face, face, face, face) == SOLVED


@pytest.mark.parametrize(
    ("turns", "order"),
    [(["R", "U", "R'", "U'"], 6), (["R", "U"], 15), (["R2", "U2"], 3), (["R", "U'"], 9)],
)
def test_sequences_have_their_known_order(turns: list[str], order: int) -> None:
    repeats = [turned(*turns * times) == SOLVED for times in range(1, order + 1)]
    assert repeats == [False] * (order - 1) + [True]


def test_as_many_states_are_so_many_turns_away_as_is_known() -> None:
    seen, edge, counts = {SOLVED}, {SOLVED}, []
    for _ in range(4):
        edge = {TASK.after(NEW, state, turn) for state in edge for turn in TURNS} - seen
        seen |= edge
        counts.append(len(edge))
    assert counts == [9, 54, 321, 1847]


def test_a_solution_is_followed_to_its_end() -> None:
    path = ["F", "U2", "R'"]
    actions = [TASK.parse(SCRAMBLED, path[:place], f" {step}\n") for place, step in enumerate(path)]
    assert actions == [("think", "F"), ("think", "U2"), ("answer", "R'")]
    assert TASK.verify(SCRAMBLED, path) is True
    assert TASK.state(SCRAMBLED, path) == SOLVED
    assert TASK.answer(SCRAMBLED, path) == "F U2 R'"
    assert TASK.note(SCRAMBLED, path[:2]) == "Cube: U 0202 R 1111 F 2323 D 3535 L 4444 B 0505\n"
    assert TASK.note(SCRAMBLED, []) == ""
    assert [TASK.verify(SCRAMBLED, each) for each in ([], path[:2], [*path, "U"], ["turn"])] == [False] * 4


@pytest.mark.parametrize("step", ["", "L", "U3", "u", "UR", "U R", "U\nR", "Cube: U", "U’"])
def test_what_is_none_of_the_nine_turns_is_illegal(step: str) -> None:
    with pytest.raises(IllegalStepError, match="none of the turns U, U', U2, R, R', R2, F, F', F2"):
        TASK.parse(SCRAMBLED, [], step)


def test_a_step_back_has_its_own_word() -> None:
    assert TASK.parse(SCRAMBLED, ["U"], "Backtrack") == ("backtrack", "Backtrack")
    with pytest.raises(IllegalStepError, match="no step to go back on"):
        TASK.parse(SCRAMBLED, [], "Backtrack")


def test_a_cube_reads_the_same_in_every_format() -> None:
    facelets = turned("R", "U2", "F'")
    spaced = " ".join(facelets)
    for text in ("R U2 F’", facelets, f" {spaced}\n", record(facelets, moves="F U2 R'"), record(facelets)):
        assert TASK.read(text).given["facelets"] == facelets
        assert TASK.read(text).question == "U 2041 R 5431 F 5302 D 1435 L 1042 B 2305"
    lengths = [TASK.depth(TASK.read(text)) for text in ("R U2 F'", facelets, record(facelets, minmumStep_to_win="3"))]
    assert lengths == [5, 11, 5]
    assert TASK.depth(TASK.read("R U " * 20)) == 11


@pytest.mark.parametrize("colours", ["012345", "204153", "143025"])
def test_a_solved_cube_may_be_held_and_coloured_in_any_way(colours: str) -> None:
    facelets = "".join(colours[int(colour)] for colour in turned("R", "U2"))
    problem = TASK.read(facelets)
    assert TASK.verify(problem, ["U2", "R'"]) is True


def test_a_twisted_corner_or_swapped_stickers_cannot_be_solved() -> None:
    up, right, front = 3, 4, 9  # the facelets of the corner between U, R and F
    twisted, swapped = list(SOLVED), list(SOLVED)
    twisted[up], twisted[right], twisted[front] = SOLVED[right], SOLVED[front], SOLVED[up]
    swapped[up], swapped[right] = SOLVED[right], SOLVED[up]
    for facelets in (twisted, swapped):
        with pytest.raises(InputError, match="no turns solve"):
            TASK.read("".join(facelets))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no cube"),
        (" ", "there is no cube"),
        ("R U2 L", "'L' is no turn"),
        ("solve it", "'solve' is no turn"),
        ("R R'", "solved already"),
        (SOLVED, "solved already"),
        (SOLVED[1:], "23 colours; a cube has 24"),
        ("0" * 24, "the colour 0 is there 24 times"),
        ("6" * 24, "the colour 0 is there 0 times"),
        ("012345" * 4, "no turns solve"),
        ('{"state_1": "0"', "is not JSON"),
        ('{"question": "why?"}', 'has no "state_1"'),
        (record(SOLVED[1:]), 'has no "state_24"'),
        (record(turned("R"), state_3="6"), "\"state_3\" is '6'; it must be a whole number from 0 to 5"),
        (record(turned("R"), state_3=[0]), "\"state_3\" is 'a list'"),
        (record(turned("R"), minmumStep_to_win="0"), "\"minmumStep_to_win\" is '0'"),
    ],
)
def test_what_is_no_cube_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TASK.read(text)
    assert len(str(caught.value)) < 400


@given(st.text() | st.text("012345 URF'2{}\":", max_size=40))
@example("٠" * 24)
@example('{"state_1": ' + "[" * 100_000)
def test_any_text_is_a_problem_or_refused_in_a_sentence(text: str) -> None:
    try:
        problem = TASK.read(text)
    except InputError as error:
        assert str(error)  # noqa: PT017
    else:
        assert problem.question.strip()


@given(st.lists(st.sampled_from(list(TURNS)), max_size=20))
def test_turns_taken_back_in_reverse_solve_the_cube(turns: list[str]) -> None:
    if turned(*turns) != SOLVED:
        assert TASK.verify(TASK.read(" ".join(turns)), back(turns)) is True


@pytest.mark.parametrize("seed", range(20))
def test_a_made_up_cube_is_solved_by_its_scramble_taken_back(seed: int) -> None:
    text = TASK.generate(random.Random(seed))
    assert text is not None
    assert text == TASK.generate(random.Random(seed))
    problem, path = TASK.read(text), back(text.split())
    assert TASK.verify(problem, path) is True
    assert len(path) <= TASK.depth(problem)


def test_the_model_reads_examples_with_the_notes_of_a_search(check_examples: Any) -> None:
    prompt = check_examples(TASK, SCRAMBLED)
    assert prompt.endswith("\nCube: U 2041 R 5431 F 5302 D 1435 L 1042 B 2305\n")


@pytest.mark.parametrize("strategy", ["best_of_n", "coat"])
def test_a_search_solves_a_cube(strategy: str) -> None:
    script = {
        "L 1042 B 2305\n": ["F\n", "L\n", "F2\n"],
        "Cube: U 0202 R 1111 F 2323 D 3535 L 4444 B 0505\n": ["R'\n"],
        "": ["U2\n", "R\n"],
    }
    knobs: dict[str, Any] = {"task": "cube2x2", "evaluator": "verifier", "strategy": strategy, "n": 60}
    result = coat.solve(TASK.sample, model=ScriptedModel(script), **knobs)
    assert (result.correct, result.stop) == (True, "solved")
    assert TASK.verify(SCRAMBLED, result.path) is True
    assert result.answer == " ".join(result.path)
    assert result.usage.illegal > 0


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public sample is not here")
def test_the_moves_of_every_cube_of_the_public_sample_solve_it() -> None:
    task = tasks.get("cube2x2")
    for text, problem in data.problems(task, SAMPLES):
        moves = json.loads(text)["moves"].split()
        assert task.verify(problem, moves) is True
        assert len(moves) <= task.depth(problem)
