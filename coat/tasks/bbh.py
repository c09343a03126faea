"""BIG-Bench Hard: 23 kinds of questions on which models were weak, a file each (arXiv 2210.09261)."""

import re
from collections.abc import Mapping
from typing import Any

from coat import prompts
from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, str_of

OPTION = re.compile(r"\(([A-R])\)")
RULES = "{how} The last line is 'Answer:' and nothing but the answer, in the form that is asked for."
ASKED = {
    "boolean_expressions": "Evaluate the expression to True or False.",
    "date_understanding": "Find the date, and answer with the option's letter in brackets.",
    "tracking_shuffled_objects_three_objects": "Follow who has what, and answer with the option's letter in brackets.",
    "word_sorting": "Sort the words alphabetically, and answer with them, separated by spaces.",
}


class BigBenchHard(QuestionAnswering):
    """One of the 23, by the name of its file."""

    source = "github.com/suzgunmirac/BIG-Bench-Hard, bbh/NAME.json (MIT)"
    form = 'an "input" and a "target"'
    sample = "not ( True ) and ( True ) is"

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject, self.name = subject, f"bbh:{subject}"
        self.summary = f"BIG-Bench Hard: {subject.replace('_', ' ')}"

    def worked(self, problem: Problem) -> prompts.Worked:
        """The rules alone: examples differ from kind to kind."""
        return prompts.worked(f"{ASKED.get(self.subject, 'Answer the question.')} {RULES}", "Question: ")

    def asked(self, data: Mapping[str, Any]) -> str:
        """The input."""
        return str_of(data["input"])

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """The target."""
        return data.get("target")

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether it names the same option, or the same words.

        Raises:
            UnreadableAnswerError: an option is asked for, and it names none.
        """
        if problem.gold is None:
            return None
        if OPTION.fullmatch(problem.gold) and not OPTION.search(answer):
            bare = answer.strip(" .").upper()
            if f"({bare})" == problem.gold or re.fullmatch("[A-R]", bare):
                return f"({bare})" == problem.gold
            raise UnreadableAnswerError(f"there is no option's letter in {answer[:80]!r}")
        return self.canonical(answer) == self.canonical(problem.gold)

    def canonical(self, answer: str) -> str:
        """The option in brackets, or the words in lower case, between which commas are no more than spaces."""
        found = OPTION.search(answer)
        return found[0] if found else " ".join(answer.lower().replace(",", " ").split()).strip(" .")
