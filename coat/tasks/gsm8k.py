"""GSM8K: word problems of primary school, whose answer is a number (arXiv 2110.14168)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from coat import prompts
from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, str_of

NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?|-?\$?\.\d+")

RULES = "Solve the problem. {how} The last line is 'Answer:' and a number."
ANSWERED = (
    (
        (
            "A baker sells rolls for 2 dollars each. She bakes 5 trays of 12 rolls and sells all but 6. How many"
            " dollars does she earn?"
        ),
        (
            "She bakes 5 * 12 = 60 rolls.",
            "She sells 60 - 6 = 54 rolls.",
            "She earns 54 * 2 = 108 dollars.",
            "Answer: 108",
        ),
    ),
    (
        "Tom is twice as old as Ann. In 6 years their ages will add up to 39. How old is Ann now?",
        (
            "In 6 years both are 6 years older, so now their ages add up to 39 - 12 = 27.",
            "Tom is twice as old, so 27 is three times Ann's age.",
            "Ann is 27 / 3 = 9.",
            "Answer: 9",
        ),
    ),
    (
        (
            "A tank holds 240 litres. A quarter is used on Monday, and a third of the rest on Tuesday. How many litres"
            " are left?"
        ),
        (
            "On Monday 240 / 4 = 60 are used, 180 are left.",
            "On Tuesday 180 / 3 = 60 are used.",
            "180 - 60 = 120.",
            "Answer: 120",
        ),
    ),
)
DRAFTED = (
    (ANSWERED[0][0], ("5 * 12 = 60", "60 - 6 = 54", "54 * 2 = 108", "Answer: 108")),
    (ANSWERED[1][0], ("39 - 12 = 27", "27 / 3 = 9", "Answer: 9")),
    (ANSWERED[2][0], ("240 - 60 = 180", "180 - 60 = 120", "Answer: 120")),
)


class Gsm8k(QuestionAnswering):
    """A word problem; graded by the last number of the answer."""

    name = "gsm8k"
    summary = "solve a word problem in a few steps of arithmetic"
    source = "github.com/openai/grade-school-math, grade_school_math/data/test.jsonl (MIT)"
    form = 'a "question" and an "answer" that ends in "#### number"'
    sample = "A shop sells pens at 3 for 2 dollars. How many dollars do 18 pens cost?"

    def worked(self, problem: Problem) -> prompts.Worked:
        """Word problems with their solutions."""
        return prompts.worked(RULES, "Problem: ", ANSWERED, DRAFTED)

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """What follows `####`."""
        return None if data.get("answer") is None else str_of(data["answer"]).rpartition("####")[2].strip()

    def canonical(self, answer: str) -> str:
        """The last number of the answer, without commas, signs of currency and zeros at its end."""
        return number(answer)


def number(answer: str) -> str:
    """The last number in `answer`.

    >>> number("It is $1,080.50."), number("108.00 rolls"), number("-3")
    ('1080.5', '108', '-3')

    Raises:
        UnreadableAnswerError: there is none.
    """
    found = NUMBER.findall(answer)
    if not found:
        raise UnreadableAnswerError(f"there is no number in {answer[:80]!r}")
    value = Decimal(found[-1].replace(",", "").replace("$", ""))
    return f"{value.normalize():f}"
