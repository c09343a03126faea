"""The puzzle model's notation: what it reads and writes, and how it judges itself."""

from typing import Any

import pytest

import coat
from coat import tasks
from coat.errors import IllegalStepError, InputError
from coat.models import Capabilities, Notation, Text
from coat.models.scripted import ScriptedModel
from coat.settings import Settings
from coat.tasks.puzzle import Puzzle

NOTATION = Notation("puzzle", "?", "+", "-", "~")


def speaker(replies: Any, scores: Any = None, notation: Notation = NOTATION) -> ScriptedModel:
    """A scripted model that declares a notation."""
    model = ScriptedModel(replies, scores=scores, name=notation.name)
    known = model.capabilities
    model.capabilities = Capabilities(known.context, known.tokens, known.logprobs, known.candidates, notation)
    return model


GAME = tasks.adapt(tasks.get("game24"), speaker({}))
PUZZLE = GAME.read("4 9 10 13")


def test_a_problem_is_its_target_and_its_numbers_in_order() -> None:
    assert GAME.prompt(GAME.read("13 4 10 9"), speaker({})) == (Text("24:4,9,10,13\n"),)
    countdown = tasks.adapt(tasks.get("countdown"), speaker({}))
    assert countdown.prompt(countdown.read("83 18 75 = 10"), speaker({})) == (Text("10:18,75,83\n"),)


@pytest.mark.parametrize(
    ("path", "line", "step"),
    [
        ([], "13-9=4:4,10", ("think", "13 - 9 = 4")),
        (["13 - 9 = 4"], "10-4=6:4", ("think", "10 - 4 = 6")),
        (["13 - 9 = 4", "10 - 4 = 6"], "6*4=24", ("answer", "6 * 4 = 24")),
        (["13 - 9 = 4"], "~", ("backtrack", "~")),
    ],
)
def test_a_line_is_a_step(path: list[str], line: str, step: tuple[str, str]) -> None:
    assert GAME.parse(PUZZLE, path, line) == step


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("13-9=5:4,10", "not true"),
        ("13-8=5:4,10", "uses 8"),
        ("13-9=4:4,9", "wrong about the numbers that are left"),
        ("13-9=4", "wrong about the numbers that are left"),
        ("13 - 9 = 4", "not of the form"),
        ("", "not of the form"),
        ("~", "no step to go back on"),
    ],
)
def test_a_line_that_breaks_a_rule_is_no_step(line: str, why: str) -> None:
    with pytest.raises(IllegalStepError, match=why):
        GAME.parse(PUZZLE, [], line)


def test_without_rules_what_a_line_says_counts_until_the_verifier_looks() -> None:
    loose = tasks.adapt(tasks.get("game24"), speaker({}), Settings(rules=False))
    wrong = ["13-9=6:4,10", "10-6=4:4"]
    assert loose.parse(PUZZLE, [], wrong[0]) == ("think", wrong[0])
    assert loose.state(PUZZLE, wrong[:1]) == "10 4 6"
    assert loose.parse(PUZZLE, wrong, "6*4=24") == ("answer", "6*4=24")
    assert loose.verify(PUZZLE, [*wrong, "6*4=24"]) is False
    assert loose.answer(PUZZLE, [*wrong, "6*4=24"]) == "6*4=24"
    right = ["13-9=4:4,10", "10-4=6:4", "6*4=24"]
    assert loose.verify(PUZZLE, right) is True
    assert loose.answer(PUZZLE, right) == "(10 - 4) * (13 - 9) = 24"


def test_the_model_is_told_apart_by_what_it_declares() -> None:
    assert isinstance(GAME, Puzzle)
    assert not isinstance(tasks.adapt(tasks.get("game24"), ScriptedModel({})), Puzzle)
    with pytest.raises(InputError, match=r"puzzle was trained on puzzles and knows nothing else"):
        tasks.adapt(tasks.get("qa"), speaker({}))
    with pytest.raises(InputError, match="was trained on poems"):
        tasks.adapt(tasks.get("game24"), speaker({}, notation=Notation("poem", "?", "+", "-", "~")))
    with pytest.raises(InputError, match="cannot follow a step that breaks its rules"):
        tasks.adapt(tasks.get("game24"), ScriptedModel({}), Settings(rules=False))


@pytest.mark.parametrize(
    ("question", "inside"),
    [
        ("4 9 10 = 24", True),
        ("1 99 3 4 5 = 100", True),
        ("4 9 = 13", False),
        ("1 2 3 4 5 6 7 = 20", False),
        ("1 2 100 = 20", False),
        ("1 2 3 = 0", False),
        ("1 2 3 = 101", False),
        ("1 2 -3 = 4", False),
    ],
)
def test_a_puzzle_outside_of_the_training_is_tried_and_the_person_is_told(question: str, inside: bool) -> None:
    task = tasks.adapt(tasks.get("countdown"), speaker({}))
    remarks = task.remarks(task.read(question))
    assert (not remarks) is inside
    assert all("trained on 3 to 5 numbers from 1 to 99 and targets from 1 to 100" in remark for remark in remarks)
    model = speaker(lambda prompt, seed, sampling: "nonsense\n", scores=lambda text, candidate: 0.5)
    result = coat.solve(question, task="countdown", model=model, tokens=100)
    assert (result.correct, result.remarks) == (False, remarks)


def test_the_model_judges_its_own_line_by_its_own_tag() -> None:
    asked = []

    def score(text: str, candidate: str) -> float:
        asked.append((text, candidate))
        return {"+": 0.6, "-": 0.2}[candidate]

    line = {"13\n": ["13-9=4:4,10\n"], ":4,10\n": ["10-4=6:4\n"], ":4\n": ["6*4=24\n"]}
    result = coat.solve("4 9 10 13", task="game24", model=speaker(line, score), width=1, parallel=1)
    assert (result.correct, result.path) == (True, ["13 - 9 = 4", "10 - 4 = 6", "6 * 4 = 24"])
    assert asked[:2] == [("24:4,9,10,13\n13-9=4:4,10\n?", "+"), ("24:4,9,10,13\n13-9=4:4,10\n?", "-")]
    # One token is read for a judgement: the line's end is the policy's own.
    assert result.usage.scored == 2
    assert result.tree[1].judged == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ([], "13-9=4:4,10"),
        ([], "9*13=117:4,10"),
        (["13 * 9 = 117", "117 * 10 = 1170"], "1170-4=1166"),
        (["13 - 9 = 4"], "~"),
    ],
)
def test_every_beginning_of_a_legal_line_is_possible(path: list[str], line: str) -> None:
    possible = GAME.possible(PUZZLE, path)
    assert possible is not None
    assert all(possible(line[:end]) for end in range(1, len(line) + 1))


@pytest.mark.parametrize(
    ("legal", "wrong"),
    [
        ("", "8"),
        ("1", "12"),
        ("13", "13 "),
        ("13-", "13-8"),
        ("13-", "13-13"),
        ("9-13", "9-13="),
        ("10/4", "10/4="),
        ("13-9=", "13-9=5"),
        ("13-9=4", "13-9=45"),
        ("13-9=4:", "13-9=4:9"),
        ("13-9=4:4,", "13-9=4:4,4"),
        ("13-9=4:4,10", "13-9=4:4,10,4"),
        ("10*13=1", "10*13=1:"),
        ("", "~~"),
    ],
)
def test_a_line_is_impossible_from_its_first_wrong_character_on(legal: str, wrong: str) -> None:
    possible = GAME.possible(PUZZLE, [])
    assert possible is not None
    assert not legal or possible(legal)
    assert not possible(wrong)


def test_the_task_brings_settings_that_a_user_may_change() -> None:
    model = speaker(lambda prompt, seed, sampling: "nonsense\n", scores=lambda text, candidate: 0.5)
    for given, width in (({}, 1), ({"width": 3}, 3), ({"strategy": "best_of_n"}, 4)):
        with coat.start("4 9 10 13", task="game24", model=model, tokens=100, **given) as solving:
            assert solving.settings.width == width
            solving.wait()


@pytest.mark.parametrize(
    ("path", "step", "written"),
    [
        ([], "13 - 9 = 4", "13-9=4:4,10"),
        ([], "13-9=4:4,10", "13-9=4:4,10"),
        ([], "9 + 4 = 13 (left: 10, 13, 13)", "9+4=13:10,13"),
        (["13 - 9 = 4", "10 - 4 = 6"], "6 * 4 = 24", "6*4=24"),
    ],
)
def test_what_a_person_writes_is_brought_into_the_notation(path: list[str], step: str, written: str) -> None:
    task = Puzzle("game24", 24, "<backtrack>")
    problem = task.read("4 9 10 13")
    assert task.notated(problem, path, step) == written
    assert task.parse(problem, path, written)[1] == step.partition(" (")[0].replace("13-9=4:4,10", "13 - 9 = 4")
    with pytest.raises(IllegalStepError, match="uses 5, which is not left"):
        task.notated(problem, [], "5 + 4 = 9")
