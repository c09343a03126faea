"""The 2×2×2 cube, unfolded: colours are letters, so that none need be seen."""

from collections.abc import Sequence

from coat.errors import IllegalStepError
from coat.play.game import Board, Span
from coat.problem import Problem
from coat.tasks.cube2x2 import FACES, TURNS, Cube2x2

LETTERS = str.maketrans("012345", "WRGYOB")
"""White, red, green, yellow, orange, blue: the usual colours of the faces up, right, front, down, left, back."""
NET = (("", "U", "", ""), ("L", "F", "R", "B"), ("", "D", "", ""))
"""The faces as they lie beside each other, unfolded round the front."""


class CubeGame:
    """Typed as turns, one or several: `R U' F2`."""

    name, title = "cube2x2", "Cube 2×2×2"
    aimed = False
    form = "turns of U, R and F, like R U' F2"

    def __init__(self) -> None:
        self.task = Cube2x2()

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """The turns, in capitals."""
        turns = text.replace("’", "'").upper().split()
        if not turns:
            raise IllegalStepError(f"this is no move; write {self.form}")
        return turns

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """The net of the cube, with the names of the faces."""
        cells = self.task.reached(problem, path).translate(LETTERS)
        faces = {face: cells[4 * place : 4 * place + 4] for place, face in enumerate(FACES)}
        lines: list[list[Span]] = []
        for band in NET:
            for row in range(2):
                line: list[Span] = []
                for face in band:
                    stickers = " ".join(faces[face][2 * row : 2 * row + 2]) if face else "   "
                    done = bool(face) and len(set(faces[face])) == 1
                    line += [Span(f"{face if not row else '':>3} ", mark="faint")]
                    line += [Span(stickers, mark="good" if done else "title")]
                lines.append(line)
        return lines

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """The nine turns."""
        return [] if picked else list(TURNS)
