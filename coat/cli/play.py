"""`coat play`: puzzles at the terminal, with the engine beside the player."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from coat.cli.options import Model, Offline
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.play.session import Session
    from coat.play.store import Store

TOKENS, SECONDS = 8192, 120.0
"""What one search of the engine may take."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("play")(play)


def play(
    game: Annotated[
        str | None, typer.Argument(help="game24, countdown, sudoku, blocksworld, cube2x2, question; default: a menu.")
    ] = None,
    *,
    puzzle: Annotated[str | None, typer.Option(help="A puzzle of your own, or the question.")] = None,
    difficulty: Annotated[str, typer.Option(help="easy, medium, hard.")] = "easy",
    seed: Annotated[int | None, typer.Option(help="Numbers the puzzles; the same seed, the same puzzle.")] = None,
    model: Model = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last game, or the last of GAME.")] = False,
    records: Annotated[bool, typer.Option("--records", help="Print what was won and lost, and play nothing.")] = False,
    offline: Offline = False,
) -> None:
    """Solve puzzles at the terminal, with the engine beside you: hints, races, and its tree to steer."""
    from coat.play.store import Store, user_folder

    store = Store(user_folder())
    if records:
        from coat.play.records import table

        sys.stdout.write(table(store.finished()))
        sys.stderr.writelines(f"coat: {each}\n" for each in store.warnings)
        return
    session = _session(store, game, puzzle, difficulty, seed, resume)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("coat play needs a terminal; in a pipe or a script use coat solve, or coat play --records")
    from coat.play.app import PlayApp
    from coat.play.engine import Engine

    engine = Engine(model, tokens=TOKENS, seconds=SECONDS)
    try:
        PlayApp(store, engine, level=difficulty, seed=seed, session=session).run()
    finally:
        engine.close()
    sys.stderr.writelines(f"coat: {each}\n" for each in store.warnings)


def _session(
    store: "Store", game: str | None, puzzle: str | None, difficulty: str, seed: int | None, resume: bool
) -> "Session | None":
    """The game that is to be begun with; None for the menu."""
    from coat.play import games
    from coat.play.difficulty import LEVELS
    from coat.play.session import dealt, new

    if difficulty not in LEVELS:
        raise InputError(f"there is no difficulty {difficulty!r}; it is one of {', '.join(LEVELS)}")
    if game is not None:
        games.get(game)
    if resume:
        if puzzle is not None:
            raise InputError("--resume goes on with a saved game; leave out --puzzle")
        return _saved(store, game)
    if game is None:
        if puzzle is not None:
            raise InputError("say which game the puzzle is of: coat play GAME --puzzle PUZZLE")
        return None
    if puzzle is not None:
        return new(game, puzzle)
    if game == "question":
        raise InputError("ask the question: coat play question --puzzle 'Which …?'")
    return dealt(game, difficulty, seed)


def _saved(store: "Store", game: str | None) -> "Session":
    found = [each for each in store.saved() if game in (None, each.game)]
    if not found:
        said = "".join(f" {each}." for each in store.warnings)
        raise InputError(f"there is no saved game{'' if game is None else ' of ' + game} in {store.folder}.{said}")
    return found[0]
