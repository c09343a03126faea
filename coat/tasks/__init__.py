"""Tasks: what a problem looks like, what a step may be, and when an answer is right.

A new task is one file with a class that fits `Task`, and one line in `TASKS`. An object that fits `Task` is a task too,
wherever a name is asked for in Python; `coat.tasks.planning.Planning` has most of one whose steps are moves.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from random import Random
from typing import Any, Protocol, cast, runtime_checkable

from coat.errors import InputError, no_such
from coat.models import LanguageModel, Prompt
from coat.problem import Kind, Problem
from coat.prompts import Style
from coat.settings import Settings
from coat.tasks.aqua import Aqua
from coat.tasks.arithmetic import Arithmetic
from coat.tasks.bbh import BigBenchHard
from coat.tasks.binpacking import BinPacking
from coat.tasks.blocksworld import Blocksworld
from coat.tasks.calendar import Calendar
from coat.tasks.cube2x2 import Cube2x2
from coat.tasks.gsm8k import Gsm8k
from coat.tasks.humaneval import HumanEval
from coat.tasks.logic import ProntoQA, StrategyQA
from coat.tasks.math500 import Math500
from coat.tasks.multihop import HotpotQA, MuSiQue, TwoWiki
from coat.tasks.puzzle import Puzzle, Unruled
from coat.tasks.qa import QuestionAnswering
from coat.tasks.sudoku import Sudoku
from coat.tasks.trip import TripPlanning
from coat.tasks.writing import Writing
from search import Action


class Task(Protocol):
    """The rules of one kind of problem. A path is the texts of its steps, first to last."""

    name: str
    summary: str
    sample: str
    """A problem as a person would type it."""
    source: str
    """Where its data come from."""
    step_tokens: int
    """The most tokens that one step may take."""
    model: str | None
    """The short name of the model that is used unless another is named; None for the first that is installed."""
    step_end: tuple[str, ...]
    """The stop strings that end a step."""
    step_complete: tuple[str, ...]
    """Texts that are a step by themselves, as soon as one begins with them."""
    temperature: float
    """At which steps are sampled unless the settings say otherwise."""
    knobs: Mapping[str, Mapping[str, Any]]
    """By strategy, settings that serve this task well, where the user asks for no others."""
    kind: Kind
    """What its steps are, by which a strategy knows whether it can serve."""
    verifies: bool
    """Whether `verify` can tell a right answer without knowing the gold one."""

    def read(self, text: str) -> Problem:
        """The problem that `text` states; InputError where it states none."""
        ...

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """What `model` reads before the path: a conversation whose next turn, the assistant's, is the path."""
        ...

    def remarks(self, problem: Problem) -> list[str]:
        """What a person should know before trusting a result, a sentence each."""
        ...

    def depth(self, problem: Problem) -> int:
        """The most steps that a solution takes."""
        ...

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """What the model wrote after `path`, as an action and a text; IllegalStepError where the rules forbid it.

        `last`: the model ended its turn with it.
        """
        ...

    def possible(self, problem: Problem, path: Sequence[str]) -> Callable[[str], bool] | None:
        """What tells whether a step after `path` that begins with a text can still be legal; None: nothing does."""
        ...

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """What the model is told after `path` before it goes on, as data; empty where there is nothing to tell."""
        ...

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """What paths share that have the same future, such as the numbers left; empty where that is unknown."""
        ...

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The answer that a finished path gives."""
        ...

    def key(self, answer: str) -> str:
        """What equal answers have in common, for voting."""
        ...

    def verify(self, problem: Problem, path: Sequence[str]) -> bool | None:
        """Whether a finished path is right; None where nothing can check it."""
        ...

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether `answer` is the gold answer; None where there is none.

        Raises:
            UnreadableAnswerError: it is no answer of the kind that is asked for.
        """
        ...

    def score(self, problem: Problem, answer: str) -> float | None:
        """How near `answer` comes to the gold answer, in [0, 1], where that is more than right or wrong."""
        ...

    def generate(self, lot: Random) -> str | None:
        """A new problem as a person would type it, drawn from `lot`; None where the task makes up none."""
        ...


@runtime_checkable
class Programs(Protocol):
    """What a task offers beside, whose answers are programs; each raises InputError where there is no sandbox."""

    def failure(self, problem: Problem, path: Sequence[str]) -> str:
        """How the program of a finished path fails the problem's public tests; empty where it passes."""
        ...

    def calls(self, problem: Problem, text: str) -> list[str]:
        """The calls on literals that a model wrote; nothing of the text is run."""
        ...

    def outputs(self, problem: Problem, path: Sequence[str], calls: Sequence[str]) -> list[str]:
        """What the program of a finished path gives for each of `calls`, the same in every run."""
        ...


@runtime_checkable
class Notated(Protocol):
    """What a task offers beside, whose model writes steps in a notation that is not the one that is shown."""

    def notated(self, problem: Problem, path: Sequence[str], step: str) -> str:
        """`step` after `path`, as it is shown or in the notation already, as the model would write it.

        Raises:
            IllegalStepError: it is no step.
        """
        ...


TASKS: dict[str, Callable[[], Task]] = {
    "game24": lambda: Arithmetic("game24", target=24),
    "countdown": lambda: Arithmetic("countdown"),
    "qa": QuestionAnswering,
    "gsm8k": Gsm8k,
    "aqua": Aqua,
    "math500": Math500,
    "prontoqa": ProntoQA,
    "strategyqa": StrategyQA,
    "hotpotqa": HotpotQA,
    "musique": MuSiQue,
    "2wikimultihopqa": TwoWiki,
    "blocksworld": Blocksworld,
    "cube2x2": Cube2x2,
    "sudoku": Sudoku,
    "binpacking": BinPacking,
    "calendar": Calendar,
    "trip": TripPlanning,
    "humaneval": HumanEval,
    "writing": Writing,
}
BBH = "bbh:"


def get(name: str | Task) -> Task:
    """The task called `name`, or a copy of the one that it is.

    Raises:
        InputError: there is no such task, or what is given is none.
    """
    if not isinstance(name, str):
        return copy(_checked(name))
    if name.startswith(BBH) and name != BBH:
        return BigBenchHard(name.removeprefix(BBH))
    if name not in TASKS:
        raise no_such("task", "tasks", name, [*TASKS, f"{BBH}NAME"])
    return TASKS[name]()


def _checked(task: Task) -> Task:
    """`task`, where it has what a task has; InputError names what it lacks."""
    if isinstance(task, type):
        raise InputError(f"{task.__name__} is a class; give a task made of it: {task.__name__}()")
    parts = [*Task.__annotations__, *(name for name, each in vars(Task).items() if callable(each) and name[0] != "_")]
    if missing := [name for name in parts if not hasattr(task, name)]:
        raise InputError(f"a {type(task).__name__} is no task, it has no {', '.join(missing[:5])}; see coat.tasks.Task")
    return task


def title(task: str | Task) -> str:
    """What tells runs of `task` from those of other tasks: its name, and where its class comes from if it is an object.

    >>> title("game24"), title(Arithmetic("countdown"))
    ('game24', 'countdown (coat.tasks.arithmetic.Arithmetic)')
    """
    if isinstance(task, str):
        return task
    return f"{task.name} ({type(task).__module__}.{type(task).__qualname__})"


def adapt(task: Task, model: LanguageModel, settings: Settings | None = None) -> Task:
    """`task` in the text that `model` reads and writes, with what the settings say of rules, drafts and ends of steps.

    Raises:
        InputError: the model was trained on something else, or the task cannot do without rules, or in this style.
    """
    settings = settings or Settings()
    notation, thinking = model.capabilities.notation, model.capabilities.thinking
    if notation is None and not settings.rules:
        raise InputError(f"the task {task.name!r} cannot follow a step that breaks its rules; leave them on")
    if notation is not None and (notation.name != Puzzle.NOTATION or not isinstance(task, Arithmetic)):
        raise InputError(f"{model.name} was trained on {notation.name}s and knows nothing else; name another model")
    styled = isinstance(task, QuestionAnswering) and not isinstance(task, Writing)
    if settings.style and not styled:
        raise InputError(f"the steps of {task.name!r} have a form of their own; leave out the style {settings.style!r}")
    if notation is not None and isinstance(task, Arithmetic):
        task = (Puzzle if settings.rules else Unruled)(task.name, task.target, notation.backtrack)
    elif isinstance(task, QuestionAnswering) and styled:
        free = thinking is not None and thinking.opened
        task = copy(task)
        task.write(cast("Style", settings.style or ("free" if free else "lines")))
    if settings.step_end is not None:
        task.step_end = (settings.step_end,)
    return task
