"""The engine's side of the screen: it searches in the background, shows its tree, and takes what steers it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from coat.errors import CoatError
from coat.play.engine import Advice, Engine
from coat.play.match import Said
from coat.play.session import Session
from coat.play.widgets.tree import TreeView
from coat.result import leading

if TYPE_CHECKING:
    from coat.solving import Solving

Purpose = Literal["hint", "play", "race", "watch"]
DOING = {"hint": "looking for a hint", "play": "playing on", "race": "racing", "watch": "searching, watched"}
LOOK = 0.1
"""Seconds between two looks at a search."""


class EnginePanel(Vertical):
    """One search at a time; `paces` are the seconds between two replies of a search that is watched or raced."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x,delete", "prune", "Prune", show=False),
        Binding("p", "pin", "Pin", show=False),
        Binding("a", "add", "Add a thought", show=False),
        Binding("s", "step", "Step", show=False),
        Binding("h", "hold", "Hold", show=False),
    ]
    DEFAULT_CSS = """
    EnginePanel { width: 1fr; border-left: solid $panel; }
    EnginePanel #status { height: 2; padding: 0 1; }
    EnginePanel #legend { height: 2; padding: 0 1; color: $text-muted; }
    """

    @dataclass
    class Found(Message):
        """A search has ended; `advice` is None where it saw nothing."""

        purpose: Purpose
        advice: Advice | None

    @dataclass
    class Told(Message):
        """A sentence for the player."""

        said: Said

    @dataclass
    class Asked(Message):
        """A thought is to be typed that goes below a node."""

        node: int
        about: str

    def __init__(self, engine: Engine, paces: dict[str, float]) -> None:
        super().__init__(id="panel")
        self.engine, self._paces = engine, paces
        self.purpose: Purpose | None = None
        self.held = False

    def compose(self) -> ComposeResult:
        """Status, tree and legend."""
        yield Static("The engine rests.", id="status", markup=False)
        yield TreeView()
        keys = "x prune p pin a add h hold s step"
        yield Static(f"●best ✓right ◆end ✗dead ⚑pinned\n{keys}", id="legend", markup=False)

    @property
    def view(self) -> TreeView:
        """The tree."""
        return self.query_one(TreeView)

    @property
    def busy(self) -> bool:
        """Whether a search is at work."""
        return self.purpose is not None

    @work(exclusive=True, group="search")
    async def seek(self, session: Session, moves: tuple[str, ...], purpose: Purpose) -> None:
        """Search from where the puzzle is after `moves`."""
        self.purpose, self.held = purpose, False
        self.view.begin(session.question)
        self._tell("The engine gets ready.")
        try:
            paced = purpose in self._paces
            found = await asyncio.to_thread(self.engine.begin, session, moves, paused=paced)
            if found is None:
                return
            await self._follow(found, self._paces.get(purpose))
            advice = await asyncio.to_thread(self.engine.advice)
        except CoatError as error:
            self.purpose = None
            self._tell("The engine rests.")
            self.post_message(self.Told(Said(str(error), wrong=True)))
            return
        self._show(found)
        self.purpose = None
        self.post_message(self.Found(purpose, advice))

    async def _follow(self, found: "Solving", pace: float | None) -> None:
        """Show the tree until the search has ended, a reply every `pace` seconds where there is one."""
        since = 0.0
        while not found.done:
            self._show(found)
            await asyncio.sleep(min(LOOK, pace or LOOK))
            since += min(LOOK, pace or LOOK)
            if pace is not None and since >= pace and not self.held:
                since = 0.0
                await asyncio.to_thread(found.step)

    def halt(self) -> None:
        """End the search, if there is one; its tree stays to be looked at."""
        self.workers.cancel_group(self, "search")
        if self.purpose is not None:
            self._tell("The engine rests.")
        self.purpose = None
        self.engine.cancel()

    def action_prune(self) -> None:
        """Close the branch that is chosen."""
        node = self.view.chosen
        self._steer(lambda found: found.prune(node), f"closed: {self._about(node)}")

    def action_pin(self) -> None:
        """Search only below the node that is chosen, or everywhere again."""
        node = self.view.chosen
        if self.engine.search is not None and self.engine.search.pinned == node:
            self._steer(lambda found: found.pin(None), "the search goes anywhere again")
        else:
            self._steer(lambda found: found.pin(node), f"the search stays below: {self._about(node)}")

    def action_add(self) -> None:
        """Ask for a thought that goes below the node that is chosen."""
        if self._steered() is not None:
            node = self.view.chosen
            self.post_message(self.Asked(node, self._about(node)))

    def add(self, node: int, text: str) -> None:
        """Put a thought below a node."""
        self._steer(lambda found: found.add(node, text), f"added: {text}")

    def action_step(self) -> None:
        """Hold the search, and let one reply in."""
        self.held = self.purpose != "race"
        self._steer(lambda found: found.step(), "one reply came in; h goes on")

    def action_hold(self) -> None:
        """Hold the search, or let it go on."""
        self.held = not self.held and self.purpose != "race"
        if self.purpose in self._paces:
            self._steer(lambda found: None, "held; s is one step" if self.held else "it goes on")
        elif self.held:
            self._steer(lambda found: found.pause(), "held; s is one step")
        else:
            self._steer(lambda found: found.resume(), "it goes on")

    def _steered(self) -> "Solving | None":
        """The search that may be steered now; None, with a sentence, where there is none."""
        if self.purpose == "race":
            self.post_message(
                self.Told(Said("the engine races alone; steer it when it plays or is watched", wrong=True))
            )
        elif self.purpose is None or self.engine.search is None:
            self.post_message(self.Told(Said("no search is at work; F5 starts one", wrong=True)))
        else:
            return self.engine.search
        return None

    @work(group="steer")
    async def _steer(self, do: "Callable[[Solving], object]", done: str) -> None:
        found = self._steered()
        if found is None:
            return
        try:
            await asyncio.to_thread(do, found)
            self._show(found)
        except CoatError as error:
            self.post_message(self.Told(Said(str(error), wrong=True)))
            return
        self.post_message(self.Told(Said(done)))

    def _about(self, node: int) -> str:
        """The text of a node."""
        found = self.engine.search
        return found.tree[node].step.text if node and found is not None else "the puzzle itself"

    def _show(self, found: "Solving") -> None:
        tree = found.tree
        end = (
            found.wait().best
            if found.done
            else [each.id for each in tree.path(leading(tree, found.settings.aggregate).id)]
        )
        self.view.grow(tree, frozenset(end), self.engine.start)
        usage, limit = found.usage, found.settings.tokens
        doing = "at rest" if found.done else "held" if self.held else DOING[self.purpose or "watch"]
        said = f"Engine: {doing}, {found.seconds:.1f} s\n{usage.spent} of {limit} tokens, {len(tree) - 1} nodes"
        self._tell(said)

    def _tell(self, sentence: str) -> None:
        self.query_one("#status", Static).update(Text(sentence))
