"""A free question: thoughts of the person and of the engine, line by line, until one begins with `Answer:`."""

from collections.abc import Sequence

from coat.play.game import Board, Span
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering

LONGEST = 400
"""Characters of a question that are shown."""


class QuestionGame:
    """Typed as a thought in words, or `Answer: …`."""

    name, title = "question", "A question of yours"
    aimed = False
    form = "a thought in words, or Answer: … to end with"

    def __init__(self) -> None:
        self.task = QuestionAnswering()

    def steps(self, problem: Problem, path: Sequence[str], text: str) -> list[str]:
        """The line as it is."""
        return [text.strip()]

    def board(self, problem: Problem, path: Sequence[str]) -> Board:
        """The question, or as much of it as a small screen holds."""
        short = len(problem.question) <= LONGEST
        return [[Span(problem.question if short else f"{problem.question[:LONGEST]}…", mark="title")]]

    def choices(self, problem: Problem, path: Sequence[str], picked: Sequence[str]) -> list[str]:
        """None: words are typed."""
        return []
