"""`coat tune`: measure which strategy serves problems of which difficulty best, for `--strategy auto`."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.measuring import Measuring, count_of, measuring, names_in, value_of
from coat.cli.options import AsJson, Model, takes
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.models import LanguageModel
    from coat.tuning import Candidate


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("tune")(tune)


@takes(given=measuring)
def tune(
    *,
    given: Measuring,
    model: Model = None,
    strategies: Annotated[
        str | None, typer.Option(help="What may be chosen, with commas between: beam, or beam:keep=2:width=8.")
    ] = None,
    tokens: Annotated[str, typer.Option(help="Token budgets of a problem, with commas between.")] = "256,1024",
    samples: Annotated[int, typer.Option(help="Lines by which a problem's difficulty is measured.")] = 8,
    embed: Annotated[bool, typer.Option("--embed", help="Let questions' embeddings tell difficulty too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file; default: where --strategy auto looks.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the best strategy for each difficulty and budget. Broken off, the same command goes on where it ended."""
    from coat import auto, tuning

    if samples < 1:
        raise InputError(f"samples must be at least 1, not {samples}")
    budgets = sorted({count_of(each) for each in names_in(tokens)})
    with ExitStack() as stack:
        problems = given.problems()
        shared = given.load(stack, model, given.log(stack))
        shared["model"] = _one(shared["model"])
        named = _candidates(strategies)
        if given.options.get("think") == "auto":
            named = tuning.spending(named, shared["model"])
        candidates, left_out = tuning.possible(named, shared["model"])
        sys.stderr.write("".join(f"coat: {sentence}\n" for sentence in left_out))
        if not candidates:
            raise InputError("no strategy is left to choose from; name others with --strategies")
        options: dict[str, Any] = {"samples": samples, "jobs": given.jobs, "watch": _watched}
        measured = tuning.measure(problems, candidates, budgets, **options, **shared, **given.call)
        if embed:
            for each, vector in zip(measured, _embedded([problem.question for _, problem in problems]), strict=True):
                each.embedding = vector
        name = shared["model"].name
        about = {"task": given.task, "model": name, "evaluator": given.call["evaluator"], "problems": len(problems)}
        about |= {
            "samples": samples,
            "seed": given.seed,
            "measured": time.strftime("%Y-%m-%d"),
            "fingerprint": shared["model"].fingerprint,
        }
        about["pass_at_1"] = round(sum(each.pass_at_1 for each in measured) / max(1, len(measured)), 4)
        found = {"version": auto.VERSION, **about, **tuning.tune(measured, candidates, budgets)}
    file = out or auto.tuned_file(given.task, name)
    _write(file, found)
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    _table(found)
    sys.stdout.write(f"\nwritten to {file}\n")


def _one(models: Sequence["LanguageModel"]) -> "LanguageModel":
    if len(models) > 1:
        raise InputError("tune measures one model, by which auto then goes; name one")
    return models[0]


def _candidates(text: str | None) -> list["Candidate"]:
    """The candidates that a text names, or the short list; a name alone stands for all that the list has of it."""
    from coat.strategies import get
    from coat.tuning import CANDIDATES, Candidate

    found = []
    for each in names_in(text) if text else CANDIDATES:
        name, *knobs = each.split(":")
        get(name)
        if wrong := [knob for knob in knobs if "=" not in knob]:
            raise InputError(f"{each!r} is no candidate: write {wrong[0]!r} as NAME=VALUE, like beam:keep=2:width=8")
        pairs = (knob.split("=", 1) for knob in knobs)
        named = {key.strip().replace("-", "_"): value_of(value) for key, value in pairs}
        found += [Candidate(name, each) for each in ([named] if named else CANDIDATES.get(name, ({},)))]
    return found


def _watched(label: str, results: Iterator[Any], count: int) -> Iterable[Any]:
    """The results as they come, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import track

    return track(results, label, count, console=Console(stderr=True), transient=True)


def _embedded(questions: Sequence[str]) -> list[list[float]]:
    from memory import SentenceTransformerEmbedder

    with closing(SentenceTransformerEmbedder()) as embedder:
        return [[float(each) for each in vector] for vector in embedder.embed(questions)]


def _write(file: Path, found: Mapping[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from error


def _table(found: Mapping[str, Any]) -> None:
    """For each budget the choices with their cross-validated accuracy, and what the others reached."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("budget", "problems", "choice", "right", "95 %", "tokens", "n"):
        table.add_column(title, justify="left" if title in ("problems", "choice") else "right")
    for entry in found["budgets"]:
        rows = [(name, _name(choice), choice) for name, choice in entry["choices"].items()]
        rows += [("all", "by bin, after lines", entry["after_lines"])]
        rows += [("all", f"best single: {_name(entry['single'])}", entry["single"])]
        for name, choice, share in rows:
            right = "" if share["accuracy"] is None else f"{share['accuracy']:.1%}"
            low, high = share["interval"]
            figures = (right, f"{low:.1%} to {high:.1%}", f"{share['tokens']:.0f}", str(share["n"]))
            table.add_row(str(entry["tokens"]), name, choice, *figures)
    sys.stdout.write(
        f"{found['task']} with {found['model']}: {found['problems']} problems, pass@1 {found['pass_at_1']:.1%};"
        " accuracies are cross-validated\n\n"
    )
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _name(choice: Mapping[str, Any]) -> str:
    from coat.tuning import Candidate

    return Candidate(choice["strategy"], choice["knobs"]).name
