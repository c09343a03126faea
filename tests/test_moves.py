"""Moves: the user's turn asks for something else than the next step, and what comes is one step, whole."""

from typing import Any

import pytest

import coat
from coat import prompts, tasks
from coat.models import SampleRequest, Sampling
from coat.models.scripted import ScriptedModel
from coat.prompts import Move
from coat.strategies import STRATEGIES, Strategy
from coat.thoughts import said
from coat.usage import Usage
from search import Budget, Evaluate, Expand, Search, Step, Tree

QA = tasks.get("qa")


def ask_again(tree: Tree, *, budget: Budget) -> Search:
    """An answer, a critique of it, and another answer that knows it."""
    for request in (Expand(0, 1), Expand(1, 1, move="critique"), Expand(2, 1, move="better", about=(1,))):
        reply = yield (request,)
        for step in reply.steps:  # type: ignore[union-attr]
            tree.add(request.node, step)
    yield (Evaluate((3,)),)
    return tree


class Witness(ScriptedModel):
    """A scripted model that remembers what it continued, and how."""

    def __init__(self, replies: Any) -> None:
        super().__init__(replies)
        self.continued, self.samplings = list[str](), list[Sampling]()

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.continued.append(self._text(request.prompt))
        self.samplings.append(request.sampling)
        return await super().sample(request, usage)


@pytest.fixture
def _strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prompts.MOVES, "critique", Move("What is wrong with it?", tokens=90))
    monkeypatch.setitem(prompts.MOVES, "better", Move("You said {0}. Say it better.", "answer", 120))
    monkeypatch.setitem(STRATEGIES, "again", Strategy(ask_again, "twice", moves=("critique", "better")))


SCRIPT = {
    "Where?\n": ["Answer: Rome\n"],
    "wrong with it?\n": ["It is not\nin Italy."],
    "Say it better.\n": ["So:\nAnswer: Paris"],
}


@pytest.mark.usefixtures("_strategy")
def test_a_move_is_a_turn_of_the_user_after_the_models_own_path() -> None:
    model = Witness(SCRIPT)
    result = coat.solve("Where?", model=model, strategy="again", evaluator="logprob")
    assert model.continued[1].endswith("Where?\nAnswer: Rome\n\nWhat is wrong with it?\n")
    assert model.continued[2].endswith(
        "What is wrong with it?\nIt is not\nin Italy.\n\nYou said Answer: Rome. Say it better.\n"
    )
    assert [(each.max_tokens, each.stop) for each in model.samplings[1:]] == [(90, ()), (120, ())]
    steps = [node.step for node in result.tree.nodes[1:]]
    assert [(step.action, step.move, step.about) for step in steps] == [
        ("answer", "", ()),
        ("think", "critique", ()),
        ("answer", "better", (1,)),
    ]
    assert QA.answer(QA.read("Where?"), said(steps)) == "Paris"
    assert said(steps) == ["So:\nAnswer: Paris"]  # nor the critique, nor the answer before it


@pytest.mark.usefixtures("_strategy")
def test_a_move_before_anything_was_said_goes_with_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(tree: Tree, *, budget: Budget) -> Search:
        reply = yield (Expand(0, 2, move="critique"),)
        for step in reply.steps:  # type: ignore[union-attr]
            tree.add(0, step)
        return tree

    monkeypatch.setitem(STRATEGIES, "at_once", Strategy(at_once, "once", moves=("critique",)))
    model = Witness({"Where?\n\nWhat is wrong with it?\n": ["Nothing.", ""]})
    result = coat.solve("Where?", model=model, strategy="at_once", evaluator="logprob")
    assert len(result.tree) + result.usage.illegal == 3


@pytest.mark.usefixtures("_strategy")
def test_the_budget_reckons_with_the_longest_move() -> None:
    result = coat.solve("Where?", model=Witness(SCRIPT), strategy="again", evaluator="logprob", tokens=500)
    assert result.usage.spent <= 500


def test_a_trace_keeps_by_which_move_a_step_came() -> None:
    tree = Tree()
    tree.add(0, Step("a", move="critique", about=(0,)))
    assert Tree.from_dict(tree.to_dict())[1].step == tree[1].step
