"""What was verified is remembered, with how it was found, and helps the next problem."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coat
from coat.errors import InputError
from coat.models import SampleRequest, Sampling
from coat.models.scripted import ScriptedModel
from coat.usage import Usage
from memory import AssociativeMemory, HashingEmbedder

LINE = {": 1 1 4 6\n": ["1 * 1 = 1\n"], ": 4 6 1\n": ["4 * 1 = 4\n"], ": 6 4\n": ["6 * 4 = 24\n"]}


def follow(prompt: str, seed: int, sampling: Sampling) -> str:
    """The step for the numbers that are left, whatever was recalled after them."""
    left = [line.partition("umbers")[2] for line in prompt.splitlines() if line.startswith(("Numbers", "Next numbers"))]
    return LINE[f"{left[-1]}\n"][0]


class Witness(ScriptedModel):
    """Follows a script, and remembers what it read."""

    def __init__(self, replies: Any = None) -> None:
        super().__init__(replies or follow)
        self.read = list[str]()

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.read.append(self._text(request.prompt))
        return await super().sample(request, usage)


@pytest.fixture
def store() -> Iterator[AssociativeMemory]:
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        yield memory


def solve(store: AssociativeMemory | None, model: Witness, **knobs: Any) -> coat.Result:
    call = {"task": "game24", "evaluator": "logprob", "remember": True, "recall_threshold": 0.2, "distinct": False}
    return coat.solve("1 1 4 6", model=model, memory=store, **{**call, **knobs})


def test_a_verified_answer_and_the_steps_to_it_become_facts(store: AssociativeMemory) -> None:
    result = solve(store, Witness())
    assert result.correct
    assert result.remarks[-1] == "3 facts were remembered"
    facts = {fact.text: json.loads(fact.origin) for fact in store.list()}
    assert list(facts)[1:] == ["1 1 4 6 → 1 * 1 = 1", "Next numbers: 4 6 1 → 4 * 1 = 4"]
    assert next(iter(facts)).startswith("1 1 4 6 → ")
    assert {fact.source for fact in store.list()} == {"solved game24"}
    assert [origin["kind"] for origin in facts.values()] == ["answer", "step", "step"]
    assert all(origin["verified"] and origin["model"] == "scripted" for origin in facts.values())
    assert all(fact.verified for fact in store.list())


def test_the_next_problem_is_told_and_the_same_again_adds_nothing(store: AssociativeMemory) -> None:
    solve(store, Witness())
    again = Witness()
    result = solve(store, again)
    assert any("Facts: (1) 1 1 4 6 → " in text for text in again.read)
    assert result.remarks[-1] == "0 facts were remembered"
    assert store.count() == 3


def test_what_no_verifier_confirms_is_not_remembered(store: AssociativeMemory) -> None:
    result = solve(store, Witness({": 1 1 4 6\n": ["1 + 1 = 2\n"], "": ["nothing\n"]}), tokens=600)
    assert not result.correct
    assert store.count() == 0
    coat.solve(
        '{"question": "Where?", "answer": "Rome"}',
        task="hotpotqa",
        model=Witness({"": ["Answer: Rome\n"]}),
        memory=store,
        remember=True,
        evaluator="logprob",
    )
    assert store.count() == 0  # right by the gold answer, which a search may not learn from


def test_steps_in_words_are_kept_unless_they_repeat_a_fact(store: AssociativeMemory, monkeypatch: Any) -> None:
    monkeypatch.setattr("coat.tasks.qa.QuestionAnswering.verify", lambda self, problem, path: True)
    store.add("The Tiber flows through Rome.")

    def reply(prompt: str, seed: int, _: Any) -> str:
        last = prompt.rstrip("\n").rpartition("\n")[2]
        ends = {"flows": "It is 405 km long.\n", "long.": "Answer: 405 km\n"}
        return next((text for end, text in ends.items() if last.endswith(end)), "The Tiber flows\n")

    result = coat.solve(
        "How long is the river of Rome?",
        model=Witness(reply),
        memory=store,
        remember=True,
        evaluator="logprob",
        recall_threshold=0.2,
        distinct=False,
    )
    assert result.answer == "405 km"
    assert [fact.text for fact in store.list()][1:] == ["How long is the river of Rome? → 405 km", "It is 405 km long."]


def test_remembering_needs_a_memory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no memory to remember in"):
        solve(None, Witness())
