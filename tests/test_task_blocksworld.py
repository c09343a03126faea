"""Blocksworld: what a problem is, which steps the four operators allow, and when a plan reaches its goal."""

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
from coat.tasks.blocksworld import OPERATORS, Blocksworld

TASK = Blocksworld()
SWAP = TASK.read("on a b, ontable b, clear a, handempty -> on b a")
PLAN = ["unstack a b", "put-down a", "pick-up b", "stack b a"]
SPARE = {"id": "7", "objects": ["b", "a", "c"], "init": ["ontable a", "on c a", "ontable b"], "goal": ["on a b"]}
SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/blocksworld/blocksworld_even.jsonl"


def opposite(step: str) -> str:
    """The step that takes `step` back."""
    name, _, blocks = step.partition(" ")
    pairs = {"pick-up": "put-down", "put-down": "pick-up", "stack": "unstack", "unstack": "stack"}
    return f"{pairs[name]} {blocks}"


def legal(problem: Any, path: list[str]) -> list[str]:
    """Every step that may follow `path`."""
    blocks = sorted(problem.given["blocks"])
    steps = [f"{name} {a}" for name in ("pick-up", "put-down") for a in blocks]
    steps += [f"{name} {a} {b}" for name in ("stack", "unstack") for a in blocks for b in blocks]
    return [step for step in steps if allowed(problem, path, step)]


def allowed(problem: Any, path: list[str], step: str) -> bool:
    try:
        TASK.parse(problem, path, step)
    except IllegalStepError:
        return False
    return True


def test_a_plan_is_followed_atom_by_atom() -> None:
    states = [TASK.state(SWAP, PLAN[:place]) for place in range(5)]
    assert states == [
        "on a b, ontable b, clear a, handempty",
        "ontable b, holding a, clear b",
        "ontable a, ontable b, clear a, clear b, handempty",
        "ontable a, holding b, clear a",
        "on b a, ontable a, clear b, handempty",
    ]
    actions = [TASK.parse(SWAP, PLAN[:place], f" {step} ") for place, step in enumerate(PLAN)]
    assert actions == [*(("think", step) for step in PLAN[:3]), ("answer", PLAN[3])]
    assert TASK.verify(SWAP, PLAN) is True
    assert TASK.answer(SWAP, PLAN) == TASK.key("unstack a b, put-down a, pick-up b, stack b a")
    assert TASK.note(SWAP, PLAN[:1]) == "State: ontable b, holding a, clear b\n"
    assert (TASK.note(SWAP, []), TASK.grade(SWAP, ""), TASK.score(SWAP, "")) == ("", None, None)


@pytest.mark.parametrize(
    ("path", "step", "message"),
    [
        ([], "pick-up a", "needs ontable a"),
        ([], "pick-up b", "needs clear b"),
        ([], "unstack b a", "needs on b a, clear b"),
        ([], "put-down a", "needs holding a"),
        ([], "stack a b", "needs holding a"),
        (PLAN[:1], "unstack a b", "needs on a b, clear a, handempty"),
        (PLAN[:1], "pick-up b", "needs handempty"),
        (PLAN[:1], "stack a a", "needs clear a"),
        (PLAN[:1], "stack a z", "needs clear z"),
        (PLAN[:1], "stack a", "not of the form"),
        (PLAN[:1], "put-down a b", "not of the form"),
        (PLAN[:1], "put down a", "not of the form"),
        (PLAN[:1], "State: holding a", "not of the form"),
        ([], "", "not of the form"),
        ([], "pick-up b\nunstack a b", "not of the form"),
        ([], "Backtrack", "no step to go back on"),
    ],
)
def test_a_step_whose_precondition_fails_is_illegal(path: list[str], step: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        TASK.parse(SWAP, path, step)


def test_a_step_back_has_its_own_word() -> None:
    assert TASK.parse(SWAP, PLAN[:1], "Backtrack") == ("backtrack", "Backtrack")


@pytest.mark.parametrize("plan", [[], PLAN[:3], ["put-down a"], [*PLAN[:3], "stack b c"], [*PLAN, "unstack b a"]])
def test_a_plan_that_breaks_a_rule_or_misses_the_goal_is_wrong(plan: list[str]) -> None:
    assert TASK.verify(SWAP, plan) is False


@given(st.integers(0, 10**6))
def test_random_steps_keep_the_world_in_one_piece_and_can_be_taken_back(seed: int) -> None:
    lot = random.Random(seed)
    problem = TASK.read(TASK.generate(lot) or "")
    path: list[str] = []
    for _ in range(8):
        steps = legal(problem, path)
        assert steps, "there is always a step"
        path.append(lot.choice(steps))
        before, after = (TASK.state(problem, each) for each in (path[:-1], path))
        other = "handempty" if "holding" in after else "holding a"
        assert TASK.read(f"{after} -> {other}").given["init"] == TASK.reached(problem, path)
        assert TASK.state(problem, [*path, opposite(path[-1])]) == before


@pytest.mark.parametrize("seed", range(20))
def test_a_made_up_problem_is_solved_by_putting_all_blocks_down_and_stacking_them(seed: int) -> None:
    text = TASK.generate(random.Random(seed))
    assert text is not None
    assert text == TASK.generate(random.Random(seed))
    problem = TASK.read(text)
    path: list[str] = []
    while tops := [step for step in legal(problem, path) if step.startswith("unstack")]:
        path += [tops[0], f"put-down {tops[0].split()[1]}"]
    wanted = [atom.split()[1:] for atom in problem.given["goal"]]
    while wanted:
        top, under = next(pair for pair in wanted if pair[1] not in [each for each, _ in wanted])
        path += [f"pick-up {top}", f"stack {top} {under}"]
        wanted.remove([top, under])
    assert TASK.verify(problem, path) is True
    assert len(path) <= TASK.depth(problem)


def test_a_record_reads_as_its_typed_form() -> None:
    problem = TASK.read(json.dumps(SPARE | {"plan": ["unstack c a"], "plan_len": 4, "plan_valid": True}))
    assert problem.question == "on c a, ontable a, ontable b, clear b, clear c, handempty -> on a b"
    assert TASK.read(problem.question).given == {**problem.given, "length": None}
    assert TASK.depth(problem) == 8
    assert TASK.depth(TASK.read(json.dumps(SPARE))) == 12
    assert TASK.verify(problem, ["unstack c a", "put-down c", "pick-up a", "stack a b"]) is True


def test_what_is_clear_and_the_hand_may_be_left_out() -> None:
    assert TASK.read("on a b,ontable b->on b a") == SWAP
    assert TASK.read("holding a, ontable b -> on b a").question == "ontable b, holding a, clear b -> on b a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no goal"),
        ("on a b, ontable b", "has no goal"),
        ("-> on a b", "'' is no atom"),
        ("on a, ontable b -> on a b", "'on a' is no atom"),
        ("above a b, ontable b -> on a b", "'above a b' is no atom"),
        ("ontable a! -> holding a", "'ontable a!' is no atom"),
        ("clear a -> holding a", "there are 0 blocks"),
        (", ".join(f"ontable b{n}" for n in range(21)) + " -> on b1 b2", "there are 21 blocks"),
        ("on a b -> on b a", "not said where the block 'b' is"),
        ("on a b, on b a -> ontable a", "no tower leads down"),
        ("on a a, ontable b -> ontable a", "no tower leads down"),
        ("holding a, on b a -> ontable a", "no tower leads down"),
        ("ontable a, holding a -> on a a", "'a' is said to be in two places"),
        ("on a c, on b c, ontable c -> on a b", "two blocks are said to be on or in 'c'"),
        ("holding a, holding b -> on a b", "two blocks are said to be on or in 'the hand'"),
        ("on a b, ontable b, clear b -> on b a", "'clear b' cannot hold together"),
        ("holding a, ontable b, handempty -> on a b", "'handempty' cannot hold together"),
        ("ontable a, ontable b, clear c -> on a b", "'clear c' does not fit"),
        ("on a b, ontable b -> on b c", "the goal speaks of 'c'"),
        ("on a b, ontable b -> on a b, on b a", "no tower leads down"),
        ("on a b, ontable b -> on b a, clear a", "'clear a' cannot hold together"),
        ("on a b, ontable b -> clear a", "holds already"),
        ('{"init": ["on a b"]', "is not JSON"),
        ('{"question": "why?"}', 'no list of texts as "init"'),
        (json.dumps(SPARE | {"goal": "on a b"}), 'no list of texts as "goal"'),
        (json.dumps(SPARE | {"init": [1]}), 'no list of texts as "init"'),
        (json.dumps(SPARE | {"goal": []}), "holds already"),
        (json.dumps(SPARE | {"objects": ["a", "b"]}), "do not agree about the blocks 'c'"),
        (json.dumps(SPARE | {"objects": 3}), 'no list of texts as "objects"'),
        (json.dumps(SPARE | {"plan_len": "many"}), "'many'; it must be a whole number"),
        (json.dumps(SPARE | {"plan_len": [[]]}), "'a list'; it must be a whole number"),
    ],
)
def test_what_is_no_world_or_goal_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TASK.read(text)
    assert len(str(caught.value)) < 400


@given(st.text() | st.text('onabcleartable ,->{}[]":', max_size=60))
@example('{"init": ' + "[" * 100_000)
@example("on \udc80 b -> on a b")
def test_any_text_is_a_problem_or_refused_in_a_sentence(text: str) -> None:
    try:
        problem = TASK.read(text)
    except InputError as error:
        assert str(error)  # noqa: PT017
    else:
        assert problem.question.strip()


@given(st.text() | st.lists(st.sampled_from([*OPERATORS, "a", "b", "{0}"])).map(" ".join))
def test_any_text_is_a_legal_step_or_illegal_and_nothing_else(text: str) -> None:
    for path in ([], PLAN[:1]):
        assert allowed(SWAP, path, text) in (True, False)


def test_the_model_reads_examples_with_the_notes_of_a_search(check_examples: Any) -> None:
    prompt = check_examples(TASK, SWAP)
    assert prompt.endswith("\nState: on a b, ontable b, clear a, handempty\nGoal: on b a\n")


@pytest.mark.parametrize("strategy", ["best_of_n", "coat"])
def test_a_search_finds_the_plan(strategy: str) -> None:
    script = {
        "Goal: on b a\n": ["unstack a b\n", "pick-up b\n"],
        "State: ontable b, holding a, clear b\n": ["put-down a\n", "stack a b\n"],
        "State: ontable a, ontable b, clear a, clear b, handempty\n": ["pick-up b\n", "pick-up a\n"],
        "State: ontable a, holding b, clear a\n": ["stack b a\n", "put-down b\n"],
        "": ["nothing\n"],
    }
    knobs: dict[str, Any] = {"task": "blocksworld", "evaluator": "verifier", "strategy": strategy, "n": 60}
    result = coat.solve(TASK.sample, model=ScriptedModel(script), **knobs)
    assert (result.correct, result.stop) == (True, "solved")
    assert TASK.verify(SWAP, result.path) is True
    assert result.answer == ", ".join(result.path)
    assert result.usage.illegal > 0


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public sample is not here")
def test_every_reference_plan_of_the_public_sample_is_right() -> None:
    task = tasks.get("blocksworld")
    for text, problem in data.problems(task, SAMPLES):
        record = json.loads(text)
        assert problem.given["init"] == frozenset(record["init"])
        assert task.verify(problem, record["plan"]) is True
        assert len(record["plan"]) <= task.depth(problem)
