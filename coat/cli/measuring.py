"""What the commands that measure have in common: the problems, the models, and the settings of every search."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.options import JournalFile, NoJournal, Offline, loading, model_options, open_journal, takes
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.journal import Journal

MADE_UP = 50


@dataclass(frozen=True, slots=True)
class Measuring:
    """What measurements have in common: the problems, the models, and the settings of every search."""

    task: str
    data: Path | None
    download: bool
    limit: int | None
    jobs: int
    prm: str | None
    options: dict[str, Any]
    seed: int
    call: dict[str, Any]
    journal: Path | None
    no_journal: bool

    def problems(self) -> list[Any]:
        """See `read_problems`."""
        return read_problems(self.task, self.data, self.limit, self.seed, self.download)

    def log(self, stack: ExitStack) -> "Journal":
        """The journal, closed with `stack`."""
        return stack.enter_context(closing(open_journal(self.journal, self.no_journal)))

    def load(
        self, stack: ExitStack, model: str | None, journal: "Journal", memory: Path | None = None
    ) -> dict[str, Any]:
        """What all problems share, loaded once and closed with `stack`; see `coat.evaluation.evaluate`."""
        from coat import tasks
        from coat.api import open_memory, open_models, several

        names = several(tasks.get(self.task).model if model is None else model)
        together, judge = open_models(stack, names, self.prm, model_options(self.options, model))
        store = open_memory(stack, memory)
        return {"task": self.task, "model": together, "prm": judge, "memory": store, "journal": journal}


@takes(loaded=loading)
def measuring(
    *,
    task: Annotated[str, typer.Option(help="What kind of problems; `coat tasks` lists them.")],
    data: Annotated[Path | None, typer.Option(help="Problems in the task's public format; default: made up.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the task's public file, once, into the cache.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Only the first so many problems; of made-up ones 50.")] = None,
    jobs: Annotated[int, typer.Option(help="Problems that are solved beside each other.")] = 4,
    evaluator: Annotated[str, typer.Option(help="Who judges steps: self, prm, verifier, logprob.")] = "self",
    prm: Annotated[str | None, typer.Option(help="The judge's model, for --evaluator prm.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other made-up problems and another search.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as NAME=VALUE; more than once if need be.")
    ] = None,
    loaded: dict[str, Any],
    offline: Offline = False,
    journal: JournalFile = None,
    no_journal: NoJournal = False,
) -> Measuring:
    """The options of every command that measures."""
    from coat.api import reading_of

    call = {"evaluator": evaluator, "seed": seed, **reading_of(prm), **settings_in(settings or [])}
    return Measuring(task, data, download, limit, jobs, prm, loaded, seed, call, journal, no_journal)


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
