"""`coat tune`: what is measured, what is learnt from it by hand-computed cases, and a broken-off call that goes on."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from coat import auto, tasks, tuning
from coat.cli import app
from coat.errors import BackendError, InputError
from coat.journal import Journal
from coat.models import Sampling, Thinking
from coat.models.scripted import ScriptedModel
from coat.settings import Settings
from coat.tuning import Candidate, Measured

HARD = tuple("hard" + "d" * n for n in range(8))
GSM8K = tasks.get("gsm8k")
VOTE, TREE = Candidate("majority", {"n": 6, "vote": "majority"}), Candidate("beam", {"keep": 1})


def looked_at(label: str, results: Iterator[Any], count: int) -> Iterable[Any]:
    return results


def problems(*pairs: tuple[str, str]) -> list[Any]:
    texts = [json.dumps({"question": question, "answer": f"#### {answer}"}) for question, answer in pairs]
    return [(text, GSM8K.read(text)) for text in texts]


def half(prompt: str, seed: int, sampling: Sampling) -> str:
    """Answers with the length of the question, but "unsure" only every other time."""
    asked = prompt.rpartition("Problem: ")[2].partition("\n")[0]
    return f"Answer: {len(asked) if asked != 'unsure' or seed % 2 else seed}\n"


def measured(features: dict[str, float], pass_at_1: float, runs: dict[Any, tuple[bool, int]]) -> Measured:
    return Measured(pass_at_1, True, dict.fromkeys(auto.FEATURES, 0.0) | features, [], runs)


def world() -> list[Measured]:
    """Where the lines agree a vote is right and cheap; where they do not only a tree search is right."""
    found = []
    for number in range(24):
        easy = number % 4 < 2
        right = {(VOTE.name, False): easy, (TREE.name, False): not easy, (VOTE.name, True): easy}
        right |= {(TREE.name, True): not easy}
        runs = {(choice, 100): (hit, 30 if choice[0] == VOTE.name else 60) for choice, hit in right.items()}
        leader = (1.0 if easy else 0.0) + Random(number).random() / 100
        found.append(measured({"leader": leader}, 1.0 if easy else 0.0, runs))
    return found


def test_pass_at_1_features_and_candidates_are_measured() -> None:
    asked = problems(("sure", "4"), ("unsure", "6"), ("wrong", "9"))
    call = {"model": ScriptedModel(half), "evaluator": "logprob"}
    options: dict[str, Any] = {"task": "gsm8k", "samples": 8, "jobs": 2, "watch": looked_at}
    sure, unsure, wrong = tuning.measure(asked, [VOTE, TREE], [2000], **options, **call)
    assert (sure.pass_at_1, wrong.pass_at_1) == (1.0, 0.0)
    assert 0.1 < unsure.pass_at_1 < 0.9
    assert (sure.features["leader"], sure.features["distinct"]) == (1.0, 0.25)
    assert unsure.features["distinct"] > 0.25
    assert {each for each, _ in sure.runs} == {(each.name, lines) for each in (VOTE, TREE) for lines in (False, True)}
    assert sure.runs[(VOTE.name, True), 2000] == (True, 4 * len("Answer: 4\n"))  # decided by the lines
    assert not any(right for right, _ in wrong.runs.values())


def test_the_best_is_the_most_right_then_the_cheapest_then_the_first() -> None:
    runs = {"a": [(True, 9), (False, 9)], "b": [(True, 5), (False, 9)], "c": [(False, 1), (False, 1)]}
    found = [
        measured({}, 0.0, {((name, False), 10): each[number] for name, each in runs.items()}) for number in range(2)
    ]
    choices = [(name, False) for name in "abc"]
    assert tuning.best(found, choices, 10) == ("b", False)
    assert tuning.best(found, choices[::2], 10) == ("a", False)
    assert tuning.reached(found, [choices[1], choices[2]], 10) == tuning.Share(1, 2, 3.0)


def test_bins_get_what_serves_them_and_are_held_to_the_other_half() -> None:
    found = tuning.tune(world(), [VOTE, TREE], [100])
    (entry,) = found["budgets"]
    assert entry["lines"] == 4
    assert {name: each["strategy"] for name, each in entry["choices"].items()} == {
        "easy": "majority",
        "medium": entry["choices"]["medium"]["strategy"],
        "hard": "beam",
    }
    assert entry["after_lines"]["accuracy"] > 0.75  # the middle third is mixed
    assert (entry["single"]["strategy"], entry["single"]["accuracy"]) == ("majority", 0.5)
    assert sum(each["n"] for each in entry["choices"].values()) == 24
    assert all(isinstance(weight, float) for weight in found["difficulty"]["weights"].values())
    plan = auto.plan({"version": 1, "source": "", **found}, Settings())
    assert plan.difficulty is not None
    assert plan.difficulty.bin(dict.fromkeys(auto.FEATURES, 0.0) | {"leader": 1.02}) == "easy"
    assert plan.difficulty.bin(dict.fromkeys(auto.FEATURES, 0.0)) == "hard"


def test_lines_that_gain_nothing_are_not_drawn() -> None:
    found = world()
    for each in found:
        each.runs[(TREE.name, False), 100] = (True, 60)
    (entry,) = tuning.tune(found, [VOTE, TREE], [100])["budgets"]
    assert (entry["lines"], entry["choices"]["any"]["strategy"], entry["choices"]["any"]["accuracy"]) == (0, "beam", 1)


def test_a_regression_recovers_what_is_linear() -> None:
    lot = Random(1)
    found = [measured({"leader": lot.random(), "logprob": -lot.random()}, 0.0, {}) for _ in range(60)]
    for each in found:
        each.pass_at_1 = 0.2 + 0.5 * each.features["leader"] + 0.3 * each.features["logprob"]
    fitted = tuning.fit(found)
    assert fitted is not None
    weights = dict(zip(auto.FEATURES, fitted.weights, strict=True))
    assert (weights["leader"], weights["logprob"]) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.3, abs=0.02))
    assert fitted.intercept == pytest.approx(0.2, abs=0.02)
    assert [sum(fitted.bin(each) == name for each in found) for name in auto.BINS] == [20, 20, 20]
    assert tuning.fit(found[: tuning.FEWEST - 1]) is None


def test_a_broken_off_call_replays_what_it_has(tmp_path: Path) -> None:
    asked = problems(("sure", "4"), ("unsure", "6"))
    options: dict[str, Any] = {"task": "gsm8k", "samples": 4, "jobs": 1, "watch": looked_at, "evaluator": "logprob"}

    def run(model: ScriptedModel) -> list[Measured]:
        with closing(Journal(tmp_path / "journal.db")) as journal:
            return tuning.measure(asked, [TREE], [500], model=model, journal=journal, **options)

    with pytest.raises(BackendError):
        run(ScriptedModel(half, fail_after=3))
    rest = ScriptedModel(half)
    first = run(rest)
    assert run(ScriptedModel(half, fail_after=0)) == first
    whole = tuning.measure(asked, [TREE], [500], model=(fresh := ScriptedModel(half)), **options)
    assert whole == first
    assert rest._requests < fresh._requests


def test_what_cannot_be_measured_is_left_out_with_a_sentence() -> None:
    model = ScriptedModel({})
    fine, left_out = tuning.possible([Candidate("draft"), Candidate("coat")], model)
    assert ([each.name for each in fine], left_out) == (["coat"], ["draft is left out: auto cannot choose it"])
    with pytest.raises(InputError, match="auto cannot change 'tokens'"):
        tuning.possible([Candidate("beam", {"tokens": 3})], model)


def test_what_thoughts_may_cost_is_tried_of_a_model_that_thinks() -> None:
    model = ScriptedModel({}, thinking=Thinking("<think>\n", "</think>", opened=True))
    tried = tuning.spending([Candidate("coat"), Candidate("majority", {"n": 4, "max_think": 64})], model)
    assert [each.name for each in tried] == [
        "coat:max_think=1",
        "coat:max_think=256",
        "coat:max_think=1024",
        "majority:n=4:max_think=64",
    ]
    assert tuning.possible(tried, model) == (tried, [])
    with pytest.raises(InputError, match="scripted declares no markers of thoughts, on which auto could spend"):
        tuning.spending([Candidate("coat")], ScriptedModel({}))


def test_auto_learns_what_thoughts_are_worth() -> None:
    """A model that is right only where it has thought for long enough, on the questions that say that they are hard."""

    def think(prompt: str, seed: int, sampling: Sampling) -> str:
        text = prompt.rpartition("Problem: ")[2]
        if "</think>" not in text:
            return f"{text.count('and on')} {seed % 7} and on.\n\n"
        asked = text.partition("\n")[0]
        right = "hard" not in asked or text.partition("</think>")[0].count("and on") >= 4
        return f"Answer: {len(asked) if right else seed}"

    model = ScriptedModel(think, thinking=Thinking("<think>\n", "</think>", opened=True))
    asked = problems(*((text, str(len(text))) for text in (*("easy" + "y" * n for n in range(8)), *HARD)))
    some = [Candidate("majority", {"n": 12, "vote": "majority", "max_think": most}) for most in (1, 100)]
    options: dict[str, Any] = {"task": "gsm8k", "samples": 4, "jobs": 1, "watch": looked_at, "evaluator": "logprob"}
    found = tuning.measure(asked, some, [5000], model=model, max_think=1, **options)
    assert [each.pass_at_1 for each in found] == [1.0] * 8 + [0.0] * 8
    reached = {most.name: sum(each.runs[(most.name, False), 5000][0] for each in found) for most in some}
    assert reached == {some[0].name: 8, some[1].name: 16}
    cheap = [each.runs[(some[0].name, False), 5000][1] for each in found]
    assert max(cheap) < min(each.runs[(some[1].name, False), 5000][1] for each in found)
    entry = tuning.tune(found, some, [5000])["budgets"][0]
    assert entry["single"]["knobs"]["max_think"] == 100
    assert {name: choice["knobs"]["max_think"] for name, choice in entry["choices"].items()} == {
        "easy": 1,
        "medium": 100,
        "hard": 100,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--think", "auto"], "declares no markers of thoughts"),
        (["--strategies", "none"], "there is no strategy 'none'"),
        (["--strategies", "beam:keep"], "write 'keep' as NAME=VALUE"),
        (["--strategies", "beam:tokens=3"], "auto cannot change 'tokens'"),
        (["--strategies", "draft"], "no strategy is left"),
        (["--tokens", "many"], "a whole number from 1"),
        (["--samples", "0"], "samples must be at least 1"),
    ],
)
@pytest.mark.xdist_group("llama")
def test_what_is_wrong_is_said(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["tune", "--task", "game24", "--limit", "2", "--no-journal", *arguments])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)


@pytest.mark.xdist_group("llama")
def test_the_puzzle_model_is_tuned_and_auto_takes_it_up(tmp_path: Path) -> None:
    file = tmp_path / "tuned.json"
    options = ["--task", "game24", "--tokens", "200", "--no-journal", "--json"]
    done = CliRunner().invoke(
        app, ["tune", *options, "--limit", "6", "--strategies", "coat,majority", "--samples", "4", "--out", str(file)]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text("utf-8"))
    assert (found["task"], found["model"], found["problems"], found["samples"]) == ("game24", "puzzle", 6, 4)
    assert json.loads(done.stdout) == found
    solved = CliRunner().invoke(app, ["solve", "1 2 3 4", *options, "--strategy", "auto", "--tuned", str(file)])
    assert solved.exit_code == 0, solved.output
    result = json.loads(solved.stdout)
    assert "tuned on 6 problems" in result["remarks"][-1]
    assert result["usage"]["generated"] + result["usage"]["scored"] <= 200
