"""`coat models`: which models there are, which fit this machine, fetching one, and what a file says of itself."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coat.cli.config import Layered
from coat.cli.options import AsJson, Offline
from coat.errors import InputError, no_such

if TYPE_CHECKING:
    from coat.models.header import Header
    from coat.models.known import Known

app = typer.Typer(
    name="models", cls=Layered, help="Find, fetch and look at models.", no_args_is_help=True, rich_markup_mode=None
)

PUZZLES = ("game24", "countdown")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the models that coat knows by name, and whether they are here."""
    from coat.models.catalog import is_here
    from coat.models.known import known_models

    rows = [_row(each) | {"here": is_here(each.name)} for each in known_models().values()]
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    roles, here = [row["role"] for row in rows], ["yes" if row["here"] else "" for row in rows]
    _table(rows, {"role": roles, "here": here})
    sys.stdout.write("`coat models pull NAME` fetches one that is not here. Tried: run by coat's own tests.\n")


@app.command()
def recommend(
    *,
    task: Annotated[str, typer.Option(help="The kind of problem; `coat tasks` lists them.")] = "qa",
    gib: Annotated[float | None, typer.Option(help="Memory to fill, in GiB; default: what is free here.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens in the KV cache; default: 4096.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which models fit into this machine's memory, the most capable first."""
    from coat.models import known
    from coat.models.llama.devices import MARGIN, room
    from coat.tasks import get

    if gib is not None and gib <= 0:
        raise InputError(f"--gib must be more than 0, not {gib:g}")
    get(task)
    device = room()
    free = device.free * MARGIN if gib is None else gib * 2**30
    cells = context or known.CELLS
    pairs = known.recommend(int(free), cells)
    if task in PUZZLES:
        pairs = [(known.known_models()["puzzle"], None), *(pair for pair in pairs if pair[0].name != "puzzle")]
    else:
        pairs = [pair for pair in pairs if pair[0].name != "puzzle"]
    if not pairs:
        raise InputError(f"nothing that coat knows fits into {free / 2**30:.1f} GiB; free some, or give less --context")
    if as_json:
        rows = [_row(policy) | {"gib": _gib(policy, cells), "prm": judge and judge.name} for policy, judge in pairs]
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    where = f"{device.kind} ({device.description})" if gib is None else "what --gib says"
    sys.stdout.write(f"{free / 2**30:.1f} GiB to fill: {where}, {cells} tokens of context.\n\n")
    _table([_row(policy) for policy, _ in pairs], {"GiB used": [f"{_gib(policy, cells):.1f}" for policy, _ in pairs]})
    _advise(pairs, task)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name from `coat models list`, or hf:OWNER/REPO/FILE.gguf.")],
    *,
    offline: Offline = False,
) -> None:
    """Fetch a model, with a progress bar, and say where it is."""
    from coat.models.catalog import HUB, resolve
    from coat.models.header import read_header
    from coat.models.known import known_models

    if not name.startswith(HUB) and name not in known_models():
        raise no_such("model to fetch", "models", name, known_models())
    header = read_header(resolve(name).path)
    sys.stdout.write(f"{header.path}\n{_summary(header)}\n")


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="A GGUF, hf:OWNER/REPO/FILE, or a short name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what a GGUF's header tells: architecture, size, cache, template, thinking, licence."""
    from coat.models.catalog import resolve
    from coat.models.header import check_writes, read_header

    header = read_header(resolve(model).path)
    check_writes(header)
    facts = _facts(header)
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    for key, value in facts.items():
        sys.stdout.write(f"{key.replace('_', ' '):<22} {'unknown' if value is None else value}\n")


def _row(model: "Known") -> dict[str, Any]:
    return {
        "name": model.name,
        "role": model.role,
        "source": model.source,
        "gb": round(model.bytes / 1e9, 2),
        "parameters": model.parameters,
        "license": model.license,
        "thinking": model.thinking,
        "tried": model.tried,
    }


def _table(rows: Sequence[dict[str, Any]], more: Mapping[str, Sequence[str]]) -> None:
    """Print models, one a line, with `more` columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "GB", "licence", "thinks", "tried", *more):
        justify: Literal["left", "right"] = "right" if title.startswith("G") else "left"
        table.add_column(title, overflow="fold", no_wrap=title == "name", justify=justify)
    for row, *rest in zip(rows, *more.values(), strict=True):
        thinks = {"no": "", "switch": "at will", "always": "always"}[row["thinking"]]
        tried = "yes" if row["tried"] else ""
        table.add_row(row["name"], f"{row['gb']:.2f}", row["license"], thinks, tried, *rest)
    Console().print(table)


def _gib(model: "Known", cells: int) -> float:
    return round(model.memory(cells) / 2**30, 1)


def _advise(pairs: "Sequence[tuple[Known, Known | None]]", task: str) -> None:
    """How to use the first, and the first that has room for a judge beside it."""
    from coat.tasks import get

    kind, sample = "" if task == "qa" else f" --task {task}", get(task).sample
    policy, _ = pairs[0]
    fetch = f"coat models pull {policy.name}\n" if policy.repository else ""
    sys.stdout.write(f"\n{fetch}coat solve --model {policy.name}{kind} {sample!r}\n")
    if found := next(((policy, judge) for policy, judge in pairs if judge), None):
        policy, judge = found
        assert judge is not None
        sys.stdout.write(f"\nWith a judge: coat models pull {judge.name}, and {policy.name} in the same way; then\n")
        judged = f"--evaluator prm --prm {judge.name}"
        sys.stdout.write(f"coat solve --model {policy.name} {judged}{kind} {sample!r}\n")


def _summary(header: "Header") -> str:
    facts = _facts(header)
    return f"{facts['name']}: {facts['architecture']}, {facts['parameters']} parameters, {facts['gb']} GB"


def _thinking(template: str) -> str:
    """What the chat template says of thinking before an answer."""
    from jinja2 import TemplateError

    from coat.models.llama.chat import find_markers, find_switch

    try:
        switch = find_switch(template)
    except TemplateError as error:
        return f"unknown: the template is damaged ({error})"
    markers = find_markers(template, lambda text: False)
    between = f", between {markers.open.strip()} and {markers.close}" if markers else ""
    if switch:
        return f"switch: --think on sets {switch}{between}"
    return f"as it likes{between}; --think on or off asks for it" if markers else "no"


def _facts(header: "Header") -> dict[str, Any]:
    template = header.metadata.get("tokenizer.chat_template")
    return {
        "name": header.metadata.get("general.name", Path(header.path).stem),
        "file": str(header.path),
        "parts": len(header.parts),
        "architecture": header.architecture,
        "parameters": f"{header.parameters / 1e9:.2f} billion",
        "gb": round(header.bytes / 1e9, 2),
        "context": header.own("context_length"),
        "layers": header.own("block_count"),
        "cache_bytes_a_token": header.cell_bytes,
        "chat_template": "yes" if template else "no: read as plain text, after worked examples",
        "thinking": _thinking(template) if template else "no",
        "license": header.metadata.get("general.license"),
    }
