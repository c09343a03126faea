"""Measuring: the problems of a task, one strategy and one model; how many are right, and what they cost."""

import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from coat import tasks
from coat.api import start
from coat.errors import ContextError, InputError, UnreadableAnswerError
from coat.intervals import wilson
from coat.problem import Problem
from coat.result import Result, answer_of, check
from coat.solving import Solving
from coat.tasks import Task

ROLES = {"policy": "generated", "judge": "scored", "memory": "recalled", "replayed": "replayed"}
"""Whose tokens which count of the usage holds; those that the journal replayed are policy's and judge's together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One problem's run, as a line of JSON holds it.

    `readable` is False where the grader could not read the answer, which is then wrong. `score` is the token F1 where
    the task has one. `error` says why there was no run.
    """

    number: int
    question: str
    gold: str | None
    answer: str | None
    correct: bool
    readable: bool
    score: float | None
    stop: str
    confidence: float
    usage: dict[str, Any]
    error: str = ""

    @property
    def spent(self) -> int:
        """Tokens that count against the budget."""
        return int(sum(self.usage.get(ROLES[role], 0) for role in ("policy", "judge", "replayed")))

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def evaluate(
    problems: Sequence[tuple[str, Problem]], *, task: str | Task, jobs: int = 4, **call: Any
) -> Iterator[Outcome]:
    """Solve `problems`, each as the text that the task reads and as it is read, `jobs` at a time; in their order.

    `call` is what `coat.start` takes beside the question. What is loaded should be given loaded, so that all share it;
    with a journal the same call replays what it holds.

    Raises:
        InputError: nothing can tell right from wrong, or what `coat.start` says.
        BackendError: the model failed while it worked.
    """
    checkable(problems, task)
    found = results([text for text, _ in problems], jobs, task=task, **call)
    for number, (result, rules) in enumerate(found):
        yield _outcome(rules, number, problems[number][1], result)


def checkable(problems: Sequence[tuple[str, Problem]], task: str | Task) -> None:
    """Raises InputError where nothing can tell right answers to `problems` from wrong ones."""
    rules = tasks.get(task)
    if not rules.verifies and any(problem.gold is None for _, problem in problems):
        raise InputError(f"a problem of {rules.name!r} has no answer to compare with, and nothing else can check it")


def results(texts: Sequence[str], jobs: int, **call: Any) -> Iterator[tuple[Result | ContextError, Task]]:
    """What became of each of `texts`, in their order, `jobs` at a time, with its task as the model has it.

    A problem that does not fit into the context has its error.
    """
    running: deque[Solving] = deque()
    with ExitStack() as stack:
        stack.callback(_stop, running)
        for text in texts:
            if len(running) >= jobs:
                yield _waited(running.popleft())
            running.append(start(text, **call))
        while running:
            yield _waited(running.popleft())


def _stop(running: Iterable[Solving]) -> None:
    """End what is still at work."""
    for each in running:
        each.__exit__()


def _waited(solving: Solving) -> tuple[Result | ContextError, Task]:
    try:
        return solving.wait(), solving.task
    except ContextError as error:
        return error, solving.task


def pass_at_1(result: Result | ContextError, task: Task, problem: Problem, samples: int) -> float:
    """The share of `samples` independent lines, whose answers are in the result's tree, that is right."""
    if isinstance(result, ContextError):
        return 0.0
    ends = [(end, answer_of(result.tree, task, problem, end)) for end in result.tree.terminals()]
    return sum(bool(check(result.tree, task, problem, end, answer)) for end, answer in ends) / samples


SAMPLED: dict[str, Any] = {"strategy": "majority", "verify": False, "tokens": None, "vote": "majority"}
"""How the lines are drawn by which a problem's difficulty is told; with `n` of them."""


def _outcome(task: Task, number: int, problem: Problem, result: Result | ContextError) -> Outcome:
    """What became of a problem; one that does not fit into the context is wrong, and says so."""
    if isinstance(result, ContextError):
        return Outcome(number, problem.question, problem.gold, None, False, True, None, "context", 0.0, {}, str(result))
    if result.correct is None:
        raise InputError(f"nothing can check problem {number + 1}: {'; '.join(result.remarks) or 'it has no answer'}")
    readable, score = _graded(task, problem, result)
    return Outcome(
        number,
        problem.question,
        problem.gold,
        result.answer,
        result.correct,
        readable,
        score,
        result.stop,
        result.confidence,
        result.usage.as_dict(),
    )


def _graded(task: Task, problem: Problem, result: Result) -> tuple[bool, float | None]:
    """Whether the grader could read the answer, and its F1 where the task has one."""
    if result.answer is None or problem.gold is None:
        return True, None
    try:
        task.grade(problem, result.answer)
    except UnreadableAnswerError:
        return False, None
    return True, task.score(problem, result.answer)


def summary(outcomes: Iterable[Outcome], seconds: float, **named: Any) -> dict[str, Any]:
    """Accuracy with its Wilson interval, tokens a problem, whose they were, and seconds in all; `named` goes with it.

    Tokens a problem are those that count against the budget.
    """
    found = list(outcomes)
    right = sum(each.correct for each in found)
    low, high = wilson(right, len(found)) if found else (0.0, 1.0)
    by_role = {role: _mean(found, count) for role, count in ROLES.items()}
    scores = [each.score for each in found if each.score is not None]
    return {
        **named,
        "n": len(found),
        "accuracy": round(right / max(1, len(found)), 4),
        "interval": [round(low, 4), round(high, 4)],
        **({"f1": round(statistics.fmean(scores), 4)} if scores else {}),
        "tokens_per_problem": round(sum(by_role[role] for role in ("policy", "judge", "replayed")), 1),
        "by_role": by_role,
        "seconds": round(seconds, 3),
        "unreadable": sum(not each.readable for each in found),
        "unreadable_scores": sum(int(each.usage.get("unreadable", 0)) for each in found),
        "failed": sum(bool(each.error) for each in found),
    }


def _mean(outcomes: Sequence[Outcome], count: str) -> float:
    return round(statistics.fmean([each.usage.get(count, 0) for each in outcomes] or [0]), 1)
