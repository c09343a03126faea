"""Games without a screen: moves, ends, points, the clock, what is kept, and what the engine advises."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

import coat
from coat.errors import IllegalStepError, InputError
from coat.models.scripted import ScriptedModel
from coat.play import games
from coat.play.ability import LEAST, MEASURED, ability
from coat.play.engine import Engine
from coat.play.match import Match
from coat.play.records import table
from coat.play.session import Session, clock, from_dict, new, played, undone
from coat.play.store import MOST, Store, summary
from coat.tasks import get

SCRIPT = {
    "Numbers: 4 9 10 13\n": ["13 - 9 = 4\n", "4 + 9 = 13\n"],
    "Next numbers: 4 10 4\n": ["10 - 4 = 6\n", "4 * 4 = 16\n"],
    "Next numbers: 4 6\n": ["4 * 6 = 24\n"],
    "": ["4 * 9 = 36\n"],
}


def after(*moves: str, game: str = "game24", question: str = "4 9 10 13") -> Session:
    session = new(game, question)
    for move in moves:
        session = played(session, move)
    return session


def text_of(session: Session) -> str:
    board = session.rules.board(session.problem, session.moves)
    return "\n".join("".join(span.text for span in line) for line in board)


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("game", "question", "typed", "moves"),
    [
        ("game24", "4 9 10 13", "13-9", ["13 - 9 = 4"]),
        ("game24", "4 9 10 13", " 13 − 9 = 4 ", ["13 - 9 = 4"]),
        ("game24", "4 9 10 13", "4 ÷ 10", ["4 / 10 = 2/5"]),
        ("countdown", "3 7 25 50 = 79", "3x7", ["3 * 7 = 21"]),
        ("sudoku", "1.3. .41. 2..3 .3.1", "122", ["r1c2 = 2"]),
        ("sudoku", "1.3. .41. 2..3 .3.1", "R1C2=2", ["r1c2 = 2"]),
        ("blocksworld", "on a b, ontable b -> on b a", "unstack  a b", ["unstack a b"]),
        ("cube2x2", "R U2 F'", "f u’", ["F", "U'"]),
        ("question", "Why?", " Because. ", ["Because."]),
    ],
)
def test_moves_are_typed_as_people_type(game: str, question: str, typed: str, moves: list[str]) -> None:
    assert list(after(typed, game=game, question=question).moves) == moves


@pytest.mark.parametrize(
    ("game", "question", "typed", "message"),
    [
        ("game24", "4 9 10 13", "hello", "'hello' is no move; write two numbers"),
        ("game24", "4 9 10 13", "13 - 8", "uses 8, which is not left"),
        ("game24", "4 9 10 13", "4 - 4", "uses 4, which is not left"),
        ("game24", "4 9 10 13", "13 - 9 = 5", "is not true"),
        ("game24", "0 9 10 13", "9 / 0", "divides by zero"),
        ("sudoku", "1.3. .41. 2..3 .3.1", "121", "the row has a 1"),
        ("sudoku", "1.3. .41. 2..3 .3.1", "125", "numbers from 1 to 4"),
        ("sudoku", "1.3. .41. 2..3 .3.1", "[b]1", "is no move"),
        ("blocksworld", "on a b, ontable b -> on b a", "pick-up a", "needs ontable a"),
        ("cube2x2", "R U2 F'", "F L", "'L' is none of the turns"),
        ("cube2x2", "R U2 F'", " ", "this is no move"),
        ("question", "Why?", "Facts: x", "told, and is no step"),
        ("game24", "4 9 10 13", "Backtrack", "is no move"),
    ],
)
def test_what_is_no_move_is_said_and_changes_nothing(game: str, question: str, typed: str, message: str) -> None:
    session = new(game, question)
    with pytest.raises(IllegalStepError, match=message):
        played(session, typed)
    assert session == new(game, question)


def test_several_turns_are_all_made_or_none() -> None:
    with pytest.raises(IllegalStepError):
        after("F U X", game="cube2x2", question="R U2 F'")
    assert after("F U2 R'", game="cube2x2", question="R U2 F'").outcome == "won"


def test_a_game_is_won_at_the_target_and_stuck_at_another_number() -> None:
    assert after("13-9", "10-4").outcome == ""
    won = after("13-9", "10-4", "6*4")
    assert (won.standing, won.outcome, won.points) == ("solved", "won", 100)
    stuck = after("13-9", "10-4", "6+4")
    assert (stuck.standing, stuck.outcome, stuck.points) == ("stuck", "", 0)
    assert undone(stuck) == Session("game24", "4 9 10 13", moves=stuck.moves[:2], authors=("person",) * 2, undone=1)
    with pytest.raises(IllegalStepError, match="no move to take back"):
        undone(new("game24", "4 9 10 13"))
    with pytest.raises(IllegalStepError, match="the game is over"):
        played(won, "24 + 0")


def test_a_game_that_the_engine_ends_is_not_won() -> None:
    session = played(after("13-9", "10-4"), "6 * 4 = 24", "engine")
    assert (session.standing, session.outcome, session.points) == ("solved", "lost", 0)


@pytest.mark.parametrize(
    ("level", "hints", "race", "points"),
    [("easy", 0, "", 100), ("medium", 1, "", 175), ("hard", 20, "", 25), ("hard", 0, "on", 600), ("own", 4, "", 25)],
)
def test_points_depend_on_level_hints_and_race(level: str, hints: int, race: Any, points: int) -> None:
    moves = after("13-9", "10-4", "6*4").moves
    session = Session("game24", "4 9 10 13", level, None, 0, moves, ("person",) * 3, hints, race=race)
    assert session.points == points


def test_boards_show_how_things_stand() -> None:
    assert "[ 4 ]  [ 10 ]  [ 4 ]" in text_of(after("13-9"))
    assert "1   1 2 | 3 · " in text_of(after("122", game="sudoku", question="1.3. .41. 2..3 .3.1"))
    tower = text_of(after(game="blocksworld", question="on c a, ontable a, ontable b -> on a b, on b c"))
    assert [line.split() for line in tower.splitlines()[1:6]] == [
        [],
        [],
        ["[a]"],
        ["[c]", "[b]"],
        ["[a]", "[b]", "[c]"],
    ]
    held = after("unstack c a", game="blocksworld", question="on c a, ontable a, ontable b -> on a b, on b c")
    assert "Hand: c" in text_of(held)
    cube = text_of(after(game="cube2x2", question="R"))
    assert cube.splitlines()[0].split() == ["U", "W", "G"]
    assert cube.splitlines()[2].split() == ["L", "O", "O", "F", "G", "Y", "R", "R", "R", "B", "W", "B"]


def test_picks_lead_to_a_move() -> None:
    session, rules = new("game24", "4 9 10 13"), games.get("game24")
    choices = [rules.choices(session.problem, (), picked) for picked in ([], ["4"], ["4", "-"], ["4", "-", "9"])]
    assert choices == [["4", "9", "10", "13"], ["+", "-", "*", "/"], ["9", "10", "13"], []]
    twins = new("game24", "4 4 10 13")
    assert rules.choices(twins.problem, (), ["4", "-"]) == ["4", "10", "13"]


@pytest.mark.parametrize("name", ["blocksworld", "cube2x2"])
def test_every_whole_choice_is_a_legal_move(name: str) -> None:
    text = get(name).generate(Random(4))
    assert text is not None
    session, lot = new(name, text), Random(1)
    for _ in range(12):
        if session.outcome:
            break
        choices = session.rules.choices(session.problem, session.moves, [])
        session = played(session, lot.choice(choices))


def test_a_game_survives_json() -> None:
    session = played(after("13-9", "10-4"), "6 * 4 = 24", "engine")
    assert from_dict(json.loads(json.dumps(session.as_dict()))) == session


@pytest.mark.parametrize(
    "change",
    [
        {"moves": ["13 - 9 = 5"], "authors": ["person"]},
        {"moves": ["13 - 9 = 4", "10 - 4 = 6"]},
        {"moves": [5], "authors": ["person"]},
        {"authors": "abc"},
        {"game": "chess"},
        {"question": "4 9"},
        {"question": 7},
        {"level": "awful"},
        {"race": "maybe"},
        {"seconds": "long"},
        {"more": 1},
    ],
)
def test_a_game_that_cannot_be_is_no_game(change: dict[str, Any]) -> None:
    data = after("13-9").as_dict() | change
    if change == {"question": "4 9"}:
        data |= {"moves": ["4 * 8 = 32"]}
    with pytest.raises(ValueError, match=r".+"):
        from_dict(data)


def test_clocks_read_as_people_read_them() -> None:
    assert [clock(seconds) for seconds in (0.9, 59.9, 60, 3600)] == ["0:00", "0:59", "1:00", "1:00:00"]


def test_the_clock_goes_only_while_the_game_is_shown(tmp_path: Path) -> None:
    now = Clock()
    match = Match(new("game24", "4 9 10 13"), Store(tmp_path), now)
    now.now += 10
    match.play("13-9")
    match.halt()
    now.now += 1000
    match.go()
    now.now += 5
    assert match.session.seconds == 15
    match.play("10-4")
    match.play("6*4")
    now.now += 50
    assert match.session.seconds == 15
    (kept,) = match.store.finished()
    assert (kept.outcome, kept.seconds, kept.moves, kept.points) == ("won", 15, 3, 100)


def test_a_game_is_kept_after_every_move_and_counted_once_at_its_end(tmp_path: Path) -> None:
    store = Store(tmp_path)
    match = Match(new("game24", "4 9 10 13"), store)
    match.leave()
    assert store.saved() == []
    match.play("13-9")
    assert [each.moves for each in store.saved()] == [("13 - 9 = 4",)]
    match.play("10-4")
    assert "streak 1" in str(match.play("6*4"))
    assert (store.saved(), len(store.finished())) == ([], 1)
    match.undo()
    match.play("6*4")
    assert "over" in str(match.give_up())
    match.leave()
    assert (store.saved(), len(store.finished())) == ([], 1)


def test_giving_up_loses_and_ends_a_streak(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for moves in (["13-9", "10-4", "6*4"], ["13-9", "10-4", "6*4"], ["13-9"], ["13-9", "10-4", "6*4"]):
        match = Match(new("game24", "4 9 10 13"), store)
        said = [match.play(move) for move in moves]
        said += [match.give_up()] if len(moves) == 1 else []
        assert said[-1].wrong == (len(moves) == 1)
    found = summary(store.finished())
    assert (found.played, found.won, found.lost, found.streak, found.longest, found.points) == (4, 3, 1, 1, 2, 300)
    assert "Game of 24" in table(store.finished())
    assert table([]) == "No game has ended yet.\n"


def test_a_race_is_lost_to_the_engine_or_won_twofold(tmp_path: Path) -> None:
    match = Match(new("game24", "4 9 10 13"), Store(tmp_path))
    match.race()
    with pytest.raises(InputError, match="a race is run once"):
        match.race()
    for move in ("13-9", "10-4", "6*4"):
        match.play(move)
    assert match.session.points == 200
    other = Match(new("game24", "4 9 10 13"), Store(tmp_path / "other"))
    with engine() as helper:
        other.race()
        advice = advised(helper, other.session, ())
        assert "The engine was first" in str(other.raced(advice))
        assert str(other.raced(advice)).startswith("The game is over")
    assert [each.outcome for each in other.store.finished()] == ["lost"]
    assert other.store.finished()[0].race is True


def test_a_race_that_was_broken_off_counts_for_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    match = Match(new("game24", "4 9 10 13"), store)
    match.play("13-9")
    match.race()
    match.leave()
    (saved,) = store.saved()
    assert saved.race == "on"
    again = Match(saved, store)
    for move in ("10-4", "6*4"):
        again.play(move)
    assert (again.session.race, again.session.points) == ("", 100)


def test_the_last_games_are_kept_the_newest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(1, MOST + 3):
        store.save(new("game24", f"{number} 9 10 13"))
    store.save(new("game24", "5 9 10 13"))
    assert [each.question.split()[0] for each in store.saved()] == ["5", "8", "7", "6", "4", "3"]
    store.drop(new("game24", "8 9 10 13"))
    assert [each.question.split()[0] for each in store.saved()] == ["5", "7", "6", "4", "3"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"coat_play": 1}',
        '{"coat_play": 2, "games": []}',
        '{"coat_play": 1, "games": [{"game": "x"}]}',
        "[" * 10**5,
    ],
)
@pytest.mark.parametrize("name", ["saved.json", "records.json"])
def test_a_damaged_file_is_named_and_set_aside(tmp_path: Path, name: str, content: str) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        (tmp_path / name).write_text(content, "utf-8")
        assert (store.saved(), store.finished()) == ([], [])
    assert [(tmp_path / f"{name}.damaged-{number}").read_text("utf-8") for number in (1, 2)] == [content] * 2
    assert f"{tmp_path / name} is damaged" in store.warnings[0]
    assert f"{name}.damaged-1" in store.warnings[0]
    store.save(after("13-9"))
    assert store.saved() == [after("13-9")]


def test_bytes_that_are_no_text_are_set_aside_too(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_bytes(b"\xff\xfe\x00")
    assert Store(tmp_path).saved() == []
    assert (tmp_path / "saved.json.damaged-1").read_bytes() == b"\xff\xfe\x00"


def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot read .*saved\.json: Not a directory"):
        Store(tmp_path / "file").save(after("13-9"))


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.save(after("13-9"))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left on device; nothing of the game is kept"):
        store.save(after("10-4"))
    assert store.saved() == [after("13-9")]
    assert [file.name for file in tmp_path.iterdir()] == ["saved.json"]


def engine(script: Any = None) -> Any:
    from contextlib import closing

    return closing(Engine(ScriptedModel(script or SCRIPT), evaluator="verifier", width=8, tokens=20_000))


def advised(helper: Engine, session: Session, moves: tuple[str, ...]) -> Any:
    found = helper.begin(session, moves)
    assert found is not None
    found.wait()
    return helper.advice()


def test_a_hint_goes_on_from_the_moves_made_and_says_why() -> None:
    with engine() as helper:
        session = after("13-9")
        advice = advised(helper, session, session.moves)
        assert (advice.best.step, advice.line, advice.right) == ("10 - 4 = 6", ("10 - 4 = 6", "4 * 6 = 24"), True)
        assert advice.best.visits > 0
        assert [each.step for each in advice.others] == ["4 * 4 = 16"]
        assert "it leads to a solution. Also considered: 4 * 4 = 16" in advice.why
        assert [node.step.author for node in helper.search.tree.path(helper.start)] == ["person"]


def test_a_hint_from_a_dead_end_says_that_other_moves_lead_on() -> None:
    script = SCRIPT | {"Next numbers: 10 13 36\n": ["10 + 13 = 23\n"], "Next numbers: 36 23\n": ["36 - 23 = 13\n"]}
    with engine(script) as helper:
        session = after("4*9")
        advice = advised(helper, session, session.moves)
        assert (advice.best.step, advice.right, advice.elsewhere) == ("10 + 13 = 23", False, True)
        assert "other moves than yours did; undo some" in advice.why


def test_an_engine_that_is_cancelled_comes_to_an_end() -> None:
    with engine() as helper:
        found = helper.begin(after("13-9"), ("13 - 9 = 4",), paused=True)
        assert found is not None
        assert helper.advice() is None
        helper.cancel()
        assert found.wait(30).stop == "interrupted"


def test_the_puzzle_model_goes_on_from_any_whole_numbers() -> None:
    helper = Engine(tokens=4000)
    try:
        for moves in (["13-9"], ["13-9", "10-4"]):
            session = after(*moves)
            advice = advised(helper, session, session.moves)
            assert advice.right is True
            for move in advice.line:
                session = played(session, move, "engine")
            assert session.standing == "solved"
        with pytest.raises(InputError, match="is no step here"):
            helper.begin(after("4-10"), ("4 - 10 = -6",))
    finally:
        helper.close()


def test_the_engine_plays_where_it_was_measured_to_be_able_to() -> None:
    assert ability(get("game24"), None).can
    assert ability(get("countdown"), None).can
    alone = ability(get("sudoku"), "smollm2")
    assert (alone.can, "solved 0 of 12" in alone.sentence) == (False, True)
    unknown = ability(get("sudoku"), "hf:some/model/file.gguf")
    assert unknown.can
    assert "coat eval --task sudoku --model hf:some/model/file.gguf" in unknown.sentence
    assert ability(get("qa"), "smollm2").can
    for (task, model), (right, of) in MEASURED.items():
        assert ability(get(task), model).can == (right / of >= LEAST)


def test_a_question_is_answered_and_not_checked() -> None:
    session = after("Paris is in France.", "Answer: Paris", game="question", question="Which capital?")
    assert (session.standing, session.outcome) == ("answered", "")


def test_the_games_are_tasks_and_one_that_there_is_not_is_named() -> None:
    assert {games.get(name).task.name for name in games.GAMES} <= set(coat.tasks.TASKS)
    with pytest.raises(InputError, match="there is no game 'game42', did you mean game24"):
        games.get("game42")
