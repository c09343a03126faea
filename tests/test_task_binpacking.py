"""Bin packing: which bins are legal, and which packings use as few as possible."""

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
from coat.tasks.binpacking import BinPacking, fewest_bins

TASK = BinPacking()
FIVE = TASK.read("5 10 8 1 4 = 12")
PATH = ["bin: 10 1", "bin: 4 5", "bin: 8"]
RECORD = {"item_sizes": "6 6 3 3", "bin_capacity": "9", "optimal_bins": "2"}
SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/sys2bench/binpacking_test.csv"


def packed(items: tuple[int, ...], capacity: int) -> list[list[int]]:
    """The fewest bins, by trying all assignments, each item into a bin that is there or one new."""
    best: list[list[int]] = [[item] for item in items]

    def put(place: int, bins: list[list[int]]) -> None:
        nonlocal best
        if len(bins) >= len(best):
            return
        if place == len(items):
            best = [list(each) for each in bins]
            return
        for each in bins:
            if sum(each) + items[place] <= capacity:
                each.append(items[place])
                put(place + 1, bins)
                each.pop()
        put(place + 1, [*bins, [items[place]]])

    put(0, [])
    return best


def test_a_packing_is_followed_bin_by_bin() -> None:
    actions = [TASK.parse(FIVE, PATH[:place], f" {step}\n") for place, step in enumerate(PATH)]
    assert actions == [("think", PATH[0]), ("think", PATH[1]), ("answer", PATH[2])]
    assert TASK.verify(FIVE, PATH) is True
    assert TASK.answer(FIVE, PATH) == "bin: 10 1, bin: 4 5, bin: 8"
    notes = [TASK.note(FIVE, PATH[:place]) for place in range(4)]
    assert notes == ["", "Items left: 5 8 4\n", "Items left: 8\n", "Items left: none\n"]
    assert (TASK.grade(FIVE, ""), TASK.score(FIVE, ""), TASK.depth(FIVE)) == (None, None, 5)


def test_the_future_depends_on_what_is_left_and_how_many_bins_there_are() -> None:
    first, other, longer = ["bin: 10", "bin: 5 4"], ["bin: 4 5", "bin: 10"], ["bin: 10", "bin: 5", "bin: 4"]
    assert TASK.state(FIVE, first) == TASK.state(FIVE, other) == "2: 1 8"
    assert TASK.state(FIVE, longer) == "3: 1 8"


def test_the_order_of_bins_and_items_makes_no_other_answer() -> None:
    other = TASK.answer(FIVE, ["bin: 8", "bin: 5 4", "bin: 1 10"])
    assert TASK.key(other) == TASK.key(TASK.answer(FIVE, PATH))
    assert TASK.key(other) != TASK.key(TASK.answer(FIVE, ["bin: 8 1", "bin: 5 4", "bin: 10"]))


@pytest.mark.parametrize(
    "path",
    [[], PATH[:2], ["bin: 10", "bin: 1", "bin: 8", "bin: 5 4"], ["bin: 10 8", "bin: 5 4 1"], [*PATH, "bin: 8"]],
)
def test_too_many_bins_or_a_broken_rule_is_wrong(path: list[str]) -> None:
    assert TASK.verify(FIVE, path) is False


def test_a_packing_into_too_many_bins_ends_the_path_all_the_same() -> None:
    path = ["bin: 10", "bin: 1", "bin: 8"]
    assert TASK.parse(FIVE, path, "bin: 5 4") == ("answer", "bin: 5 4")


@pytest.mark.parametrize(
    ("path", "step", "message"),
    [
        ([], "bin: 10 4", "is 14 in all, more than 12"),
        ([], "bin: 3", "packs 3, which is not left"),
        ([], "bin: 1 1", "packs 1, which is not left"),
        (PATH[:1], "bin: 10", "packs 10, which is not left"),
        ([], "bin:", "not of the form"),
        ([], "bin: 10, 1", "not of the form"),
        ([], "10 1", "not of the form"),
        ([], "bin: 10 1 = 11", "not of the form"),
        ([], "bin: -1", "not of the form"),
        ([], "bin: 10\nbin: 8", "not of the form"),
        ([], "bin: ٩", "not of the form"),
        ([], "Items left: 5", "not of the form"),
        ([], "", "not of the form"),
        ([], "Backtrack", "no step to go back on"),
    ],
)
def test_a_bin_against_the_rules_is_illegal(path: list[str], step: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        TASK.parse(FIVE, path, step)


def test_a_step_back_has_its_own_word() -> None:
    assert TASK.parse(FIVE, PATH[:1], "backtrack.") == ("backtrack", "backtrack.")


def test_a_record_reads_as_its_typed_form() -> None:
    problem = TASK.read(json.dumps(RECORD))
    assert problem == TASK.read("6, 6 3,3 =9") == TASK.read('{"item_sizes": [6, 6, 3, 3], "bin_capacity": 9}')
    assert problem.question == "6 6 3 3 = 9"
    assert problem.given["fewest"] == 2


def test_of_many_items_the_record_says_how_many_bins_are_the_fewest() -> None:
    record = {"item_sizes": "5 " * 20, "bin_capacity": "10", "optimal_bins": "10"}
    problem = TASK.read(json.dumps(record))
    assert TASK.verify(problem, ["bin: 5 5"] * 10) is True
    assert TASK.verify(problem, ["bin: 5 5"] * 9 + ["bin: 5"] * 2) is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no capacity"),
        ("5 10 8", "has no capacity"),
        ("= 12", "an item is ''"),
        ("5 ten = 12", "an item is 'ten'"),
        ("5 -1 = 12", "an item is '-1'"),
        ("5 0 = 12", "an item is '0'"),
        ("5 13 = 12", "an item is '13'; it must be a whole number from 1 to 12"),
        ("5 10 =", "the capacity is ''"),
        ("5 10 = 12 = 13", "the capacity is '12 = 13'"),
        ("5 10 = 0", "the capacity is '0'"),
        ("1 " * 101 + "= 12", "there are 101 items"),
        ("1 " * 13 + "= 12", 'the fewest bins must be given, as "optimal_bins"'),
        ('{"item_sizes": "5 10"', "is not JSON"),
        ('{"question": "why?"}', 'has no "item_sizes"'),
        ('{"item_sizes": "5 10"}', 'has no "bin_capacity"'),
        (json.dumps(RECORD | {"item_sizes": []}), "there are 0 items"),
        (json.dumps(RECORD | {"item_sizes": 5}), '"item_sizes" is a int'),
        (json.dumps(RECORD | {"item_sizes": [[5]]}), "an item is 'a list'"),
        (json.dumps(RECORD | {"item_sizes": [True]}), "an item is 'a bool'"),
        (json.dumps(RECORD | {"bin_capacity": None}), "the capacity is 'a NoneType'"),
        (json.dumps(RECORD | {"optimal_bins": "1"}), "\"optimal_bins\" is '1'; it must be a whole number from 2 to 4"),
        (json.dumps(RECORD | {"optimal_bins": "3"}), '"optimal_bins" is 3, but 2 bins are the fewest'),
    ],
)
def test_what_is_no_packing_problem_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TASK.read(text)
    assert len(str(caught.value)) < 400


@given(st.text() | st.text('0123456789 =,{}":', max_size=40))
@example('{"item_sizes": ' + "[" * 100_000)
@example("9" * 5000 + " = 12")
def test_any_text_is_a_problem_or_refused_in_a_sentence(text: str) -> None:
    try:
        problem = TASK.read(text)
    except InputError as error:
        assert str(error)  # noqa: PT017
    else:
        assert problem.question.strip()


@given(st.lists(st.integers(1, 12), min_size=1, max_size=7), st.integers(12, 16))
@example([4, 4, 4, 6, 6], 12)
@example([7, 6, 5, 4, 3, 3], 14)
def test_the_fewest_bins_are_those_that_trying_all_packings_finds(items: list[int], capacity: int) -> None:
    assert fewest_bins(items, capacity) == len(packed(tuple(items), capacity))


@pytest.mark.parametrize("seed", range(20))
def test_a_made_up_problem_can_be_packed(seed: int) -> None:
    text = TASK.generate(random.Random(seed))
    assert text is not None
    assert text == TASK.generate(random.Random(seed))
    problem = TASK.read(text)
    bins = packed(problem.given["items"], problem.given["capacity"])
    path = [f"bin: {' '.join(map(str, each))}" for each in bins]
    assert TASK.verify(problem, path) is True
    assert len(path) > 1


def test_the_model_reads_examples_with_the_notes_of_a_search(check_examples: Any) -> None:
    prompt = check_examples(TASK, FIVE)
    assert prompt.endswith("\nCapacity: 12\nItems: 5 10 8 1 4\n")


@pytest.mark.parametrize("strategy", ["best_of_n", "coat"])
def test_a_search_finds_a_packing(strategy: str) -> None:
    script = {
        "Items: 5 10 8 1 4\n": ["bin: 10 1\n", "bin: 10 8\n", "bin: 5\n"],
        "left: 5 8 4\n": ["bin: 5 4\n", "bin: 8\n", "bin: 4\n"],
        "left: 5 8\n": ["bin: 8\n"],
        "left: 5 4\n": ["bin: 4\n"],
        "": ["bin: 5\n", "bin: 8\n"],
    }
    knobs: dict[str, Any] = {"task": "binpacking", "evaluator": "verifier", "strategy": strategy, "n": 60}
    result = coat.solve(TASK.sample, model=ScriptedModel(script), **knobs)
    assert (result.correct, result.stop) == (True, "solved")
    assert TASK.verify(FIVE, result.path) is True
    assert result.answer == ", ".join(result.path)
    assert result.usage.illegal > 0


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public sample is not here")
def test_every_problem_of_the_public_sample_has_the_fewest_bins_that_its_record_says() -> None:
    task = tasks.get("binpacking")
    for text, problem in data.problems(task, SAMPLES):
        bins = packed(problem.given["items"], problem.given["capacity"])
        assert len(bins) == int(json.loads(text)["optimal_bins"]) == problem.given["fewest"]
        assert task.verify(problem, [f"bin: {' '.join(map(str, each))}" for each in bins]) is True
