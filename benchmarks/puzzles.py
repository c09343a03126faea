"""What the puzzle model and the search over it reach: `python -m benchmarks.puzzles --json`."""

import itertools
import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

import coat
from benchmarks import puzzle_judge, puzzle_sets
from benchmarks.command import report
from benchmarks.puzzle_sets import Puzzle
from coat.intervals import paired, wilson
from coat.models import LanguageModel
from coat.models.catalog import load, resolve
from coat.models.header import read_header
from coat.tasks.puzzle import Puzzle as Task

DATA = Path("../shared/data")
SMALL = Path(__file__).parent / "puzzle-small.gguf"
CELLS = 2048
"""Small: every row attends to all of the cache, and for a model as small as this that is most of the work."""
BEST_OF = 64
UNVERIFIED = 100
"""Puzzles of a set on which the rows without a verifier are measured, but for the vote, which has no other."""
MEAN_TOKENS, FEW_TOKENS = 2000, 250
CAP = 8000
"""The budget of one search; means are kept below `MEAN_TOKENS` by counting only what came within a lower cap."""
FLOPS_CAP = 4000
"""The budget of the smaller model's search."""

SEARCH: dict[str, Any] = {"strategy": "coat", "parallel": 1, **Task.knobs["coat"]}
"""Chosen on puzzles that are not among the measured ones; see `benchmarks/README.md`."""
ROWS: dict[str, dict[str, Any]] = {
    "greedy": {"strategy": "greedy"},
    "best_of_n": {"strategy": "best_of_n", "width": BEST_OF, "parallel": 64},
    "majority": {"strategy": "majority", "width": BEST_OF, "parallel": 64},
    "beam": {"strategy": "beam", "keep": 6, "width": 10, "parallel": 6},
    "self_backtracking": {
        "strategy": "self_backtracking",
        "evaluator": "logprob",
        "width": 32,
        "backtracks": 1,
        "parallel": 32,
    },
    "coat": SEARCH,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One puzzle's run: whether its answer is right, and what it cost.

    `rows` are the distinct token prefixes, the least that had to be decoded; an engine that shares prefixes decodes no
    more.
    """

    solved: bool
    tokens: int
    steps: int
    rows: int
    illegal: int
    seconds: float


_model: LanguageModel
"""The model of a solver's process."""


class Solvers:
    """Processes that solve puzzles with one model, one process a core: a model as small as this fills one."""

    def __init__(self, model: str) -> None:
        self._pool = ProcessPoolExecutor(
            os.cpu_count(), multiprocessing.get_context("spawn"), initializer=_open, initargs=(model,)
        )

    def ask(self, puzzles: Sequence[Puzzle], knobs: dict[str, Any], name: str) -> list[Outcome]:
        """Run all puzzles, with a progress bar and then a line on standard error."""
        console = Console(stderr=True)
        running = self._pool.map(_ask, puzzles, itertools.repeat(knobs))
        outcomes = list(track(running, name, len(puzzles), console=console, transient=True))
        solved, tokens = sum(each.solved for each in outcomes), np.mean([each.tokens for each in outcomes])
        console.print(f"{name}: {solved} of {len(outcomes)}, {tokens:.0f} tokens a puzzle", highlight=False)
        return outcomes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _open(name: str) -> None:
    """Load the model of this process."""
    global _model
    _model = load(name, cells=CELLS)


def _ask(puzzle: Puzzle, knobs: dict[str, Any]) -> Outcome:
    """Run one puzzle."""
    result = coat.solve(puzzle.question, task=puzzle.task, model=_model, **{"tokens": CAP, **knobs})
    usage = result.usage
    steps = len(result.tree) - 1
    return Outcome(bool(result.correct), usage.spent, steps, usage.unique, usage.illegal, usage.seconds)


def capped(outcomes: Sequence[Outcome], mean: float) -> tuple[list[bool], float, int]:
    """What is solved within the highest cap on a puzzle's tokens under which they cost at most `mean` on average.

    Returns:
        Solved or not, the mean tokens, the cap.
    """
    tokens = np.array([each.tokens for each in outcomes])
    caps = np.unique(tokens)
    means = np.minimum(tokens, caps[:, None]).mean(axis=1)
    fitting = np.flatnonzero(means <= mean)
    cap = int(caps[fitting[-1]]) if len(fitting) else int(mean)
    return [each.solved and each.tokens <= cap for each in outcomes], float(np.minimum(tokens, cap).mean()), cap


def share(solved: Iterable[bool]) -> dict[str, Any]:
    """The share solved with its 95 % Wilson interval."""
    flags = list(solved)
    low, high = wilson(sum(flags), len(flags))
    return {"accuracy": _round(sum(flags) / len(flags)), "wilson": [_round(low), _round(high)]}


def difference(first: Sequence[bool], second: Sequence[bool]) -> dict[str, Any]:
    """The mean difference of two rows on the same puzzles, with its paired 95 % bootstrap interval."""
    gain, low, high = paired(first, second)
    return {"gain": _round(gain), "interval": [_round(low), _round(high)]}


def _round(value: float) -> float:
    return round(float(value), 4)


def describe(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Accuracy and mean costs of a row on a set."""
    return share(each.solved for each in outcomes) | {
        name: round(float(np.mean([getattr(each, name) for each in outcomes])), 1)
        for name in ("tokens", "steps", "rows", "illegal", "seconds")
    }


def token_ratio(search: Sequence[Outcome], sampled: Sequence[Outcome]) -> float | None:
    """Mean tokens with which the search is as accurate as best-of-N, over best-of-N's; None where it never is."""
    goal = sum(each.solved for each in sampled)
    found = sorted(each.tokens for each in search if each.solved)
    if len(found) < goal:
        return None
    cap = found[goal - 1] if goal else 0
    spent = np.mean([min(each.tokens, cap) for each in search])
    return _round(float(spent / np.mean([each.tokens for each in sampled])))


def rows_of(solvers: Solvers, sets: dict[str, list[Puzzle]], detail: dict[str, Any]) -> dict[str, Any]:
    """Every row on every set, with and without the verifier that stops at a solution; the outcomes with it.

    A vote has no use for a verifier.
    """
    found: dict[str, dict[str, list[Outcome]]] = {}
    for row, knobs in ROWS.items():
        for name, puzzles in sets.items():
            for verify in (True, False) if row != "majority" else (False,):
                kind = "verified" if verify else "unverified"
                limit = CAP if verify else MEAN_TOKENS
                asked = puzzles if verify or row == "majority" else puzzles[:UNVERIFIED]
                outcomes = solvers.ask(asked, knobs | {"verify": verify, "tokens": limit}, f"{row} {name} {kind}")
                detail.setdefault(row, {}).setdefault(name, {})[kind] = describe(outcomes)
                if verify:
                    found.setdefault(row, {})[name] = outcomes
    return found


def search_figures(
    found: dict[str, dict[str, list[Outcome]]], sets: dict[str, list[Puzzle]], detail: dict[str, Any]
) -> dict[str, Any]:
    """The figures that follow from the rows."""
    figures: dict[str, Any] = {}
    for key, mean in (("coat", MEAN_TOKENS), ("coat_250", FEW_TOKENS)):
        figures[key] = {}
        for name, outcomes in found["coat"].items():
            solved, spent, cap = capped(outcomes, mean)
            figures[key][name] = share(solved)["accuracy"]
            detail.setdefault(key, {}).setdefault(name, {})["mean_capped"] = share(solved) | {
                "tokens": round(spent, 1),
                "cap": cap,
            }
    figures["random_legal"] = {}
    for name, puzzles in sets.items():
        _, _, cap = capped(found["coat"][name], MEAN_TOKENS)
        steps = [round(each.steps * min(1.0, cap / max(1, each.tokens))) for each in found["coat"][name]]
        played = puzzle_sets.random_play(puzzles, steps)
        figures["random_legal"][name] = share(played)["accuracy"]
        detail.setdefault("random_legal", {})[name] = share(played) | {"steps": round(float(np.mean(steps)), 1)}
    for row in ("greedy", "best_of_n", "majority", "beam", "self_backtracking"):
        kind = "unverified" if row == "majority" else "verified"
        figures[row] = {name: detail[row][name][kind]["accuracy"] for name in sets}
    figures["token_ratio"] = token_ratio(found["coat"]["countdown4"], found["best_of_n"]["countdown4"])
    return figures


def ablations(solvers: Solvers, sets: dict[str, list[Puzzle]], detail: dict[str, Any]) -> dict[str, Any]:
    """The search with parts of it switched off, on Countdown with four numbers and at a small budget."""
    puzzles = sets["countdown4"]
    knobs = SEARCH | {"tokens": 2 * FEW_TOKENS}
    whole = solvers.ask(puzzles, knobs, "coat, small budget")
    detail["ablations"] = {"whole": describe(whole)}
    changes: dict[str, dict[str, Any]] = {
        "episodes_off": {"episodes": False},
        "rules_off": {"rules": False},
        "judge_off": {"evaluator": "logprob"},
    }
    figures = {}
    for name, change in changes.items():
        outcomes = solvers.ask(puzzles, knobs | change, name)
        gap = difference([each.solved for each in whole], [each.solved for each in outcomes])
        detail["ablations"][name] = describe(outcomes) | gap
        figures[name] = gap["gain"]
    return {"episodic_gain": figures["episodes_off"]}


def flops_matched(larger: Solvers, smaller: Solvers, ratio: float, puzzles: Sequence[Puzzle]) -> dict[str, Any]:
    """Search with the smaller model against the larger one's samples, a larger model's token costing `ratio` tokens."""
    found: dict[str, Any] = {}
    searched = smaller.ask(puzzles, SEARCH | {"tokens": FLOPS_CAP}, "smaller model, search")
    for name, knobs in (("greedy", ROWS["greedy"]), *((f"best_of_{n}", _best_of(n)) for n in (4, 16))):
        sampled = larger.ask(puzzles, knobs, f"larger model, {name}")
        mean = ratio * float(np.mean([each.rows for each in sampled]))
        solved, spent, _ = capped([_by_rows(each) for each in searched], mean)
        gap = difference(solved, [each.solved for each in sampled])
        found[name] = gap | {
            "larger": share(each.solved for each in sampled),
            "smaller": share(solved),
            "rows_allowed": round(mean),
            "rows": round(spent),
        }
    return found


def _best_of(n: int) -> dict[str, Any]:
    return {"strategy": "best_of_n", "width": n, "parallel": n}


def _by_rows(outcome: Outcome) -> Outcome:
    """The outcome with rows decoded in the place of tokens."""
    return Outcome(outcome.solved, outcome.rows, 0, 0, 0, 0.0)


def measure(data: Path, model_name: str, small_name: str, quick: bool) -> dict[str, Any]:
    """All figures; `detail` holds intervals, costs and ablations."""
    counts = (20, 20, 6) if quick else (100, 500, 200)
    sets = {
        "game24": puzzle_sets.game24(data)[:: 100 // counts[0]],
        "countdown4": puzzle_sets.countdown(4, counts[1]),
        "countdown5": puzzle_sets.countdown(5, counts[2]),
    }
    started = time.monotonic()
    detail: dict[str, Any] = {"puzzles": {name: len(puzzles) for name, puzzles in sets.items()}}
    load(small_name).close()
    weights, fewer = (read_header(resolve(name).path).parameters for name in (model_name, small_name))
    ratio = weights / fewer
    model = load(model_name, cells=CELLS)
    try:
        figures: dict[str, Any] = dict(puzzle_judge.figures(model, 100 if quick else 500, detail))
    finally:
        model.close()
    with Solvers(model_name) as solvers:
        found = rows_of(solvers, sets, detail)
        figures |= search_figures(found, sets, detail)
        figures |= ablations(solvers, sets, detail)
        with Solvers(small_name) as smaller:
            detail["flops_matched"] = flops_matched(solvers, smaller, ratio, sets["countdown4"])
        detail["flops_matched"]["ratio"] = round(ratio, 2)
        figures["flops_matched"] = detail["flops_matched"]["best_of_16"]["gain"]
    figures["megabytes"] = round(resolve(model_name).path.stat().st_size / 1e6, 2)
    detail["seconds"] = round(time.monotonic() - started)
    return figures | {"detail": detail}


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[bool, typer.Option(help="A small part of the sets, for a look in minutes.")] = False,
    data: Annotated[Path, typer.Option(help="The folder that holds game24/24.csv.")] = DATA,
    model: Annotated[str, typer.Option(help="The model that is measured.")] = "puzzle",
    small: Annotated[Path, typer.Option(help="A smaller one, for the comparison at equal FLOPs.")] = SMALL,
) -> None:
    """Measure the puzzle model and the search over it."""
    report(lambda: measure(data, model, str(small), quick), as_json=as_json)


if __name__ == "__main__":
    app()
