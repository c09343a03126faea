"""Several models in one search: who is asked for what, what each reads, and what is refused."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import coat
from coat.api import several
from coat.comparison import Row, compared
from coat.errors import InputError
from coat.evaluation import evaluate
from coat.journal import Journal
from coat.models import SampleRequest, Text, Thinking
from coat.models.scripted import ScriptedModel
from coat.tasks import get
from coat.usage import Usage
from search import Budget, Evaluate, Evaluation, Expand, Expansion, Reply, Request, Step, Tree, ab_mcts, feedback_edit


class Named(ScriptedModel):
    """A scripted model with a name, which remembers the prompts that it continued."""

    def __init__(self, name: str, replies: Any) -> None:
        super().__init__(replies, name=name)
        self.prompts = list[Any]()

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.prompts.append(request.prompt)
        return await super().sample(request, usage)


def writers() -> list[Named]:
    """Models that each say who they are, as an answer."""
    return [Named(name, lambda prompt, seed, _, name=name: f"Answer: {name}{seed % 2}\n") for name in "abc"]


@pytest.mark.parametrize(("count", "edits"), [(1, "a"), (2, "a"), (3, "c")])
def test_one_model_drafts_one_gives_feedback_one_edits(count: int, edits: str) -> None:
    models = writers()
    knobs = {"n": 1, "feedbacks": 1, "edits": 2, "distinct": False, "parallel": 1}
    result = coat.solve("Who?", model=models[:count], strategy="feedback_edit", evaluator="logprob", **knobs)
    by_move = {node.step.move: "abc"[node.step.model] for node in result.tree.nodes[1:]}
    assert by_move == {"draft": "a", "feedback": "abc"[min(1, count - 1)], "edit": edits}
    assert [bool(model.prompts) for model in models] == [True] * count + [False] * (3 - count)
    assert result.model == "+".join("abc"[:count])


def test_a_model_reads_the_steps_of_another_as_text_and_its_own_as_tokens() -> None:
    first, second, _ = writers()
    knobs = {"n": 1, "feedbacks": 1, "edits": 1, "parallel": 1}
    coat.solve("Who?", model=[first, second], strategy="feedback_edit", evaluator="logprob", **knobs)
    feedback, edit = second.prompts[0], first.prompts[-1]
    assert "Answer: a" in "".join(piece.text for piece in feedback if isinstance(piece, Text))
    assert not [piece for piece in feedback if not isinstance(piece, Text)]
    own = ["".join(map(chr, piece)) for piece in edit if not isinstance(piece, Text)]
    assert own[0].startswith("Answer: a")
    assert any("Answer: b" in piece.text for piece in edit if isinstance(piece, Text))


def test_the_second_model_checks_what_the_first_has_found() -> None:
    models = writers()[:2]
    knobs = {"simulations": 2, "n": 3, "parallel": 1, "distinct": False}
    result = coat.solve("Who?", model=models, strategy="rstar", evaluator="logprob", **knobs)
    checks = [node for node in result.tree.nodes if node.step.model == 1]
    assert checks
    assert {node.step.move for node in checks} == {"finish"}
    assert set(result.usage.unique_of) == {"a", "b"}
    assert sum(result.usage.unique_of.values()) == result.usage.unique


class Arms:
    """Replies of several models: a step of model m is worth `values[m]`."""

    def __init__(self, tree: Tree, values: list[float]) -> None:
        self.tree, self.values = tree, values
        self.asked = [0] * len(values)

    def __call__(self, request: Request) -> Reply:
        """The reply to `request`."""
        if isinstance(request, Evaluate):
            return Evaluation(tuple(self.values[self.tree[node].step.model] for node in request.nodes), tokens=1)
        assert isinstance(request, Expand)
        self.asked[request.model] += 1
        text = f"{request.model}.{self.asked[request.model]}"
        return Expansion((Step(text, generated=1, model=request.model),), tokens=1)


@pytest.mark.parametrize("posterior", ["gaussian", "beta"])
def test_the_arm_whose_steps_are_worth_more_is_drawn_more_often(posterior: Any, play: Any) -> None:
    tree = Tree()
    answer = Arms(tree, [0.1, 0.9, 0.3])
    play(ab_mcts(tree, simulations=90, posterior=posterior, models=3, seed=1), answer)
    assert sum(answer.asked) == 90
    assert answer.asked[1] > 60
    assert all(answer.asked)  # each was tried


def test_arms_obey_the_budget(play: Any) -> None:
    tree, budget = Tree(), Budget(20, 2)
    play(ab_mcts(tree, simulations=500, models=2, budget=budget, parallel=3), Arms(tree, [0.5, 0.5]))
    assert budget.refused


def test_roles_are_said_in_the_requests(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=a"], "=a": ["x"], "x": ["=b"]})
    play(feedback_edit(tree, n=1, feedbacks=1, edits=1, models=3), answer)
    assert [(each.move, each.model) for each in answer.asked if isinstance(each, Expand)] == [
        ("draft", 0),
        ("feedback", 1),
        ("edit", 2),
    ]


def test_a_complete_journal_gives_the_same_answer_and_asks_nobody(tmp_path: Path) -> None:
    call: dict[str, Any] = {"strategy": "ab_mcts", "evaluator": "logprob", "tokens": 3000, "journal": tmp_path / "j"}
    models = writers()
    first = coat.solve("Who?", model=models, **call)
    asked = [len(model.prompts) for model in models]
    again = coat.solve("Who?", model=models, **call)
    assert (again.answer, again.usage.generated, again.usage.replayed) == (first.answer, 0, first.usage.generated)
    assert [len(model.prompts) for model in models] == asked
    assert len({node.step.model for node in first.tree.nodes[1:]}) > 1


def test_a_run_goes_on_with_the_same_models_only(tmp_path: Path) -> None:
    models = writers()
    with closing(Journal(tmp_path / "j")) as journal:
        first = coat.solve("Who?", model=models[:2], strategy="ab_mcts", evaluator="logprob", journal=journal)
        with pytest.raises(InputError, match=r"run 1 was made with another a\+b file"):
            coat.api.start(
                "Who?",
                model=[models[0], models[2]],
                strategy="ab_mcts",
                evaluator="logprob",
                journal=journal,
                run=first.run,
            )


def test_flops_are_added_up_over_the_models() -> None:
    models = writers()[:2]
    text = '{"question": "Who?", "answer": "#### 1"}'
    problems = [(text, get("gsm8k").read(text))]
    found = list(evaluate(problems, task="gsm8k", model=models, strategy="ab_mcts", evaluator="logprob", tokens=3000))
    (row,) = compared([Row("a+b", "ab_mcts", 3000, found, 1.0, {"a": 10, "b": 1000})])
    unique = found[0].usage["unique_of"]
    assert set(unique) == {"a", "b"}
    assert row["flops"] == 2 * (10 * unique["a"] + 1000 * unique["b"])
    (row,) = compared([Row("a+b", "ab_mcts", 3000, found, 1.0, {"a": 10, "b": None})])
    assert row["flops"] is None


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    models = writers()
    with pytest.raises(InputError, match=r"'coat' uses one model, not 2; .*ab_mcts \(up to 8\)"):
        coat.solve("Who?", model=models[:2], evaluator="logprob")
    with pytest.raises(InputError, match=r"'rstar' uses at most 2 models, not 3"):
        coat.solve("Who?", model=models, strategy="rstar")
    thinker = ScriptedModel({}, name="deep", thinking=Thinking("<think>", "</think>", opened=True))
    with pytest.raises(InputError, match="deep thinks before it answers"):
        coat.solve("Who?", model=[models[0], thinker], strategy="ab_mcts", evaluator="logprob")
    with pytest.raises(InputError, match="names no model"):
        coat.solve("Who?", model="smollm2+", strategy="ab_mcts")
    assert several("a + b") == ["a", "b"]
    assert several(None) == [None]
    plus = tmp_path / "a+b.gguf"
    plus.touch()
    assert several(str(plus)) == [str(plus)]
