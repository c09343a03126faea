"""Who associates in a run, and what with: the memory, the model by itself, both or nobody (CoAT, arXiv 2502.02390).

What is associated with a path stays on it: everything below the node was sampled after it.
"""

import asyncio
import hashlib
from collections.abc import Sequence

from coat import prompts
from coat.association import Associations, association_of
from coat.errors import ContextError, InputError
from coat.evaluators import combine
from coat.journal import Run
from coat.models import SampleRequest, Sampling
from coat.paths import Paths
from coat.settings import Settings
from coat.thoughts import said
from coat.trace import Hit
from search import Expand, Node

MOVE = "associate"


class Brain:
    """What one run associates; `hits` holds it by node, `paid` the tokens that the model's own associations cost."""

    def __init__(self, paths: Paths, settings: Settings, run: Run, associations: Associations | None) -> None:
        """Raises InputError where the model is to associate, and writes a notation of its own."""
        self.hits, self.paid = paths.hits, dict[int, int]()
        self._paths, self._tree, self._task, self._usage = paths, paths.tree, paths.task, paths.usage
        self._problem, self._model = paths.problem, paths.model
        self._settings, self._run, self._memory = settings, run, associations
        self._imagines = settings.brain in ("model", "both")
        if self._imagines and paths.model.capabilities.notation is not None:
            raise InputError(f"{paths.model.name} was trained on puzzles and associates nothing; leave out --brain")

    @property
    def cost(self) -> int:
        """The most tokens that associating with a node may take."""
        return prompts.MOVES[MOVE].most(self._settings.step_tokens) if self._imagines else 0

    @property
    def episodes(self) -> int:
        """How many steps were kept for the other branches so far."""
        return 0 if self._memory is None else self._memory.episodes

    async def associate(self, node: Node, episodes: int) -> list[Hit]:
        """What goes with the path to `node`, from facts and the first `episodes`; asked for once a node."""
        if self._memory is None or self._settings.brain == "none" or self._model.capabilities.notation is not None:
            return []  # what writes a notation of its own reads no facts
        hits = [] if self._settings.brain == "model" else await self._recall(self._memory, node, episodes)
        hits += await self._imagine(node, hits) if self._imagines else []
        self.hits[node.id] = hits
        self._usage.recalls += 1
        return hits

    async def _recall(self, memory: Associations, node: Node, episodes: int) -> list[Hit]:
        """What the memory associates; in a replay, what it did."""
        hits = self._run.recall(node.id)
        if hits is None:
            asked = self._problem.question
            if node.step.action == "recall":
                asked = f"{asked} {prompts.label(node.step.text)[1]}"
            known = [number for each in self._tree.up(node.id) for number in each.recalled]
            hits = await asyncio.to_thread(memory.recall, asked, self._texts(node), known, episodes)
            self._run.recalled(node.id, hits)
        return list(hits)

    async def _imagine(self, node: Node, hits: Sequence[Hit]) -> list[Hit]:
        """What the model associates by itself; nothing where there is no room for it."""
        temperature = self._settings.temperature
        sampling = Sampling(self.cost, temperature=self._task.temperature if temperature is None else temperature)
        seed = int.from_bytes(hashlib.sha256(f"{self._settings.seed}:{node.id}:{MOVE}".encode()).digest()[:4])
        account = self._usage.fork()
        try:
            prompt = self._paths.turned(Expand(node.id, 1, move=MOVE), prompts.MOVES[MOVE])
            (completion,) = await self._model.sample(SampleRequest(prompt, (seed,), sampling), account)
        except ContextError:
            return []
        finally:
            self.paid[node.id] = account.spent
            self._usage.add(account)
        earlier = [hit for each in self._tree.up(node.id) for hit in self.hits.get(each.id, ())]
        return association_of(completion.text, self._texts(node), [*hits, *earlier])

    def _texts(self, node: Node) -> list[str]:
        return [step.text for step in self._paths.steps(node)]

    def observe(self, node: Node, value: float, verdict: bool) -> None:
        """Keep what `node` ends with as proved or refuted, for the other branches."""
        texts = said(self._paths.steps(node))
        if self._memory is not None and texts:
            self._memory.observe(texts[-1], self._task.note(self._problem, texts).strip(), value, verdict)

    async def remember(self, node: Node, answer: str) -> int:
        """Keep the answer at `node` and the steps to it as facts, if the task verifies it; how many are new.

        A step of a task whose steps change a state is kept with the state that it was taken in.
        """
        texts = said(self._paths.steps(node))
        if self._memory is None or not await asyncio.to_thread(self._task.verify, self._problem, texts):
            return 0
        told = [hit["text"] for each in self._tree.up(node.id) for hit in self.hits.get(each.id, ())]
        facts = {f"{_line(self._problem.question)} → {_line(answer)}": "answer"}
        for place, step in enumerate(texts[:-1]):
            state = self._task.note(self._problem, texts[:place]).strip()
            if self._task.kind == "moves":
                facts[f"{_line(state or self._problem.question)} → {_line(step)}"] = "step"
            elif not any(_line(step).casefold() in _line(text).casefold() for text in told):
                facts[_line(step)] = "step"
        found = {"verified": True, "task": self._task.name, "question": self._problem.question, "run": self._run.id}
        origins = [{"kind": kind, **found, "model": self._model.name} for kind in facts.values()]
        return await asyncio.to_thread(self._memory.remember, list(facts), f"solved {self._task.name}", origins)

    async def weigh(self, node: Node, value: float, texts: Sequence[str]) -> tuple[float, dict[str, float]]:
        """`value`, that of the steps `texts` to `node`, with β times F_a of what its path was told; and the parts."""
        hits = [hit for each in self._tree.up(node.parent or 0) for hit in self.hits.get(each.id, ())]
        if self._memory is None or not hits:
            return value, {}
        associated = await asyncio.to_thread(self._memory.weigh, hits, texts[-1], texts[:-1])
        return combine(value, associated, self._settings.beta), {"F_g": value, "F_a": associated}


def _line(text: str) -> str:
    return " ".join(text.split())
