"""treequest and llm-reasoners growing trees through the same llama-server, as their documentation shows."""

import contextlib
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.decoders import Server
from benchmarks.growing import Growth, Workload
from coat.models import Tokens


class Client:
    """One thread's requests to a server, and the count of what came back."""

    def __init__(self, server: Server, seed: int) -> None:
        self._server = server
        self._client = httpx.Client(base_url=server.url, timeout=None)
        self._random = random.Random(seed)
        self.generated = self.judged = 0

    def sample(self, path: Tokens, count: int) -> list[Tokens]:
        """Children of `path`."""
        question = self._server.question(path, seed=self._random.randrange(1, 1 << 31), n_cmpl=count)
        found = self._client.post("/completion", json=question).raise_for_status().json()
        children = [tuple(each["tokens"]) for each in (found if isinstance(found, list) else [found])]
        self.generated += sum(map(len, children))
        return children

    def score(self, path: Tokens) -> float:
        """Judge `path`; the value is drawn, as in all of these trees."""
        self._client.post("/completion", json=self._server.judgement(path)).raise_for_status()
        self.judged += 1
        return self._random.random()


def treequest(server: Server, workload: Workload) -> Growth:
    """`StandardMCTS` by ask and tell, the children of a node asked for at once."""
    from treequest import StandardMCTS

    client, (root,) = Client(server, 0), workload.roots[:1]
    algorithm: Any = StandardMCTS(samples_per_action=workload.width)
    state = algorithm.init_tree()

    def answer(trial: Any) -> tuple[Tokens, float]:
        parent = trial.parent_state or root
        (child,) = client.sample(parent, 1)
        return (*parent, *child), client.score((*parent, *child))

    begun = time.perf_counter()
    with ThreadPoolExecutor(workload.width) as pool:
        for _ in range(workload.expansions):
            state, trials = algorithm.ask_batch(state, workload.width, ["step"])
            for trial, result in zip(trials, pool.map(answer, trials), strict=True):
                state = algorithm.tell(state, trial.trial_id, result)
    return Growth(time.perf_counter() - begun, client.generated, client.judged)


class _EnoughError(Exception):
    """As many expansions as the workload has were made."""


def llm_reasoners(server: Server, workload: Workload) -> Growth:
    """`MCTS` over a world of token paths; the children of a node are one request, their scores one each."""
    from reasoners import Reasoner, SearchConfig, WorldModel
    from reasoners.algorithm import MCTS

    client, (root,) = Client(server, 0), workload.roots[:1]

    class World(WorldModel):  # type: ignore[misc]
        def init_state(self) -> Tokens:
            return root

        def step(self, state: Tokens, action: Tokens) -> tuple[Tokens, dict[str, Any]]:
            return (*state, *action), {}

        def is_terminal(self, state: Tokens) -> bool:
            return False

    class Config(SearchConfig):  # type: ignore[misc]
        expansions = 0

        def get_actions(self, state: Tokens) -> Sequence[Tokens]:
            if self.expansions == workload.expansions:
                raise _EnoughError
            self.expansions += 1
            return client.sample(state, workload.width)

        def fast_reward(self, state: Tokens, action: Tokens) -> tuple[float, dict[str, Any]]:
            return client.score((*state, *action)), {}

        def reward(self, state: Tokens, action: Tokens, **_: Any) -> tuple[float, dict[str, Any]]:
            return random.random(), {}

    begun = time.perf_counter()
    with contextlib.suppress(_EnoughError):
        Reasoner(World(), Config(), MCTS(n_iters=workload.expansions))(None)
    return Growth(time.perf_counter() - begun, client.generated, client.judged)
