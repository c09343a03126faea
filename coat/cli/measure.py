"""`coat eval` and `coat compare`: how many problems of a task come out right, and what they cost."""

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.solve import AsJson, JournalFile, Model, NoJournal, Offline, open_journal
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.evaluation import Outcome
    from coat.journal import Journal

Data = Annotated[Path | None, typer.Option(help="Problems in the task's public format; default: made up.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch the task's public file, once, into the cache.")]
Limit = Annotated[int | None, typer.Option(help="Only the first so many problems; of made-up ones 50.")]
Jobs = Annotated[int, typer.Option(help="Problems that are solved beside each other.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A setting, as NAME=VALUE; more than once if need be.")]
MADE_UP = 50
FILLING, MOST_LINES = ("majority", "best_of_n"), 4096
"""Strategies that `compare` lets draw lines until the budget is spent, unless somebody says how many."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for name, command in (("eval", evaluate), ("compare", compare)):
        app.command(name)(command)


def evaluate(
    *,
    task: Annotated[str, typer.Option(help="What kind of problems; `coat tasks` lists them.")],
    data: Data = None,
    download: Download = False,
    model: Model = None,
    strategy: Annotated[str, typer.Option(help="How to search; `coat strategies` lists them.")] = "coat",
    evaluator: Annotated[str, typer.Option(help="Who judges steps: self, prm, verifier, logprob.")] = "self",
    prm: Annotated[str | None, typer.Option(help="The judge's model, for --evaluator prm.")] = None,
    memory: Annotated[Path | None, typer.Option(help="A memory file whose facts are recalled.")] = None,
    tuned: Annotated[Path | None, typer.Option(help="Of --strategy auto: what `coat tune --out` wrote.")] = None,
    tokens: Annotated[int, typer.Option(help="The token budget of a problem, generated + scored.")] = 8192,
    limit: Limit = None,
    jobs: Jobs = 4,
    seed: Annotated[int, typer.Option(help="Another seed, another search.")] = 0,
    settings: Set = None,
    out: Annotated[Path | None, typer.Option(help="Write a line of JSON for each problem to this file.")] = None,
    offline: Offline = False,
    journal: JournalFile = None,
    no_journal: NoJournal = False,
    as_json: AsJson = False,
) -> None:
    """Measure one strategy on a task's problems. Broken off, the same command goes on where the journal ends."""
    from coat.evaluation import evaluate as evaluated
    from coat.evaluation import summary

    call = {"strategy": strategy, "evaluator": evaluator, "tokens": tokens, "seed": seed, **settings_in(settings or [])}
    call |= {} if tuned is None else {"tuned": tuned}
    with ExitStack() as stack:
        problems = read_problems(task, data, limit, seed, download)
        log = stack.enter_context(closing(open_journal(journal, no_journal)))
        shared = loaded(stack, task, model, log, prm, memory)
        began = time.monotonic()
        running = evaluated(problems, task=task, jobs=jobs, **shared, **call)
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


def compare(
    *,
    task: Annotated[str, typer.Option(help="What kind of problems; `coat tasks` lists them.")],
    strategies: Annotated[str, typer.Option(help="Names, with commas between; the first is what others are held to.")],
    tokens: Annotated[str, typer.Option(help="Token budgets of a problem, with commas between.")] = "256,1024,4096",
    models: Annotated[str | None, typer.Option(help="Models, with commas between; default: the task's.")] = None,
    data: Data = None,
    download: Download = False,
    evaluator: Annotated[str, typer.Option(help="Who judges steps: self, prm, verifier, logprob.")] = "self",
    limit: Limit = None,
    jobs: Jobs = 4,
    seed: Annotated[int, typer.Option(help="Another seed, another search.")] = 0,
    samples: Annotated[int, typer.Option(help="Tell difficulty by so many sampled lines of the first model.")] = 0,
    settings: Set = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy against tokens: a .png or .svg file.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a line of JSON for each problem and run to this file.")
    ] = None,
    offline: Offline = False,
    journal: JournalFile = None,
    no_journal: NoJournal = False,
    as_json: AsJson = False,
) -> None:
    """Measure strategies and models against one another on the same problems, at equal token budgets."""
    from coat.comparison import Row, by_difficulty, compared, difficulty, draw
    from coat.evaluation import evaluate as evaluated
    from coat.models.catalog import parameters
    from coat.strategies import get

    chosen, budgets = names_in(strategies), [count_of(each) for each in names_in(tokens)]
    changed = settings_in(settings or [])
    for name in chosen:
        get(name)
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise InputError(f"{plot} is neither a .png nor a .svg file")
    rows: list[Row] = []
    bins: list[str] = []
    with ExitStack() as stack:
        problems = read_problems(task, data, limit, seed, download)
        log = stack.enter_context(closing(open_journal(journal, no_journal)))
        for model in names_in(models) if models else [None]:
            with ExitStack() as each:
                shared = loaded(each, task, model, log)
                if samples and not bins:
                    bins = difficulty(problems, samples, jobs, task=task, seed=seed, **shared)
                for name, budget in itertools.product(chosen, budgets):
                    call = {"strategy": name, "evaluator": evaluator, "tokens": budget, "seed": seed}
                    call |= {**({"n": MOST_LINES} if name in FILLING else {}), **changed}
                    began = time.monotonic()
                    running = evaluated(problems, task=task, jobs=jobs, **shared, **call)
                    label = f"{name}, {budget} tokens" + (f", {model}" if model else "")
                    outcomes = list(_watched(running, len(problems), label, out, {"run": label}))
                    taken = time.monotonic() - began
                    weights = {one.name: parameters(one.name) for one in shared["model"]}
                    rows.append(Row(model or "", name, budget, outcomes, taken, weights))
    found = compared(rows)
    for row, figures in zip(rows, found, strict=True):
        figures |= {"by_difficulty": by_difficulty(row.outcomes, bins)} if bins else {}
    if plot is not None:
        draw(found, plot, f"{task}, {len(problems)} problems")
    if as_json:
        sys.stdout.write(json.dumps({"task": task, "n": len(problems), "rows": found}, ensure_ascii=False) + "\n")
    else:
        _table(found, rows[0].strategy)


def loaded(
    stack: ExitStack,
    task: str,
    model: str | None,
    journal: "Journal",
    prm: str | None = None,
    memory: Path | None = None,
) -> dict[str, Any]:
    """What all problems share, loaded once and closed with `stack`; see `coat.evaluation.evaluate`."""
    from coat import tasks
    from coat.api import open_memory, open_models, several

    together, judge = open_models(stack, several(tasks.get(task).model if model is None else model), prm, {})
    return {"model": together, "prm": judge, "memory": open_memory(stack, memory), "journal": journal}


def read_problems(task: str, data: Path | None, limit: int | None, seed: int, download: bool = False) -> list[Any]:
    """The problems in a file, in the public file, which `download` fetches, or made up.

    Raises:
        InputError: there is no file and the task makes up no problems, or what `coat.data.problems` and
            `coat.downloads.download` say.
    """
    from random import Random

    from coat import data as files
    from coat import downloads, tasks

    rules = tasks.get(task)
    if data is not None and download:
        raise InputError("--data names a file and --download fetches one; leave out either")
    if data is not None or download:
        return files.problems(rules, data or downloads.download(task, rules.source), limit)
    lot = Random(seed)
    made = [rules.generate(lot) for _ in range(limit or MADE_UP)]
    if None in made:
        fetched = " or fetch it with --download" if downloads.public_file(task) else ""
        raise InputError(
            f"problems of {task!r} are not made up; name a file with --data (from {rules.source}){fetched}"
        )
    return [(text, rules.read(text)) for text in made if text is not None]


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


def settings_in(given: Sequence[str]) -> dict[str, Any]:
    """Settings as NAME=VALUE; values are numbers, true and false, none, or words."""
    from coat.settings import Settings

    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in Settings.__dataclass_fields__:
            known = ", ".join(Settings.__dataclass_fields__)
            raise InputError(f"--set takes NAME=VALUE, and {each!r} is none of: {known}")
        found[name] = value_of(value)
    return found


def value_of(text: str) -> Any:
    """A number, true, false or none, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def names_in(text: str) -> list[str]:
    """The names in a text with commas between them; InputError where it holds none."""
    found = [each.strip() for each in text.split(",") if each.strip()]
    if not found:
        raise InputError(f"{text!r} holds no name; write them with commas between")
    return found


def count_of(text: str) -> int:
    """A token budget; InputError where it is none."""
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"a token budget is a whole number from 1, not {text!r}")
    return int(text)


def _table(rows: Sequence[dict[str, Any]], baseline: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in (
        "model",
        "strategy",
        "budget",
        "right",
        "95 %",
        "tokens",
        "GFLOP",
        "seconds",
        f"against {baseline}",
        "",
    ):
        table.add_column(title, justify="left" if title in ("model", "strategy") else "right")
    for row in rows:
        low, high = row["interval"]
        parts = (f"{name} {each['accuracy']:.0%} of {each['n']}" for name, each in row.get("by_difficulty", {}).items())
        gap = row["difference"]
        against = "" if gap is None else f"{gap[0]:+.1%} ({gap[1]:+.1%} to {gap[2]:+.1%})"
        flops = "" if row["flops"] is None else f"{row['flops'] / 1e9:.3g}"
        table.add_row(
            row["model"],
            row["strategy"],
            str(row["budget"]),
            f"{row['accuracy']:.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{row['tokens_per_problem']:.0f}",
            flops,
            f"{row['seconds_per_problem']:.2f}",
            against,
            ", ".join(parts),
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
