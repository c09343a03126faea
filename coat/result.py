"""What a run found, and how sure it is."""

from dataclasses import dataclass
from typing import Any, Literal

from coat.problem import Problem
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
    the path. `remarks` are what the task says about the problem. `run` is its number in the journal.
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

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON of `coat solve --json`."""
        names = ("answer", "correct", "confidence", "path", "recalled", "stop", "strategy", "model", "seed", "remarks")
        shape = {"nodes": len(self.tree), "depth": self.tree.depth, "backtracks": self.tree.backtracks}
        return {name: getattr(self, name) for name in names} | {"usage": self.usage.as_dict(), "tree": shape}


def choose(tree: Tree, task: Task, problem: Problem) -> tuple[Node, str | None, float]:
    """The node that ends the best path, its answer, and the confidence in it.

    Answers with the same key add their values up (best-of-N weighted, arXiv 2408.03314), or where none was judged their
    number (majority, arXiv 2203.11171); the best node of the winning key stands for it. Without an answer: the end of
    the most valued line, None, 0.
    """
    votes: dict[str, float] = {}
    best: dict[str, Node] = {}
    unjudged = float(all(node.judged is None for node in tree.terminals()))
    for node in tree.terminals():
        key = task.key(answer_of(tree, task, problem, node))
        value = unjudged if node.judged is None else node.judged
        votes[key] = votes.get(key, 0.0) + value
        if key not in best or value > (best[key].judged or 0.0):
            best[key] = node
    if not votes:
        return _most_promising(tree), None, 0.0
    winner = max(votes, key=lambda key: votes[key])
    total = sum(votes.values())
    return best[winner], answer_of(tree, task, problem, best[winner]), votes[winner] / total if total else 0.0


def answer_of(tree: Tree, task: Task, problem: Problem, node: Node) -> str:
    """The answer that the path to `node` gives."""
    return task.answer(problem, said([each.step for each in tree.path(node.id)]))


def _most_promising(tree: Tree) -> Node:
    node = tree[0]
    while children := [tree[child] for child in node.children if tree[child].step.action != "backtrack"]:
        node = max(children, key=lambda child: (child.value, child.visits))
    return node


def check(task: Task, problem: Problem, tree: Tree, node: Node, answer: str | None) -> bool | None:
    """Whether the answer is right, by the task's verifier or the gold answer; None where nothing can tell."""
    if answer is None:
        return False if task.verifies or problem.gold is not None else None
    verdict = task.verify(problem, said([each.step for each in tree.path(node.id)]))
    return task.grade(problem, answer) if verdict is None else verdict


def recalled_on(tree: Tree, node: Node, hits: Hits) -> list[dict[str, Any]]:
    """What was recalled on the path to `node`: id, text, source, and the score it had there."""
    found = (hit for each in [tree[0], *tree.path(node.id)] for hit in hits.get(each.id, ()))
    return [{name: hit[name] for name in ("id", "text", "source", "score")} for hit in found]
