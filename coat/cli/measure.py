"""`coat eval` and `coat compare`: how many problems of a task come out right, and what they cost."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.measuring import Measuring, count_of, measuring, names_in
from coat.cli.options import AsJson, Model, takes
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.evaluation import Outcome


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for name, command in (("eval", evaluate), ("compare", compare)):
        app.command(name)(command)


@takes(given=measuring)
def evaluate(
    *,
    given: Measuring,
    model: Model = None,
    strategy: Annotated[str, typer.Option(help="How to search; `coat strategies` lists them.")] = "coat",
    memory: Annotated[Path | None, typer.Option(help="A memory file whose facts are recalled.")] = None,
    tuned: Annotated[Path | None, typer.Option(help="Of --strategy auto: what `coat tune --out` wrote.")] = None,
    tokens: Annotated[int, typer.Option(help="The token budget of a problem, generated + scored.")] = 8192,
    out: Annotated[Path | None, typer.Option(help="Write a line of JSON for each problem to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure one strategy on a task's problems. Broken off, the same command goes on where the journal ends."""
    from coat.evaluation import evaluate as evaluated
    from coat.evaluation import summary

    call = {"strategy": strategy, "tokens": tokens, **given.call}
    call |= {} if tuned is None else {"tuned": tuned}
    task = given.task
    with ExitStack() as stack:
        problems = given.problems()
        shared = given.load(stack, model, given.log(stack), memory)
        began = time.monotonic()
        running = evaluated(problems, jobs=given.jobs, **shared, **call)
        outcomes = list(_watched(running, len(problems), strategy, out))
    found = summary(outcomes, time.monotonic() - began, task=task, strategy=strategy, model=model, tokens=tokens)
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    low, high = found["interval"]
    sys.stdout.write(
        f"{strategy} on {task}: {found['accuracy']:.1%} of {found['n']} right (95 %: {low:.1%} to {high:.1%}),"
        f" {found['tokens_per_problem']:.0f} tokens a problem, {found['seconds']:.0f} s"
        + "".join(f", {found[name]} {name}" for name in ("unreadable", "failed") if found[name])
        + "\n"
    )


@takes(given=measuring)
def compare(
    *,
    given: Measuring,
    strategies: Annotated[str, typer.Option(help="Names, with commas between; the first is what others are held to.")],
    tokens: Annotated[str, typer.Option(help="Token budgets of a problem, with commas between.")] = "256,1024,4096",
    models: Annotated[str | None, typer.Option(help="Models, with commas between; default: the task's.")] = None,
    memory: Annotated[Path | None, typer.Option(help="A memory file whose facts are recalled.")] = None,
    samples: Annotated[int, typer.Option(help="Tell difficulty by so many sampled lines of the first model.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy against tokens: a .png or .svg file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a line of JSON for each problem and run to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure strategies and models against one another on the same problems, at equal token budgets."""
    from rich.console import Console

    from coat.comparison import Row, by_difficulty, compared, difficulty, draw, measured, table
    from coat.strategies import get

    chosen, budgets = names_in(strategies), [count_of(each) for each in names_in(tokens)]
    for name in chosen:
        get(name)
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise InputError(f"{plot} is neither a .png nor a .svg file")
    rows: list[Row] = []
    bins: list[str] = []

    def watch(outcomes: Iterator["Outcome"], label: str) -> Iterator["Outcome"]:
        return _watched(outcomes, len(problems), label, out, {"run": label})

    with ExitStack() as stack:
        problems = given.problems()
        log = given.log(stack)
        for model in names_in(models) if models else [None]:
            with ExitStack() as each:
                shared = given.load(each, model, log, memory)
                if samples and not bins:
                    bins = difficulty(problems, samples, given.jobs, seed=given.seed, **shared)
                call = {"name": model or "", "jobs": given.jobs, **shared, **given.call}
                rows += measured(problems, chosen, budgets, watch=watch, **call)
    found = compared(rows)
    for row, figures in zip(rows, found, strict=True):
        figures |= {"by_difficulty": by_difficulty(row.outcomes, bins)} if bins else {}
    if plot is not None:
        draw(found, plot, f"{given.task}, {len(problems)} problems")
    if as_json:
        sys.stdout.write(json.dumps({"task": given.task, "n": len(problems), "rows": found}, ensure_ascii=False) + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else 140).print(table(found))


def _watched(
    outcomes: Iterator["Outcome"], count: int, name: str, out: Path | None, more: dict[str, Any] | None = None
) -> Iterator["Outcome"]:
    """The outcomes as they come, with a progress bar on standard error and a line each in `out`.

    Ctrl-C ends it with what there is.
    """
    from rich.console import Console
    from rich.progress import track

    shown = track(outcomes, name, count, console=Console(stderr=True), transient=True)
    try:
        for each in shown:
            if out is not None:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**(more or {}), **each.as_dict()}, ensure_ascii=False) + "\n")
            yield each
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from error
    except KeyboardInterrupt:
        sys.stderr.write(f"coat: {name} was interrupted; the journal keeps what was done\n")
