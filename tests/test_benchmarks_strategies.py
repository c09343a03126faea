"""The benchmark of the strategies: what it counts, by hand."""

import math

import pytest

from benchmarks import strategies
from coat import tasks
from coat.evaluation import Outcome
from coat.models.scripted import ScriptedModel


def outcome(tokens: int, *, correct: bool) -> Outcome:
    usage = {"generated": tokens - 1, "scored": 1, "replayed": 0}
    return Outcome(0, "q", None, "a", correct, True, None, "solved", 1.0, usage)


@pytest.mark.parametrize(
    ("accuracy", "tokens"),
    [
        (0.25, 10.0),  # a cap of 10 on each
        (0.5, (10 + 30 + 30 + 30) / 4),
        (0.75, (10 + 30 + 50 + 50) / 4),
        (1.0, math.inf),
        (0.0, 0.0),
    ],
)
def test_what_is_needed_is_the_mean_under_the_lowest_cap(accuracy: float, tokens: float) -> None:
    found = [
        outcome(10, correct=True),
        outcome(30, correct=True),
        outcome(50, correct=True),
        outcome(90, correct=False),
    ]
    assert strategies.needed(found, accuracy) == tokens


def test_a_cell_that_does_not_run_says_why() -> None:
    model = ScriptedModel({"": ["Answer: 7\n"]}, scores={"": {}})
    assert "judge" in strategies.cell(model, tasks.get("qa"), "coat")
    able = ScriptedModel({"": ["4 * 1 = 4\n"]})
    assert strategies.cell(able, tasks.get("game24"), "greedy") == ""


def test_every_kind_of_task_is_in_the_quick_matrix() -> None:
    kinds = {tasks.get(name).kind for name in strategies.QUICK_TASKS}
    assert kinds >= {"moves", "question", "program"}
    assert "majority" in strategies.COMPARED
