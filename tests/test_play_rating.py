"""How hard puzzles are: the plain solvers by known answers, the thirds, and that no search looks at them."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from coat.errors import InputError
from coat.play.difficulty import ENDS, LEVELS, deal, drawn, level_of
from coat.play.rating import RATERS, UNITS, arithmetic, cube2x2, sudoku
from coat.tasks import get

HOME = Path(__file__).resolve().parent.parent
PUBLISHED = "53..7.... 6..195... .98....6. 8...6...3 4..8.3..1 7...2...6 .6....28. ...419..5 ....8..79"
HARDEST = "8........ ..36..... .7..9.2.. .5...7... ....457.. ...1...3. ..1....68 ..85...1. .9....4.."
"""A. Inkala's, which cannot be filled without trying."""


@pytest.mark.parametrize(
    ("task", "question", "ways", "hits"),
    [
        ("countdown", "2 3 = 5", 6, 1),  # 5, 6, -1, 1, 2/3 and 3/2
        ("countdown", "2 2 = 1", 3, 1),  # 4, 0 and 1; 2 + 2 and 2 * 2 leave the same
        ("countdown", "0 5 = 5", 3, 1),  # 5, 0 and -5; 0 / 5 leaves what 0 * 5 does, and 5 / 0 is none
        ("game24", "1 1 1 1", None, 0),
        ("countdown", "3 8 = 24", 6, 1),
    ],
)
def test_all_ways_to_use_up_the_numbers_are_counted(task: str, question: str, ways: int | None, hits: int) -> None:
    found, reached = arithmetic.count(task, question)
    assert reached == hits
    assert found == ways if ways is not None else found > 0


def test_a_puzzle_with_few_ways_takes_more_effort() -> None:
    assert arithmetic.effort("game24", "1 1 1 1") == float("inf")
    assert arithmetic.effort("game24", "3 3 8 8") > 10 * arithmetic.effort("game24", "1 2 3 4")


def test_a_published_sudoku_has_one_solution_and_needs_no_choice() -> None:
    cells = get("sudoku").read(PUBLISHED).given["cells"]
    assert sudoku.solve(cells) == sudoku.Outcome(1, 51)
    assert sudoku.effort(PUBLISHED) == 51
    assert sudoku.effort(HARDEST) > 1000


@pytest.mark.parametrize(
    ("question", "most", "solutions"), [("................", 300, 288), ("12.3......4.....", 9, 0)]
)
def test_solutions_are_counted(question: str, most: int, solutions: int) -> None:
    assert sudoku.solve(question, most).solutions == solutions


def test_a_dealt_sudoku_has_nine_rows_and_one_solution() -> None:
    for seed in range(5):
        cells = get("sudoku").read(sudoku.deal(Random(seed))).given["cells"]
        assert (len(cells), sudoku.solve(cells).solutions) == (81, 1)


@pytest.mark.parametrize(
    ("question", "steps"),
    [
        ("on a b, ontable b -> on b a", 4),
        ("ontable a, ontable b -> on a b", 2),
        ("on b a, ontable a, ontable c -> on c b", 2),
        ("on c a, ontable a, ontable b -> on a b, on b c", 6),  # Sussman's anomaly
    ],
)
def test_the_shortest_plan_is_found(question: str, steps: int) -> None:
    assert RATERS["blocksworld"](question) == steps


@pytest.mark.parametrize(("turns", "fewest"), [("R", 1), ("R R R", 1), ("R U2 F'", 3), ("R U R' U'", 4)])
def test_the_fewest_turns_are_found(turns: str, fewest: int) -> None:
    assert cube2x2.effort(turns) <= len(turns.split())
    assert cube2x2.effort(turns) == fewest


def test_as_many_cubes_are_so_many_turns_away_as_is_known() -> None:
    assert Counter(cube2x2._near().values()) == {0: 1, 1: 9, 2: 54, 3: 321, 4: 1847, 5: 9992}


def test_a_long_scramble_needs_no_more_turns_than_are_known_to_suffice() -> None:
    lot = Random(3)
    assert cube2x2.effort(" ".join(lot.choice("URF") + lot.choice(("", "2", "'")) for _ in range(30))) <= 11


def test_a_cube_that_is_held_in_another_way_is_not_rated() -> None:
    task = cube2x2.TASK
    cells = task.state(task.read("R U2"), []).translate(str.maketrans("012345", "204153"))
    assert task.read(cells)
    with pytest.raises(ValueError, match="not held or coloured"):
        cube2x2.effort(cells)


@pytest.mark.parametrize("game", RATERS)
def test_a_dealt_puzzle_has_the_effort_of_its_level_and_is_the_same_again(game: str) -> None:
    easy, medium = ENDS[game]
    for level, low, high in (("easy", 0.0, easy), ("medium", easy, medium), ("hard", medium, float("inf"))):
        dealt = deal(game, level, 7)
        assert low < RATERS[game](dealt.question) <= high
        assert get(game).read(dealt.question)
    assert dealt == deal(game, "hard", 7) != deal(game, "hard", 8)


@pytest.mark.parametrize("game", RATERS)
def test_no_level_is_rare(game: str) -> None:
    lot = Random(1)
    levels = [level_of(game, RATERS[game](drawn(game, lot))) for _ in range(30)]
    assert all(levels.count(level) > 0 for level in LEVELS)
    assert UNITS[game]


@pytest.mark.parametrize("game", ENDS)
def test_the_docs_tell_where_the_levels_end(game: str) -> None:
    easy, medium = ENDS[game]
    told = (HOME / "docs" / "play.md").read_text("utf-8")
    assert re.search(rf"^\| `{game}` \| [^|]+ \| {easy:g} \| {medium:g} \|", told, re.MULTILINE)


def test_levels_and_games_that_there_are_not_are_refused() -> None:
    with pytest.raises(InputError, match="no difficulty 'awful'; it is one of easy, medium, hard"):
        deal("game24", "awful", 1)
    with pytest.raises(InputError, match="no puzzle is dealt for 'question'"):
        deal("question", "easy", 1)


def test_nothing_but_the_command_imports_the_games() -> None:
    rooms = [*(HOME / "coat").rglob("*.py"), *(HOME / "search").rglob("*.py"), *(HOME / "memory").rglob("*.py")]
    games = HOME / "coat" / "play"
    others = [file for file in rooms if games not in file.parents and file != HOME / "coat" / "cli" / "play.py"]
    assert len(others) > 100
    for file in others:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coat.play")), file
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("coat.play") for name in names), file


def test_a_search_runs_without_the_games() -> None:
    code = """
import sys, coat
from coat.models.scripted import ScriptedModel
script = ScriptedModel({"Numbers: 4 6\\n": ["4 * 6 = 24\\n"]})
assert coat.solve("4 6", task="game24", model=script, evaluator="verifier").correct
print([name for name in sys.modules if name.startswith(("coat.play", "textual"))])
"""
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
