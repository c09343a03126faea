"""How much work a puzzle is for a plain solver: the measure of its difficulty, by game.

No search looks at these solvers; they deal puzzles and say how hard they are.
"""

from collections.abc import Callable

from coat.play.rating import arithmetic, blocksworld, cube2x2, sudoku

RATERS: dict[str, Callable[[str], float]] = {
    "game24": lambda question: arithmetic.effort("game24", question),
    "countdown": lambda question: arithmetic.effort("countdown", question),
    "sudoku": sudoku.effort,
    "blocksworld": blocksworld.effort,
    "cube2x2": cube2x2.effort,
}
UNITS = {
    "game24": "ways to use up the numbers for each that reaches the target",
    "countdown": "ways to use up the numbers for each that reaches the target",
    "sudoku": "digits tried until every solution is known",
    "blocksworld": "steps of the shortest plan",
    "cube2x2": "turns of the shortest solution",
}
"""What the effort counts."""
