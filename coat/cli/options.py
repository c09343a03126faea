"""Options that several commands take, alone and in groups."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from coat.journal import Journal

Result = TypeVar("Result")


def _offline(wanted: bool) -> bool:
    if wanted:
        from coat.offline import go_offline

        go_offline()
    return wanted


Model = Annotated[
    str | None, typer.Option(help="A GGUF, hf:OWNER/REPO/FILE, a short name, openai:URL; or several, A+B.")
]
JournalFile = Annotated[Path | None, typer.Option("--journal", help="The journal; default: in your data folder.")]
NoJournal = Annotated[bool, typer.Option("--no-journal", help="Keep no journal: no replay and no resume.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Offline = Annotated[
    bool, typer.Option("--offline", callback=_offline, help="Forbid all network but servers on this machine.")
]
"""Obeyed as soon as it is read, before a command imports anything that uses the network."""
Verbose = Annotated[bool, typer.Option("--verbose", help="Show llama.cpp's own log.")]


def takes(**groups: Callable[..., Any]) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command the options of `groups`: a parameter of a group's name gets what the group makes of its own.

    A group is a function whose parameters are options, or groups again; they are shown where the group is named.
    """

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        grouped = {name: inspect.signature(group).parameters for name, group in groups.items()}
        shown: list[inspect.Parameter] = []
        for name, parameter in inspect.signature(command).parameters.items():
            shown += grouped[name].values() if name in grouped else [parameter]

        @wraps(command)
        def called(**given: Any) -> Result:
            for name, options in grouped.items():
                given[name] = groups[name](**{option: given.pop(option) for option in options})
            return command(**given)

        called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in shown}
        return called

    return decorate


def loading(
    *,
    context: Annotated[int | None, typer.Option(help="Tokens in the KV cache, or of a server; default: 4096.")] = None,
    lanes: Annotated[int | None, typer.Option(help="Siblings that grow at once; default: 16.")] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads; default: all that help.")] = None,
    gpu_layers: Annotated[int | None, typer.Option(help="Layers on the GPU; default: all, where there is one.")] = None,
    cache_type: Annotated[str | None, typer.Option(help="Of the KV cache: f16, q8_0, q4_0; default: f16.")] = None,
    think: Annotated[str | None, typer.Option(help="Where the model can: on, off, auto; default: off.")] = None,
) -> dict[str, Any]:
    """How a model is loaded: what was asked for, by the names of the options; see `model_options`."""
    return given(
        context=context, lanes=lanes, threads=threads, gpu_layers=gpu_layers, cache_type=cache_type, think=think
    )


def model_options(options: dict[str, Any], model: str | None) -> dict[str, Any]:
    """The options of `loading` by the names that `model` has for them: a server's context is its own."""
    context = "context" if (model or "").startswith("openai:") else "cells"
    return {context if name == "context" else name: value for name, value in options.items()}


def given(**options: Any) -> dict[str, Any]:
    """What was asked for; the rest is left to the task and the model."""
    return {name: value for name, value in options.items() if value is not None}


def open_journal(path: Path | None, none: bool) -> "Journal":
    """The journal that the options name."""
    from platformdirs import user_data_path

    from coat.journal import Journal

    return Journal(None if none else path or user_data_path("coat") / "journal.db")
