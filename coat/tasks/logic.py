"""Questions that are answered by yes or no, or by true or false: StrategyQA and ProntoQA."""

import re
from collections.abc import Mapping
from typing import Any

from coat import prompts
from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.qa import QuestionAnswering, str_of

VERDICT = re.compile(r"\b(yes|no|true|false)\b", re.IGNORECASE)
SENSE = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}

STRATEGY = "Answer the question by yes or no. {how} The last line is 'Answer:' and yes or no."
STRATEGIES = (
    (
        "Could a blue whale fit into an Olympic swimming pool?",
        (
            "A blue whale is up to 30 metres long.",
            "An Olympic swimming pool is 50 metres long and 25 metres wide.",
            "30 metres are less than 50 metres.",
            "Answer: yes",
        ),
    ),
    (
        "Did Beethoven ever hear a recording of his own music?",
        (
            "Beethoven died in 1827.",
            "Sound was first recorded in the 1850s.",
            "That was after his death.",
            "Answer: no",
        ),
    ),
)
RULED = (
    "From the facts alone, say whether the statement is true or false. {how} The last line is 'Answer:' and True or"
    " False."
)
DERIVED = (
    (
        (
            "Every cat is a mammal. Mammals are animals. Animals are not plants. Each dog is loud. Tom is a cat. True"
            " or false: Tom is a plant."
        ),
        (
            "Tom is a cat.",
            "Every cat is a mammal, so Tom is a mammal.",
            "Mammals are animals, so Tom is an animal.",
            "Animals are not plants, so Tom is not a plant.",
            "Answer: False",
        ),
    ),
    (
        (
            "Roses are flowers. Every flower is bright. Bright things are not dull. Rex is a rose. True or false: Rex"
            " is bright."
        ),
        (
            "Rex is a rose.",
            "Roses are flowers, so Rex is a flower.",
            "Every flower is bright, so Rex is bright.",
            "Answer: True",
        ),
    ),
)


class StrategyQA(QuestionAnswering):
    """A question whose steps it does not name (arXiv 2101.02235)."""

    name = "strategyqa"
    summary = "answer a question by yes or no, from facts that it does not name"
    source = "allenai.org/data/strategyqa, dev.json (MIT)"
    form = 'a "question" and an "answer" that is true or false'
    sample = "Would a pear sink in water?"
    rules = STRATEGY
    answered: prompts.Examples = STRATEGIES
    ask = "Question: "

    def worked(self, problem: Problem) -> prompts.Worked:
        """Questions with their thoughts."""
        return prompts.worked(self.rules, self.ask, self.answered)

    def canonical(self, answer: str) -> str:
        """Yes or no."""
        return verdict(answer)


class ProntoQA(StrategyQA):
    """A chain of deductions in a made-up world (arXiv 2210.01240)."""

    name = "prontoqa"
    summary = "say whether a statement follows from a list of rules"
    source = "github.com/asaparov/prontoqa, as in github.com/maitrix-org/llm-reasoners"
    form = 'a "question", a "query" and an "answer" that is True or False'
    sample = "Every lion is a cat. Cats are not loud. Leo is a lion. True or false: Leo is loud."
    rules, answered, ask = RULED, DERIVED, "Given: "

    def asked(self, data: Mapping[str, Any]) -> str:
        """The rules and the statement, which llm-reasoners puts under `test_example`, beside worked examples."""
        data = data.get("test_example", data)
        return f"{str_of(data['question'])} {str_of(data['query'])}"

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """True or False."""
        return super().gold(data.get("test_example", data))


def verdict(answer: str) -> str:
    """Whether `answer` says yes or true, or no or false, by its first such word.

    >>> verdict("Yes, it would."), verdict("False")
    ('yes', 'no')

    Raises:
        UnreadableAnswerError: it says neither.
    """
    found = VERDICT.search(answer)
    if found is None:
        raise UnreadableAnswerError(f"{answer[:80]!r} says neither yes nor no")
    return SENSE[found[1].lower()]
