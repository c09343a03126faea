"""Settings that need not be typed: flags come first, then COAT_*, then ./coat.toml, then the user's file."""

import inspect
import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup

from coat.cli.options import AsJson
from coat.cli.solve import solve
from coat.errors import InputError, no_such
from coat.settings import KINDS, is_kind
from memory import naming

FILE = "coat.toml"
OF_ONE_CALL = {"question", "file", "line", "messages", "as_json", "trace", "verbose", "no_journal"}
"""What `coat solve` takes that belongs to one problem alone."""
OF_MEMORY: Mapping[str, Any] = {"embedder": naming.DEFAULT}
"""Settings that `coat memory` takes alone, with their defaults."""
NO_SETTINGS = {"COAT_OPENAI_API_KEY"}
"""Variables that have no flag."""
TOML_KINDS: Mapping[type, str] = KINDS | {bool: "true or false", str: "a text"}


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one file, by setting."""

    path: Path
    values: Mapping[str, Any]


def keys() -> dict[str, type]:
    """The settings and their kinds: those options of `coat solve` that are not of one call, and the memory's own."""
    hints = get_type_hints(solve)
    known = {name: _kind(hints[name]) for name in inspect.signature(solve).parameters if name not in OF_ONE_CALL}
    return known | {name: type(default) for name, default in OF_MEMORY.items()}


def user_file() -> Path:
    """The settings file of the user, in the system's folder for such files."""
    from platformdirs import user_config_path

    return user_config_path("coat") / FILE


def layers() -> list[Layer]:
    """The settings files that there are, the one that counts first.

    Raises:
        InputError: one cannot be read, is no TOML, or holds an unknown key or a value of another kind.
    """
    return [Layer(path, _read(path)) for path in (Path(FILE), user_file()) if path.is_file()]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"COAT_{name.upper()}"


class Layered(TyperGroup):
    """Commands whose options take their defaults from the environment and from the settings files."""

    def invoke(self, ctx: Any) -> Any:
        """Read the files before the command is looked at."""
        if ctx.default_map is None:
            values = {name: value for layer in reversed(layers()) for name, value in layer.values.items()}
            ctx.default_map = {
                name: dict.fromkeys(command.commands, values) if isinstance(command, TyperGroup) else values
                for name, command in self.commands.items()
            }
        return super().invoke(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, whose options know their environment variables."""
        command, known = super().get_command(ctx, cmd_name), keys()
        for parameter in getattr(command, "params", ()):
            if parameter.param_type_name == "option" and parameter.name in known:
                parameter.envvar, parameter.show_envvar = variable(parameter.name), False
        return command


def config(*, as_json: AsJson = False) -> None:
    """Show every setting, its value, and where that comes from."""
    found = layers()
    rows = []
    for name in keys():
        value, source = _where(name, found)
        rows.append({"setting": name.replace("_", "-"), "value": value, "source": source})
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for stranger in sorted(os.environ.keys() - {variable(name) for name in keys()} - NO_SETTINGS):
        if stranger.startswith("COAT_"):
            sys.stderr.write(f"coat: {stranger} is set, and there is no such setting\n")
    for row in rows:
        value = "" if row["value"] is None else row["value"]
        sys.stdout.write(f"{row['setting']:<14} {value!s:<24} {row['source']}\n")
    sys.stdout.write(f"\nFlags come before COAT_* variables, these before ./{FILE}, and that before the user's file:\n")
    sys.stdout.write(f"{user_file()}\n")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("config")(config)


def _where(name: str, found: list[Layer]) -> tuple[Any, str]:
    if (value := os.environ.get(variable(name))) is not None:
        return value, variable(name)
    for layer in found:
        if name in layer.values:
            return layer.values[name], str(layer.path)
    default = OF_MEMORY[name] if name in OF_MEMORY else inspect.signature(solve).parameters[name].default
    return default, "default" if default is not None else "default: the task's or the machine's own"


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the settings file {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    known = keys()
    values = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        where = f"{path}, line {_line(text, key)}"
        if name not in known:
            raise no_such(f"setting (in {where})", "settings", key, [each.replace("_", "-") for each in known])
        kind = known[name]
        if not is_kind(value, kind):
            raise InputError(f"{where}: {key} must be {TOML_KINDS[kind]}, not {value!r}")
        values[name] = value
    return values


def _line(text: str, key: str) -> int:
    """The number of the line on which `key` is set."""
    pattern = re.compile(rf"""\s*(["']?){re.escape(key)}\1\s*[=.]|\s*\[+\s*{re.escape(key)}\b""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def _kind(hint: Any) -> type:
    """The kind of an option in a TOML file; paths are texts there."""
    kind = next(each for each in get_args(hint) if each is not type(None)) if isinstance(hint, UnionType) else hint
    return str if kind is Path else kind
