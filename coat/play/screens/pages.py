"""Pages to read: the help, the records, and what is shown in a terminal that is too small."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

COLUMNS, ROWS = 80, 24
"""The least that a terminal must have."""
HELP = """\
Move       Type it and press enter; the line at the bottom says how it is
           written. Or tab to the board or the choices below it: arrow keys
           and enter pick, so does a click. In a sudoku type the digit.
ctrl+z     takes the last move back. What the rules forbid is refused.

F2 Hint    The search's next step: value, visits, and what else it saw.
F3 Play on The engine plays on; a game that it ends is not won by you.
F4 Race    The engine searches from the start, a reply a second.
F5 Watch   The engine searches slowly, so that you can look and steer.
ctrl+g     gives up, ctrl+n deals the next puzzle, esc leads to the menu.
           Every move is saved; `coat play --resume` goes on.

The engine's tree (tab leads there; arrow keys move, space folds):
x prune    closes the branch that is marked; no search there any more.
p pin      searches only below the marked node; once more lifts that.
a add      puts a thought of yours below the node that is marked.
h hold     holds the search, or lets it go on; s lets one reply in.
           ● best path  ✓ right  ◆ an end  ○ open  ✗ dead  ⚑ pinned
           » from here on. Then the value from 0 to 1, and ×visits.

Points     easy 100, medium 200, hard 300, one of your own 100; a hint
           costs 25, 25 are left at least; twice for a race that you win.
           ctrl+t light or dark, ctrl+q quits; the game is saved.
"""


class Page(Screen[None]):
    """A text that can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "app.pop_screen", "Back", key_display="esc")]
    CSS = """
    Page VerticalScroll { padding: 0 1; scrollbar-size: 1 1; }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with VerticalScroll():
            yield Static(Text(self._text), markup=False)
        yield Footer(compact=True, show_command_palette=False)


class TooSmall(Screen[None]):
    """What is shown until the terminal is large enough."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self._columns, self._rows = columns, rows

    def compose(self) -> ComposeResult:
        """A sentence."""
        yield Static(id="small", markup=False)

    def on_mount(self) -> None:
        """Say it."""
        self.tell(self._columns, self._rows)

    def tell(self, columns: int, rows: int) -> None:
        """Say how large the terminal is."""
        needs = f"coat play needs {COLUMNS} × {ROWS} characters; this terminal has {columns} × {rows}."
        self.query_one("#small", Static).update(Text(f"{needs} Make it larger. The game waits; ctrl+q quits."))
