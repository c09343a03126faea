"""The widget without a browser: what is sent when a search changes, what comes of commands, and what is shown where."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("anywidget")

import coat
from coat.errors import BackendError, InputError
from coat.models.scripted import ScriptedModel
from coat.trace import Tree
from coat.viewer import notebook
from coat.viewer.commands import carry_out
from coat.viewer.live import LiveTree
from search import Step

HOME = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def thoughts(prompt: str, seed: int, _: Any) -> str:
    return f"{'Answer: ' if seed % 5 == 0 else ''}thought {seed % 97}\n"


def options(**knobs: Any) -> dict[str, Any]:
    given = {"model": ScriptedModel(thoughts), "evaluator": "logprob", "simulations": 20, "parallel": 1}
    return given | {"paused": True} | knobs


class Heard:
    """What a widget sends, and what the tree is by it, as a viewer would know it."""

    def __init__(self, widget: LiveTree) -> None:
        self.widget, self.messages = widget, list[dict[str, Any]]()
        self.changed = threading.Condition()
        self.seen = dict(widget.data) | {"nodes": list(widget.data["nodes"])}
        widget.send = self.send

    def send(self, message: dict[str, Any], buffers: Any = None) -> None:
        with self.changed:
            self.messages.append(message)
            if message["kind"] == "update":
                found = {node["id"]: node for node in self.seen["nodes"]}
                found |= {node["id"]: node for node in message["changes"].get("nodes", ())}
                self.seen |= message["changes"] | {"nodes": [found[number] for number in range(len(found))]}
            self.changed.notify_all()

    def ask(self, command: Any) -> dict[str, Any]:
        """Send a command as the browser does; the reply."""
        before = len(self.replies)
        self.widget._handle_custom_msg(command, [])
        self.until(lambda: len(self.replies) > before)
        return self.replies[before]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [each for each in self.messages if each["kind"] == "reply"]

    def until(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, 10)


@pytest.fixture
def heard() -> Iterator[Heard]:
    widget = coat.watch("Who keeps the light?", **options())
    yield Heard(widget)
    widget.search.stop()
    widget.search.wait()


def test_the_widget_begins_with_the_question_and_grows_by_what_changes(heard: Heard) -> None:
    assert (heard.seen["question"], heard.seen["state"], len(heard.seen["nodes"])) == (
        "Who keeps the light?",
        "paused",
        1,
    )
    assert heard.ask({"do": "step"}) == {"kind": "reply", "done": {"do": "step"}}
    heard.until(lambda: len(heard.seen["nodes"]) > 1)
    heard.ask({"do": "resume"})
    result = heard.widget.result
    heard.until(lambda: heard.seen["state"] == "done")
    assert heard.seen["nodes"] == result.tree.to_dict()["nodes"]
    assert heard.seen["result"]["answer"] == result.answer
    assert heard.seen["best"] == list(result.best)


def test_an_update_holds_only_what_changed(heard: Heard) -> None:
    heard.ask({"do": "step"})
    heard.until(lambda: len(heard.seen["nodes"]) > 1)
    heard.messages.clear()
    first = len(heard.seen["nodes"])
    node = next(each["id"] for each in heard.seen["nodes"][1:] if each["status"] == "open")
    assert "error" not in heard.ask({"do": "add", "node": node, "text": "Ask Ingrid."})
    (update,) = [each["changes"] for each in heard.messages if "nodes" in each.get("changes", {})]
    new = next(each for each in update["nodes"] if each["id"] == first)
    assert (new["parent"], new["step"]["text"], new["step"]["author"]) == (node, "Ask Ingrid.", "person")
    assert {each["id"] for each in update["nodes"]} <= {0, node, first}
    assert [edit["do"] for edit in update["edits"]] == ["add"]
    assert not {"question", "task", "budget", "recalled"} & set(update)


def test_a_command_that_cannot_be_is_answered_in_a_sentence_and_the_search_goes_on(heard: Heard) -> None:
    assert "node 0 is the problem itself" in heard.ask({"do": "prune", "node": 0})["error"]
    assert "there is no node 99" in heard.ask({"do": "pin", "node": 99})["error"]
    assert "has no memory" in heard.ask({"do": "add_fact", "text": "It is dark."})["error"]
    for nonsense in ("prune", {}, {"do": "dance"}, {"do": "prune"}, ["do", "stop"], None):
        assert "is no command to a search" in heard.ask(nonsense)["error"]
    heard.ask({"do": "resume"})
    assert heard.widget.result.stop == "simulations"
    assert "the search has ended" in heard.ask({"do": "prune", "node": 1})["error"]


def test_every_command_reaches_the_search_with_who_gave_it() -> None:
    done: list[Any] = []

    class Search:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *given, **named: done.append((name, *given, named))

    commands: list[dict[str, Any]] = [
        {"do": "pause"},
        {"do": "resume"},
        {"do": "step"},
        {"do": "stop"},
        {"do": "prune", "node": 5},
        {"do": "pin", "node": 6},
        {"do": "unpin"},
        {"do": "edit", "node": 7, "text": "a"},
        {"do": "add", "node": 8, "text": "b"},
        {"do": "add_fact", "text": "c"},
        {"do": "forget_fact", "fact": 9},
        {"do": "budget", "tokens": 10, "seconds": None},
    ]
    search: Any = Search()
    for command in commands:
        carry_out(search, command, "Ada")
    by = {"by": "Ada"}
    assert done == [
        ("pause", {}),
        ("resume", {}),
        ("step", {"wait": False}),
        ("stop", {}),
        ("prune", 5, by),
        ("pin", 6, by),
        ("pin", None, by),
        ("edit", 7, "a", by),
        ("add", 8, "b", by),
        ("add_fact", "c", by),
        ("forget_fact", 9, by),
        ("budget", {"tokens": 10, "seconds": None, **by}),
    ]


def test_a_view_that_is_new_is_sent_everything(heard: Heard) -> None:
    heard.ask({"do": "step"})
    heard.until(lambda: len(heard.seen["nodes"]) > 1)
    heard.messages.clear()
    heard.widget._handle_custom_msg({"do": "show"}, [])
    heard.until(lambda: bool(heard.messages))
    assert heard.messages[0]["changes"]["question"] == "Who keeps the light?"
    assert [node["id"] for node in heard.messages[0]["changes"]["nodes"]] == list(range(len(heard.seen["nodes"])))


def test_after_the_end_the_widget_holds_the_last_tree(heard: Heard) -> None:
    heard.ask({"do": "resume"})
    result = heard.widget.result
    heard.until(lambda: heard.seen["state"] == "done")
    heard.widget._follower.join(10)
    data = heard.widget.get_state("data")["data"]
    assert (data["state"], data["nodes"]) == ("done", result.tree.to_dict()["nodes"])


def test_closing_the_widget_stops_nothing(heard: Heard) -> None:
    heard.widget.close()
    heard.widget.search.resume()
    assert heard.widget.result.stop == "simulations"


def test_a_search_that_fails_says_so_in_the_widget_and_to_who_waits() -> None:
    widget = coat.watch("Who?", **options(model=ScriptedModel(thoughts, fail_after=3)))
    heard = Heard(widget)
    heard.ask({"do": "resume"})
    heard.until(lambda: any("error" in each for each in heard.replies))
    assert "the script ends after 3 requests" in next(each["error"] for each in heard.replies if "error" in each)
    with pytest.raises(BackendError, match="the script ends"):
        _ = widget.result


def test_a_search_that_is_at_work_can_be_watched_and_takes_no_options() -> None:
    with coat.start("Who?", **options()) as search:
        widget = coat.watch(search, by="Ada", height=300)
        assert (widget.search, widget.height) == (search, 300)
        with pytest.raises(InputError, match="at work already, and takes no tokens"):
            coat.watch(search, tokens=5)
        search.resume()
        assert widget.result is search.wait()
        late = coat.watch(search)
        assert late.data["state"] == "done"


@pytest.mark.parametrize("wrong", [{"task": "chess"}, {"sloth": 1}])
def test_what_start_refuses_watch_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="there is no"):
        coat.watch("Who?", **options(**wrong))


# What is shown where.


@pytest.fixture
def result() -> coat.Result:
    return coat.solve("Who?", **{name: value for name, value in options().items() if name != "paused"})


def test_without_a_kernel_a_result_is_a_picture_and_words(result: coat.Result) -> None:
    shown = result._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}
    words = shown["text/plain"].splitlines()
    assert words[0] == "Who?"
    assert words[1].startswith(f"{result.answer}  (unchecked, confidence ")
    assert words[2] == f"  1. {result.path[0]}"
    assert words[-1] == f"a tree of {len(result.tree)} nodes, {result.tree.depth} deep"
    assert ElementTree.fromstring(shown["image/svg+xml"]).tag.endswith("svg")


def test_the_tree_of_a_result_knows_its_question_and_answer(result: coat.Result) -> None:
    assert result.tree._repr_mimebundle_() == result._repr_mimebundle_()


def test_where_a_kernel_runs_the_widget_comes_first(result: coat.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "kernel_runs", lambda: True)
    shown = result._repr_mimebundle_()
    assert list(shown) == [WIDGET, "image/svg+xml", "text/plain"]
    monkeypatch.setattr(notebook, "find_spec", lambda name: None)
    assert list(result._repr_mimebundle_()) == ["image/svg+xml", "text/plain"]


def test_words_do_not_hold_control_codes() -> None:
    tree = Tree()
    tree.add(0, Step("a\x1b[31m\u202eb", "answer"))
    assert "a␛[31m⟨U+202E⟩b" in tree._repr_mimebundle_()["text/plain"]


def test_without_anywidget_watch_says_what_to_install_and_trees_are_pictures() -> None:
    code = """
import sys
sys.modules["anywidget"] = None
import coat
print(sorted(coat.Tree()._repr_mimebundle_()))
coat.watch("Who?")
"""
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "['image/svg+xml', 'text/plain']"
    assert "InputError: the widget needs anywidget" in done.stderr
    assert "pip install 'coat-reasoning[notebook]'" in done.stderr
