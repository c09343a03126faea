"""`coat runs`, `coat tasks`, `coat strategies` and `coat doctor`: looking at what there is."""

import json
import sys
import time
from contextlib import closing
from typing import Any

import typer

from coat.cli.options import AsJson, JournalFile, Model, Offline, open_journal


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (runs, tasks, strategies, doctor):
        app.command()(command)


def runs(*, journal: JournalFile = None, as_json: AsJson = False) -> None:
    """List the runs in the journal."""
    from coat.cli.show import printable

    with closing(open_journal(journal, False)) as log:
        records = log.runs()
    if as_json:
        rows = [{"run": each.id, "started": each.started, "stop": each.stop, **each.config} for each in records]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for each in records:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.started))
        answer = (each.result or {}).get("answer")
        sys.stdout.write(
            f"{each.id:>4}  {began}  {each.config['task']:<10} {each.stop or 'unfinished':<12}"
            f" {printable(each.config['question'])[:60]}  {printable(answer or '')[:40]}\n"
        )
    if not records:
        sys.stdout.write(f"no runs in {log.path}\n")


def tasks() -> None:
    """List the tasks."""
    from coat.tasks import BBH, TASKS, get

    for name in (*TASKS, f"{BBH}word_sorting"):
        task = get(name)
        sample = task.sample if len(task.sample) <= 100 else f"{task.sample[:100]}…"
        about = (task.summary, f"data: {task.source}", f"e.g. coat solve --task {name} {sample!r}")
        sys.stdout.write(f"{name:<16} " + f"\n{'':<16} ".join(about) + "\n")


def strategies() -> None:
    """List the strategies."""
    from coat.strategies import STRATEGIES

    for name, strategy in STRATEGIES.items():
        sys.stdout.write(f"{name:<18} {strategy.about}\n")


def doctor(*, model: Model = None, offline: Offline = False, as_json: AsJson = False) -> None:
    """Say what model, device, threads, memory and speeds this machine has."""
    from coat.doctor import examine

    report: dict[str, Any] = examine(model)
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    for name, value in report.items():
        sys.stdout.write(f"{name.replace('_', ' '):<28} {value}\n")
