"""Open-ended requests, answered in whole texts that nothing but a judge can tell apart."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from coat import prompts
from coat.errors import IllegalStepError
from coat.problem import Kind, Problem
from coat.tasks.qa import QuestionAnswering, is_unicode, str_of
from search import Action

RULES = (
    "Write what is asked for below, in at most about 250 words, and nothing before or after it. Lines that begin with"
    " 'Facts:' were looked up for you."
)
REQUESTS = (
    "Explain to a ten-year-old why the sky is blue and the sunset is red.",
    "Write a polite letter to a neighbour whose dog barks at night, and propose a way out.",
    "Compare living in a small town with living in a large city for a young family.",
    "Write a short story about a lighthouse keeper who receives a letter without a sender.",
    "Give someone who has never cooked a plan for a simple dinner for four guests.",
    "Argue for and against a four-day working week, then say which side is stronger.",
    "Describe how to learn a new language in a year with half an hour a day.",
    "Write a speech of one minute for the opening of a public library.",
)


class Writing(QuestionAnswering):
    """A text on request. The model's whole turn is one step, which is the answer; there is no right one."""

    name = "writing"
    summary = "write a text on request; a judge such as --evaluator pairwise says which is better"
    source = "requests in your own words; a few are built in"
    form = 'a "prompt" or a "question" in words'
    sample = REQUESTS[0]
    kind: Kind = "text"

    def write(self, style: prompts.Style) -> None:
        """A step is a whole text, whatever the style: three empty lines end it, which no text holds."""
        self.style: prompts.Style = "free"
        self.step_end = ("\n\n\n\n",)
        self.step_tokens = 384

    def asked(self, data: Mapping[str, Any]) -> str:
        """The request in a record."""
        return str_of(data["prompt"] if "prompt" in data else data["question"])

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """None: there is no right answer."""
        return None

    def worked(self, problem: Problem) -> prompts.Worked:
        """The rules alone: an example would be imitated."""
        return prompts.Worked(RULES, RULES, RULES, "")

    def depth(self, problem: Problem) -> int:
        """One step."""
        return 1

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """Any text is an answer.

        Raises:
            IllegalStepError: an empty text.
        """
        step = text.strip()
        if not step:
            raise IllegalStepError("the step says nothing")
        if not is_unicode(step):
            raise IllegalStepError("the step is not valid Unicode")
        return "answer", step

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The last text."""
        return path[-1] if path else ""

    def key(self, answer: str) -> str:
        """The text itself."""
        return answer

    def generate(self, lot: Random) -> str | None:
        """One of the requests that are built in."""
        return lot.choice(REQUESTS)
