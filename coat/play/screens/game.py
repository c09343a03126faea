"""The game: the board and the moves on the left, the engine on the right, a line to type in, and the keys below."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from coat.cli.show import printable
from coat.errors import CoatError
from coat.play.ability import Ability
from coat.play.match import Match, Said
from coat.play.session import clock
from coat.play.widgets.board import BoardView
from coat.play.widgets.choices import Choices
from coat.play.widgets.line import Line
from coat.play.widgets.panel import EnginePanel, Purpose

if TYPE_CHECKING:
    from coat.play.app import PlayApp

TICK, PLAY_PACE = 0.5, 0.6
"""Seconds between two looks at the clock, and between two moves of the engine."""


class GameScreen(Screen[None]):
    """One game, which is saved after every move; `able` says whether the engine may help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "app.help", "Help"),
        Binding("f2", "seek('hint')", "Hint"),
        Binding("f3", "seek('play')", "Play on"),
        Binding("f4", "seek('race')", "Race"),
        Binding("f5", "seek('watch')", "Watch"),
        Binding("ctrl+z", "undo", "Undo", priority=True),
        Binding("ctrl+g", "give_up", "Give up", priority=True),
        Binding("ctrl+n", "next", "Next", priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("escape", "leave", "Menu", key_display="esc"),
    ]
    CSS = """
    GameScreen #head { height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; }
    GameScreen #left { width: 42; }
    GameScreen #moves { height: 1fr; padding: 0 1; scrollbar-size: 1 1; }
    GameScreen #say { height: auto; min-height: 2; max-height: 5; padding: 0 1; }
    """

    def __init__(self, match: Match, able: Ability) -> None:
        super().__init__()
        self.match, self.able = match, able
        self._picked: list[str] = []
        self._below: int | None = None
        self._pending: list[str] = []

    @property
    def play_app(self) -> "PlayApp":
        """The app, by its kind."""
        return cast("PlayApp", self.app)

    @property
    def panel(self) -> EnginePanel:
        """The engine's side."""
        return self.query_one(EnginePanel)

    def compose(self) -> ComposeResult:
        """Head, the two sides, what is said, the line to type in, the keys."""
        yield Static(id="head", markup=False)
        with Horizontal():
            with Vertical(id="left"):
                yield BoardView()
                yield Choices()
                with VerticalScroll(id="moves", can_focus=False):
                    yield Static(id="list", markup=False)
            yield EnginePanel(self.play_app.engine, self.play_app.paces)
        yield Static(id="say", markup=False)
        yield Line(placeholder=self.match.session.rules.form, id="move", select_on_focus=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show the game and start its clock."""
        self.set_interval(TICK, self._draw_head)
        self.set_interval(PLAY_PACE, self._play_on)
        self.query_one(Line).focus()
        self._draw()
        self.panel.view.begin(self.match.session.question)
        self._say(Said(f"{self.match.session.rules.title}: {self.able.sentence}."))

    def on_screen_resume(self) -> None:
        """The clock goes on."""
        self.match.go()

    def on_screen_suspend(self) -> None:
        """The clock stands still while something else is shown."""
        self.match.halt()

    # Moves.

    def on_line_entered(self, event: Line.Entered) -> None:
        """A move was typed, or a thought for the engine's tree."""
        if self._below is None:
            self._play(event.text)
        else:
            self.panel.add(self._below, event.text)
            self._take_moves()

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        """A part of a move was picked below the board."""
        self._pick(event.choice)

    def on_board_view_picked(self, event: BoardView.Picked) -> None:
        """A part of a move was picked on the board, or its cursor has moved."""
        if event.pick and not self.match.session.rules.aimed:
            self._pick(event.pick)
        else:
            self._offer()

    def on_board_view_typed(self, event: BoardView.Typed) -> None:
        """A digit was typed into a cell."""
        if self.match.session.rules.aimed:
            self._play(f"{event.pick} {event.character}")

    def _choices(self) -> list[str]:
        session = self.match.session
        return session.rules.choices(session.problem, session.moves, self._aim() + self._picked)

    def _aim(self) -> list[str]:
        """Where on the board the next move goes, in a game that needs that."""
        cursor = self.query_one(BoardView).cursor
        return [cursor] if self.match.session.rules.aimed and cursor else []

    def _pick(self, choice: str) -> None:
        if choice not in (offered := self._choices()):
            self._say(Said(f"{choice} cannot be picked now; one of: {' '.join(offered)}", wrong=True))
            return
        self._picked.append(choice)
        if self.match.session.rules.aimed or not self._choices():
            self._play(" ".join(self._aim() + self._picked))
        else:
            self._offer()

    def _play(self, text: str) -> None:
        self._picked, self._pending = [], []
        self._try(lambda: self.match.play(text))

    def _try(self, change: Callable[[], Said]) -> bool:
        """Do something to the game and say what came of it; whether it could be done."""
        before, done = self.match.session.moves, True
        try:
            self._say(change())
        except CoatError as error:
            self._say(Said(str(error), wrong=True))
            done = False
        session = self.match.session
        if session.outcome or (self.panel.purpose != "race" and session.moves != before):
            self.panel.halt()
        self._draw()
        return done

    # What the keys do.

    def action_undo(self) -> None:
        """Take the last move back."""
        self._picked, self._pending = [], []
        self._try(self.match.undo)

    def action_give_up(self) -> None:
        """Lose the game."""
        self._try(self.match.give_up)

    def action_save(self) -> None:
        """Keep the game as it is."""
        self._try(self.match.save)

    def action_next(self) -> None:
        """Another puzzle of the same kind and difficulty."""
        self.play_app.deal_next(self.match.session)

    def action_leave(self) -> None:
        """Leave what is half picked or typed, or the engine's side; else the game, which is saved."""
        if self._picked or self._below is not None:
            self._picked = []
            self._take_moves()
            self._offer()
        elif not isinstance(self.focused, Line):
            self.query_one(Line).focus()
        else:
            self.play_app.to_menu()

    def action_seek(self, purpose: Purpose) -> None:
        """Have the engine search, for a hint, to play on, to race, or to be watched."""
        moves = self.match.session.moves
        if not self.able.can:
            self._say(Said(self.able.sentence, wrong=True))
        elif self.match.session.standing in ("solved", "answered"):
            self._say(Said("The game is over. ctrl+n deals another."))
        elif purpose != "race" or self._try(self.match.race):
            self._pending = []
            self.panel.seek(self.match.session, () if purpose == "race" else moves, purpose)

    # What the engine says.

    def on_engine_panel_told(self, message: EnginePanel.Told) -> None:
        """Show a sentence."""
        self._say(message.said)

    def on_engine_panel_asked(self, message: EnginePanel.Asked) -> None:
        """Take the next line that is typed as a thought for the tree."""
        self._below = message.node
        field = self.query_one(Line)
        field.placeholder = "a thought for the engine; enter adds it, esc leaves it"
        field.focus()
        self._say(Said(f"Below {message.about}: what should the engine try?"))

    def on_engine_panel_found(self, message: EnginePanel.Found) -> None:
        """A search has ended."""
        advice = message.advice
        if message.purpose == "race":
            self._try(lambda: self.match.raced(advice))
        elif advice is None:
            self._say(Said("The engine found no step from here; undo some moves, or ask once more.", wrong=True))
        elif message.purpose == "play":
            self._say(Said(f"{advice.why}."))
            self._pending = list(advice.line) if advice.right is not False else []
        else:
            self._try(lambda: self.match.hinted(advice))

    def _play_on(self) -> None:
        """The next of the moves that the engine wants to play."""
        if self._pending and self.match.running:
            step, *rest = self._pending
            self._pending = rest if self._try(lambda: self.match.play(step, "engine")) else []

    # What is shown.

    def _take_moves(self) -> None:
        """The line to type in takes moves again."""
        self._below = None
        self.query_one(Line).placeholder = self.match.session.rules.form

    def _offer(self) -> None:
        self.query_one(Choices).offer(self._choices(), self._aim() + self._picked)

    def _draw(self) -> None:
        session, board = self.match.session, self.query_one(BoardView)
        board.draw(session.rules.board(session.problem, session.moves))
        board.can_focus = bool(board.cursor)
        lines = Text()
        for number, (move, author) in enumerate(zip(session.moves, session.authors, strict=True), 1):
            lines.append(f"{number:>2}. {printable(move)}{'  (engine)' if author == 'engine' else ''}\n")
        self.query_one("#list", Static).update(lines)
        self.query_one("#moves", VerticalScroll).scroll_end(animate=False)
        self._offer()
        self._draw_head()

    def _draw_head(self) -> None:
        self.play_app.warn()
        session = self.match.session
        parts = [session.rules.title, session.level, clock(session.seconds), f"hints {session.hints}"]
        parts += [f"effort {session.effort:.0f}"] if session.effort is not None else []
        parts += [{"on": "race", "lost": "race lost"}[session.race]] if session.race else []
        parts += [session.outcome.upper()] if session.outcome else []
        self.query_one("#head", Static).update(Text(" · ".join(parts), style="bold"))

    def _say(self, said: Said) -> None:
        self.query_one("#say", Static).update(Text(printable(str(said)), style="bold" if said.wrong else ""))
