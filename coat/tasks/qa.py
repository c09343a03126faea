"""Free questions, answered in thoughts, with facts recalled between them."""

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from coat import prompts
from coat.errors import IllegalStepError, InputError, UnreadableAnswerError
from coat.models import LanguageModel, Message, Prompt
from coat.problem import Kind, Problem
from search import Action

_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

LONGEST = 20_000
"""Characters in a question; more is a file given by mistake."""


class QuestionAnswering:
    """A question in words; graded by exact match and token F1 where the gold answer is known.

    Steps are lines, as worked examples show, drafts of a few words, or paragraphs, for models that think by themselves.
    """

    name = "qa"
    summary = "answer a question in words, with facts from the memory where there is one"
    source = "questions in your own words"
    form = 'a "question" in words'
    """What a record holds."""
    sample = "Which city is the capital of the country where the Eiffel Tower stands?"
    temperature: float = 0.8
    step_complete: tuple[str, ...] = ()
    kind: Kind = "question"
    verifies: bool = False
    model: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def __init__(self) -> None:
        self.write("lines")

    def write(self, style: prompts.Style) -> None:
        """From now on steps are of this style."""
        self.style = style
        self.step_end: tuple[str, ...] = ("\n\n",) if style == "free" else ("\n",)
        self.step_tokens = {"lines": 64, "free": 256, "draft": 24}[style]

    def read(self, text: str) -> Problem:
        """The question, or a JSON object as the public files have it.

        Instead of a question it may hold `messages`, a conversation of which the user's last turn is the question:
        objects with `role` (system, user, assistant) and `content`.

        Raises:
            InputError: the text holds no question.
        """
        turns, gold = [Message("user", text.strip())], None
        given: dict[str, Any] = {}
        if text.lstrip().startswith("{"):
            try:
                data = json.loads(text)
                turns = _turns(data.get("messages") or [{"role": "user", "content": self.asked(data)}])
                gold, given = self.gold(data), self.given(data)
            except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
                raise InputError(
                    f'this is not a JSON object with {self.form}, or with "messages": {text[:80]!r}'
                ) from error
        for turn in turns:
            _check(turn.content)
        *before, last = turns
        return Problem(last.content, self.name, {"before": tuple(before), **given}, gold)

    def asked(self, data: Mapping[str, Any]) -> str:
        """The question in a record of the public file."""
        return str_of(data["question"])

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """The right answer in a record, None where it holds none."""
        answer = data.get("answer")
        return None if answer is None else str(answer)

    def given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What else the task knows of a record."""
        return {}

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """Instructions, worked examples as earlier turns, the conversation so far, and the question."""
        return model.chat(self.turns(problem))

    def turns(self, problem: Problem) -> list[Message]:
        """The conversation that the assistant goes on with."""
        before, end = problem.given["before"], self.step_end[0]
        return prompts.question(self.worked(problem), self.style, problem.question, before, end)

    def worked(self, problem: Problem) -> prompts.Worked:
        """How the question is asked: in Chinese where it is Chinese."""
        return prompts.QUESTION_ZH if prompts.in_chinese(problem.question) else prompts.QUESTION

    def remarks(self, problem: Problem) -> list[str]:
        """None."""
        return []

    def depth(self, problem: Problem) -> int:
        """Up to eight steps: a few hops, each with a thought, and the answer."""
        return 8

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """`Answer: …` ends the path, `Recall: …` asks the memory, anything else is a thought.

        The last line with such a label counts. What a free answer ends with is the answer without one, too.

        Raises:
            IllegalStepError: a line without content, one that the path already holds, one that poses as the memory's,
                or a step back from where no step was taken.
        """
        step = text.strip()
        if prompts.steps_back(step, path):
            return "backtrack", step
        label, content = prompts.label(step)
        if not content:
            raise IllegalStepError("the step says nothing")
        if not is_unicode(step):
            raise IllegalStepError("the step is not valid Unicode")
        if step in path:
            raise IllegalStepError(f"{step!r} was said before")
        if label in (prompts.FACTS, prompts.TRIED, prompts.ASSOCIATED):
            raise IllegalStepError("what was looked up, tried or associated is told, and is no step")
        return prompts.LABELS[label] if label else "answer" if last and self.style == "free" else "think", step

    def possible(self, problem: Problem, path: Sequence[str]) -> None:
        """Nothing can, before the step is complete."""

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """Nothing: what the model is told between steps are recalled facts."""
        return ""

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """Unknown."""
        return ""

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """What follows `Answer:`, and of that what stands in a box."""
        return prompts.unboxed(prompts.label(path[-1])[1]) if path else ""

    def canonical(self, answer: str) -> str:
        """`answer` in the form in which equal ones are equal.

        Raises:
            UnreadableAnswerError: it has no answer of the kind that is asked for.
        """
        return normalise(answer)

    def key(self, answer: str) -> str:
        """The answer's canonical form, or where it has none, its words."""
        try:
            return self.canonical(answer)
        except UnreadableAnswerError:
            return normalise(answer)

    def verify(self, problem: Problem, path: Sequence[str]) -> bool | None:
        """None: only the gold answer could tell, and a search may not see it."""

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether the canonical forms are equal."""
        return None if problem.gold is None else self.canonical(answer) == self.canonical(problem.gold)

    def score(self, problem: Problem, answer: str) -> float | None:
        """None: there is right and wrong."""
        return None

    def generate(self, lot: Random) -> str | None:
        """None: questions are not made up."""
        return None


def str_of(value: object) -> str:
    """`value`, which must be a text; TypeError where it is something else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _turns(messages: Sequence[Mapping[str, str]]) -> list[Message]:
    """The turns of a conversation, of which the last is the user's; InputError where it is not."""
    turns = [Message(each["role"], each["content"].strip()) for each in messages]  # type: ignore[arg-type]
    if strange := [turn.role for turn in turns if turn.role not in ("system", "user", "assistant")]:
        raise InputError(f"a message's role is system, user or assistant, not {strange[0]!r}")
    if turns[-1].role != "user":
        raise InputError(f"the last message is the {turns[-1].role}'s; it must be the user's, who asks")
    return turns


def _check(text: str) -> None:
    """Raises InputError where `text` cannot be asked."""
    if not text:
        raise InputError("the question is empty; write it after the command, in quotes")
    if len(text) > LONGEST:
        raise InputError(f"the question has {len(text)} characters; the most is {LONGEST}")
    if not is_unicode(text):
        raise InputError(f"the question is not valid Unicode: {text[:80]!r}; write it as UTF-8")


def is_unicode(text: str) -> bool:
    """Whether there is no half of a surrogate pair in `text`: neither a tokenizer nor a file takes one."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def normalise(text: str) -> str:
    """Lower case, without punctuation, articles and double spaces, as SQuAD's evaluation does, in any script.

    Chinese characters and kana are words by themselves, as in MLQA's evaluation (arXiv 1910.07475).

    >>> normalise("The  Eiffel-Tower!"), normalise("《巴黎》。"), normalise("ＡＢＣ")
    ('eiffeltower', '巴 黎', 'abc')
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(char for char in plain if char not in string.punctuation and unicodedata.category(char)[0] != "P")
    words = _IDEOGRAPH.sub(r" \g<0> ", kept).split()
    return " ".join(word for word in words if word not in {"a", "an", "the"})


def token_f1(answer: str, gold: str) -> float:
    """Harmonic mean of the tokens' precision and recall after normalisation, as in SQuAD's evaluation.

    >>> round(token_f1("the red Eiffel Tower", "Eiffel Tower"), 3), round(token_f1("法国巴黎", "巴黎"), 3)
    (0.8, 0.667)
    """
    given, right = normalise(answer).split(), normalise(gold).split()
    if not given or not right:
        return float(given == right)
    common = sum((Counter(given) & Counter(right)).values())
    return 2 * common / (len(given) + len(right))
