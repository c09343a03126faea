"""The menu: which game, how hard, and what was won."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from coat.cli.show import printable
from coat.errors import InputError
from coat.play.difficulty import LEVELS
from coat.play.games import GAMES, get
from coat.play.session import Session, clock, new
from coat.play.store import summary
from coat.play.widgets.line import Line

if TYPE_CHECKING:
    from coat.play.app import PlayApp

TITLE = Text.assemble(("coat play", "bold"), "  Choose with ↑ ↓, enter plays; tab leads to the line below.")
RESUME = "resume "


class MenuScreen(Screen[None]):
    """Games that go on, then new ones; below, a line for a puzzle or a question of one's own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Play"),
        Binding("d", "level", "Difficulty"),
        Binding("r", "app.records", "Records"),
        Binding("f1", "app.help", "Help"),
        Binding("ctrl+t", "app.theme", "Light/dark"),
        Binding("escape", "games", show=False),
        Binding("q", "app.quit", "Quit"),
    ]
    CSS = """
    MenuScreen #title { height: 2; padding: 0 1; }
    MenuScreen OptionList { height: auto; max-height: 14; border: none; padding: 0 1; }
    MenuScreen #level { height: 2; padding: 1 1 0 1; }
    MenuScreen #about { height: 1fr; padding: 1 1 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._saved: list[Session] = []

    @property
    def play_app(self) -> "PlayApp":
        """The app, by its kind."""
        return cast("PlayApp", self.app)

    def compose(self) -> ComposeResult:
        """Title, games, level, what the engine can do, the line, the keys."""
        yield Static(TITLE, id="title")
        yield OptionList(id="games")
        yield Static(id="level", markup=False)
        yield Static(id="about", markup=False)
        yield Line(id="own", select_on_focus=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """The first game is chosen."""
        self.query_one(OptionList).focus()

    def on_screen_resume(self) -> None:
        """What was won or saved meanwhile is shown."""
        self.fill()

    def fill(self) -> None:
        """Show the games, with what the store knows of them."""
        games = self.query_one(OptionList)
        at = games.highlighted or 0
        games.clear_options()
        self._saved = self.play_app.read(self.play_app.store.saved)
        finished = self.play_app.read(self.play_app.store.finished)
        for number, session in enumerate(self._saved):
            said = f"Resume  {session.rules.title}, {session.level}, {clock(session.seconds)}: {session.question}"
            games.add_option(Option(Text(printable(said), no_wrap=True, overflow="ellipsis"), id=f"{RESUME}{number}"))
        for name in GAMES:
            won = summary([each for each in finished if each.game == name])
            record = f"won {won.won} of {won.played}, streak {won.streak}" if won.played else ""
            games.add_option(Option(Text(f"{get(name).title:<24}{record}"), id=name))
        games.highlighted = min(at, games.option_count - 1)
        self._draw()

    @property
    def chosen(self) -> str:
        """The id of the option that is marked."""
        games = self.query_one(OptionList)
        option = games.get_option_at_index(games.highlighted or 0)
        return option.id or ""

    @property
    def game(self) -> str:
        """The name of the game that is marked."""
        name = self.chosen
        return self._saved[int(name.removeprefix(RESUME))].game if name.startswith(RESUME) else name

    def on_option_list_option_highlighted(self) -> None:
        """Say what the engine can do in the game that is marked."""
        self._draw()

    def on_option_list_option_selected(self) -> None:
        """Play it."""
        self.action_choose()

    def on_line_entered(self, event: Line.Entered) -> None:
        """Play the puzzle that was typed."""
        try:
            self.play_app.open(new(self.game, event.text))
        except InputError as error:
            self._tell(f"✗ {error}")

    def action_choose(self) -> None:
        """Go on with a game, deal one, or ask for a question."""
        name = self.chosen
        if name.startswith(RESUME):
            self.play_app.open(self._saved[int(name.removeprefix(RESUME))])
        elif name == "question":
            self.query_one(Line).focus()
        else:
            self.play_app.deal(name)

    def action_games(self) -> None:
        """Back from the line to the games."""
        self.query_one(OptionList).focus()

    def action_level(self) -> None:
        """The next level."""
        at = LEVELS.index(self.play_app.level)
        self.play_app.level = LEVELS[(at + 1) % len(LEVELS)]
        self._draw()

    def _draw(self) -> None:
        levels = "  ".join(f"[{each}]" if each == self.play_app.level else f" {each} " for each in LEVELS)
        self.query_one("#level", Static).update(Text(f"Difficulty (d): {levels}"))
        name = self.game
        sample = get(name).task.sample
        what = "your question" if name == "question" else f"a puzzle of your own (tab), like {sample}"
        self.query_one(Line).placeholder = what
        self._tell(f"{get(name).title}: {self.play_app.able(name).sentence}.")

    def _tell(self, sentence: str) -> None:
        self.query_one("#about", Static).update(Text(printable(sentence)))
