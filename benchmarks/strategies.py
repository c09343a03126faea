"""What the strategies reach at equal tokens, and whether each runs wherever it claims to."""

import math
import statistics
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import coat
from benchmarks import puzzle_sets
from benchmarks.command import report
from benchmarks.puzzle_sets import Puzzle
from coat import auto, tasks, tuning
from coat.comparison import Row, compared
from coat.errors import CoatError, no_such
from coat.evaluation import Outcome, evaluate, summary
from coat.intervals import paired
from coat.models import LanguageModel
from coat.problem import Problem
from coat.strategies import STRATEGIES
from coat.tasks import BBH, TASKS, Task
from coat.tuning import CANDIDATES, Candidate

DATA = Path("../shared/data")
CELL_TOKENS = 128
"""Tokens of a cell of the matrix."""
STEP_TOKENS = 24
"""The most tokens of a step there."""
REAL = "smollm2"
"""The model of the matrix."""
AUTO_TOKENS = 2000
"""The budget of a puzzle for `auto`, and for what it is held against, but for best-of-64."""
COMBINED_TOKENS = 1000
"""The budget of a puzzle where verifier and revisions are combined."""
CELLS = 4096
BUDGETS = (250, 1000)
QUICK_TASKS = ("game24", "qa", "humaneval", "trip")
"""One of each kind, and one whose steps are checked by several rules."""
COMPARED: dict[str, dict[str, Any]] = {
    "majority": {"strategy": "majority", "n": 64, "verify": False},
    "best_of_n": {"strategy": "best_of_n", "n": 64},
    "best_of_n by the judge": {"strategy": "best_of_n", "n": 64, "verify": False},
    "revise": {"strategy": "revise", "n": 16, "revisions": 4},
    "beam": {"strategy": "beam", "keep": 6, "width": 10},
    "dvts": {"strategy": "dvts", "n": 24, "width": 6},
    "rebase": {"strategy": "rebase", "n": 24},
    "particles": {"strategy": "particles", "n": 24, "balance": 0.2},
    "best_first": {"strategy": "best_first", "width": 8},
    "ab_mcts": {"strategy": "ab_mcts"},
    "self_backtracking": {"strategy": "self_backtracking", "n": 16, "evaluator": "logprob"},
    "coat": {"strategy": "coat", "parallel": 1},
}
"""What is compared; all but the first and the third have the verifier, which ends a search at a right answer."""


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def matrix(names: Sequence[str]) -> dict[str, Any]:
    """Every strategy on every task in `names` that it claims: what did not run, by task and strategy."""
    failures: dict[str, str] = {}
    cells = 0
    with coat.load(REAL) as model:
        for name in names:
            task = tasks.get(name)
            for strategy, each in STRATEGIES.items():
                if task.kind not in each.kinds:
                    continue
                cells += 1
                if failure := cell(model, task, strategy):
                    failures[f"{name}, {strategy}"] = failure
            say(f"matrix: {name}, {cells} cells, {len(failures)} failures")
    return {"cells": cells, "failures": failures}


def cell(model: LanguageModel, task: Task, strategy: str) -> str:
    """Why `strategy` does not run on the sample of `task`; empty where it does."""
    judged = "verifier" if task.verifies else "self"
    try:
        result = coat.solve(
            task.sample,
            task=task.name,
            model=model,
            strategy=strategy,
            evaluator=judged,
            tokens=CELL_TOKENS,
            step_tokens=STEP_TOKENS,
            width=2,
        )
    except CoatError as error:
        return str(error)
    if not 0 < result.usage.spent <= CELL_TOKENS:
        return f"{result.usage.spent} tokens were spent"
    return ""


def rows(model: LanguageModel, puzzles: Sequence[Puzzle], **knobs: Any) -> list[Outcome]:
    """The outcomes of one strategy over puzzles of one task."""
    task = puzzles[0].task
    begun = time.monotonic()
    found = list(evaluate(read(puzzles), task=task, model=model, jobs=4, **knobs))
    figures = summary(found, time.monotonic() - begun)
    named = {name: value for name, value in knobs.items() if name != "tuned"}
    say(f"{task}, {named}: {figures['accuracy']:.3f}, {figures['tokens_per_problem']:.0f} tokens")
    return found


def combined(model: LanguageModel, puzzles: Sequence[Puzzle]) -> dict[str, Any]:
    """Verifier and revisions together against the better of the two, at equal token budgets."""
    budget = {"tokens": COMBINED_TOKENS, "n": 8}
    verified = rows(model, puzzles, strategy="best_of_n", evaluator="verifier", **budget)
    revised = rows(model, puzzles, strategy="revise", evaluator="self", verify=False, **budget)
    both = rows(model, puzzles, strategy="revise", evaluator="verifier", **budget)
    better = max((verified, revised), key=lambda row: sum(each.correct for each in row))
    gain, low, high = paired([float(each.correct) for each in both], [float(each.correct) for each in better])
    shares = {name: summary(row, 0.0)["accuracy"] for name, row in (("verifier", verified), ("revisions", revised))}
    return {"gain": [round(each, 4) for each in (gain, low, high)], **shares, "both": summary(both, 0.0)["accuracy"]}


def read(puzzles: Sequence[Puzzle]) -> list[tuple[str, Problem]]:
    """Puzzles as their task reads them."""
    return [(each.question, tasks.get(each.task).read(each.question)) for each in puzzles]


def plan(model: LanguageModel, puzzles: Sequence[Puzzle], budgets: Sequence[int]) -> dict[str, Any]:
    """What `coat tune` makes of puzzles that are not measured on: a table for `auto`."""
    candidates = [Candidate(name, knobs) for name, each in CANDIDATES.items() for knobs in each]
    task = puzzles[0].task
    options: dict[str, Any] = {"task": task, "samples": 8, "jobs": 4, "watch": lambda label, found, count: found}
    measured = tuning.measure(read(puzzles), candidates, budgets, model=model, **options)
    return {"version": auto.VERSION, "source": f"{len(puzzles)} puzzles", **tuning.tune(measured, candidates, budgets)}


def needed(outcomes: Sequence[Outcome], accuracy: float) -> float:
    """The mean tokens a problem under the lowest cap on one's tokens that reaches `accuracy`; inf where none does."""
    goal = math.ceil(accuracy * len(outcomes) - 1e-9)
    found = sorted(each.spent for each in outcomes if each.correct)
    if len(found) < goal:
        return math.inf
    cap = found[goal - 1] if goal else 0
    return statistics.fmean(min(each.spent, cap) for each in outcomes)


def automatic(model: LanguageModel, sets: Mapping[str, tuple[list[Puzzle], list[Puzzle]]]) -> dict[str, Any]:
    """What `auto`, tuned on the first puzzles of each set, needs on the second for what others reach there.

    `best_of_64`: tokens for best-of-64's accuracy over best-of-64's own. `single`: the same for the single strategy
    that was best when tuned, which needs its accuracy too with as few tokens as a cap allows. Means over the sets.
    """
    detail: dict[str, Any] = {}
    for name, (calibration, held_out) in sets.items():
        table = plan(model, calibration, [AUTO_TOKENS])
        single = table["budgets"][0]["single"]
        chosen = rows(model, held_out, strategy="auto", tuned=table, tokens=AUTO_TOKENS)
        sampled = rows(model, held_out, strategy="best_of_n", n=64, tokens=8000)
        alone = rows(model, held_out, strategy=single["strategy"], tokens=AUTO_TOKENS, **single["knobs"])
        reached = {who: summary(row, 0.0)["accuracy"] for who, row in (("sampled", sampled), ("single", alone))}
        of_64 = needed(chosen, reached["sampled"]) / statistics.fmean(each.spent for each in sampled)
        of_single = needed(chosen, reached["single"]) / needed(alone, reached["single"])
        choices = {key: each["strategy"] for key, each in table["budgets"][0]["choices"].items()}
        detail[name] = {"choices": choices, "single": single["strategy"], "accuracy": summary(chosen, 0.0)["accuracy"]}
        detail[name] |= {"reached": reached, "best_of_64": round(of_64, 4), "single_ratio": round(of_single, 4)}
    ratios = {key: statistics.fmean(each[key] for each in detail.values()) for key in ("best_of_64", "single_ratio")}
    return {name: round(value, 4) for name, value in ratios.items()} | {"sets": detail}


def table(
    model: LanguageModel, puzzles: Sequence[Puzzle], budgets: Sequence[int], names: Collection[str] = COMPARED
) -> list[dict[str, Any]]:
    """The strategies `names` on the same puzzles at the same budgets, held to the first; see `coat.comparison`."""
    found = []
    for name, knobs in ((name, knobs) for name, knobs in COMPARED.items() if name in names):
        for tokens in budgets:
            begun = time.monotonic()
            outcomes = rows(model, puzzles, tokens=tokens, **knobs)
            found.append(Row("", name, tokens, outcomes, time.monotonic() - begun))
    kept = ("strategy", "budget", "accuracy", "interval", "tokens_per_problem", "difference")
    return [{name: row[name] for name in kept} for row in compared(found)]


def part(data: Path, names: Collection[str], count: int) -> dict[str, Any]:
    """The tables alone, of the strategies `names`."""
    if strange := [name for name in names if name not in COMPARED]:
        raise no_such("strategy", "strategies", strange[0], COMPARED)
    with coat.load("puzzle", cells=CELLS) as model:
        hard = table(model, puzzle_sets.game24(data)[:count], BUDGETS, names)
        return {"game24": hard, "countdown": table(model, puzzle_sets.countdown(4, count), BUDGETS, names)}


def measure(data: Path, quick: bool, only: str | None) -> dict[str, Any]:
    """All figures, or the tables of the strategies `only`; see `benchmarks/README.md`."""
    count = 8 if quick else 100
    if only is not None:
        return part(data, [name.strip() for name in only.split(",")], count)
    names = QUICK_TASKS if quick else [*TASKS, f"{BBH}word_sorting"]
    begun = time.monotonic()
    ran = matrix(names)
    detail: dict[str, Any] = {"matrix": ran}
    with coat.load("puzzle", cells=CELLS) as model:
        hard = puzzle_sets.game24(data)[:count]
        wide = puzzle_sets.countdown(4, count)
        detail["game24"] = table(model, hard, BUDGETS)
        detail["countdown"] = table(model, wide, BUDGETS)
        detail["combined"] = combined(model, wide)
        easy = puzzle_sets.game24(data, slice(400, 400 + count // 2))
        sets = {"game24": (easy, hard), "countdown": (puzzle_sets.countdown(4, count // 2, tuning=True), wide)}
        detail["auto"] = automatic(model, sets)
    detail["seconds"] = round(time.monotonic() - begun)
    return {
        "auto_token_ratio": detail["auto"]["best_of_64"],
        "auto_vs_best": detail["auto"]["single_ratio"],
        "combined_gain": detail["combined"]["gain"][0],
        "matrix_failures": len(ran["failures"]),
        "detail": detail,
    }


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[bool, typer.Option(help="A small part of it, for a look in minutes.")] = False,
    only: Annotated[str | None, typer.Option(help="The tables alone, of these strategies, with commas.")] = None,
    data: Annotated[Path, typer.Option(help="The folder that holds game24/24.csv.")] = DATA,
) -> None:
    """Measure the strategies against one another, and whether each runs wherever it claims to."""
    report(lambda: measure(data, quick, only), as_json=as_json)


if __name__ == "__main__":
    app()
