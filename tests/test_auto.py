"""`--strategy auto`: what it reads off a few lines, what it chooses by them, and that nothing is paid for twice."""

import json
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import coat
from coat import auto, tasks
from coat.journal import Journal
from coat.models import Sampling
from coat.models.scripted import ScriptedModel
from coat.settings import Settings
from search import Budget, Evaluate, Expand, Step, Tree, beam, mcts, take_up
from search import auto as lines_first

BILLION = 10**9


def entry(tokens: int, lines: int, **choices: Any) -> dict[str, Any]:
    named = {name: {"strategy": each, "knobs": {}} for name, each in choices.items() if isinstance(each, str)}
    return {"tokens": tokens, "lines": lines, "choices": choices | named}


def table(*budgets: dict[str, Any], **weights: float) -> dict[str, Any]:
    known = dict.fromkeys(auto.FEATURES, 0.0) | weights
    difficulty = {"weights": known, "intercept": 0.1, "hard": 0.3, "easy": 0.7}
    return {"version": 1, "source": "by hand", "difficulty": difficulty, "budgets": list(budgets)}


def lines(*said: tuple[str, float | None]) -> Tree:
    """Lines of one judged step, of 4 tokens and log-probability -2, and an answer, or None for a line without one."""
    tree = Tree()
    for text, value in said:
        node = tree.add(0, Step("so", logprob=-2.0, generated=4))
        tree[node].judged = value
        if text:
            tree.add(node, Step(text, "answer", logprob=-1.0, generated=2))
    return tree


def text_of(tree: Tree) -> Any:
    return lambda node: tree[node].step.text


def ask(model: ScriptedModel, **knobs: Any) -> coat.Result:
    return coat.solve("How many?", model=model, strategy="auto", **({"evaluator": "logprob", "tokens": 3000} | knobs))


# The search.


def test_a_beam_goes_on_from_the_steps_that_the_lines_began_with(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(
        tree, {"": ["a b", "c"], "a": ["a1", "a2 a3"], "b": ["=b1", "b2"], "a1": ["=x"]}, {"a": 0.9, "b": 0.2}
    )

    def then(tree: Tree) -> Any:
        take_up(tree, 3)
        return beam(tree, keep=1, width=3, depth=2)

    play(lines_first(tree, lines=2, then=then, parallel=1, depth=2), answer)
    expanded = [(request.node, request.width) for request in answer.asked if isinstance(request, Expand)]
    assert expanded[:3] == [(0, 2), (1, 1), (2, 1)]  # the lines, to a1 and to the answer b1
    assert expanded[3:] == [(0, 1), (1, 2)]  # one step more of the root, two more of a, the best
    judged = [node for request in answer.asked if isinstance(request, Evaluate) for node in request.nodes]
    assert len(judged) == len(set(judged)), "a step was judged twice"


def test_a_tree_search_can_expand_what_the_lines_left(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b", "c"], "a": ["a1", "a2"], "b": ["<@0.9", "=b1"]})

    def then(tree: Tree) -> Any:
        take_up(tree, 2)
        assert [tree[node].visits for node in (1, 2, 3)] == [2, 1, 1]  # a, b and a1: judged, and backed up
        return mcts(tree, simulations=4, width=2, depth=2)

    play(lines_first(tree, lines=2, then=then, depth=2), answer)
    assert "a2" in {node.step.text for node in tree.nodes}
    assert "=b1" in {node.step.text for node in tree.nodes}  # the step back of a line closed nothing
    assert tree.backtracks == 0


# What is chosen.


def test_features_are_read_off_the_lines() -> None:
    tree = lines(("7", 0.9), ("7", 0.5), ("8", None), ("", 0.1))
    found = auto.features(tree, 4, text_of(tree))
    assert found == pytest.approx(
        {"leader": 0.5, "distinct": 0.5, "answered": 0.75, "logprob": -11 / 22, "judged": 0.5}
    )
    assert auto.features(Tree(), 4, str) == {
        "leader": 0.0,
        "distinct": 0.0,
        "answered": 0.0,
        "logprob": 0.0,
        "judged": 0.5,
    }


@pytest.mark.parametrize(("leader", "name"), [(0.0, "hard"), (0.25, "medium"), (0.5, "medium"), (0.75, "easy")])
def test_the_bin_is_that_of_the_predicted_difficulty(leader: float, name: str) -> None:
    plan = auto.plan(table(entry(1, 4, any="coat"), leader=1.0), Settings())
    assert plan.difficulty is not None
    features = dict.fromkeys(auto.FEATURES, 0.0) | {"leader": leader}
    assert plan.difficulty.predict(features) == pytest.approx(0.1 + leader)
    assert plan.difficulty.bin(features) == name


@pytest.mark.parametrize(
    ("tokens", "strategy"), [(50, "beam"), (100, "beam"), (299, "beam"), (300, "coat"), (None, "coat")]
)
def test_the_nearest_budget_not_above_counts(tokens: int | None, strategy: str) -> None:
    plan = auto.plan(table(entry(100, 0, any="beam"), entry(300, 0, any="coat")), Settings())
    assert plan.at(tokens)[1]["any"].strategy == strategy


@pytest.mark.parametrize(("sure", "strategy"), [(True, "majority"), (False, "beam")])
def test_what_is_chosen_follows_the_lines_and_is_said(sure: bool, strategy: str) -> None:
    def reply(prompt: str, seed: int, sampling: Sampling) -> str:
        return f"Answer: {7 if sure else seed}\n"

    easy = {"strategy": "majority", "knobs": {"n": 4, "vote": "majority"}}
    known = table(entry(100, 4, easy=easy, medium="beam", hard="coat"), leader=1.0)
    result = ask(ScriptedModel(reply), tuned=known)
    foretold = "1.10, easy" if sure else "0.35, medium"  # 0.1 and the leader's share
    assert result.remarks[-1] == f"auto chose {strategy}: 4 lines foretell pass@1 of {foretold}; by hand"
    assert result.strategy == "auto"
    if sure:
        assert (result.answer, len(result.tree.terminals()), result.usage.generated) == ("7", 4, 4 * 10)


def test_lines_count_in_the_budget_and_among_those_of_a_vote() -> None:
    model = ScriptedModel(lambda prompt, seed, sampling: f"Answer: {seed % 2}\n")
    vote = {"strategy": "majority", "knobs": {"n": 7, "vote": "majority"}}
    result = ask(model, tuned=table(entry(100, 4, any=vote)), parallel=1)
    assert 4 <= len(result.tree.terminals()) <= 7
    for tokens in (70, 130, 400):
        assert ask(model, tuned=table(entry(10, 4, any="coat")), tokens=tokens).usage.spent <= tokens


@pytest.mark.parametrize(
    ("votes", "n", "left", "over"),
    [
        ("aab", 4, 600, False),
        ("aaab", 5, 600, True),  # one of five is left
        ("aab", 16, 600, False),
        ("aab", 16, 5, True),  # a line costs 6 tokens
        ("aab", 16, 6, False),
        ("", 16, 0, False),
    ],
)
def test_a_vote_ends_when_the_budget_allows_nobody_to_overtake(votes: str, n: int, left: int, over: bool) -> None:
    tree = lines(*((vote, None) for vote in votes))
    assert auto.settled(tree, n, text_of(tree), Budget(tokens=100 + left, spent=100)) is over


# Without a file.


@pytest.mark.parametrize(
    ("task", "name", "evaluator", "strategy"),
    [
        ("game24", "qwen-70b", "self", "coat"),
        ("blocksworld", "qwen", "self", "coat"),
        ("gsm8k", "qwen-70b", "self", "majority"),
        ("gsm8k", "qwen2.5-1.5B-instruct", "logprob", "majority"),
        ("gsm8k", "qwen2.5-1.5B-instruct", "prm", "beam"),
        ("gsm8k", "unknown", "prm", "beam"),
        ("gsm8k", "qwen-7b", "prm", "dvts"),
        ("gsm8k", "qwen-32b-q4", "self:0.3,prm:0.7", "dvts"),
        ("gsm8k", "llama-70b", "prm", "best_of_n"),
    ],
)
def test_the_prior_goes_by_task_judge_and_size(task: str, name: str, evaluator: str, strategy: str) -> None:
    found = auto.prior(tasks.get(task), ScriptedModel({}, name=name), evaluator)
    assert auto.plan(found, Settings()).at(1)[1]["any"].strategy == strategy
    assert "no file of `coat tune`" in found["source"]


@pytest.mark.parametrize(
    ("name", "size"),
    [("qwen-0.5b", BILLION // 2), ("openai:http://a#Q-14B-x", 14 * BILLION), ("gpt", None), ("q8bit", None)],
)
def test_a_size_may_be_in_the_name(name: str, size: int | None) -> None:
    assert auto.size_of(ScriptedModel({}, name=name)) == size


# The file.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no file of `coat tune`"),
        ("[]", "is no file of this"),
        ('{"version": 7, "budgets": []}', "is no file of this"),
        ('{"version": 1, "budgets": [], "task": "gsm8k", "model": "scripted"}', "was tuned for 'gsm8k'"),
        ('{"version": 1, "budgets": [], "task": "qa", "model": "scripted"}', "it holds no choice"),
        ('{"version": 1, "budgets": [{}], "task": "qa", "model": "scripted"}', "cannot be read"),
        ('{"version": 1, "budgets": [], "task": "qa", "model": "scripted", "difficulty": 3}', "cannot be read"),
    ],
)
def test_a_damaged_or_foreign_file_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "tuned.json"
    file.write_text(text, "utf-8")
    with pytest.raises(coat.InputError, match=words):
        ask(ScriptedModel({"": ["Answer: 7\n"]}), tuned=file)
    with pytest.raises(coat.InputError, match="cannot read the tuned file"):
        ask(ScriptedModel({"": ["Answer: 7\n"]}), tuned=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"strategy": "none", "knobs": {}}, "there is no strategy 'none'"),
        ({"strategy": "auto", "knobs": {}}, "auto cannot"),
        ({"strategy": "best_first", "knobs": {}}, "cannot go on with 'best_first' after 4 lines"),
        ({"strategy": "beam", "knobs": {"tokens": 10**9}}, "auto cannot change 'tokens'"),
        ({"strategy": "beam", "knobs": {"keep": 0}}, "keep must be at least 1"),
        ({"strategy": "beam"}, "cannot be read"),
    ],
)
def test_a_choice_that_cannot_be_made_is_one_sentence(choice: dict[str, Any], words: str) -> None:
    with pytest.raises(coat.InputError, match=words):
        ask(ScriptedModel({"": ["Answer: 7\n"]}), tuned=table(entry(1, 4, any=choice)))


def test_a_resumed_run_chooses_by_what_was_logged(tmp_path: Path) -> None:
    file = tmp_path / "tuned.json"
    known = table(entry(1, 4, any="beam")) | {"task": "qa", "model": "scripted", "problems": 3, "evaluator": "self"}
    file.write_text(json.dumps(known), "utf-8")
    model = ScriptedModel(lambda prompt, seed, sampling: f"Answer: {seed % 3}\n")
    with closing(Journal(tmp_path / "journal.db")) as journal:
        first = ask(model, tuned=file, journal=journal)
        file.write_text("broken", "utf-8")
        settings = journal.config(first.run or 0)["settings"]
        again = coat.start("How many?", model=model, journal=journal, run=first.run, **settings).wait()
    assert first.remarks == again.remarks
    assert first.remarks[-1] == "auto chose beam: tuned on 3 problems with the evaluator 'self'"
    assert (again.run, again.usage.generated, again.tree.to_dict()) == (first.run, 0, first.tree.to_dict())


def test_the_task_s_own_settings_serve_what_is_chosen_unless_others_are_asked_for() -> None:
    given: Any = SimpleNamespace(knobs={"coat": {"width": 1, "top_p": 1.0, "step_tokens": 3}})
    full = auto.with_knobs(table(entry(1, 0, any="coat")), given, ["top_p"])
    assert full["budgets"][0]["choices"]["any"]["knobs"] == {"width": 1}
    assert auto.plan(full, Settings(top_p=0.5)).at(1)[1]["any"].width == 1


def test_what_the_embedding_tells_is_taken_into_the_intercept() -> None:
    known = table(entry(1, 0, any="coat"))
    known["difficulty"]["embedding"] = [0.5, -1.0]
    folded = auto.with_question(known, lambda text: [1.0, 0.25], "How many?")
    assert folded["difficulty"]["intercept"] == pytest.approx(0.1 + 0.5 - 0.25)
    assert "embedding" not in folded["difficulty"]
    with pytest.raises(coat.InputError, match="cannot be read"):
        auto.with_question(known, lambda text: [1.0], "How many?")
