"""Every prompt in one place. A model without a chat template reads the same turns as plain text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from coat.errors import IllegalStepError
from coat.models import Message
from search import Action

FACTS = "Facts"
TRIED = "Tried elsewhere"
ASSOCIATED = "Associated"
LABELS: dict[str, Action] = {"Recall": "recall", "Answer": "answer", FACTS: "think", TRIED: "think"}
LABELS[ASSOCIATED] = "think"
LABELS |= {"Final Answer": "answer", "回忆": "recall", "答案": "answer"}
"""What a line of a free answer begins with, and the action it stands for; without a label it is a thought."""

_LABEL = re.compile(rf"[*#\s]*({'|'.join(LABELS)})\s*(?:\**\s*[:：](.*))?", re.DOTALL)
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_IDEOGRAPH, _KANA = re.compile("[\u4e00-\u9fff]"), re.compile("[\u3040-\u30ff]")

ARITHMETIC = (
    "Use each number exactly once, with + - * /, to reach the target. Every step takes two of the numbers that are left"
    " and replaces them by the result."
)
SOLVED = (
    ((4, 4, 6, 8), 24, ("4 + 8 = 12", "Next numbers: 4 6 12", "6 - 4 = 2", "Next numbers: 12 2", "12 * 2 = 24")),
    ((2, 9, 10, 12), 24, ("12 * 2 = 24", "Next numbers: 9 10 24", "10 - 9 = 1", "Next numbers: 24 1", "24 * 1 = 24")),
    ((3, 7, 25, 50), 79, ("50 + 25 = 75", "Next numbers: 3 7 75", "75 + 7 = 82", "Next numbers: 3 82", "82 - 3 = 79")),
    ((1, 4, 8, 8), 24, ("8 / 4 = 2", "Next numbers: 1 8 2", "1 + 2 = 3", "Next numbers: 8 3", "8 * 3 = 24")),
)
"""Puzzles, targets, and the lines of an assistant who solves them."""

Style = Literal["lines", "free", "draft"]
"""Steps as lines after worked examples; paragraphs, as models write that think by themselves; drafts of a few words."""


Examples = tuple[tuple[str, tuple[str, ...]], ...]
"""Questions, and the lines of an assistant who answers them."""


@dataclass(frozen=True, slots=True)
class Worked:
    """How questions of a kind are asked: the rules by style, answered questions, and drafts of answers.

    `ask` stands before a question.
    """

    lines: str
    free: str
    draft: str
    ask: str
    answered: Examples = ()
    drafted: Examples = ()


ANSWERED = (
    (
        "Who wrote the novel that the film Blade Runner is based on?",
        (
            "Facts: (1) Blade Runner: a film based on Do Androids Dream. (2) Do Androids Dream: by Philip K. Dick.",
            "The film Blade Runner is based on Do Androids Dream.",
            "Do Androids Dream was written by Philip K. Dick.",
            "Answer: Philip K. Dick",
        ),
    ),
    (
        "Are the rivers Seine and Tiber in the same country?",
        (
            "Facts: (1) Seine: The Seine is a river in northern France.",
            "The Seine is in France.",
            "Facts: (1) Tiber: The Tiber is a river in Italy that flows through Rome.",
            "The Tiber is in Italy.",
            "Answer: no",
        ),
    ),
    (
        "In which year did the painter of Guernica die?",
        (
            "The painter of Guernica is Pablo Picasso.",
            "Recall: the death of Pablo Picasso",
            "Facts: (1) Pablo Picasso: Pablo Picasso was a Spanish painter who died on 8 April 1973.",
            "Answer: 1973",
        ),
    ),
    (
        "Which company made the car that won Le Mans in 1966?",
        ("Facts: (1) Ford GT40: The Ford GT40 won Le Mans from 1966 to 1969.", "Answer: Ford"),
    ),
)
"""Questions, and the lines of an assistant who answers them."""

ANSWERED_ZH = (
    (
        "电影《银翼杀手》改编自谁的小说？",
        (
            "Facts: (1) 银翼杀手: 改编自小说《仿生人会梦见电子羊吗》。 (2) 仿生人会梦见电子羊吗: 菲利普·迪克的小说。",
            "电影《银翼杀手》改编自《仿生人会梦见电子羊吗》。",
            "《仿生人会梦见电子羊吗》是菲利普·迪克写的。",
            "答案：菲利普·迪克",
        ),
    ),
    (
        "《格尔尼卡》的作者是哪一年去世的？",
        (
            "《格尔尼卡》的作者是毕加索。",
            "回忆：毕加索去世",
            "Facts: (1) 毕加索: 巴勃罗·毕加索是西班牙画家，1973年4月8日去世。",
            "答案：1973年",
        ),
    ),
)
"""The same in Chinese."""

DRAFTED = (
    (
        "Who wrote the novel that the film Blade Runner is based on?",
        (
            "Facts: (1) Blade Runner: a film based on Do Androids Dream. (2) Do Androids Dream: by Philip K. Dick.",
            "film from Do Androids Dream",
            "novel by Philip K. Dick",
            "Answer: Philip K. Dick",
        ),
    ),
    (
        "Are the rivers Seine and Tiber in the same country?",
        ("Seine: France", "Tiber: Italy", "different", "Answer: no"),
    ),
    ("In which year did the painter of Guernica die?", ("painter: Picasso", "died April 1973", "Answer: 1973")),
)

QUESTION = Worked(
    "Answer the question. Lines that begin with 'Facts:' were looked up for you. Think in short sentences, one on a"
    " line; a line 'Recall:' looks something up. The last line is 'Answer:' and a few words.",
    "Answer the question. Lines that begin with 'Facts:' were looked up for you; a line 'Recall:' and a few words looks"
    " something up. Reason in short paragraphs. The last line is 'Answer:' and a few words.",
    "Answer the question. Lines that begin with 'Facts:' were looked up for you. Think step by step, but keep of each"
    " step only a draft of at most five words, one on a line. The last line is 'Answer:' and a few words.",
    "Question: ",
    ANSWERED,
    DRAFTED,
)
QUESTION_ZH = Worked(
    "回答问题。以“Facts:”开头的行是为你查到的资料。用短句思考，每行一句；以“回忆：”开头的行用来查资料。"
    "最后一行以“答案：”开头，只写几个字。",
    "回答问题。以“Facts:”开头的行是为你查到的资料；以“回忆：”开头、后面跟几个字的行用来查资料。"
    "分成短段落推理。最后一行以“答案：”开头，只写几个字。",
    "回答问题。以“Facts:”开头的行是为你查到的资料。逐步思考，但每一步只写不超过五个词的草稿，每行一步。"
    "最后一行以“答案：”开头，只写几个字。",
    "问题：",
    ANSWERED_ZH,
)

BACKTRACK = "Backtrack"
REVISE = "That may be wrong. Another attempt:"
JUDGE = "Is the last step above right, and does it lead to the answer? Reply with Yes or No."
COMPARE = "Two answers to one question are to be compared.\n\nQuestion:\n"
SIDES = ("\n\nAnswer A:\n", "\n\nAnswer B:\n")
BETTER = "\n\nWhich answer is better? Reply with A or B."
"""A comparison: the question follows `COMPARE`, each answer one of `SIDES`, and `BETTER` ends it."""


@dataclass(frozen=True, slots=True)
class Move:
    """Another way to go on than by the next step: the user's `turn` asks for it.

    In it `{0}` and so on are the texts of the nodes that it is about, or with `answers` what they answer, and then what
    else it is told. What comes is one step of up to `tokens`, whole, as `action`; one of which `reads` makes None is
    illegal.
    """

    turn: str
    action: Action = "think"
    tokens: int = 256
    answers: bool = False
    reads: Callable[[str], object] = str

    def most(self, step_tokens: int | None) -> int:
        """The most tokens of what comes, where steps have at most `step_tokens`."""
        return min(self.tokens, step_tokens or self.tokens)


def choice(text: str) -> int | None:
    """Which of two things a judgement ends with, 0 or 1; None where it ends with neither.

    >>> choice("Ties go to a.\\nAnswer: 1"), choice("**Program 2.**"), choice("Either 1 or 2 will do"), choice("12")
    (0, 1, None, None)
    """
    found = re.search(r"\b([12])\W*\Z", text)
    return None if found is None else int(found[1]) - 1


WHOLE = 512
"""The most tokens of an answer that comes by a move."""

MOVES: dict[str, Move] = {
    "associate": Move(
        "Before the next step: what do you know that helps with it? Write one or two short sentences of facts, none"
        " that was said above. Do not answer yet.",
        tokens=64,
    ),
    "draft": Move("Reply with one whole answer, in the form that is asked for above.", "answer", WHOLE),
    "loss": Move(
        "Two answers to this were compared.\n\nThe better answer:\n{0}\n\nThe worse answer:\n{1}\n\nSay in a few"
        " sentences why the better one is better, and what is weak in each. Give no answer of your own."
    ),
    "gradient": Move(
        "Turn this into advice for the next version of the better answer: a short list of what to change and what to"
        " keep. Do not write the next version yet."
    ),
    "improve": Move(
        "Write the next version: a whole answer that follows the advice, in the form that was asked for at first."
        " Write nothing else.",
        "answer",
        WHOLE,
    ),
    "feedback": Move(
        "Say in a few sentences what is good in this answer, what is wrong, weak or missing, and how that can be"
        " mended. Give no answer of your own."
    ),
    "edit": Move(
        "Write the answer anew: a whole answer that follows the feedback, in the form that was asked for at first."
        " Write nothing else.",
        "answer",
        WHOLE,
    ),
    "finish": Move(
        "Go on from here to the end: write the remaining steps as short sentences. The last line is 'Answer:' and the"
        " answer in the form that was asked for.",
        "answer",
    ),
    "subquestion": Move(
        "Ask the next sub-question that helps to answer the question, and answer it in a few sentences. Do not go on"
        " after that.",
        tokens=192,
    ),
    "reanswer": Move(
        "Answer that sub-question once more: think about it step by step, without relying on the answer above.",
        tokens=192,
    ),
    "rephrase": Move(
        "Before you answer, say the question again in other words: first every condition it gives, then what is asked."
        " Do not answer it yet.",
        tokens=192,
    ),
    "debug": Move(
        "That program fails a test.\n{0}\n\nSay in a sentence what is wrong. Then give the whole corrected function,"
        " with the imports that it needs, in one ```python block.",
        "answer",
        512,
    ),
    "tests": Move(
        "Do not write the function. Write up to six calls of it with different arguments, ordinary ones and edge cases"
        " that the description allows, to test programs with. One call a line, with literal arguments, nothing else."
    ),
    "inputs": Move(
        "Do not write the function. Here are two programs for it.\n\nProgram 1:\n```python\n{0}\n```\n\nProgram 2:\n"
        "```python\n{1}\n```\n\nWrite up to four calls, with arguments that the description allows, for which the two"
        " give different results. One call a line, with literal arguments, nothing else.",
        answers=True,
    ),
    "judge": Move(
        "Do not write the function. Two programs for it give different results.\n\n{2}\n\nWhich program does what the"
        " description asks for? Think in a few short sentences. The last line is 'Answer: 1' or 'Answer: 2'.",
        answers=True,
        reads=choice,
    ),
}
"""By name, as `search.Expand` names them."""


def steps_back(step: str, path: Sequence[str]) -> bool:
    """Whether `step` says that the last of `path` was wrong; IllegalStepError where there is none."""
    if step.rstrip(".:!").casefold() != BACKTRACK.casefold():
        return False
    if not path:
        raise IllegalStepError("there is no step to go back on")
    return True


def label(step: str) -> tuple[str, str]:
    """The label that the last labelled line of a step begins with, and what it says after that; without one, no label.

    >>> label("Answer: 42"), label("答案：北京"), label("Note: so"), label("So it is.\\n**Final Answer:** yes")
    (('Answer', '42'), ('答案', '北京'), ('', 'Note: so'), ('Final Answer', 'yes'))
    """
    lines = step.strip().splitlines()
    for first in reversed(range(len(lines))):
        if found := _LABEL.fullmatch("\n".join(lines[first:])):
            return found[1], (found[2] or "").strip("* \t\n")
    return "", step.strip()


def unboxed(answer: str) -> str:
    r"""What stands in the last box of an answer, or all of it.

    >>> unboxed(r"so \boxed{\frac{1}{2}}."), unboxed("Paris")
    ('\\frac{1}{2}', 'Paris')
    """
    boxes: list[str] = _BOXED.findall(answer)
    return boxes[-1].strip() if boxes else answer


def arithmetic(numbers: Sequence[int], target: int) -> list[Message]:
    """A puzzle after solved ones; the last turn is the assistant's, who writes steps."""
    turns: list[Message] = []
    for given, goal, lines in SOLVED:
        turns += [Message("user", _puzzle(given, goal)), Message("assistant", "\n".join(lines))]
    turns[0] = Message("user", f"{ARITHMETIC}\n{turns[0].content}")
    return [*turns, Message("user", _puzzle(numbers, target))]


def numbers_left(numbers: Sequence[object]) -> str:
    """What the model is told between two steps of a puzzle."""
    return f"Next numbers: {' '.join(map(str, numbers))}\n"


def _puzzle(numbers: Sequence[int], target: int) -> str:
    return f"Target: {target}\nNumbers: {' '.join(map(str, numbers))}"


def worked(
    rules: str,
    ask: str,
    answered: tuple[tuple[str, tuple[str, ...]], ...] = (),
    drafted: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Worked:
    """Rules in which `{how}` says how to think, style by style."""
    return Worked(
        rules.format(how="Think in short sentences, one on a line."),
        rules.format(how="Reason in short paragraphs."),
        rules.format(
            how="Think step by step, but keep of each step only a draft of at most five words, one on a line."
        ),
        ask,
        answered,
        drafted,
    )


def in_chinese(text: str) -> bool:
    """Whether `text` is Chinese: ideographs, and no kana as in Japanese."""
    return bool(_IDEOGRAPH.search(text)) and not _KANA.search(text)


def question(worked: Worked, style: Style, text: str, before: Sequence[Message] = (), end: str = "\n") -> list[Message]:
    """A question after answered ones, in steps ended by `end`, and what was said `before`; the assistant is next.

    A free question stands without answered ones.
    """
    answered = {"lines": worked.answered, "free": (), "draft": worked.drafted}[style]
    turns: list[Message] = []
    for asked, lines in answered:
        turns += [Message("user", f"{worked.ask}{asked}"), Message("assistant", end.join(lines))]
    system = [turn for turn in before if turn.role == "system"]
    earlier = [turn for turn in before if turn.role != "system"]
    turns += [*earlier, Message("user", f"{worked.ask}{text}")]
    first = turns.index(next(turn for turn in turns if turn.role == "user"))
    turns[first] = Message("user", f"{getattr(worked, style)}\n{turns[first].content}")
    return [*system, *turns]


def recalled(facts: Sequence[str], tried: Sequence[str] = (), associated: Sequence[str] = (), end: str = "\n") -> str:
    """What was recalled as data for the path: facts on a line, what was tried elsewhere, what the model associates.

    Each is ended by `end`, as steps are.

    Line breaks inside a text would look like steps, so they become spaces.
    """
    lines = ((FACTS, facts), (TRIED, tried), (ASSOCIATED, associated))
    return "".join(f"{label}: {_numbered(texts)}{end}" for label, texts in lines if texts)


def _numbered(texts: Sequence[str]) -> str:
    return " ".join(f"({number}) {' '.join(text.split())}" for number, text in enumerate(texts, 1))
