"""Exports of a tree: what is in them, what is left out, and that a text stays a text in each of them."""

import html
import json
import random
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pydot
import pytest
from typer.testing import CliRunner

from coat import trace
from coat.cli import app
from coat.errors import InputError
from coat.trace import Tree
from coat.viewer.data import view
from coat.viewer.looks import visible
from coat.viewer.selection import select
from search import Step

ODD = {
    "script": "<script>alert(1)</script>",
    "entities": "a & b &amp; c &lt; #quot; \u00a0.",
    "quotes": "\"double\" 'single' `back` “curly”",
    "right to left": "שלום עולם — مرحبا",
    "emoji": "🎉 👩‍👩‍👧‍👦 🇩🇪",
    "long": "x" * 10_000,
    "controls": "a\x00b\x1b[31mred\x07\x7f\x85\ufffe",
    "direction": "safe \u202etxt.exe",
    "surrogate": "half \ud83d of one",
    "lines": "one\ntwo\r\nthree\tfour",
    "end": "end",
    "brackets": "]] }}) | --> n0 %% [x](y) {{z}}",
    "escapes": "\\n \\N \\l back\\slash\\",
    "list": "1. first",
    "xml": "]]> <!-- --> <?php ?>",
    "empty": "",
}
SVG = "{http://www.w3.org/2000/svg}"


def grown() -> Tree:
    """A question with four steps: one to a right answer, one dead, one that a person wrote, and a step back."""
    tree = Tree()
    tree.about = {"question": "How far?", "result": {"answer": "5 km", "correct": True, "confidence": 0.75}}
    first = tree.add(0, Step("Add them."))
    dead = tree.add(0, Step("Guess."))
    tree.add(0, Step("Look at the map.", author="Ada"))
    tree.add(first, Step("Answer: 5 km", "answer"))
    tree.add(dead, Step("Backtrack", "backtrack"))
    for node, visits, value in ((0, 9, 0.5), (1, 5, 0.75), (2, 2, 0.0), (4, 4, 1.0), (5, 1, 0.0)):
        tree[node].visits, tree[node].value = visits, value
    tree[dead].status, tree[4].parts = "dead", {"verifier": 1.0}
    return tree


def odd() -> Tree:
    tree = Tree()
    tree.about = {"question": ODD["script"]}
    for text in ODD.values():
        tree.add(0, Step(text))
    return tree


def wild(size: int, seed: int, reach: int = 8) -> Tree:
    """A tree of any shape: wide where `reach` is large."""
    lot, tree = random.Random(seed), Tree()
    for number in range(size):
        child = tree.add(lot.randrange(max(0, number - reach), number + 1), Step(f"step {number}"))
        tree[child].visits, tree[child].value = lot.randrange(10), lot.random()
    return tree


def groups(svg: str) -> dict[int, ElementTree.Element]:
    """The groups of an SVG by the node that they draw."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return {int(each.attrib["data-node"]): each for each in found if "data-node" in each.attrib}


def texts(element: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in element.iter(f"{SVG}text")]


# The picture.


def test_the_picture_shows_every_node_with_its_text_its_figures_and_what_it_is() -> None:
    shown = {node: texts(group) for node, group in groups(grown().to_svg()).items()}
    assert shown == {
        0: ["How far?", ""],
        1: ["Add them.", "0.75 ×5"],
        2: ["Guess.", "0.00 ×2 · ✕ dead"],
        3: ["Look at the map.", "×0 · ✎ Ada"],
        4: ["Answer: 5 km", "1.00 ×4 · ✓ right"],
        5: ["Backtrack", "0.00 ×1 · ↶ back"],
    }


def test_the_picture_says_the_answer_and_how_many_nodes_there_are() -> None:
    said = texts(ElementTree.fromstring(grown().to_svg()))
    assert said[0] == "5 km  (right, confidence 0.75)"
    assert said[-1] == "6 nodes"


def test_nodes_are_told_apart_by_shape_and_frame_and_not_by_colour_alone() -> None:
    drawn = groups(grown().to_svg())
    shapes = {
        node: sorted({each.tag.removeprefix(SVG) for each in group if each.tag not in (f"{SVG}title", f"{SVG}text")})
        for node, group in drawn.items()
    }
    assert shapes == {node: [mark, "rect"] for node, mark in enumerate(("circle", "circle", "path"))} | {
        node: ["polygon", "rect"] for node in (3, 4, 5)
    }
    corners = {node: len(drawn[node].find(f"{SVG}polygon").attrib["points"].split()) for node in (3, 4, 5)}
    assert corners == {3: 4, 4: 4, 5: 3}
    frames = {node: group.find(f"{SVG}rect").attrib for node, group in drawn.items()}
    assert {node for node, frame in frames.items() if "stroke-dasharray" in frame} == {2, 5}
    assert {node for node, frame in frames.items() if float(frame["stroke-width"]) > 2} == {0, 1, 4}


def test_the_mark_is_coloured_by_value_and_its_area_grows_with_visits() -> None:
    drawn = groups(grown().to_svg())
    circles = {node: drawn[node].find(f"{SVG}circle").attrib for node in (0, 1)}
    assert float(circles[0]["r"]) > float(circles[1]["r"])
    assert drawn[4].find(f"{SVG}polygon").attrib["fill"] == "#fde725"  # viridis at 1
    assert drawn[3].find(f"{SVG}polygon").attrib["fill"] == "#e4e4e7"  # nothing is known of it


@pytest.mark.parametrize("seed", range(12))
def test_cards_never_lie_on_one_another(seed: int) -> None:
    tree = wild(60, seed, reach=1 + seed)
    frames = [group.find(f"{SVG}rect").attrib for group in groups(tree.to_svg(limit=61)).values()]
    boxes = [tuple(float(frame[name]) for name in ("x", "y", "width", "height")) for frame in frames]
    assert len(boxes) == 61
    for number, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[:number]:
            assert x >= left + wide or left >= x + width or y >= top + high or top >= y + height


def test_a_large_tree_shows_the_best_path_and_the_most_visited_and_says_what_is_left_out() -> None:
    tree = wild(5000, 1, reach=300)
    seen = view(tree)
    drawn = groups(tree.to_svg())
    assert len(drawn) == 40
    assert {0, *seen["best"]} <= set(drawn)
    assert texts(ElementTree.fromstring(tree.to_svg()))[-1] == (
        "40 of 5001 nodes; 4961 that were visited less are left out"
    )
    below = [re.search(r"\+(\d+) below", texts(group)[-1]) for group in drawn.values()]
    assert sum(int(each[1]) for each in below if each) == 4961


def test_a_path_longer_than_the_picture_is_shown_from_its_start() -> None:
    tree, at = Tree(), 0
    for number in range(3000):
        at = tree.add(at, Step(f"step {number}", "answer" if number == 2999 else "think"))
    chosen = select(view(tree), 40)
    assert (chosen.ids, chosen.hidden) == (list(range(40)), {39: 2961})
    assert len(groups(tree.to_svg(limit=500))) == 500


@pytest.mark.parametrize("limit", [0, -1, 501])
@pytest.mark.parametrize("form", ["svg", "png", "dot", "mermaid"])
def test_a_limit_that_is_none_is_refused(form: str, limit: int) -> None:
    with pytest.raises(InputError, match=f"a picture shows 1 to 500 nodes, not {limit}"):
        getattr(grown(), f"to_{form}")(limit=limit)


def test_the_root_alone_is_a_picture_too() -> None:
    assert list(groups(Tree().to_svg())) == [0]
    assert texts(groups(Tree().to_svg())[0])[0] == "(question)"


# The best path.


def test_without_a_result_the_best_path_is_that_of_the_best_answer_or_the_best_line() -> None:
    tree = grown()
    assert view(tree)["best"] == [1, 4]
    tree[4].status = "dead"
    assert view(tree)["best"] == [1]
    tree.about["best"] = [3]
    assert view(tree)["best"] == [3]


# Texts stay texts.


@pytest.mark.parametrize("name", ODD)
def test_svg_holds_any_text_as_text(name: str) -> None:
    tree = odd()
    picture = ElementTree.fromstring(tree.to_svg().encode("utf-8"))
    known = {"svg", "g", "title", "text", "rect", "path", "circle", "polygon"}
    assert {each.tag.removeprefix(SVG) for each in picture.iter()} <= known
    number = 1 + list(ODD).index(name)
    title = groups(tree.to_svg())[number].findtext(f"{SVG}title") or ""
    assert title.startswith(visible(ODD[name]) + "\n")
    assert all(len(line) <= 40 for line in texts(groups(tree.to_svg())[number]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ODD)
def test_dot_holds_any_text_as_text(name: str) -> None:
    (graph,) = pydot.graph_from_dot_data(odd().to_dot())
    number = 1 + list(ODD).index(name)
    (node,) = graph.get_node(f"n{number}")
    assert len(graph.get_edges()) == len(ODD)
    tooltip = node.get_tooltip()
    assert tooltip[0] == tooltip[-1] == '"'
    told = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], tooltip[1:-1])
    assert html.unescape(told).startswith(visible(ODD[name]) + "\n")


@pytest.mark.parametrize("name", ODD)
def test_mermaid_holds_any_text_as_text(name: str) -> None:
    lines = odd().to_mermaid().splitlines()
    number = 1 + list(ODD).index(name)
    (line,) = [line for line in lines if line.startswith(f"  n{number}(")]
    label = re.fullmatch(rf'  n{number}\("((?:\w|<br/>|#\d+;| )*)"\)', line)
    assert label, "a character stands in the label that Mermaid could read"
    told = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label[1].replace("<br/>", "\n"))
    shown = visible(ODD[name])[:80]
    assert told.replace("\u200b", "").startswith(shown[:79])
    assert [each for each in lines if "-->" in each or "==>" in each] == [
        f"  n0 {'==>' if child == view(odd())['best'][0] else '-->'} n{child}" for child in range(1, len(ODD) + 1)
    ]


def test_json_holds_the_whole_tree_and_no_number_that_json_has_not() -> None:
    def refuse(word: str) -> Any:
        raise AssertionError(word)

    tree = odd()
    tree[1].value, tree[2].judged = float("nan"), float("-inf")
    data = json.loads(tree.to_json(), parse_constant=refuse)
    assert [node["step"]["text"] for node in data["nodes"][1:]] == list(ODD.values())
    assert (data["nodes"][1]["value"], data["nodes"][2]["judged"]) == (None, None)
    assert Tree.from_dict(json.loads(grown().to_json())).to_dict() == grown().to_dict()


def test_html_holds_any_text_as_data() -> None:
    page = odd().to_html()
    data = re.search(r'<script type="application/json" id="coat-data">(.*?)</script>', page, re.DOTALL)
    assert data
    assert [node["step"]["text"] for node in json.loads(data[1])["nodes"][1:]] == list(ODD.values())


# Pixels.


def test_the_png_is_the_picture_twice_as_large() -> None:
    picture = ElementTree.fromstring(grown().to_svg()).attrib
    png = grown().to_png()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = (int.from_bytes(png[16:20]), int.from_bytes(png[20:24]))
    assert size == (2 * int(picture["width"]), 2 * int(picture["height"]))


def test_the_png_has_its_words_on_a_machine_without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    import resvg_py

    draw = resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: draw(**options, skip_system_fonts=True))
    wordless = re.sub(r"(<text[^>]*>)[^<]+", r"\1", grown().to_svg())
    assert len(grown().to_png()) > 1.5 * len(draw(svg_string=wordless, zoom=2.0))


# Files and the command line.


@pytest.mark.parametrize("form", ["html", "json", "svg", "png", "dot", "mermaid"])
def test_what_is_written_is_what_is_given_and_a_place_that_cannot_be_written_is_refused(
    form: str, tmp_path: Path
) -> None:
    export = getattr(grown(), f"to_{form}")
    given = export(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (given if isinstance(given, bytes) else given.encode())
    with pytest.raises(InputError, match=r"cannot write .*none.out: .*; name another file"):
        export(tmp_path / "none" / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    tree, file = grown(), tmp_path / "run.json"
    trace.save(file, {"question": "How far?", "recalled": {}, "result": {}} | tree.about | tree.to_dict())
    return file


@pytest.mark.parametrize("form", ["html", "json", "svg", "dot", "mermaid"])
def test_the_command_prints_what_the_tree_exports(form: str, saved: Path) -> None:
    done = CliRunner().invoke(app, ["view", str(saved), f"--{form}", "-"])
    _, tree = trace.load(saved)
    assert (done.exit_code, done.stdout) == (0, getattr(tree, f"to_{form}")())


def test_the_command_writes_several_files_at_once_with_a_limit(saved: Path, tmp_path: Path) -> None:
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    done = CliRunner().invoke(app, ["view", str(saved), "--svg", str(svg), "--png", str(png), "--limit", "3"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert list(groups(svg.read_text("utf-8"))) == [0, 1, 4]
    assert png.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--svg", "-", "--dot", "-"], "--svg and --dot cannot both go to the standard output"),
        (["--svg", "a.svg", "--serve"], "--svg writes a file"),
        (["--html", "-", "--open"], "--open needs a file"),
        (["--png", "-", "--limit", "0"], "a picture shows 1 to 500 nodes, not 0"),
        (["--json", "none/a.json"], r"cannot write none.a\.json"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], sentence: str, saved: Path) -> None:
    done = CliRunner().invoke(app, ["view", str(saved), *options])
    assert isinstance(done.exception, InputError)
    assert re.search(sentence, str(done.exception))


def test_drawing_is_not_loaded_before_it_is_asked_for() -> None:
    import subprocess

    code = "import coat.trace, sys; print(sorted({'quickjs', 'graphviz', 'resvg_py', 'anywidget'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
