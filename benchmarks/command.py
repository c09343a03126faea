"""What all of these commands do with their figures, and with what keeps them from measuring."""

import json
import sys
from collections.abc import Callable
from typing import Any

import typer

from coat.errors import CoatError


def report(measure: Callable[[], dict[str, Any]], *, as_json: bool) -> dict[str, Any]:
    """Measure and print the figures as JSON, on one line with `as_json`; the figures.

    Raises:
        typer.Exit: something is missing or wrong, which is then said on standard error.
    """
    try:
        figures = measure()
    except ModuleNotFoundError as error:
        print(f"Error: {error.name} is not installed; `make peers` installs what is compared", file=sys.stderr)
        raise typer.Exit(2) from error
    except CoatError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    print(json.dumps(figures, indent=None if as_json else 1))
    return figures
