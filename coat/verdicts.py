"""What paths of a run are worth: the task's verdict on answers, the evaluator's on the rest, and F_a."""

import asyncio
from collections.abc import Sequence

from coat.brain import Brain
from coat.errors import ContextError
from coat.judging import Comparing, Evaluator, Path
from coat.paths import Paths
from coat.settings import Settings
from coat.thoughts import said
from coat.usage import Usage
from search import Evaluate, Evaluation, Node

Judgement = tuple[float, dict[str, float]]
"""A value in [0, 1], and its parts by name."""


class Verdicts:
    """The judgements of one run; `context_full` once a path did not fit into the judge's context."""

    def __init__(self, paths: Paths, evaluator: Evaluator, brain: Brain, settings: Settings) -> None:
        self.context_full = False
        self._paths, self._tree, self._task, self._thoughts = paths, paths.tree, paths.task, paths.thoughts
        self._problem, self._usage = paths.problem, paths.usage
        self._evaluator, self._brain, self._settings = evaluator, brain, settings

    def best(self) -> Node | None:
        """The best answer so far, with which a judge that compares compares; None of any other judge."""
        if not isinstance(self._evaluator, Comparing):
            return None
        name = self._evaluator.name
        judged = [node for node in self._tree.terminals() if name in node.parts]
        return max(judged, key=lambda node: node.parts[name], default=None)

    async def evaluate(self, request: Evaluate, best: Node | None) -> Evaluation:
        """What was asked about; `best` was the best answer when it was asked."""
        account = self._usage.fork()
        nodes = [self._tree[node] for node in request.nodes]
        try:
            if isinstance(self._evaluator, Comparing):
                judged = await self._compare(self._evaluator, nodes, best, account)
            else:
                judged = await asyncio.gather(*(self._judge(node, account) for node in nodes))
        finally:
            self._usage.add(account)
        self._usage.evaluations += len(request.nodes)
        return Evaluation(tuple(value for value, _ in judged), tuple(parts for _, parts in judged), account.spent)

    async def _compare(
        self, evaluator: Comparing, nodes: Sequence[Node], best: Node | None, account: Usage
    ) -> list[Judgement]:
        """As `_judge` says of each of `nodes`, by each other and the `best` answer so far."""
        verdicts = await asyncio.gather(*map(self._verdict, nodes))
        left = [self._path(node) for node, verdict in zip(nodes, verdicts, strict=True) if verdict is None]
        parts = iter(await evaluator.compare(left, None if best is None else self._path(best), account))
        pairs = zip(nodes, verdicts, strict=True)
        return [verdict or await self._weigh(node, next(parts)) for node, verdict in pairs]

    async def _judge(self, node: Node, account: Usage) -> Judgement:
        """V of the path to `node`, and its parts."""
        if verdict := await self._verdict(node):
            return verdict
        try:
            parts = await self._evaluator.evaluate(self._path(node), account)
        except ContextError:
            self.context_full = True
            return 0.0, {}
        return await self._weigh(node, parts)

    async def _verdict(self, node: Node) -> Judgement | None:
        """What the task's verifier says of an answer; None where it is not asked, or cannot tell."""
        if node.step.action != "answer" or not self._settings.verify:
            return None
        verdict = await asyncio.to_thread(self._task.verify, self._problem, said(self._paths.steps(node)))
        return None if verdict is None else (float(verdict), {"verifier": float(verdict)})

    def _path(self, node: Node) -> Path:
        steps = self._paths.steps(node)
        bare = tuple(map(self._thoughts.bare, steps))
        return Path(self._problem, bare, self._paths.closed(node), self._thoughts.ending(steps), node.parts)

    async def _weigh(self, node: Node, parts: dict[str, float]) -> Judgement:
        """The evaluator's value of the path to `node`, weighed with what was recalled for it."""
        texts = [self._thoughts.bare(step).text for step in self._paths.steps(node)]
        value, more = await self._brain.weigh(node, parts.get(self._evaluator.name, 0.0), texts)
        return value, {**parts, **more}
