"""A tree of fixed shape that anybody's decoder can grow: what is sampled differs, what has to be decoded does not."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import search
from coat.models import Sampling, Tokens
from search import Evaluation, Expand, Expansion, Reply, Request, Step, Tree


@dataclass(frozen=True)
class Workload:
    """Trees to grow from `roots`, token ids each: `expansions` a tree, `width` children of `tokens` tokens.

    A child is judged by reading the odds of two tokens after its path and `suffix`. Texts never end by themselves.
    """

    roots: tuple[Tokens, ...]
    suffix: Tokens
    readings: Tokens
    expansions: int
    sampling: Sampling
    width: int = 4
    parallel: int = 8

    @property
    def tokens(self) -> int:
        """Tokens of a child."""
        return self.sampling.max_tokens


class Backend(Protocol):
    """What grows the tree: siblings after a path, and what a path is worth."""

    async def sample(self, path: Tokens, seeds: Sequence[int]) -> list[Tokens]:
        """One continuation a seed."""
        ...

    async def score(self, path: Tokens) -> None:
        """Read the odds after `path` and the workload's suffix."""
        ...


@dataclass(frozen=True)
class Growth:
    """What a run took: seconds, the tokens it sampled, and the nodes it judged."""

    seconds: float
    generated: int
    judged: int

    @property
    def per_token(self) -> float:
        """Seconds a sampled token, everything included."""
        return self.seconds / self.generated


async def grow(backend: Backend, workload: Workload, seed: int = 0) -> Growth:
    """Grow all trees of `workload` beside each other."""
    begun = time.perf_counter()
    trees = await asyncio.gather(*(_tree(backend, workload, root, seed) for root in workload.roots))
    nodes = [node for tree in trees for node in tree.nodes[1:]]
    seconds = time.perf_counter() - begun
    return Growth(seconds, sum(len(node.step.tokens) for node in nodes), sum(node.judged is not None for node in nodes))


async def _tree(backend: Backend, workload: Workload, root: Tokens, seed: int) -> Tree:
    """One tree; the values are drawn from (seed, node), so that its shape is the same whatever was sampled."""
    tree = Tree()

    def path(node: int) -> Tokens:
        return (*root, *(token for each in tree.path(node) for token in each.step.tokens))

    async def perform(request: Request) -> Reply:
        if isinstance(request, Expand):
            drawn = await backend.sample(path(request.node), [1000 * request.node + n for n in range(request.width)])
            steps = (Step(f"{request.node}.{n}", tokens=tokens) for n, tokens in enumerate(drawn))
            return Expansion(tuple(steps), (), sum(map(len, drawn)))
        await asyncio.gather(*(backend.score(path(node)) for node in request.nodes))
        return Evaluation(tuple(random.Random(f"{seed}:{node}").random() for node in request.nodes))

    await search.drive(
        search.mcts(tree, simulations=workload.expansions, width=workload.width, parallel=workload.parallel), perform
    )
    return tree
