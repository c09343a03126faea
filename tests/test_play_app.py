"""The screens of `coat play`, played by a pilot: what is shown, keys and clicks, the engine beside, odd input.

With COAT_SCREENS=1 the expected screens are written anew, with COAT_PICTURES=FOLDER pictures of them, for the docs.
"""

import asyncio
import html
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from coat.models.scripted import ScriptedModel
from coat.play.app import PlayApp
from coat.play.engine import Engine
from coat.play.screens.game import GameScreen
from coat.play.screens.menu import MenuScreen
from coat.play.screens.pages import Page, TooSmall
from coat.play.session import Session, dealt, new, played
from coat.play.store import Store
from coat.play.widgets.board import BoardView
from coat.play.widgets.choices import Choices
from coat.play.widgets.panel import EnginePanel

SCREENS = Path(__file__).parent / "screens"
SCRIPT = {
    "Numbers: 4 9 10 13\n": ["13 - 9 = 4\n", "4 + 9 = 13\n", "10 + 13 = 23\n", "13 - 10 = 3\n", "9 - 4 = 5\n"],
    "Next numbers: 4 10 4\n": ["10 - 4 = 6\n", "4 * 4 = 16\n", "10 + 4 = 14\n"],
    "Next numbers: 4 6\n": ["4 * 6 = 24\n", "6 - 4 = 2\n"],
    "Next numbers: 10 16\n": ["10 + 16 = 26\n"],
    "Next numbers: 4 14\n": ["4 + 14 = 18\n"],
    "": ["4 * 9 = 36\n"],
}
PUZZLE = "4 9 10 13"
IN_DOCS = ("hint-80", "sudoku", "blocksworld", "cube2x2", "steer")
BLOCKS = "on c a, ontable a, ontable b -> on a b, on b c"
Play = Callable[[Pilot[None], PlayApp], Awaitable[None]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "play")


def played_by(
    play: Play, store: Store, session: Session | None = None, size: tuple[int, int] = (80, 24), **more: Any
) -> PlayApp:
    """The app, after `play` has driven it."""
    engine = Engine(more.pop("model", ScriptedModel(SCRIPT)), evaluator="verifier", width=8, tokens=20_000)
    app = PlayApp(store, engine, session=session, seed=1, paces=more.pop("paces", {"watch": 0.01, "race": 0.01}))

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await play(pilot, app)
        await asyncio.to_thread(engine.close)

    asyncio.run(run())
    return app


async def until(pilot: Pilot[None], what: Callable[[], object]) -> None:
    """Wait for something, half a minute at most."""
    for _ in range(600):
        if what():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"it did not come: {screen_of(pilot.app)}")


async def type_in(pilot: Pilot[None], text: str) -> None:
    """Put a line into the field and press enter."""
    field = pilot.app.screen.query_one(Input)
    field.focus()
    field.value = text
    await pilot.press("enter")
    await pilot.pause()


def game(app: Any) -> GameScreen:
    assert isinstance(app.screen, GameScreen)
    return app.screen


def screen_of(app: Any) -> str:
    """What the screen says, line by line."""
    rows: dict[int, list[tuple[float, str]]] = {}
    pattern = re.compile(r'<text [^>]*? x="([\d.]+)"[^>]*?line-(\d+)\)">(.*?)</text>', re.DOTALL)
    for x, line, text in pattern.findall(app.export_screenshot()):
        rows.setdefault(int(line), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    lines = []
    for line in range(max(rows) + 1):
        said = ""
        for x, text in sorted(rows.get(line, [])):
            said += " " * max(0, round(x / 12.2) - len(said)) + text
        lines.append(said.rstrip())
    return "\n".join(lines) + "\n"


def steady(text: str) -> str:
    """`text` without what the clock says, and what requests cost that were under way at the end."""
    text = re.sub(r"\d+ of 20000 tokens", "1000 of 20000 tokens", text)
    return re.sub(r"\d+\.\d s\b", "0.0 s", re.sub(r"\b\d+:\d\d\b", "0:00", text))


def compare(app: Any, name: str) -> None:
    """That the screen is the one in the file."""
    file, found = SCREENS / f"play-{name}.txt", steady(screen_of(app))
    if os.environ.get("COAT_SCREENS"):
        file.write_text(found, "utf-8")
    if name in IN_DOCS and (folder := os.environ.get("COAT_PICTURES")):
        import resvg_py

        picture = app.export_screenshot().replace("Fira Code", "DejaVu Sans Mono")
        (Path(folder) / f"play-{name}.png").write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=picture)))
    assert found == file.read_text("utf-8")


@pytest.fixture(autouse=True)
def _no_cursor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cursor that blinks makes two screens of one."""
    monkeypatch.setattr(Input, "cursor_blink", False)
    return


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_hint_is_told_with_why_beside_its_tree(store: Store, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "13-9")
        await pilot.press("f2")
        await until(pilot, lambda: game(app).match.session.hints)
        await pilot.pause()
        said = screen_of(app)
        assert "→ 10 - 4 = 6 (value" in said
        assert "it leads to a solution" in said
        assert "» ● 13 - 9 = 4" in said
        assert "✓ 4 * 6 = 24" in said
        compare(app, f"hint-{size[0]}")

    played_by(play, store, new("game24", PUZZLE), size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_menu_tells_what_there_is(store: Store, size: tuple[int, int]) -> None:
    store.save(played(new("game24", PUZZLE), "13-9"))

    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("d")
        await pilot.pause()
        compare(app, f"menu-{size[0]}")

    played_by(play, store, size=size, model=None)


@pytest.mark.parametrize(
    ("session", "moves"),
    [
        (dealt("sudoku", "medium", 1), ["135"]),
        (new("blocksworld", BLOCKS), ["unstack c a", "put-down c"]),
        (new("cube2x2", "R U2 F'"), ["F U2"]),
        (new("countdown", "3 7 25 50 = 79"), ["25*3"]),
    ],
    ids=lambda each: each.game if isinstance(each, Session) else "",
)
def test_every_game_fits_into_80_by_24(store: Store, session: Session, moves: list[str]) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        for move in moves:
            await type_in(pilot, move)
        assert game(app).match.session.moves
        compare(app, session.game)

    played_by(play, store, session, model="smollm2" if session.game != "countdown" else None)


def test_every_key_of_the_help_line_is_in_view(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        last = screen_of(app).splitlines()[-1]
        assert all(key in last for key in ("Help", "Hint", "Play on", "Race", "Watch", "Undo", "Give up", "Menu"))
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, Page)
        compare(app, "help")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, GameScreen)

    played_by(play, store, new("game24", PUZZLE))


def test_a_game_is_won_by_picks_of_keys_and_mouse(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        app.screen.query_one(Choices).focus()
        await pilot.press("right", "right", "right", "enter")  # 13
        await pilot.press("right", "enter")  # -
        await pilot.press("right", "enter")  # 9
        await pilot.pause()
        assert game(app).match.session.moves == ("13 - 9 = 4",)
        await pilot.click(BoardView, offset=(10, 2))
        await pilot.pause()
        assert "Pick: 10 [+]" in screen_of(app)
        await pilot.click(Choices, offset=(14, 0))
        await pilot.pause()
        await pilot.click(BoardView, offset=(2, 2))
        await pilot.pause()
        assert game(app).match.session.moves == ("13 - 9 = 4", "10 - 4 = 6")
        app.screen.query_one(BoardView).focus()
        await pilot.press("enter")
        app.screen.query_one(Choices).focus()
        await pilot.press("right", "right", "enter", "enter")
        await pilot.pause()
        assert game(app).match.session.outcome == "won"
        assert "✓ Solved in 0:0" in screen_of(app)

    played_by(play, store, new("game24", PUZZLE))
    assert [each.outcome for each in store.finished()] == ["won"]
    assert store.saved() == []


def test_a_sudoku_is_filled_by_cursor_and_digits(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        app.screen.query_one(BoardView).focus()
        await pilot.press("2")  # r1c2
        await pilot.press("1")
        await pilot.pause()
        assert game(app).match.session.moves == ("r1c2 = 2",)
        assert "✗ 'r1c4 = 1' is not possible: the row has a 1" in screen_of(app)
        await pilot.press("down", "3")
        await pilot.pause()
        assert game(app).match.session.moves == ("r1c2 = 2", "r2c4 = 3") or "✗" in screen_of(app)
        await pilot.press("ctrl+z")
        app.screen.query_one(Choices).focus()
        await pilot.pause()

    played_by(play, store, new("sudoku", "1.3. .41. 2..3 .3.1"))


def test_what_is_no_move_is_said_and_the_game_goes_on(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        for text, sentence in (
            ("hello", "✗ 'hello' is no move; write two numbers"),
            ("[bold]13[/]", "✗ '[bold]13[/]' is no move"),
            ("13 - 8", "✗ '13 - 8 = 5' uses 8, which is not left"),
            ("\u202e13-9", "is no move"),
        ):
            await type_in(pilot, text)
            assert sentence in screen_of(app)
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert "✗ there is no move to take back" in screen_of(app)
        await type_in(pilot, "13-9")
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert game(app).match.session.moves == ()

    played_by(play, store, new("game24", PUZZLE))


def test_odd_text_is_shown_as_text(store: Store) -> None:
    odd = "Is [red]it[/red] <b>so</b> \x1b[31mor\x07 \u202enot 🐐?"

    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "A [link=x]thought[/] \x1b[2J🐐")
        said = screen_of(app)
        assert "Is [red]it[/red] <b>so</b> �[31mor�" in said
        assert "�not" in said
        assert "🐐?" in said
        assert "1. A [link=x]thought[/] �[2J" in said
        assert not {"\x1b", "\x07", "\u202e"} & set(app.export_screenshot())

    played_by(play, store, new("question", odd), (120, 40))


def test_a_text_of_any_length_leaves_the_keys_in_view(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "so " * 3000)
        await type_in(pilot, "done")
        assert game(app).match.session.moves[1] == "done"
        said = screen_of(app).splitlines()
        assert len(said) == 24
        assert "Why why" in said[1]
        assert said[-1].startswith("f1 Help")
        assert said[-2].strip() == "a thought in words, or Answer: … to end with"

    played_by(play, store, new("question", "Why " + "why " * 2500))


def test_a_question_is_typed_in_the_menu(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        app.screen.query_one(OptionList).highlighted = len(app.screen.query_one(OptionList).options) - 1
        await pilot.pause()
        await pilot.press("enter")
        await type_in(pilot, "Why [b]?")
        assert game(app).match.session.question == "Why [b]?"
        await type_in(pilot, "Answer: because")
        assert "nothing here can check it" in screen_of(app)

    played_by(play, store)


def test_a_puzzle_that_is_none_is_refused_in_the_menu(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "4 [b] 10")
        await pilot.pause()
        assert isinstance(app.screen, MenuScreen)
        assert "✗ '[b]' in '4 [b] 10' is not a whole number" in screen_of(app)

    played_by(play, store, size=(120, 40))


def test_the_engine_plays_on_and_the_game_is_not_won(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("f3")
        await until(pilot, lambda: game(app).match.session.standing == "solved")
        assert set(game(app).match.session.authors) == {"engine"}
        assert "(engine)" in screen_of(app)

    played_by(play, store, new("game24", PUZZLE))
    assert [each.outcome for each in store.finished()] == ["lost"]


def test_a_race_is_lost_to_the_engine(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("f4")
        await until(pilot, lambda: game(app).match.session.race == "lost")
        await pilot.pause()
        assert "The engine was first: " in screen_of(app)
        await pilot.press("f4")
        await pilot.pause()
        assert "a race is run once" in screen_of(app)

    played_by(play, store, new("game24", PUZZLE))
    assert [(each.outcome, each.race) for each in store.finished()] == [("lost", True)]


def test_a_race_is_won_by_who_is_quicker_and_then_the_engine_stops(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("f4")
        await until(pilot, lambda: game(app).panel.busy)
        for move in ("13-9", "10-4", "4*6"):
            await type_in(pilot, move)
        assert "200 points" in screen_of(app)
        assert not game(app).panel.busy

    played_by(play, store, new("game24", PUZZLE), paces={"race": 1000.0})
    assert [(each.outcome, each.points) for each in store.finished()] == [("won", 200)]


def test_a_watched_search_is_held_stepped_pruned_pinned_and_added_to(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("f5")
        panel = app.screen.query_one(EnginePanel)
        await until(pilot, lambda: panel.engine.search is not None)
        panel.view.focus()
        await pilot.press("s")
        await until(pilot, lambda: len(panel.engine.search.tree) > 1)
        await pilot.pause()
        search = panel.engine.search
        await pilot.press("down")
        first = panel.view.chosen
        await pilot.press("x")
        await until(pilot, lambda: search.tree[first].status == "dead")
        await pilot.press("down", "p")
        await until(pilot, lambda: search.pinned == panel.view.chosen)
        await pilot.press("p")
        await until(pilot, lambda: search.pinned is None)
        await pilot.press("up", "up", "a")
        await pilot.pause()
        assert "Below the puzzle itself" in screen_of(app)
        await type_in(pilot, "10 - 4 = 6")
        await until(pilot, lambda: any(node.step.author == "person" for node in search.tree.nodes))
        assert {edit["do"] for edit in search.edits} == {"prune", "pin", "unpin", "add"}
        assert "✗ " in screen_of(app)
        panel.view.focus()
        panel.view.cursor_line = 0
        await pilot.press("x")
        await until(pilot, lambda: "✗ node 0 is the problem itself" in screen_of(app))

    played_by(play, store, new("game24", PUZZLE), paces={"watch": 1000.0})


def test_dead_best_and_pinned_are_told_apart_by_marks(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("ctrl+t", "f5")
        panel = app.screen.query_one(EnginePanel)
        await until(pilot, lambda: panel.engine.search is not None)
        search = panel.engine.search
        for _ in range(7):
            await asyncio.to_thread(search.step)
        for node, do in ((1, search.prune), (2, search.pin)):
            await asyncio.to_thread(do, node)
        panel.held = True
        await until(pilot, lambda: "⚑" in screen_of(app) and "✗" in screen_of(app))
        panel.view.focus()
        panel.view.cursor_line = 1
        await pilot.pause()
        assert {"✗", "⚑", "○", "●"} <= set(screen_of(app).split())
        compare(app, "steer")

    played_by(play, store, new("game24", PUZZLE), paces={"watch": 1000.0})


def test_without_a_search_there_is_nothing_to_steer(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        app.screen.query_one(EnginePanel).view.focus()
        await pilot.press("x")
        await until(pilot, lambda: "✗ no search is at work; F5 starts one" in screen_of(app))

    played_by(play, store, new("game24", PUZZLE))


def test_where_the_engine_cannot_play_it_says_so(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        for key in ("f2", "f3", "f4", "f5"):
            await pilot.press(key)
            await pilot.pause()
            said = " ".join(screen_of(app).split())
            assert "✗ you play alone: with the model smollm2 the engine solved 0 of 12" in said
            assert not app.screen.query_one(EnginePanel).busy

    played_by(play, store, new("blocksworld", BLOCKS), (120, 40), model="smollm2")


def test_a_model_that_is_not_there_or_fails_is_a_sentence(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("f2")
        await until(pilot, lambda: "✗" in screen_of(app))
        await type_in(pilot, "13-9")
        assert game(app).match.session.moves

    played_by(play, store, new("game24", PUZZLE), model="no-such-model.gguf")
    played_by(play, store, new("game24", PUZZLE), model=ScriptedModel(SCRIPT, fail_after=2))


def test_leaving_saves_and_the_menu_resumes(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "13-9")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, MenuScreen)
        assert "Resume  Game of 24" in screen_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert game(app).match.session.moves == ("13 - 9 = 4",)
        await pilot.press("ctrl+q")

    played_by(play, store, new("game24", PUZZLE))
    assert [each.moves for each in store.saved()] == [("13 - 9 = 4",)]


def test_giving_up_loses_and_another_is_dealt(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert "✗ Lost after 0:0" in screen_of(app)
        before = game(app)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, GameScreen) and app.screen is not before)
        assert game(app).match.session.level == "hard"
        assert game(app).match.session.question != before.match.session.question

    played_by(play, store, dealt("game24", "hard", 1))
    assert [each.outcome for each in store.finished()] == ["lost"]


def test_a_damaged_file_is_named_on_the_screen(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / "saved.json").write_text("{")

    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await until(pilot, lambda: "saved.json" in screen_of(app) and "set aside" in screen_of(app))

    played_by(play, store, size=(120, 40))
    assert (store.folder / "saved.json.damaged-1").read_text() == "{"


def test_a_folder_that_cannot_be_written_is_said_and_the_game_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await type_in(pilot, "13-9")
        assert "Not a directory" in " ".join(screen_of(app).split())
        await type_in(pilot, "10-4")
        assert game(app).match.session.moves == ("13 - 9 = 4", "10 - 4 = 6")

    played_by(play, Store(tmp_path / "file"), new("game24", PUZZLE), (120, 40))


def test_a_terminal_that_is_too_small_says_so_until_it_is_not(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        assert isinstance(app.screen, TooSmall)
        assert "coat play needs 80 × 24 characters; this terminal has 60 × 20." in " ".join(screen_of(app).split())
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.screen, GameScreen))

    played_by(play, store, new("game24", PUZZLE), (60, 20))


def test_light_and_dark(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        assert app.current_theme.dark
        await pilot.press("ctrl+t")
        assert not app.current_theme.dark

    played_by(play, store, new("game24", PUZZLE))


def test_records_are_a_page(store: Store) -> None:
    async def play(pilot: Pilot[None], app: PlayApp) -> None:
        await pilot.press("r")
        await pilot.pause()
        assert "No game has ended yet." in screen_of(app)

    played_by(play, store)
