"""The strategies: each asks the model for what its paper describes, and counts the answers as it says."""

from typing import Any

import pytest

import coat
from coat import strategies, tasks
from coat.models import SampleRequest, Sampling
from coat.models.scripted import ScriptedModel
from coat.result import Result, choose
from coat.settings import Settings
from coat.strategies import STRATEGIES
from coat.usage import Usage
from search import Budget, Step, Tree

QA = tasks.get("qa")
PROBLEM = QA.read("How many?")


class Witness(ScriptedModel):
    """A scripted model that remembers the texts that it continued."""

    def __init__(self, replies: Any, **options: Any) -> None:
        super().__init__(replies, **options)
        self.continued, self.samplings = list[str](), list[Sampling]()

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.continued.append(self._text(request.prompt))
        self.samplings.append(request.sampling)
        return await super().sample(request, usage)


def ask(model: ScriptedModel, **knobs: Any) -> Result:
    return coat.solve("How many?", model=model, **({"evaluator": "logprob", "tokens": 3000} | knobs))


def answers(*said: tuple[str, float]) -> Tree:
    """A tree of lines of one step and an answer: what it says, and what it is worth."""
    tree = Tree()
    for text, value in said:
        node = tree.add(tree.add(0, Step("so")), Step(f"Answer: {text}", "answer"))
        tree[node].judged = value
    return tree


@pytest.mark.parametrize("name", [name for name, each in STRATEGIES.items() if "question" in each.kinds])
def test_every_strategy_finds_an_answer_within_its_budget(name: str) -> None:
    def count(prompt: str, seed: int, sampling: Sampling) -> str:
        return f"Answer: {seed % 3}\n" if prompt.count(" is ") > 45 or seed % 4 == 0 else f"It is {seed % 9}.\n"

    result = ask(Witness(count), strategy=name, width=2, simulations=30)
    assert result.usage.spent <= 3000
    assert result.tree.terminals() or name == "greedy"
    assert result.strategy == name


@pytest.mark.parametrize(
    ("vote", "winner", "confidence"),
    [
        ("weighted", "two", 1.0 / 1.9),
        ("majority", "two", 2 / 3),
        ("max", "one", 0.9 / 1.5),
        ("chains", "two", 1.0 / 1.9),
    ],
)
def test_answers_count_as_the_vote_says(vote: str, winner: str, confidence: float) -> None:
    tree = answers(("one", 0.9), ("two", 0.6), ("Two", 0.4))
    node, answer, share = choose(tree, QA, PROBLEM, Settings(vote=vote))
    assert (answer, share) == (winner, pytest.approx(confidence))
    assert node.judged == (0.9 if winner == "one" else 0.6)


def test_of_a_chain_of_revisions_only_the_best_counts() -> None:
    tree = answers(("one", 0.6), ("two", 0.5))
    again = tree.add(2, Step("Answer: two", "answer"))
    tree[again].judged = 0.4
    assert choose(tree, QA, PROBLEM, Settings())[1] == "two"  # 0.9 against 0.6
    assert choose(tree, QA, PROBLEM, Settings(vote="chains"))[1] == "one"  # 0.6 against 0.5


@pytest.mark.parametrize(("aggregate", "winner"), [("last", "b"), ("min", "a"), ("mean", "b"), ("product", "a")])
def test_a_line_is_worth_what_its_steps_are_together(aggregate: str, winner: str) -> None:
    tree = Tree()
    for text, values in (("a", (0.6, 0.6)), ("b", (0.3, 0.95))):
        node = 0
        for value, step in zip(values, (Step(f"so {text}"), Step(f"Answer: {text}", "answer")), strict=True):
            node = tree.add(node, step)
            tree[node].judged = value
    assert choose(tree, QA, PROBLEM, Settings(aggregate=aggregate))[1] == winner


def test_a_decided_vote_is_not_asked_on() -> None:
    model = Witness({"": ["Answer: 7\n"]})
    result = ask(model, strategy="majority", n=9, parallel=1, adaptive=True)
    assert (result.answer, len(result.tree.terminals())) == ("7", 5)  # five of nine
    assert len(ask(Witness({"": ["Answer: 7\n"]}), strategy="majority", n=9).tree.terminals()) == 9


@pytest.mark.parametrize(
    ("votes", "n", "over"), [("", 3, False), ("aa", 3, True), ("ab", 3, False), ("aab", 4, False), ("aaab", 5, True)]
)
def test_a_vote_is_decided_when_nobody_can_overtake(votes: str, n: int, over: bool) -> None:
    tree = answers(*((vote, 0.5) for vote in votes))
    assert strategies.decided(tree, n, lambda node: tree[node].step.text) is over


def test_a_revision_follows_the_answer_in_the_models_own_path() -> None:
    script = {"How many?\n": ["It is 7.\n"], "7.\n": ["Answer: 7\n"], "attempt:\n": ["Answer: 8\n"]}
    model = Witness(script, logprob=lambda prompt, text: -1.0 if "8" in text else -9.0)
    result = ask(model, strategy="revise", n=1, revisions=1)
    assert model.continued[-1].endswith("It is 7.\nAnswer: 7\nThat may be wrong. Another attempt:\n")
    assert [node.step.text for node in result.tree.terminals()] == ["Answer: 7", "Answer: 8"]
    assert result.answer == "8"  # the better of the chain


def test_drafts_are_asked_for_in_few_words() -> None:
    model = Witness({"": ["Answer: 7\n"]})
    ask(model, strategy="draft")
    assert "at most five words" in model.continued[0]
    assert model.samplings[0].max_tokens == 24
    with pytest.raises(coat.InputError, match="does not serve the task 'game24'; these do: auto, coat"):
        coat.solve("1 4 6", task="game24", model=model, strategy="draft", evaluator="verifier")


def test_a_setting_reaches_the_search_of_its_name() -> None:
    made = strategies.make(Tree(), Settings(strategy="dvts", width=2), 8, Budget(), str)
    assert next(made)[0].width == 8  # type: ignore[union-attr]
    made = strategies.make(Tree(), Settings(strategy="best_of_n", width=3), 8, Budget(), str)
    assert next(made)[0].width == 3  # type: ignore[union-attr]
    made = strategies.make(Tree(), Settings(strategy="greedy", n=5), 8, Budget(), str)
    assert (next(made)[0].width, Settings().n) == (1, None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"vote": "loud"}, "vote must be one of weighted, majority, max, chains, not 'loud'"),
        ({"aggregate": "sum"}, "aggregate must be one of"),
        ({"posterior": "flat"}, "posterior must be one of"),
        ({"n": 0}, "n must be from 1 to 4096"),
        ({"lookahead": -1}, "lookahead must be from 0 to 64"),
        ({"rounds": 65}, "rounds must be from 0 to 64"),
        ({"edits": 0}, "edits must be from 1 to 64"),
        ({"balance": 0.0}, "balance must be more than 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(coat.InputError, match=words):
        Settings(**knobs)
