"""Steering a run: what a person does takes hold, is logged with who did it, replays, and is refused in a sentence."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import coat
from coat import trace
from coat.errors import InputError
from coat.journal import Journal
from coat.models.scripted import ScriptedModel
from memory import AssociativeMemory, HashingEmbedder

FACT = "The lighthouse keeper is called Ingrid."


def thoughts(prompt: str, seed: int, _: Any) -> str:
    """A thought for every seed, now and then an answer."""
    return f"{'Answer: ' if seed % 5 == 0 else ''}thought {seed % 97}\n"


def model(**options: Any) -> ScriptedModel:
    return ScriptedModel(thoughts, logprob=lambda prompt, text: -1.0 - len(text) % 3, **options)


def begin(**knobs: Any) -> coat.Solving:
    knobs = {"evaluator": "logprob", "simulations": 20, "parallel": 1, "paused": True, **knobs}
    return coat.start(knobs.pop("question", "Who keeps the light?"), model=knobs.pop("model", None) or model(), **knobs)


@pytest.fixture
def search() -> Iterator[coat.Solving]:
    """A search that has expanded the root and judged its children, and waits."""
    with begin() as solving:
        solving.step()
        solving.step()
        yield solving


def children(search: coat.Solving, node: int = 0) -> list[int]:
    return list(search.tree[node].children)


def open_child(search: coat.Solving) -> int:
    return next(child for child in children(search) if search.tree[child].status == "open")


# Pausing.


def test_a_paused_search_takes_one_reply_a_step_and_its_clock_stands_still() -> None:
    with begin(seconds=0.5) as search:
        assert (search.paused, len(search.tree)) == (True, 1)
        time.sleep(0.7)  # longer than the budget
        assert search.seconds < 0.5
        search.step()
        assert len(search.tree) > 1
        assert all(node.judged is None for node in search.tree.nodes)
        search.step()
        assert all(node.judged is not None for node in search.tree.nodes[1:])
        assert not search.done
        search.resume()
        assert search.wait(10).stop == "simulations"
        assert not search.paused


def test_a_pause_holds_and_a_stop_ends_it() -> None:
    with begin(paused=False, simulations=10_000, tokens=None, model=model(delay=lambda _: 0.001)) as search:
        search.pause()
        before = len(search.tree)
        time.sleep(0.05)
        assert len(search.tree) == before
        search.stop()
        assert search.wait(10).stop == "interrupted"


# What takes hold.


def test_pruning_sends_the_search_elsewhere(search: coat.Solving) -> None:
    pruned = open_child(search)
    assert search.prune(pruned, by="Ada")["do"] == "prune"
    search.resume()
    result = search.wait(10)
    assert search.tree[pruned].status == "dead"
    assert pruned not in result.best
    below = {node.id for node in result.tree.nodes if result.tree.within(node.id, pruned)}
    assert all(result.tree[node].status == "dead" for node in below)
    assert [(edit["by"], edit["do"], edit["node"], edit["at"]) for edit in search.edits] == [
        ("Ada", "prune", pruned, 2)
    ]


def test_pinning_keeps_the_search_below_a_node_until_it_is_lifted(search: coat.Solving) -> None:
    pinned = open_child(search)
    search.step()  # the expansion that was under way
    search.step()
    search.pin(pinned)
    assert search.pinned == pinned
    first = len(search.tree)
    while len(search.tree) < first + 8:
        search.step()
    new = range(first, len(search.tree))
    assert sum(search.tree.within(node, pinned) for node in new) >= len(new) - 4  # but for one that was under way
    search.pin(None)
    assert search.pinned is None
    assert [edit["do"] for edit in search.edits] == ["pin", "unpin"]


def test_an_edit_is_a_new_sibling_and_closes_the_old_branch(search: coat.Solving) -> None:
    old = open_child(search)
    new = search.edit(old, "  the keeper must be named first ")
    assert (search.tree[new].step.text, search.tree[new].step.author) == ("the keeper must be named first", "person")
    assert (search.tree[new].parent, search.tree[old].status, search.tree[new].status) == (0, "dead", "open")
    search.pin(new)
    search.resume()
    search.wait(10)
    assert search.tree[new].judged is not None
    assert search.tree[new].children


def test_an_added_answer_is_read_as_the_task_reads_it(search: coat.Solving) -> None:
    new = search.add(0, "Answer: Ingrid")
    assert (search.tree[new].status, search.tree[new].step.action) == ("terminal", "answer")
    search.resume()
    assert "Ingrid" in [node.step.text.removeprefix("Answer: ") for node in search.wait(10).tree.terminals()]


def test_the_model_reads_what_a_person_wrote() -> None:
    prompts = []

    def replies(prompt: str, seed: int, _: Any) -> str:
        prompts.append(prompt)
        return thoughts(prompt, seed, _)

    with begin(model=ScriptedModel(replies)) as search:
        search.step()
        search.step()
        new = search.add(open_child(search), "the lamp is lit by hand")
        search.pin(new)
        search.resume()
        search.wait(10)
    assert any("the lamp is lit by hand" in prompt for prompt in prompts)


def test_facts_are_told_from_then_on() -> None:
    with AssociativeMemory(None, HashingEmbedder()) as memory:
        memory.add("Bread is baked in the morning.")
        with begin(memory=memory, recall_threshold=0.1) as search:
            search.step()
            told = search.add_fact(f"{FACT} Who keeps the light?")
            while not any(hit["id"] == told for hits in search.hits.values() for hit in hits):
                search.step()
            search.forget_fact(told)
            assert memory.count() == 1
            with pytest.raises(InputError, match=str(told)):
                search.forget_fact(told)
            assert [edit["do"] for edit in search.edits] == ["add_fact", "forget_fact"]


def test_the_budget_can_be_raised_and_lowered(search: coat.Solving) -> None:
    spent = search.usage.spent
    search.budget(tokens=spent + 300, seconds=60)
    assert search.snapshot()["budget"] == {"tokens": spent + 300, "seconds": 60}
    search.resume()
    result = search.wait(10)
    assert (result.stop, result.usage.spent <= spent + 300) == ("tokens", True)


def test_a_clock_that_is_set_later_ends_the_search() -> None:
    with begin(paused=False, model=model(delay=lambda _: 600.0)) as search:
        search.budget(seconds=0.05)
        assert search.wait(10).stop == "seconds"


# The log.


def steered(journal: Journal, steer: bool) -> tuple[coat.Result, list[Any]]:
    """A run with some edits, or the same call again."""
    with begin(journal=journal, paused=steer) as search:
        if steer:
            for _ in range(3):
                search.step()
            search.edit(open_child(search), "another way")
            search.step()
            search.add(0, "a thought of one's own", by="Ada")
            search.step()
            search.pin(open_child(search))
            search.budget(tokens=4000)
            search.resume()
        return search.wait(10), search.edits


def test_a_steered_run_replays_with_its_edits_and_draws_nothing() -> None:
    journal = Journal(None)
    first, edits = steered(journal, True)
    again, same = steered(journal, False)
    assert len(edits) == 4
    assert same == edits
    assert again.tree.to_dict() == first.tree.to_dict()
    assert (again.usage.generated, again.answer, again.run) == (0, first.answer, first.run)
    journal.close()


def test_a_run_that_was_stopped_goes_on_with_its_edits() -> None:
    journal = Journal(None)
    with begin(journal=journal) as search:
        for _ in range(4):
            search.step()
        pruned = open_child(search)
        search.prune(pruned)
        search.stop()
        search.wait(10)
    with begin(journal=journal) as search:
        new = search.add(0, "after what was replayed")
        assert [(edit["do"], edit["at"]) for edit in search.edits] == [("prune", 4), ("add", 4)]
        assert search.tree[pruned].status == "dead"
        for _ in range(6):
            search.step()
        assert search.tree[new].judged is not None
    journal.close()


def test_the_trace_holds_who_did_what(search: coat.Solving, tmp_path: Any) -> None:
    search.prune(open_child(search), by="Ada")
    new = search.add(0, "mine")
    seen = search.snapshot()
    assert (seen["state"], seen["steerable"], seen["result"]) == ("paused", True, None)
    search.resume()
    result = search.wait(10)
    trace.save(tmp_path / "run.json", search.snapshot())
    data, tree = trace.load(tmp_path / "run.json")
    assert [(edit["by"], edit["do"]) for edit in data["edits"]] == [("Ada", "prune"), ("person", "add")]
    assert (data["state"], data["best"], data["task"]) == ("done", list(result.best), "qa")
    assert tree[new].step.author == "person"
    assert [tree[node].step.text for node in data["best"]] == result.path


# What is refused, while the search goes on.


def dead(search: coat.Solving) -> int:
    node = open_child(search)
    search.prune(node)
    return node


def answer(search: coat.Solving) -> int:
    return search.add(0, "Answer: 42")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda search: search.prune(0), "node 0 is the problem itself; prune a step below it"),
        (lambda search: search.edit(0, "x"), "node 0 is the problem itself"),
        (lambda search: search.prune(999), r"there is no node 999; the tree has the nodes 0 to \d+"),
        (lambda search: search.pin(-1), "there is no node -1"),
        (lambda search: search.pin(True), "there is no node True"),
        (lambda search: search.prune(dead(search)), "lies in a closed branch"),
        (lambda search: search.add(dead(search), "x"), "lies in a closed branch"),
        (lambda search: search.add(answer(search), "x"), "is an answer, and nothing comes after it"),
        (lambda search: search.add(0, "  \n"), "a thought needs a text"),
        (lambda search: search.add(0, search.tree[1].step.text), "node 1 says that already"),
        (lambda search: search.budget(tokens=0), "a budget is a number of tokens above 0, or None for no limit, not 0"),
        (lambda search: search.budget(tokens=1.5), "a budget is a number of tokens above 0"),
        (lambda search: search.budget(seconds=float("nan")), "a budget is a number of seconds above 0"),
        (lambda search: search.add_fact("x"), "the search has no memory; start it with one"),
        (lambda search: search.forget_fact(1), "the search has no memory"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    search: coat.Solving, edit: Callable[[coat.Solving], Any], message: str
) -> None:
    before = len(search.edits)
    with pytest.raises(InputError, match=message):
        edit(search)
    assert len(search.edits) - before <= 1  # what led there
    search.resume()
    assert search.wait(10).stop == "simulations"


def test_a_step_that_the_rules_forbid_is_refused() -> None:
    with (
        begin(question="4 9 10 13", task="game24", model=ScriptedModel({"": ["13 - 9 = 4\n"]})) as search,
        pytest.raises(InputError, match=r"'13 \+ 9 = 23' is no step here: .* is not true"),
    ):
        search.add(0, "13 + 9 = 23")


def test_a_strategy_that_cannot_be_steered_says_which_can() -> None:
    with begin(strategy="majority") as search:
        assert not search.steerable
        search.step()
        with pytest.raises(InputError, match=r"'majority' cannot be steered; these can: coat, beam, dvts, rebase"):
            search.prune(1)
        search.budget(tokens=500)  # but its budget can be changed


def test_an_ended_search_refuses_edits(search: coat.Solving) -> None:
    search.resume()
    search.wait(10)
    with pytest.raises(InputError, match=r"the search has ended \(simulations\); start another"):
        search.prune(1)
    search.pause()
    assert not search.paused
