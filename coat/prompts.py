"""Every prompt in one place. A model without a chat template reads the same turns as plain text."""

from collections.abc import Sequence

from coat.models import Message
from search import Action

FACT = "Fact"
LABELS: dict[str, Action] = {"Thought": "think", "Recall": "recall", "Answer": "answer", FACT: "think"}
"""What a line of a free answer begins with, and the action it stands for."""

ARITHMETIC = (
    "Use each number exactly once, with + - * /, to reach the target. Every step takes two of the numbers that are left"
    " and replaces them by the result."
)
SOLVED = (
    ((4, 4, 6, 8), 24, ("4 + 8 = 12", "Left: 4 6 12", "6 - 4 = 2", "Left: 12 2", "12 * 2 = 24")),
    ((2, 9, 10, 12), 24, ("12 * 2 = 24", "Left: 9 10 24", "10 - 9 = 1", "Left: 24 1", "24 * 1 = 24")),
    ((3, 7, 25, 50), 79, ("50 + 25 = 75", "Left: 3 7 75", "75 + 7 = 82", "Left: 3 82", "82 - 3 = 79")),
    ((1, 4, 8, 8), 24, ("8 / 4 = 2", "Left: 1 8 2", "1 + 2 = 3", "Left: 8 3", "8 * 3 = 24")),
)
"""Puzzles, targets, and the lines of an assistant who solves them."""

QUESTION = (
    "Answer the question. Think in short lines that begin with 'Thought:'. Lines that begin with 'Fact:' were looked up"
    " for you; 'Recall:' looks something up. End with one line 'Answer:' and a few words."
)
ANSWERED = (
    (
        "Who wrote the novel that the film Blade Runner is based on?",
        (
            "Fact: Blade Runner: Blade Runner is a 1982 film based on Do Androids Dream of Electric Sheep?",
            "Thought: Blade Runner is based on Do Androids Dream of Electric Sheep?",
            "Fact: Do Androids Dream of Electric Sheep?: a 1968 novel by the American writer Philip K. Dick.",
            "Thought: That novel is by Philip K. Dick.",
            "Answer: Philip K. Dick",
        ),
    ),
    (
        "Are the rivers Seine and Tiber in the same country?",
        (
            "Thought: The Seine is in France.",
            "Recall: In which country is the Tiber?",
            "Fact: Tiber: The Tiber is a river in Italy that flows through Rome.",
            "Thought: France and Italy are two countries.",
            "Answer: no",
        ),
    ),
)
"""Questions, and the lines of an assistant who answers them."""

BACKTRACK = "Backtrack"
JUDGE = "Is the last step above right, and does it lead to the answer? Reply with Yes or No."


def is_backtrack(step: str) -> bool:
    """Whether a step says that the one before it was wrong."""
    return step.rstrip(".:!").casefold() == BACKTRACK.casefold()


def arithmetic(numbers: Sequence[int], target: int) -> list[Message]:
    """A puzzle after solved ones; the last turn is the assistant's, who writes steps."""
    turns: list[Message] = []
    for given, goal, lines in SOLVED:
        turns += [Message("user", _puzzle(given, goal)), Message("assistant", "\n".join(lines))]
    turns[0] = Message("user", f"{ARITHMETIC}\n{turns[0].content}")
    return [*turns, Message("user", _puzzle(numbers, target))]


def _puzzle(numbers: Sequence[int], target: int) -> str:
    return f"Target: {target}\nNumbers: {' '.join(map(str, numbers))}"


def question(text: str) -> list[Message]:
    """A question after answered ones; the last turn is the assistant's, who thinks."""
    turns: list[Message] = []
    for asked, lines in ANSWERED:
        turns += [Message("user", f"Question: {asked}"), Message("assistant", "\n".join(lines))]
    turns[0] = Message("user", f"{QUESTION}\n{turns[0].content}")
    return [*turns, Message("user", f"Question: {text}")]


def fact(text: str) -> str:
    """A recalled fact as a line of the path; line breaks inside it would look like steps, so they become spaces."""
    return f"{FACT}: {' '.join(text.split())}\n"


def tried(text: str, outcome: str) -> str:
    """A step of another branch and what became of it, as a line of the path."""
    return f"Tried elsewhere: {' '.join(text.split())} ({outcome})\n"
