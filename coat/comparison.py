"""Strategies and models against one another: accuracy against tokens, FLOPs and seconds, on the same problems."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coat.errors import InputError
from coat.evaluation import SAMPLED, Outcome, evaluate, pass_at_1, results, summary
from coat.intervals import paired
from coat.models import LanguageModel
from coat.models.catalog import parameters
from coat.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

FILLING, MOST_LINES = ("majority", "best_of_n"), 4096
"""Strategies that draw lines until the budget is spent, unless somebody says how many."""
Watch = Callable[[Iterator[Outcome], str], Iterable[Outcome]]
"""(outcomes, what they are of) -> the same, as they come: a progress bar, or a file."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one strategy reached with one model and budget, in so many seconds.

    `parameters` are those of each model by its name, None where unknown.
    """

    model: str
    strategy: str
    budget: int
    outcomes: Sequence[Outcome]
    seconds: float
    parameters: Mapping[str, int | None] = field(default_factory=dict)


def measured(
    problems: Sequence[tuple[str, Problem]],
    strategies: Sequence[str],
    budgets: Sequence[int],
    *,
    model: Sequence[LanguageModel],
    name: str = "",
    jobs: int = 4,
    watch: Watch | None = None,
    **call: Any,
) -> list[Row]:
    """What each strategy reaches at each token budget on the same problems, with loaded models that work together.

    `name` is the model's in the rows, `call` as for `evaluate`. What fills its budget draws lines until it is spent,
    unless `n` is given.

    Raises:
        InputError, BackendError: as `evaluate`.
    """
    rows = []
    for strategy, budget in itertools.product(strategies, budgets):
        filling = {"n": MOST_LINES} if strategy in FILLING else {}
        began = time.monotonic()
        running = evaluate(problems, jobs=jobs, model=model, strategy=strategy, tokens=budget, **filling | call)
        label = f"{strategy}, {budget} tokens" + (f", {name}" if name else "")
        outcomes = list(running if watch is None else watch(running, label))
        weights = {each.name: _parameters(each) for each in model}
        rows.append(Row(name, strategy, budget, outcomes, time.monotonic() - began, weights))
    return rows


def _parameters(model: LanguageModel) -> int | None:
    """Weights in the model's file, None where it has none: a server's, or a script's."""
    return parameters(model.name) if hasattr(model, "path_of_file") else None


BINS = ((0.5, "easy"), (0.1, "medium"), (0.0, "hard"))
"""The least pass@1 of a problem of each kind, as in arXiv 2502.06703."""


def difficulty(problems: Sequence[tuple[str, Problem]], samples: int, jobs: int, **call: Any) -> list[str]:
    """How hard each problem is, by the share of `samples` sampled lines that are right; `call` as for `evaluate`."""
    found = results([text for text, _ in problems], jobs, **call, **SAMPLED, n=samples)
    shares = (
        pass_at_1(each, task, problem, samples) for (each, task), (_, problem) in zip(found, problems, strict=True)
    )
    return [next(name for least, name in BINS if share >= least) for share in shares]


def by_difficulty(outcomes: Sequence[Outcome], bins: Sequence[str]) -> dict[str, dict[str, float]]:
    """Accuracy and number of problems in each bin that has any."""
    found: dict[str, dict[str, float]] = {}
    for _, name in BINS:
        inside = [each.correct for each in outcomes if bins[each.number] == name]
        if inside:
            found[name] = {"n": len(inside), "accuracy": round(sum(inside) / len(inside), 4)}
    return found


def compared(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each row's figures, and what it gains over the first strategy of the first model at the same budget.

    `difference` is the paired difference of accuracies and its 95 % bootstrap interval, None for the row itself, and
    where the rows do not hold the same problems. `flops` is 2 × parameters × distinct token prefixes, a problem: what
    an engine must decode that shares them, whatever an earlier row has left in its cache.
    """
    return [_figures(row, _baseline(rows, row)) for row in rows]


def _baseline(rows: Sequence[Row], row: Row) -> Row | None:
    first = rows[0]
    others = (each for each in rows if (each.model, each.strategy) == (first.model, first.strategy))
    return next((each for each in others if each.budget == row.budget and each is not row), None)


def _figures(row: Row, baseline: Row | None) -> dict[str, Any]:
    count = max(1, len(row.outcomes))
    found = summary(row.outcomes, row.seconds, model=row.model, strategy=row.strategy, budget=row.budget)
    same = baseline is not None and [each.number for each in baseline.outcomes] == [
        each.number for each in row.outcomes
    ]
    gap = paired(_right(row), _right(baseline)) if baseline is not None and same and row.outcomes else None
    return {
        **found,
        "flops": _flops(row, count),
        "seconds_per_problem": round(row.seconds / count, 3),
        "difference": None if gap is None else [round(each, 4) for each in gap],
    }


def _flops(row: Row, count: int) -> float | None:
    unique = Counter[str]()
    for each in row.outcomes:
        unique.update(each.usage.get("unique_of", {}))
    if any(row.parameters.get(name) is None for name in unique):
        return None
    return sum(2 * (row.parameters[name] or 0) * prefixes for name, prefixes in unique.items()) / count


def _right(row: Row) -> list[float]:
    return [float(each.correct) for each in row.outcomes]


def table(rows: Sequence[dict[str, Any]]) -> "Table":
    """What `compared` gives, a row each, held to the first strategy; columns that hold nothing are left out."""
    from rich.table import Table

    cells = [_cells(row) for row in rows]
    against = f"against {rows[0]['strategy']}"
    shown = Table(box=None, pad_edge=False)
    for name in (name for name in cells[0] if any(row[name] for row in cells)):
        left = name in ("model", "strategy")
        shown.add_column(against if name == "against" else name, justify="left" if left else "right")
    for row in cells:
        shown.add_row(*(row[name] for name in row if any(each[name] for each in cells)))
    return shown


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """A row of the table by its columns."""
    low, high = row["interval"]
    gap, flops = row["difference"], row["flops"]
    bins = row.get("by_difficulty", {}).items()
    return {
        "model": row["model"],
        "strategy": row["strategy"],
        "budget": str(row["budget"]),
        "right": f"{row['accuracy']:.1%}",
        "95 %": f"{low:.1%} to {high:.1%}",
        "tokens": f"{row['tokens_per_problem']:.0f}",
        "GFLOP": "" if flops is None else f"{flops / 1e9:.3g}",
        "seconds": f"{row['seconds_per_problem']:.2f}",
        "against": "" if gap is None else f"{gap[0]:+.1%} ({gap[1]:+.1%} to {gap[2]:+.1%})",
        "by difficulty": ", ".join(f"{name} {each['accuracy']:.0%} of {each['n']}" for name, each in bins),
    }


def chart(rows: Sequence[dict[str, Any]], title: str) -> "Figure":
    """Accuracy against tokens a problem, a line for each strategy and model."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    lines = dict.fromkeys((row["model"], row["strategy"]) for row in rows)
    for (model, strategy), marker in zip(lines, "osD^vPX*<>ph" * len(lines), strict=False):
        points = sorted((row for row in rows if (row["model"], row["strategy"]) == (model, strategy)), key=_tokens)
        accuracies = [row["accuracy"] for row in points]
        errors = [
            [max(0.0, row["accuracy"] - row["interval"][0]) for row in points],
            [max(0.0, row["interval"][1] - row["accuracy"]) for row in points],
        ]
        label = f"{strategy}, {model}" if model else strategy
        axes.errorbar([_tokens(row) for row in points], accuracies, errors, marker=marker, capsize=3, label=label)
    axes.set(xlabel="tokens a problem (generated and scored)", ylabel="share right, 95 % Wilson interval", title=title)
    axes.set_xscale("log")
    axes.xaxis.set(major_locator=LogLocator(subs=(1, 2, 3, 5, 7)), major_formatter=StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def draw(rows: Sequence[dict[str, Any]], file: Path, title: str) -> None:
    """The chart as a PNG or SVG.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = chart(rows, title)
    (FigureCanvasSVG if file.suffix.lower() == ".svg" else FigureCanvasAgg)(figure)
    try:
        figure.savefig(file, dpi=150)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from error


def _tokens(row: dict[str, Any]) -> float:
    return max(1.0, float(row["tokens_per_problem"]))
