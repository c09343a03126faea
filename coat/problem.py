"""What is to be solved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["moves", "question", "program", "text"]
"""What the steps of a task are: moves that it checks, words, a program that can be run, or a whole text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, the name of its task, what the task knows of it, and the right answer where that is known.

    `gold` serves grading alone: no search may look at it.
    """

    question: str
    task: str
    given: Mapping[str, Any] = field(default_factory=dict)
    gold: str | None = None
