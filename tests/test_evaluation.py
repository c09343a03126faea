"""Measuring: outcomes in order whatever runs beside what, resumed from the journal, and figures that add up."""

import json
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coat import tasks
from coat.cli import app
from coat.comparison import Row, by_difficulty, compared, difficulty, draw, measured, table
from coat.data import problems
from coat.errors import InputError, ModelError
from coat.evaluation import Outcome, evaluate, summary
from coat.intervals import paired, wilson
from coat.journal import Journal
from coat.models import Sampling
from coat.models.scripted import ScriptedModel

GSM8K = tasks.get("gsm8k")


def read(*pairs: tuple[str, str]) -> list[Any]:
    """Problems of gsm8k: the question, and the number that answers it."""
    texts = [json.dumps({"question": question, "answer": f"#### {answer}"}) for question, answer in pairs]
    return [(text, GSM8K.read(text)) for text in texts]


def echo(prompt: str, seed: int, sampling: Sampling) -> str:
    """Answers with the number of letters of the last problem."""
    asked = prompt.rpartition("Problem: ")[2].partition("\n")[0]
    return f"Answer: {len(asked)}\n" if asked != "mute" else "Answer: none\n"


def outcome(number: int, *, correct: bool, tokens: int = 10) -> Outcome:
    usage = {"generated": tokens, "scored": 2, "recalled": 1, "unique_of": {"m": 100}, "replayed": 0, "unreadable": 1}
    return Outcome(number, "q", "1", "1", correct, True, None, "solved", 1.0, usage)


@pytest.mark.parametrize("jobs", [1, 3])
def test_outcomes_come_in_the_order_of_the_problems(jobs: int) -> None:
    asked = read(("four", "4"), ("three", "5"), ("five5", "6"), ("mute", "3"))
    model = ScriptedModel(echo, delay=lambda request: 0.002 * (len(str(request)) % 3))
    call = {"model": model, "strategy": "greedy", "evaluator": "logprob"}
    found = list(evaluate(asked, task="gsm8k", jobs=jobs, **call))
    assert [each.number for each in found] == [0, 1, 2, 3]
    assert [(each.answer, each.correct, each.readable) for each in found] == [
        ("4", True, True),
        ("5", True, True),
        ("5", False, True),
        ("none", False, False),  # counted as wrong, and as unreadable
    ]


def test_what_the_journal_holds_is_not_generated_again(tmp_path: Path) -> None:
    asked = read(("four", "4"), ("three", "5"))
    with_journal = {"strategy": "greedy", "evaluator": "logprob"}
    with closing(Journal(tmp_path / "journal.db")) as journal:
        first = list(evaluate(asked[:1], task="gsm8k", model=ScriptedModel(echo), journal=journal, **with_journal))
        again = list(evaluate(asked, task="gsm8k", model=ScriptedModel(echo), journal=journal, **with_journal))
    assert first[0].usage["generated"] > 0
    assert (again[0].usage["generated"], again[0].usage["replayed"]) == (0, first[0].usage["generated"])
    assert again[1].usage["generated"] > 0
    assert [each.correct for each in again] == [True, True]


def test_problems_that_nothing_can_check_are_refused() -> None:
    text = json.dumps({"question": "How many?"})
    with pytest.raises(InputError, match="has no answer to compare with"):
        list(evaluate([(text, GSM8K.read(text))], task="gsm8k", model=ScriptedModel(echo)))


def test_a_problem_that_does_not_fit_is_wrong_and_says_so() -> None:
    asked = read(("four", "4"), ("much " * 400, "3"), ("three", "5"))
    model = ScriptedModel(echo, context=1600)
    found = list(evaluate(asked, task="gsm8k", model=model, strategy="greedy", evaluator="logprob"))
    assert [each.correct for each in found] == [True, False, True]
    assert "shorten the prompt" in found[1].error
    assert summary(found, 1.0)["failed"] == 1


def test_a_summary_adds_up() -> None:
    found = summary([outcome(0, correct=True), outcome(1, correct=False, tokens=20)], 3.5, task="gsm8k")
    assert (found["accuracy"], found["n"], found["seconds"], found["task"]) == (0.5, 2, 3.5, "gsm8k")
    assert found["interval"] == [round(each, 4) for each in wilson(1, 2)]
    assert found["by_role"] == {"policy": 15.0, "judge": 2.0, "memory": 1.0, "replayed": 0.0}
    assert (found["tokens_per_problem"], found["unreadable_scores"]) == (17.0, 2)
    assert summary([], 0.0)["interval"] == [0.0, 1.0]


def test_intervals_are_those_of_the_textbook() -> None:
    low, high = wilson(8, 10)
    z = 1.959964
    middle, spread = (
        (0.8 + z * z / 20) / (1 + z * z / 10),
        z * math.sqrt(0.8 * 0.2 / 10 + z * z / 400) / (1 + z * z / 10),
    )
    assert (low, high) == (pytest.approx(middle - spread, abs=1e-6), pytest.approx(middle + spread, abs=1e-6))
    gap, below, above = paired([1, 1, 0, 1] * 10, [0, 1, 0, 1] * 10)
    assert gap == 0.25
    assert 0.1 <= below < 0.25 < above <= 0.4


def test_rows_are_held_to_the_first_strategy_at_the_same_budget() -> None:
    good = [outcome(number, correct=True) for number in range(8)]
    poor = [outcome(number, correct=number < 2) for number in range(8)]
    rows = [
        Row("", "greedy", 100, poor, 1.0, {"m": 1000}),
        Row("", "greedy", 200, good, 1.0, {"m": 1000}),
        Row("", "coat", 100, good, 4.0, {"m": 1000}),
        Row("", "coat", 200, good, 4.0, {"m": None}),
        Row("", "beam", 100, good[:3], 4.0),
    ]
    found = compared(rows)
    assert [row["difference"] and row["difference"][0] for row in found] == [None, None, 0.75, 0.0, None]
    assert (found[0]["flops"], found[3]["flops"]) == (2 * 1000 * 100, None)
    assert found[2]["seconds_per_problem"] == 0.5


def test_difficulty_is_the_share_of_sampled_lines_that_are_right() -> None:
    asked = read(("easy", "1"), ("even", "1"), ("hard", "1"))

    def guess(prompt: str, seed: int, sampling: Sampling) -> str:
        asked = prompt.rpartition("Problem: ")[2].partition("\n")[0]
        return f"Answer: {1 if asked == 'easy' or (asked == 'even' and seed % 4 == 0) else 2}\n"

    bins = difficulty(asked, 40, 2, task="gsm8k", model=ScriptedModel(guess), evaluator="logprob")
    assert bins == ["easy", "medium", "hard"]
    outcomes = [outcome(number, correct=number < 2) for number in range(3)]
    assert by_difficulty(outcomes, ["easy", "hard", "hard"]) == {
        "easy": {"n": 1, "accuracy": 1.0},
        "hard": {"n": 2, "accuracy": 0.5},
    }


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_comparison_can_be_drawn(suffix: str, tmp_path: Path) -> None:
    rows = compared([Row("", name, 100, [outcome(0, correct=True)], 1.0) for name in ("greedy", "coat")])
    draw(rows, tmp_path / f"plot.{suffix}", "gsm8k, 1 problem")
    data = (tmp_path / f"plot.{suffix}").read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    with pytest.raises(InputError, match="cannot write"):
        draw(rows, tmp_path / "none" / f"plot.{suffix}", "")


def test_a_comparison_is_a_table_without_empty_columns() -> None:
    good, poor = ([outcome(number, correct=correct) for number in range(8)] for correct in (True, False))
    rows = compared([Row("", "greedy", 100, poor, 1.0), Row("", "coat", 100, good, 1.0)])
    columns = ["strategy", "budget", "right", "95 %", "tokens", "seconds", "against greedy"]
    shown = table(rows).columns
    assert [column.header for column in shown if column.header != "GFLOP"] == columns
    assert list(shown[-1].cells) == ["", "+100.0% (+100.0% to +100.0%)"]
    alone = table(compared([Row("m", "greedy", 100, poor, 1.0)])).columns
    assert [column.header for column in alone if column.header != "GFLOP"] == ["model", *columns[:-1]]


def test_what_fills_its_budget_draws_lines_until_it_is_spent() -> None:
    problems = read(("easy", "1"))
    model = ScriptedModel(lambda prompt, seed, sampling: f"Answer: {seed % 7}\n")
    call = {"task": "gsm8k", "model": [model], "evaluator": "logprob"}
    few, many = measured(problems, ["greedy", "majority"], [2000], **call)
    assert few.outcomes[0].spent < 100 < 1000 < many.outcomes[0].spent <= 2000
    (three,) = measured(problems, ["majority"], [2000], n=3, **call)
    assert three.outcomes[0].spent < 100


def cli(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--no-journal"])


@pytest.mark.xdist_group("llama")
def test_the_puzzle_model_is_measured_on_made_up_puzzles(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    done = cli("eval", "--task", "game24", "--limit", "3", "--tokens", "300", "--json", "--out", str(lines))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["n"], found["task"], found["strategy"]) == (3, "game24", "coat")
    assert 0 <= found["interval"][0] <= found["accuracy"] <= found["interval"][1] <= 1
    assert found["tokens_per_problem"] <= 300
    assert len(lines.read_text("utf-8").splitlines()) == 3


@pytest.mark.xdist_group("llama")
def test_strategies_are_compared_on_the_same_puzzles(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    options = ["--task", "game24", "--limit", "3", "--tokens", "100,300", "--strategies", "greedy,coat", "--json"]
    done = cli("compare", *options, "--plot", str(plot))
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    assert [(row["strategy"], row["budget"]) for row in rows] == [
        ("greedy", 100),
        ("greedy", 300),
        ("coat", 100),
        ("coat", 300),
    ]
    assert [row["difference"] is None for row in rows] == [True, True, False, False]
    assert all(row["flops"] for row in rows)
    assert plot.exists()


@pytest.mark.xdist_group("llama")
@pytest.mark.parametrize("command", [["eval"], ["compare", "--strategies", "greedy"], ["tune"]])
def test_every_command_that_measures_takes_the_options_of_loading(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cli(*command, "--task", "game24", "--limit", "1", "--think", "on")
    assert isinstance(done.exception, ModelError)
    assert "no switch for thinking" in str(done.exception)
    monkeypatch.setenv("COAT_CACHE_TYPE", "q9")
    done = cli(*command, "--task", "game24", "--limit", "1")
    assert isinstance(done.exception, InputError)
    assert "q9" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval", "--task", "gsm8k"], "are not made up; name a file with --data"),
        (["eval", "--task", "none"], "there is no task 'none'"),
        (["eval", "--task", "game24", "--set", "depth=3"], "'depth=3' is none of"),
        (["eval", "--task", "game24", "--set", "width"], "'width' is none of"),
        (["eval", "--task", "game24", "--set", "width=many"], "width must be a whole number"),
        (["eval", "--task", "game24", "--data", "none.jsonl"], "cannot read none.jsonl"),
        (["compare", "--task", "game24", "--strategies", "greedy,none"], "there is no strategy 'none'"),
        (["compare", "--task", "game24", "--strategies", ","], "holds no name"),
        (["compare", "--task", "game24", "--strategies", "greedy", "--tokens", "1e3"], "a whole number from 1"),
        (["compare", "--task", "game24", "--strategies", "greedy", "--plot", "a.pdf"], "neither a .png nor a .svg"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], words: str) -> None:
    done = cli(*arguments)
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)


def test_a_file_of_another_task_is_refused_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text('{"question": "a", "answer": "#### 1"}\n\n{"input": "b"}\n', "utf-8")
    with pytest.raises(InputError, match=r"data.jsonl:3: this is not a JSON object with a \"question\""):
        problems(GSM8K, file)
    assert len(problems(GSM8K, file, limit=1)) == 1
