"""What the search itself costs, without a model: `python -m benchmarks.search --json`."""

import gc
import random
import statistics
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

import search
from benchmarks.command import report
from search import Evaluation, Expand, Expansion, Request, Step, Tree

WIDTH = 2
"""Children of an expansion."""
FIRST = 1_000
"""Nodes on which the peer is compared."""
MANY = 100_000
COPIED = 200
"""Nodes of the peer when it copies its tree at every step, which takes time in proportion to the square."""
EXPLORATION = 2**0.5


def policy(seed: int) -> Iterator[tuple[str, float]]:
    """Steps and scores without end, the same ones for everybody."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        yield f"step {number}", chance.random()


class Grown:
    """A tree that our search grows, answered from `policy`; `levels` counts the nodes looked at by selection."""

    def __init__(self, seed: int) -> None:
        self.tree = Tree()
        self.levels = 0
        self._policy = policy(seed)
        self._scores: dict[int, float] = {}
        self._search = search.mcts(
            self.tree, simulations=MANY, width=WIDTH, depth=MANY, exploration=EXPLORATION, select=search.uct
        )
        self._requests: deque[Request] = deque(next(self._search))

    def grow(self, nodes: int) -> float:
        """Seconds of CPU until the tree has `nodes` nodes besides the root."""
        begun = time.process_time()
        while len(self.tree) <= nodes:
            request = self._requests.popleft()
            if isinstance(request, Expand):
                self.levels += self.tree[request.node].depth + 1
                drawn = [next(self._policy) for _ in range(request.width)]
                self._scores.update(enumerate((score for _, score in drawn), len(self.tree)))
                reply = Expansion(tuple(Step(text) for text, _ in drawn), (), WIDTH)
                self._requests.extend(self._search.send(reply))
            else:
                scores = tuple(self._scores.pop(node) for node in request.nodes)
                self._requests.extend(self._search.send(Evaluation(scores)))
        return time.process_time() - begun


def ours(seed: int, nodes: int) -> float:
    """Seconds of CPU for the first `nodes` nodes."""
    return Grown(seed).grow(nodes)


def treequest(seed: int, nodes: int, *, inplace: bool = True) -> float:
    """The same with treequest's MCTS."""
    from treequest import StandardMCTS

    steps = policy(seed)
    algorithm: Any = StandardMCTS(samples_per_action=WIDTH, exploration_weight=EXPLORATION)
    state = algorithm.init_tree()
    actions = {"step": lambda _: next(steps)}
    begun = time.process_time()
    for _ in range(nodes):
        state = algorithm.step(state, actions, inplace=inplace)
    return time.process_time() - begun


def compare(repeats: int) -> dict[str, Any]:
    """CPU per node of the first nodes, ours and the peer's in turn, in microseconds."""
    times: dict[str, list[float]] = {"ours": [], "treequest": []}
    runs: dict[str, Callable[[int, int], float]] = {"ours": ours, "treequest": treequest}
    for seed in range(repeats):
        for name, run in runs.items():
            gc.collect()
            times[name].append(run(seed, FIRST))
    ratio = statistics.median(theirs / own for own, theirs in zip(*times.values(), strict=True))
    found = {name: round(1e6 * statistics.median(each) / FIRST, 1) for name, each in times.items()}
    copying = treequest(0, COPIED, inplace=False)
    found["treequest_copying"] = round(1e6 * copying / COPIED, 1)
    return {"treequest_ratio": round(ratio, 2), "us_per_node_first": found}


def grow_large(seed: int) -> tuple[float, float]:
    """Microseconds per node to `MANY` nodes, and how much dearer a level of selection became since `FIRST`."""
    gc.collect()
    grown = Grown(seed)
    early = grown.grow(FIRST)
    per_level = early / grown.levels
    total = early + grown.grow(MANY)
    return 1e6 * total / MANY, total / grown.levels / per_level


def bytes_per_node() -> float:
    """Memory of the tree itself, by Python's own count."""
    nodes = MANY // 10
    tracemalloc.start()
    grown = Grown(0)
    grown.grow(nodes)
    grown._scores.clear()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / nodes


def measure(repeats: int) -> dict[str, Any]:
    """All figures; the medians of `repeats` runs."""
    figures = compare(repeats)
    large = [grow_large(seed) for seed in range(repeats)]
    return {
        "treequest_ratio": figures.pop("treequest_ratio"),
        "us_per_node": round(statistics.median(each for each, _ in large), 1),
        "growth": round(statistics.median(growth for _, growth in large), 2),
        "bytes_per_node": round(bytes_per_node()),
        "detail": figures | {"repeats": repeats, "nodes": [FIRST, MANY]},
    }


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each, of which the medians are printed.")] = 5,
) -> None:
    """Measure the search core against treequest, with a policy and scores drawn from one seed."""
    report(lambda: measure(repeats), as_json=as_json)


if __name__ == "__main__":
    app()
