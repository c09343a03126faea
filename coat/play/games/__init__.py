"""The games by name; a new one is a file with a class that fits `Game`, and a line here."""

from collections.abc import Callable

from coat.errors import no_such
from coat.play.game import Game
from coat.play.games.arithmetic import ArithmeticGame
from coat.play.games.blocksworld import BlocksworldGame
from coat.play.games.cube2x2 import CubeGame
from coat.play.games.question import QuestionGame
from coat.play.games.sudoku import SudokuGame

GAMES: dict[str, Callable[[], Game]] = {
    "game24": lambda: ArithmeticGame("game24"),
    "countdown": lambda: ArithmeticGame("countdown"),
    "sudoku": SudokuGame,
    "blocksworld": BlocksworldGame,
    "cube2x2": CubeGame,
    "question": QuestionGame,
}


def get(name: str) -> Game:
    """The game called `name`.

    Raises:
        InputError: there is no such game.
    """
    if name not in GAMES:
        raise no_such("game", "games", name, GAMES)
    return GAMES[name]()
