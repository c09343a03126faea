"""The engine beside a game: one search at a time, from where the game stands, and what it advises.

A search goes on from given steps: the moves made are added to its tree as the person's, and it is pinned below them.
So the model reads the puzzle with these moves, as it was trained to, and any state can be gone on from, also one that
is no puzzle of the task by itself, such as two numbers left, or a negative one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from coat.play.session import Session

if TYPE_CHECKING:
    from coat.models import LoadedModel
    from coat.solving import Solving

CONSIDERED = 3
"""Other steps that an advice names."""


@dataclass(frozen=True, slots=True)
class Option:
    """A step that a search looked at: its value in [0, 1], visits, and the prior that the model gave it."""

    step: str
    value: float
    visits: int
    prior: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The search's next step, the whole line that it is the first of, whether that ends right, and what else it saw.

    `right` is None where nothing can check it. `elsewhere`: a solution was found, but by other moves than those made.
    """

    best: Option
    line: tuple[str, ...]
    right: bool | None
    others: tuple[Option, ...]
    elsewhere: bool = False

    @property
    def why(self) -> str:
        """The advice as a sentence: the step, its value, its visits, and what else was considered."""
        end = {True: "it leads to a solution", False: "it led to no end that holds", None: "it leads to an answer"}
        said = f"{self.best.step} (value {self.best.value:.2f}, {self.best.visits} visits): {end[self.right]}"
        said += ", but other moves than yours did; undo some" if self.elsewhere else ""
        if not self.others:
            return f"{said}; nothing else was considered"
        rest = ", ".join(f"{each.step} ({each.value:.2f} ×{each.visits})" for each in self.others[:CONSIDERED])
        more = len(self.others) - CONSIDERED
        return f"{said}. Also considered: {rest}" + (f" and {more} more" if more > 0 else "")


class Engine:
    """Searches with `model`, None for the task's own; `knobs` are fields of `coat.Settings`.

    `begin`, `end` and `close` wait, and may be called from any thread.
    """

    def __init__(self, model: str | Any | None = None, **knobs: Any) -> None:
        self.model, self.knobs = model, knobs
        self.search: Solving | None = None
        self.start: int = 0
        self._lock, self._turn = Lock(), 0
        self._loaded: list[LoadedModel] = []

    @property
    def name(self) -> str | None:
        """The model's name, None where it is the task's own."""
        return self.model if self.model is None or isinstance(self.model, str) else str(self.model.name)

    def begin(self, session: Session, moves: Sequence[str], *, paused: bool = False) -> "Solving | None":
        """Search from where the puzzle is after `moves`; None where it was cancelled meanwhile.

        Raises:
            CoatError: the model cannot be loaded, or the strategy goes on from no given steps.
        """
        from coat.api import start

        self.end()
        turn = self._turn
        task = session.rules.task.name
        with self._lock:
            model = self._open(session.rules.task.model)
            search = start(session.question, task=task, model=model, paused=True, **self.knobs)
            try:
                node = 0
                for move in moves:
                    node = search.add(node, move)
                if node:
                    search.pin(node)
                if not paused:
                    search.resume()
            except BaseException:
                search.__exit__(None, None, None)
                raise
            self.search, self.start = search, node
        if turn != self._turn:
            self.end()
        return self.search

    def cancel(self) -> None:
        """Have the search stop, without waiting for it; its tree stays to be looked at."""
        self._turn += 1
        if self.search is not None:
            self.search.stop()

    def end(self) -> None:
        """Stop the search, if there is one, and wait for its end."""
        self._turn += 1
        with self._lock:
            search, self.search = self.search, None
        if search is not None:
            search.__exit__(None, None, None)

    def close(self) -> None:
        """Stop the search and close the models that were loaded for it."""
        self.end()
        for each in self._loaded:
            each.close()

    def advice(self) -> Advice | None:
        """What the search that is done, or is at work, advises from where it began; None where it has seen nothing."""
        search, start = self.search, self.start
        if search is None:
            return None
        tree = search.tree
        seen = [tree[child] for child in tree[start].children if tree[child].step.action != "backtrack"]
        if not seen:
            return None
        result = search.wait() if search.done else None
        reached = result is not None and start in (0, *result.best)
        line = tuple(result.path[len(tree.path(start)) :]) if result is not None and reached else ()
        seen.sort(key=lambda node: (not line or node.step.text != line[0], -node.value, -node.visits))
        options = [Option(node.step.text, node.value, node.visits, node.prior) for node in seen]
        solved = result is not None and result.answer is not None and result.correct is not False
        right = result.correct if result is not None and solved and line else False
        away = solved and not reached
        return Advice(options[0], line or (options[0].step,), right, tuple(options[1:]), away)

    def _open(self, name: str | None) -> Any:
        """The model, kept open from one search to the next where one name names it."""
        from coat import loaded
        from coat.models import JOINED

        asked = self.model if self.model is not None else name
        if not isinstance(asked, str | None) or (asked is not None and JOINED in asked):
            return asked
        model = loaded.load(asked)
        if model not in self._loaded:
            self._loaded.append(model)
        return model
