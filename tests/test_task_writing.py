"""Open-ended requests: one whole text is the answer, which judges compare, and TPO and edits improve."""

import json
import random
from typing import Any

import pytest

import coat
from coat import evaluation, prompts, tasks
from coat.errors import IllegalStepError, InputError
from coat.models import Sampling
from coat.models.scripted import ScriptedModel
from coat.result import Result

WRITING = tasks.get("writing")
ASKED = "Write a toast."
GOOD = "To the bride,\n\nand to the groom!"


def write(prompt: str, seed: int, sampling: Sampling) -> str:
    """Three drafts, one of them good; words on what sets them apart; and answers that are better for it."""
    if prompt.endswith("Give no answer of your own.\n"):
        return "The good one names both."
    if prompt.endswith("Do not write the next version yet.\n"):
        return "Name the guests, too."
    if prompt.endswith("Write nothing else.\n"):
        return f"{GOOD} And to the guests!{'!' * (seed % 2)}"
    return [GOOD, "Cheers.", "Well."][seed % 3]


def likes(text: str, candidate: str) -> float:
    """A judge of two who likes the longer one, and otherwise the first."""
    first, second = text.partition(prompts.SIDES[0])[2].partition(prompts.BETTER)[0].split(prompts.SIDES[1])
    return 0.4 if (candidate == "A") == (len(first) >= len(second)) else 0.1


class Writer(ScriptedModel):
    """The model above, and what it was given to continue."""

    def __init__(self, replies: Any = write, **options: Any) -> None:
        super().__init__(replies, scores=likes, tokens=False, context=20_000, **options)
        self.continued, self.samplings = list[str](), list[Sampling]()

    async def sample(self, request: Any, usage: Any) -> Any:
        self.continued.append(self._text(request.prompt))
        self.samplings.append(request.sampling)
        return await super().sample(request, usage)


def ask(model: ScriptedModel, **knobs: Any) -> Result:
    return coat.solve(ASKED, task="writing", model=model, **({"evaluator": "pairwise", "tokens": None} | knobs))


@pytest.mark.parametrize(
    "text", [ASKED, json.dumps({"prompt": ASKED}), json.dumps({"question": ASKED, "answer": "no gold"})]
)
def test_a_request_is_read_from_text_or_a_record(text: str) -> None:
    problem = WRITING.read(text)
    assert (problem.question, problem.task, problem.gold) == (ASKED, "writing", None)
    assert WRITING.grade(problem, "x") is None
    assert WRITING.verify(problem, ["x"]) is None


@pytest.mark.parametrize(("text", "words"), [("", "is empty"), ('{"text": "x"}', 'with a "prompt" or a "question"')])
def test_what_is_no_request_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        WRITING.read(text)


def test_a_whole_text_is_one_step_and_the_answer() -> None:
    model = Writer({"": [GOOD]})
    result = ask(model, strategy="greedy")
    assert (result.answer, result.correct, len(result.tree)) == (GOOD, None, 2)
    assert model.samplings[0].max_tokens == 384
    assert model.continued[0].endswith(f"looked up for you.\n{ASKED}\n")
    assert WRITING.key(GOOD) == GOOD
    with pytest.raises(IllegalStepError):
        WRITING.parse(WRITING.read(ASKED), [], " \n")


def test_a_text_that_looks_like_a_label_or_a_box_is_left_as_it_is() -> None:
    problem = WRITING.read(ASKED)
    for text in ("Answer: none.", r"so \boxed{x}", "Facts: many\n\nRecall: few"):
        action, step = WRITING.parse(problem, [], text)
        assert (action, WRITING.answer(problem, [step])) == ("answer", text)


def test_requests_are_built_in() -> None:
    drawn = {WRITING.generate(random.Random(seed)) for seed in range(60)}
    assert len(drawn) > 4
    assert all(WRITING.read(text or "").question == text for text in drawn)


def test_there_is_no_style_and_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="'writing' have a form of their own"):
        ask(Writer(), strategy="greedy", style="lines")
    with pytest.raises(InputError, match="strategy 'draft' does not serve the task 'writing'"):
        ask(Writer(), strategy="draft")
    with pytest.raises(InputError, match="has no answer to compare with, and nothing else can check it"):
        list(evaluation.evaluate([(ASKED, WRITING.read(ASKED))], task="writing", model=Writer()))


def test_a_text_is_revised_after_an_empty_line() -> None:
    model = Writer({"looked up for you.\n" + ASKED + "\n": ["Cheers."], "attempt:\n\n\n\n": [GOOD]})
    assert ask(model, strategy="revise", n=1, revisions=1).answer == GOOD


def test_tpo_asks_why_the_chosen_is_better_and_follows_the_advice() -> None:
    model = Writer()
    result = ask(model, strategy="tpo", n=3, rounds=1, seed=2)
    drafts = [node for node in result.tree.nodes if node.step.move == "draft"]
    assert len(drafts) > 1
    loss, gradient, improve = model.continued[1:]
    asked = model.continued[0].removesuffix("\n")
    chosen, rejected = (pick(drafts, key=lambda node: node.judged or 0.0).step.text for pick in (max, min))
    assert loss == f"{asked.removesuffix(prompts.MOVES['draft'].turn)}" + (
        prompts.MOVES["loss"].turn.format(chosen, rejected) + "\n"
    )
    assert gradient == f"{loss}The good one names both.\n\n{prompts.MOVES['gradient'].turn}\n"
    assert improve == f"{gradient}Name the guests, too.\n\n{prompts.MOVES['improve'].turn}\n"
    assert (result.answer or "").startswith(f"{GOOD} And to the guests!")
    assert [(each.max_tokens, each.stop) for each in model.samplings] == [(512, ()), (256, ()), (256, ()), (512, ())]


def test_edits_follow_the_feedback_on_their_draft() -> None:
    model = Writer()
    result = ask(model, strategy="feedback_edit", n=1, feedbacks=1, edits=2)
    draft = result.tree[1].step.text
    feedback, edit = model.continued[1:]
    assert feedback == f"{model.continued[0]}{draft}\n\n{prompts.MOVES['feedback'].turn}\n"
    assert edit == f"{feedback}The good one names both.\n\n{prompts.MOVES['edit'].turn}\n"
    assert (result.answer or "").startswith(f"{GOOD} And to the guests!")
    assert [step.move for step in (node.step for node in result.tree.nodes[1:3])] == ["draft", "feedback"]


@pytest.mark.parametrize("strategy", ["tpo", "feedback_edit"])
@pytest.mark.parametrize("tokens", [7000, 30_000, 120_000])
def test_a_budget_holds_with_its_judgements(strategy: str, tokens: int) -> None:
    result = ask(Writer(), strategy=strategy, tokens=tokens, parallel=3)
    assert result.usage.spent <= tokens
    assert result.answer is not None
    assert result.usage.unreadable == 0
    with pytest.raises(InputError, match="1000 tokens are too few: one step with its judgement may take"):
        ask(Writer(), strategy=strategy, tokens=1000)


@pytest.mark.parametrize("strategy", ["tpo", "feedback_edit"])
def test_the_same_run_comes_to_the_same_end_whatever_is_first(strategy: str) -> None:
    late = Writer(delay=lambda request: 0.001 * (len(str(request)) % 5))
    first, second = (ask(model, strategy=strategy, n=3, parallel=4) for model in (Writer(), late))
    assert first.tree.to_dict() == second.tree.to_dict()


@pytest.mark.parametrize("strategy", ["tpo", "feedback_edit"])
def test_a_question_with_a_gold_answer_is_graded(strategy: str) -> None:
    def count(prompt: str, seed: int, sampling: Sampling) -> str:
        return "Too short." if sampling.max_tokens == 256 else f"3 * 6 = 18{'!' * (seed % 3)}\nAnswer: 18"

    question = json.dumps({"question": "How many?", "answer": "#### 18"})
    result = coat.solve(
        question, task="gsm8k", model=Writer(count), strategy=strategy, evaluator="pairwise", tokens=None
    )
    assert (result.answer, result.correct) == ("18", True)


@pytest.mark.parametrize("strategy", ["tpo", "feedback_edit"])
@pytest.mark.parametrize("task", ["game24", "binpacking"])
def test_a_task_that_checks_its_steps_takes_no_whole_answers(task: str, strategy: str) -> None:
    with pytest.raises(InputError, match=f"the strategy '{strategy}' does not serve the task '{task}'; these do"):
        coat.solve(tasks.get(task).sample, task=task, model=Writer(), strategy=strategy, evaluator="verifier")
