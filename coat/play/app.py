"""The app of `coat play`: which screen is shown, and what they share."""

import asyncio
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType

from coat.cli.show import printable
from coat.errors import CoatError, InputError
from coat.play import games
from coat.play.ability import Ability, ability
from coat.play.difficulty import LEVELS
from coat.play.engine import Engine
from coat.play.match import Match
from coat.play.records import table
from coat.play.screens.game import GameScreen
from coat.play.screens.menu import MenuScreen
from coat.play.screens.pages import COLUMNS, HELP, ROWS, Page, TooSmall
from coat.play.session import Session, dealt, fresh_seed
from coat.play.store import Store

Read = TypeVar("Read")
PACES: Mapping[str, float] = {"watch": 0.15, "race": 1.0}
"""Seconds between two replies of a search that is watched, and of one that is raced."""
DARK, LIGHT = "textual-dark", "textual-light"


class PlayApp(App[None]):
    """The menu, and a game above it; begins with `session` where there is one.

    `seed` numbers the puzzles that are dealt. Every call of the store that fails is said, and the game goes on.
    """

    TITLE = "coat play"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+t", "theme", "Light/dark", show=False, priority=True),
    ]

    def __init__(
        self,
        store: Store,
        engine: Engine,
        *,
        level: str = LEVELS[0],
        seed: int | None = None,
        session: Session | None = None,
        paces: Mapping[str, float] = PACES,
    ) -> None:
        super().__init__()
        self.store, self.engine, self.level, self.paces = store, engine, level, dict(paces)
        self._seed = fresh_seed() if seed is None else seed
        self._seed += session is not None
        self._warned = 0
        self._first = session
        self.theme = DARK

    def on_mount(self) -> None:
        """The menu, and the game above it."""
        self.push_screen(MenuScreen())
        if self._first is not None:
            self.open(self._first)

    def on_unmount(self) -> None:
        """The engine stops."""
        self.engine.cancel()

    def on_resize(self, event: events.Resize) -> None:
        """Say so where the terminal is too small for a game."""
        columns, rows = event.size
        fits = columns >= COLUMNS and rows >= ROWS
        if isinstance(self.screen, TooSmall):
            self.pop_screen() if fits else self.screen.tell(columns, rows)
        elif not fits:
            self.push_screen(TooSmall(columns, rows))

    def able(self, game: str) -> Ability:
        """Whether the engine may play `game`, with the model at hand."""
        try:
            return ability(games.get(game).task, self.engine.name)
        except CoatError as error:
            return Ability(False, str(error))

    def warn(self) -> None:
        """Show what the store has had to say since the last time."""
        for each in self.store.warnings[self._warned :]:
            self.notify(printable(f"{each}."), severity="warning", markup=False, timeout=15)
        self._warned = len(self.store.warnings)

    def open(self, session: Session) -> None:
        """Show a game."""
        self.push_screen(GameScreen(Match(session, self.store), self.able(session.game)))

    def to_menu(self) -> None:
        """Leave the game that is shown, which is saved."""
        if isinstance(self.screen, GameScreen):
            self._leave(self.screen)
            self.pop_screen()

    def _leave(self, game: GameScreen) -> None:
        """Stop the engine, and save a game."""
        game.panel.halt()
        try:
            game.match.leave()
        except InputError as error:
            self.complain(error)

    @work(exclusive=True, group="deal")
    async def deal(self, game: str) -> None:
        """Deal a puzzle and show it; the screen lives on meanwhile."""
        session = await asyncio.to_thread(dealt, game, self.level, self._seed)
        self._seed += 1
        self.open(session)

    def deal_next(self, session: Session) -> None:
        """Leave the game that is shown and deal another like it; after one that was typed, the menu asks for more."""
        self.to_menu()
        if session.level in LEVELS:
            self.level, self._seed = session.level, session.seed + 1
            self.deal(session.game)

    def read(self, what: Callable[[], list[Read]]) -> list[Read]:
        """What the store holds; nothing, with a sentence, where it cannot be read."""
        try:
            return what()
        except InputError as error:
            self.complain(error)
            return []
        finally:
            self.warn()

    def complain(self, error: CoatError) -> None:
        """Show what went wrong, whatever screen is shown."""
        self.notify(printable(str(error)), severity="error", markup=False, timeout=10)

    def action_help(self) -> None:
        """Show the help."""
        self.push_screen(Page(HELP))

    def action_records(self) -> None:
        """Show the records."""
        self.push_screen(Page(table(self.read(self.store.finished))))

    def action_theme(self) -> None:
        """Light, or dark."""
        self.theme = LIGHT if self.theme == DARK else DARK

    async def action_quit(self) -> None:
        """Save the game and end."""
        for screen in self.screen_stack:
            if isinstance(screen, GameScreen):
                self._leave(screen)
        self.exit()
