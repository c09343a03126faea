"""What a run found, and how sure it is."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coat.errors import UnreadableAnswerError
from coat.problem import Problem
from coat.settings import Settings
from coat.tasks import Task
from coat.thoughts import said
from coat.trace import Hits, Tree
from coat.usage import Usage
from search import Node

Stop = Literal["solved", "accepted", "tokens", "seconds", "simulations", "exhausted", "context", "interrupted"]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a run.

    `answer` is None where no line reached one; `path` is then the most promising line. `correct` is None where nothing
    can check it. `confidence` is the answer's share of the summed value of all answers. `recalled` are the facts on
    the path. `remarks` are what the task says about the problem. `run` is its number in the journal, `best` are the
    nodes of `path`.
    """

    answer: str | None
    correct: bool | None
    confidence: float
    path: list[str]
    recalled: list[dict[str, Any]]
    stop: Stop
    strategy: str
    model: str
    seed: int
    usage: Usage
    tree: Tree
    remarks: list[str]
    run: int | None = None
    best: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON of `coat solve --json`."""
        names = ("answer", "correct", "confidence", "path", "recalled", "stop", "strategy", "model", "seed", "remarks")
        shape = {"nodes": len(self.tree), "depth": self.tree.depth, "backtracks": self.tree.backtracks}
        return {name: getattr(self, name) for name in names} | {"usage": self.usage.as_dict(), "tree": shape}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """In a notebook: the answer, how sure it is, and the tree."""
        from coat.viewer import data, notebook

        return notebook.bundle(data.view(self.tree) | {"result": self.as_dict(), "best": list(self.best)})


def choose(tree: Tree, task: Task, problem: Problem, settings: Settings) -> tuple[Node, str | None, float]:
    """The node that ends the best path, its answer, and the confidence in it.

    Answers with the same key add their values up (`vote` weighted: best-of-N weighted, arXiv 2408.03314); their number,
    also where none was judged (majority, arXiv 2203.11171); the best value counts (max); or the best of each chain of
    revisions is added up (chains). The best node of the winning key stands for it. Without an answer: the end of the
    most valued line, None, 0.
    """
    found = [(node, worth(tree, node, settings.aggregate)) for node in tree.terminals()]
    if not found:
        return _most_promising(tree), None, 0.0
    if settings.vote == "chains":
        found = _best_of_chains(tree, found)
    keys = {node.id: task.key(answer_of(tree, task, problem, node)) for node, _ in found}
    counted = settings.vote == "majority" or all(node.judged is None for node, _ in found)
    votes: dict[str, float] = {}
    for node, value in found:
        vote, key = 1.0 if counted else value, keys[node.id]
        votes[key] = max(votes.get(key, 0.0), vote) if settings.vote == "max" else votes.get(key, 0.0) + vote
    winner = max(votes, key=votes.__getitem__)
    best, _ = max((each for each in found if keys[each[0].id] == winner), key=lambda each: each[1])
    total = sum(votes.values())
    return best, answer_of(tree, task, problem, best), votes[winner] / total if total else 0.0


def worth(tree: Tree, node: Node, aggregate: str) -> float:
    """What a finished line is worth: the last, the least, the mean or the product of its steps' values."""
    values = [each.judged for each in tree.path(node.id) if each.judged is not None]
    return AGGREGATES[aggregate](values) if values and node.judged is not None else 0.0


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "min": min,
    "mean": statistics.fmean,
    "product": math.prod,
}


def _best_of_chains(tree: Tree, found: Sequence[tuple[Node, float]]) -> list[tuple[Node, float]]:
    """Of answers that are revisions of one another, the best each."""
    chains: dict[int, tuple[Node, float]] = {}
    for node, value in found:
        first = next(each.id for each in tree.path(node.id) if each.status == "terminal")
        if first not in chains or value > chains[first][1]:
            chains[first] = (node, value)
    return list(chains.values())


def leading(tree: Tree, aggregate: str) -> Node:
    """The end of the best path so far: the answer that is worth most, without a look at what it says, or of no answer
    the end of the most valued line.
    """
    found = tree.terminals()
    return max(found, key=lambda node: worth(tree, node, aggregate)) if found else _most_promising(tree)


def answer_of(tree: Tree, task: Task, problem: Problem, node: Node) -> str:
    """The answer that the path to `node` gives."""
    return task.answer(problem, said([each.step for each in tree.path(node.id)]))


def _most_promising(tree: Tree) -> Node:
    node = tree[0]
    while children := [child for child in map(tree.__getitem__, node.children) if _goes_on(tree, child)]:
        node = max(children, key=lambda child: (child.value, child.visits))
    return node


def _goes_on(tree: Tree, node: Node) -> bool:
    return node.step.action != "backtrack" and node.id not in tree.pruned


def check(tree: Tree, task: Task, problem: Problem, node: Node, answer: str | None) -> bool | None:
    """Whether the answer is right, by the gold answer or else the task's verifier; None where nothing can tell."""
    if answer is None:
        return False if task.verifies or problem.gold is not None else None
    try:
        graded = task.grade(problem, answer)
    except UnreadableAnswerError:
        return False
    return task.verify(problem, said([each.step for each in tree.path(node.id)])) if graded is None else graded


def recalled_on(tree: Tree, node: Node, hits: Hits) -> list[dict[str, Any]]:
    """What was recalled on the path to `node`: id, text, source, the score it had there, and what it came through."""
    found = (hit for each in [tree[0], *tree.path(node.id)] for hit in hits.get(each.id, ()))
    names = ("id", "text", "source", "score")
    return [{name: hit[name] for name in names} | {"via": hit.get("via", "")} for hit in found]
