"""The command line. Nothing heavy is imported before a command needs it, and help is plain."""

import os
import sys

import typer

from coat.cli import config, inspect, measure, memory, models, play, solve, tune, view
from coat.errors import CoatError
from memory.errors import AssociativeMemoryError

app = typer.Typer(
    name="coat",
    cls=config.Layered,
    help="Reasoning by tree search over a local model, with an associative memory.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
solve.register(app)
play.register(app)
measure.register(app)
tune.register(app)
view.register(app)
inspect.register(app)
config.register(app)
app.add_typer(memory.app)
app.add_typer(models.app)


def main() -> None:
    """Run the command line; every error that a person can mend is one sentence and exit code 2."""
    try:
        app()
    except (CoatError, AssociativeMemoryError) as error:
        sys.stderr.write(f"coat: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("coat: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
