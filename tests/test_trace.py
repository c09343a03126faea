"""Trace files: what was saved comes back, and what is no whole trace is refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from coat import trace
from coat.errors import InputError
from coat.trace import Tree
from search import Step

QUESTION = "Wo fließt der Tiber?\n„Dort“"
RESULT = {"answer": "Rom", "confidence": 1.0, "usage": {"generated": 12}}
HITS = {0: [{"id": 3, "text": "Rome lies on the Tiber.", "source": "atlas", "score": 0.5, "kind": "fact"}], 1: []}


def grown() -> Tree:
    """A root with a thought, an answer after it, and a step back beside that."""
    tree = Tree()
    thought = tree.add(0, Step("Der Tiber fließt …", "think", (1, 2, 3), -1.5, 4))
    answer = tree.add(thought, Step("Answer: Rom", "answer", (4,), None, 2))
    tree.add(thought, Step("Backtrack", "backtrack"))
    tree[0].recalled, tree[thought].prior = (3,), 0.25
    tree[answer].judged, tree[answer].parts = 0.75, {"self": 0.7, "F_a": 0.8}
    tree[answer].visits, tree[answer].value = 2, 0.5
    return tree


def snapshot(tree: Tree, question: str = QUESTION) -> dict[str, Any]:
    return {"question": question, "result": RESULT, **trace.grown(tree, HITS)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "run.json"
    trace.save(made, snapshot(grown()))
    return made


def rewrite(file: Path, **changes: Any) -> None:
    data = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps({name: value for name, value in data.items() if value is not ...}), encoding="utf-8")


def test_what_was_saved_comes_back(file: Path) -> None:
    data, tree = trace.load(file)
    assert (data["question"], data["result"], data["recalled"]) == (QUESTION, RESULT, {"0": HITS[0]})
    assert tree.to_dict() == grown().to_dict()
    assert [node.children for node in tree.nodes] == [[1], [2, 3], [], []]
    assert (tree.depth, tree.backtracks, [node.id for node in tree.terminals()]) == (2, 1, [2])


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(file: Path) -> None:
    trace.save(file, snapshot(Tree(), "another"))
    data, tree = trace.load(file)
    assert (data["question"], len(tree)) == ("another", 1)
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_the_tree_as_a_graph_has_its_edges_and_the_jsons_names() -> None:
    graph = grown().to_networkx()
    assert sorted(graph.edges) == [(0, 1), (1, 2), (1, 3)]
    assert list(graph.nodes) == [0, 1, 2, 3]
    assert graph.nodes[2] == {
        "id": 2,
        "parent": 1,
        "depth": 2,
        "prior": 1.0,
        "visits": 2,
        "value": 0.5,
        "judged": 0.75,
        "status": "terminal",
        "expansions": 0,
        "quota": 1,
        "parts": {"self": 0.7, "F_a": 0.8},
        "recalled": [],
        "text": "Answer: Rom",
        "action": "answer",
        "tokens": [4],
        "logprob": None,
        "generated": 2,
        "state": "",
        "thought": False,
        "move": "",
        "about": [],
        "told": [],
        "model": 0,
        "author": "",
    }


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_is_refused(file: Path, share: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"run\.json is not a trace: it is not whole JSON"):
        trace.load(file)


@pytest.mark.parametrize("text", ["[]", "7", "null", '"coat_trace"', "{}", '{"nodes": []}'])
def test_json_that_is_no_trace_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=r"run\.json is not a trace; `coat solve --trace FILE` writes one"):
        trace.load(file)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b"\x89PNG"])
def test_what_is_not_even_json_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match="is not a trace"):
        trace.load(file)


def test_a_newer_version_is_refused_by_number(file: Path) -> None:
    rewrite(file, coat_trace=2)
    with pytest.raises(InputError, match="is a trace of version 2; this coat reads version 1"):
        trace.load(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": ...}, "'question' is missing"),
        ({"result": [1]}, "'result' is missing or something else"),
        ({"recalled": None}, "'recalled' is missing"),
        ({"nodes": ...}, "'nodes' is missing"),
        ({"nodes": []}, "not a tree"),
        ({"nodes": [{"id": 0}]}, "not a tree"),
        ({"nodes": ["node"]}, "not a tree"),
        ({"nodes": grown().to_dict()["nodes"][1:]}, "not a tree"),
        ({"nodes": grown().to_dict()["nodes"][::-1]}, "not a tree"),
    ],
)
def test_a_damaged_trace_is_refused(file: Path, changes: dict[str, Any], message: str) -> None:
    rewrite(file, **changes)
    with pytest.raises(InputError, match=f"is a damaged trace: .*{message}"):
        trace.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the trace .*none\.json: No such file"):
        trace.load(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"cannot read the trace .*: Is a directory"):
        trace.load(tmp_path)


def test_a_place_that_cannot_be_written_is_refused_and_left_as_it_was(file: Path) -> None:
    before = file.read_bytes()
    (file.parent / "folder").mkdir()
    for place in (file / "inside.json", file.parent / "missing" / "run.json", file.parent / "folder"):
        with pytest.raises(InputError, match=r"cannot write the trace .*; name another file with --trace"):
            trace.save(place, snapshot(grown()))
    assert sorted(each.name for each in file.parent.iterdir()) == ["folder", "run.json"]
    assert file.read_bytes() == before


def test_a_read_only_folder_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, *args: object, **options: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", read_only)
    with pytest.raises(InputError, match=r"cannot write the trace .*run\.json: Permission denied"):
        trace.save(file, snapshot(grown()))
    assert trace.load(file)[0]["question"] == QUESTION
