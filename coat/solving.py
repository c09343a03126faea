"""A search at work: look on, pause it, steer it, wait for it."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import ExitStack
from typing import Any, Self, TypeVar

from coat import runtime, trace
from coat.result import Result, leading
from coat.solver import Solver
from coat.steering import PERSON, Edit

T = TypeVar("T")
BLINK = 0.002
"""Seconds between two looks at a search of which one reply is awaited."""
POLL = 0.1
"""Seconds between two looks at a future: a blocking wait would keep Ctrl-C out on Windows."""


class Solving:
    """A search at work: `tree`, `usage`, `hits` and `edits` may be read at any time, `wait` gives the result.

    What steers it is done between two replies, and has been done when the call returns. Every edit is logged with who
    did it (`by`), in the journal, the trace and `edits`. `steerable` says whether the strategy obeys; budget and facts
    can be changed in any. An edit that cannot be raises InputError, and the search goes on as it was.
    """

    def __init__(self, solver: Solver, resources: ExitStack, paused: bool = False) -> None:
        self._solver, self._resources = solver, resources
        self.problem, self.task = solver.problem, solver.task
        self.tree, self.usage, self.hits = solver.tree, solver.usage, solver.hits
        self.settings, self.edits = solver.settings, solver.steering.edits
        self.tree.about = {"question": self.problem.question, "task": self.task.name}
        self.steerable = solver.steering.obeyed
        if paused:
            solver.steering.gate.pause()
        self._future: Future[Result] = runtime.submit(solver.solve())

    @property
    def seconds(self) -> float:
        """Seconds of work so far, without those that it was paused."""
        return self._solver.seconds

    @property
    def done(self) -> bool:
        """Whether the result is there, or the search failed."""
        return self._future.done()

    @property
    def paused(self) -> bool:
        """Whether it waits for `step` or `resume`."""
        return self._solver.steering.gate.paused and not self.done

    @property
    def pinned(self) -> int | None:
        """The node below which alone it searches, if any."""
        return self.tree.pinned

    def pause(self) -> None:
        """Let no further reply in; what the model is at work on it finishes. The clock stands still meanwhile."""
        self._on_loop(self._solver.steering.gate.pause)

    def resume(self) -> None:
        """Go on."""
        self._on_loop(self._solver.steering.gate.resume)

    def step(self, *, wait: bool = True) -> None:
        """Let one reply in, an expansion or a judgement, and pause again; with `wait` it is in when this returns."""
        before = self._solver.replies
        self._on_loop(self._solver.steering.gate.step)
        while wait and self._solver.replies == before and not self.done:
            time.sleep(BLINK)

    def stop(self) -> None:
        """End the search with the best answer so far."""
        runtime.loop().call_soon_threadsafe(self._solver.interrupt)

    def prune(self, node: int, by: str = PERSON) -> Edit:
        """Close the branch at `node`; its answers count no more."""
        return self._steer("prune", by, node=node)

    def pin(self, node: int | None, by: str = PERSON) -> Edit:
        """Search only below `node`, as long as there is something to expand; None lifts it."""
        return self._steer("unpin", by) if node is None else self._steer("pin", by, node=node)

    def edit(self, node: int, text: str, by: str = PERSON) -> int:
        """Put `text` beside the thought at `node`, and close that branch; the id of the new node."""
        return int(self._steer("edit", by, node=node, text=text)["new"])

    def add(self, parent: int, text: str, by: str = PERSON) -> int:
        """Put the thought `text` below `parent`, to be judged and gone on from; the id of the new node."""
        return int(self._steer("add", by, node=parent, text=text)["new"])

    def add_fact(self, text: str, by: str = PERSON) -> int:
        """Keep a fact in the search's memory, for later recalls; its id."""
        return int(self._steer("add_fact", by, text=text)["fact"])

    def forget_fact(self, fact: int, by: str = PERSON) -> Edit:
        """Remove a fact from the search's memory for good; what was recalled before stays on its paths."""
        return self._steer("forget_fact", by, fact=fact)

    def budget(self, *, tokens: int | None = None, seconds: float | None = None, by: str = PERSON) -> Edit:
        """Change the budget in all, what was spent included; None is no limit."""
        return self._steer("budget", by, tokens=tokens, limit_seconds=seconds)

    def snapshot(self) -> dict[str, Any]:
        """Everything that can be seen of the search now, as JSON-ready data: what a trace holds."""
        return self._on_loop(self._snapshot)

    def _snapshot(self) -> dict[str, Any]:
        solver, steering = self._solver, self._solver.steering
        result = self._future.result() if self._future.done() and not self._future.exception() else None
        best = [each.id for each in self.tree.path(leading(self.tree, self.settings.aggregate).id)]
        about = {"task": self.task.name, "strategy": self.settings.strategy, "model": solver.model_name}
        state = {"state": "done" if self.done else "paused" if steering.gate.paused else "running"}
        limits = {"budget": {"tokens": solver.tokens, "seconds": steering.seconds}}
        counts = {"usage": self.usage.as_dict(), "seconds": round(self.seconds, 3)}
        steered = {"steerable": steering.obeyed, "pinned": self.tree.pinned, "edits": list(self.edits)}
        found = {
            "question": self.problem.question,
            "result": None if result is None else result.as_dict(),
            "best": best if result is None else list(result.best),
        }
        return {**about, **state, **limits, **counts, **steered, **found, **trace.grown(self.tree, self.hits)}

    def _steer(self, do: str, by: str, **what: Any) -> Edit:
        return runtime.submit(self._solver.steer(do, by, **what)).result()

    def _on_loop(self, call: Callable[[], T]) -> T:
        async def work() -> T:
            return call()

        return runtime.submit(work()).result()

    def wait(self, timeout: float | None = None) -> Result:
        """The result; what the search loaded itself is closed then.

        Raises:
            TimeoutError: it is not there after `timeout` seconds.
            CoatError: what the search failed with.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._future.done():
            left = POLL if end is None else min(POLL, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"the search is still at work after {timeout} seconds")
            wait([self._future], left)
        self._resources.close()
        result = self._future.result()
        self.tree.about = {name: value for name, value in self._snapshot().items() if name != "nodes"}
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._future.exception()
        self._resources.close()
