"""AQuA: algebraic word problems with five options (arXiv 1705.04146)."""

import re
from collections.abc import Mapping
from typing import Any

from coat import prompts
from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, str_of

LETTER = re.compile(r"(?<![A-Za-z])([A-J])(?![A-Za-z])")

RULES = "Solve the problem and choose one of the options. {how} The last line is 'Answer:' and the option's letter."
ANSWERED = (
    (
        (
            "A train of 150 m passes a pole in 6 seconds. What is its speed in km/h?\n"
            "Options: A) 60, B) 75, C) 90, D) 100, E) 120"
        ),
        ("It runs 150 / 6 = 25 m in a second.", "25 m/s are 25 * 3.6 = 90 km/h.", "That is option C.", "Answer: C"),
    ),
    (
        (
            "The price of a coat rises by 20 % and then falls by 20 %. By how many percent has it changed?\n"
            "Options: A) 0, B) -4, C) 4, D) -2, E) 2"
        ),
        ("A price of 100 becomes 120.", "120 less 20 % is 120 - 24 = 96.", "That is 4 % less, option B.", "Answer: B"),
    ),
)


class Aqua(QuestionAnswering):
    """A word problem with options; graded by the letter."""

    name = "aqua"
    summary = "choose the answer to an algebraic word problem"
    source = "github.com/google-deepmind/AQuA, test.json (Apache-2.0)"
    form = 'a "question", "options" and the "correct" letter'
    sample = "If 3x + 5 = 20, what is x?\nOptions: A) 3, B) 4, C) 5, D) 6, E) 7"

    def worked(self, problem: Problem) -> prompts.Worked:
        """Word problems with options and their solutions."""
        return prompts.worked(RULES, "Problem: ", ANSWERED)

    def asked(self, data: Mapping[str, Any]) -> str:
        """The question with its options."""
        options = ", ".join(re.sub(r"^\s*([A-J])\)\s*", r"\1) ", str_of(each)) for each in data["options"])
        return f"{str_of(data['question'])}\nOptions: {options}"

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """The right letter."""
        return data.get("correct")

    def canonical(self, answer: str) -> str:
        """The option's letter."""
        return letter(answer)


def letter(answer: str) -> str:
    """The letter of the option that `answer` names first.

    >>> letter("C"), letter("(B) 12"), letter("option D)")
    ('C', 'B', 'D')

    Raises:
        UnreadableAnswerError: it names none, or begins with more than one.
    """
    found = LETTER.findall(answer)
    if not found:
        raise UnreadableAnswerError(f"there is no option's letter in {answer[:80]!r}")
    return str(found[0])
