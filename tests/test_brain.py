"""Who associates: the memory, the model by itself, both or nobody; and what that costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import coat
from coat.association import association_of, lines
from coat.errors import InputError
from coat.models import SampleRequest, Sampling
from coat.models.scripted import ScriptedModel
from coat.usage import Usage
from memory import AssociativeMemory, HashingEmbedder

TIBER = "The Tiber flows through Rome."
SEINE = "The Seine flows through Paris."


class Witness(ScriptedModel):
    """Thinks, then answers; knows of the Seine; remembers the texts that it continued."""

    def __init__(self) -> None:
        super().__init__(self._reply)
        self.continued = list[str]()

    def _reply(self, prompt: str, seed: int, sampling: Sampling) -> str:
        if prompt.endswith("Do not answer yet.\n"):
            return f"  {SEINE}\n"
        return "Answer: the Tiber\n" if "thinking" in prompt.rpartition("\n\n")[2] else f"thinking {seed % 97}\n"

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.continued.append(self._text(request.prompt))
        return await super().sample(request, usage)


@pytest.fixture
def store() -> Iterator[AssociativeMemory]:
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        memory.add(TIBER, source="atlas")
        yield memory


def solve(store: AssociativeMemory, model: Witness, **knobs: Any) -> coat.Result:
    return coat.solve(
        "Which river flows through Rome?",
        model=model,
        memory=store,
        **{"evaluator": "logprob", "recall_threshold": 0.2, "tokens": 2000, "distinct": False, **knobs},
    )


@pytest.mark.parametrize(
    ("brain", "recalled", "lines_read"),
    [
        ("none", [], []),
        ("memory", [TIBER], [f"Facts: (1) {TIBER}"]),
        ("model", [SEINE], [f"Associated: (1) {SEINE}"]),
        ("both", [TIBER, SEINE], [f"Facts: (1) {TIBER}", f"Associated: (1) {SEINE}"]),
    ],
)
def test_what_is_associated_is_read_before_the_steps(
    brain: str, recalled: list[str], lines_read: list[str], store: AssociativeMemory
) -> None:
    model = Witness()
    result = solve(store, model, brain=brain)
    first = next(text for text in model.continued if not text.endswith("Do not answer yet.\n"))
    assert [line for line in first.rpartition("Rome?")[2].splitlines() if line] == lines_read
    assert [hit["text"] for hit in result.recalled] == recalled
    sources = {TIBER: "atlas", SEINE: "the model"}
    assert [hit["source"] for hit in result.recalled] == [sources[text] for text in recalled]
    children = [node for node in result.tree.nodes if node.parent == 0]
    assert all(("F_a" in node.parts) == bool(recalled) for node in children)


@pytest.mark.parametrize("tokens", [300, 700, 1500])
def test_associating_is_paid_from_the_budget(tokens: int, store: AssociativeMemory) -> None:
    result = solve(store, Witness(), brain="model", tokens=tokens)
    assert result.usage.spent <= tokens
    assert result.usage.spent > sum(node.step.generated for node in result.tree.nodes)


def test_a_budget_that_holds_no_association_is_refused(store: AssociativeMemory) -> None:
    solve(store, Witness(), tokens=100)
    with pytest.raises(InputError, match="100 tokens are too few"):
        solve(store, Witness(), tokens=100, brain="model")


def test_a_replay_associates_the_same_and_asks_nobody(tmp_path: Path, store: AssociativeMemory) -> None:
    model = Witness()
    first = solve(store, model, brain="both", journal=tmp_path / "journal.db")
    asked = len(model.continued)
    again = solve(store, model, brain="both", journal=tmp_path / "journal.db")
    assert again.tree.to_dict() == first.tree.to_dict()
    assert (len(model.continued), again.usage.spent, again.usage.generated) == (asked, first.usage.spent, 0)


def test_what_the_path_holds_is_not_associated_again() -> None:
    assert association_of(SEINE, ["So the seine  flows through paris. Good."], []) == []
    assert association_of(SEINE, [], [{"text": SEINE}]) == []
    assert association_of("  \n", [], []) == []
    (hit,) = association_of("Two\nlines.", ["other"], [])
    assert (hit["text"], hit["kind"], hit["source"]) == ("Two lines.", "association", "the model")
    assert lines([hit]) == "Associated: (1) Two lines.\n"


def test_a_model_of_puzzles_and_unknown_brains_are_refused() -> None:
    with pytest.raises(InputError, match="brain must be one of memory, model, both, none"):
        coat.solve("1 2 3 4", task="game24", brain="gut")


def test_a_step_that_is_taken_back_is_told_to_the_other_branches(store: AssociativeMemory) -> None:
    wrong = "Rome lies on the river Seine."

    def reply(prompt: str, seed: int, sampling: Sampling) -> str:
        last = prompt.strip().splitlines()[-1]
        if last == wrong:
            return "Backtrack\n"
        return f"{wrong}\n" if "Tried elsewhere" not in prompt and seed % 2 else f"So Rome lies on river {seed}.\n"

    result = coat.solve(
        "Which river flows through Rome?",
        model=ScriptedModel(reply),
        memory=store,
        evaluator="logprob",
        recall_threshold=0.2,
        tokens=4000,
        distinct=False,
    )
    told = [node for node in result.tree.nodes if any(number < 0 for number in node.recalled)]
    assert told
    assert all(wrong not in [each.step.text for each in result.tree.path(node.id)] for node in told)
