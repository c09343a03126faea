"""Blocksworld by breadth-first search: the length of the shortest plan."""

from collections.abc import Iterator

from coat.errors import IllegalStepError
from coat.problem import Problem
from coat.tasks.blocksworld import OPERATORS, Blocksworld, State

TASK = Blocksworld()


def effort(question: str) -> float:
    """Steps of the shortest plan; for up to six blocks, since every state is looked at.

    >>> effort("on a b, ontable b -> on b a")
    4.0
    """
    problem = TASK.read(question)
    edge, seen, length = [TASK.start(problem)], {TASK.start(problem)}, 0
    while not any(TASK.finished(problem, state) for state in edge):
        edge = list({after for state in edge for _, after in steps(problem, state)} - seen)
        seen |= set(edge)
        length += 1
    return float(length)


def steps(problem: Problem, state: State) -> Iterator[tuple[str, State]]:
    """The legal steps from `state`, and the states that they lead to."""
    blocks = sorted(problem.given["blocks"])
    for name, operator in OPERATORS.items():
        pairs = [(block,) for block in blocks]
        if operator.blocks == 2:
            pairs = [(block, other) for block in blocks for other in blocks if other != block]  # type: ignore[misc]
        for pair in pairs:
            step = " ".join([name, *pair])
            try:
                yield step, TASK.after(problem, state, step)
            except IllegalStepError:
                continue
