"""Reasoning models: steps inside a thought are nodes, the answer is read after it, no thought outlasts its budget."""

from pathlib import Path
from typing import Any

import pytest

import coat
from benchmarks.kinds import write
from coat.errors import IllegalStepError
from coat.models import Prompt, SampleRequest, Sampling, Text, Thinking, Tokens
from coat.models.llama import ContextOptions, LlamaModel
from coat.models.scripted import ScriptedModel
from coat.result import Result
from coat.settings import Settings
from coat.thoughts import Thoughts, check_thought, said
from coat.usage import Usage
from memory import AssociativeMemory, HashingEmbedder
from search import Step, Tree

MARKERS = Thinking("<think>\n", "</think>", opened=True)
SCRIPT = {
    "<think>\n": ["It is in France.\n\n"],
    "in France.\n\n": ["So it is Paris.\n</think>\n\n"],
    "</think>\n\n": ["The tower stands in Paris.\n\nAnswer: **Paris**"],
    "stands in Paris.\n\n": ["Answer: **Paris**"],
}


class Witness(ScriptedModel):
    """A scripted model that remembers the texts it continued, how, and the texts that it judged."""

    def __init__(self, replies: Any, **options: Any) -> None:
        super().__init__(replies, scores=self._judge, **options)
        self.continued, self.samplings, self.judged = list[str](), list[Sampling](), list[str]()

    def path(self, prompt: Prompt) -> Tokens | str:
        if prompt in ((Text("Yes", control=True),), (Text("No", control=True),)):
            return (0x10FFFF,)
        return super().path(prompt)

    def _judge(self, text: str, candidate: str) -> float:
        self.judged.append(text)
        return 0.5

    async def sample(self, request: SampleRequest, usage: Usage) -> Any:
        self.continued.append(self._text(request.prompt))
        self.samplings.append(request.sampling)
        return await super().sample(request, usage)


def ask(model: ScriptedModel, **knobs: Any) -> Result:
    knobs = {"strategy": "greedy", "evaluator": "logprob", **knobs}
    return coat.solve("Where is the Eiffel Tower?", model=model, **knobs)


def test_steps_in_a_thought_are_nodes_and_the_answer_is_read_after_it() -> None:
    model = Witness(SCRIPT, thinking=MARKERS)
    result = ask(model)
    assert (result.answer, result.usage.unclosed, result.usage.illegal) == ("Paris", 0, 0)
    steps = [(node.step.text, node.step.thought, node.depth) for node in result.tree.nodes[1:]]
    assert steps == [
        ("It is in France.", True, 0),
        ("So it is Paris.\n</think>", True, 0),
        ("The tower stands in Paris.", False, 1),
        ("Answer: **Paris**", False, 2),
    ]
    assert model.continued[-1].endswith(
        "<think>\nIt is in France.\n\nSo it is Paris.\n</think>\n\nThe tower stands in Paris.\n\n"
    )
    kinds = [(each.stop, each.until) for each in model.samplings]
    assert kinds == [(("\n\n",), ("</think>",))] * 4


def test_the_question_to_a_model_that_thinks_stands_alone() -> None:
    model = Witness(SCRIPT, thinking=MARKERS)
    ask(model)
    assert model.continued[0].count("Question: ") == 1
    assert model.continued[0].startswith("Answer the question.")


def test_a_thought_that_is_not_closed_is_closed_at_its_budget_and_counted() -> None:
    def ramble(prompt: str, seed: int, sampling: Sampling) -> str:
        return "Answer: Paris" if prompt.endswith("</think>\n\n") else f"Or {len(prompt)}?\n\n"

    model = Witness(ramble, thinking=MARKERS)
    result = ask(model, max_think=40)
    thoughts = [node.step for node in result.tree.nodes if node.step.thought]
    assert result.answer == "Paris"
    assert result.usage.unclosed == 1
    assert sum(step.generated for step in thoughts) == 40
    assert model.samplings[-2].max_tokens < 12  # what was left
    assert model.continued[-1].endswith(f"{thoughts[-1].text}\n</think>\n\n")


def test_a_budget_is_for_a_path_and_counted_for_each_of_them() -> None:
    def ramble(prompt: str, seed: int, sampling: Sampling) -> str:
        return "Answer: Paris" if prompt.endswith("</think>\n\n") else f"{seed % 7} and on.\n\n"

    result = ask(Witness(ramble, thinking=MARKERS), strategy="coat", max_think=30, width=2, simulations=12, tokens=9000)
    paths = [result.tree.path(node.id) for node in result.tree.nodes]
    assert all(sum(each.step.generated for each in path if each.step.thought) <= 30 for path in paths)
    answered = {node.parent for node in result.tree.terminals()}
    assert result.usage.unclosed >= len(answered) > 1


def test_a_model_that_thinks_by_itself_is_followed() -> None:
    script = SCRIPT | {"Tower?\n": ["<think>\n\n"], "in Paris.\n": ["Answer: Paris"]}
    result = ask(Witness(script, thinking=Thinking("<think>\n", "</think>")), step_end="\n")
    assert [node.step.text for node in result.tree.nodes[1:3]] == ["<think>", "It is in France."]
    assert [node.step.thought for node in result.tree.nodes[1:]] == [True, True, True, False, False]
    assert result.answer == "Paris"


def test_an_answer_without_a_label_is_what_the_model_ends_with() -> None:
    script = {"<think>\n": ["Hm.</think>"], "</think>\n\n": ["It stands there.\n\nIn **Paris**."]}
    script["there.\n\n"] = ["In **Paris**."]
    result = ask(Witness(script, thinking=MARKERS))
    assert result.answer == "In **Paris**."


def test_a_judge_reads_a_path_whose_thought_is_ended() -> None:
    model = Witness(SCRIPT, thinking=MARKERS)
    ask(model, evaluator="self", strategy="coat", width=1, simulations=4)
    inside, after = model.judged[0], model.judged[-1]
    assert "<think>\nIt is in France.\n</think>\n\n" in inside
    assert "</think>\n\n\n</think>" not in after
    assert all(text.endswith("<think>\n\n</think>\n\n") for text in model.judged)  # nor does the judge think


def test_a_judgement_inside_a_thought_costs_no_more_than_it_said() -> None:
    result = ask(Witness(SCRIPT, thinking=MARKERS), evaluator="self", strategy="coat", width=1, tokens=700)
    assert result.usage.spent <= 700


def test_rules_and_notes_of_a_task_hold_after_the_thought() -> None:
    script = {
        "<think>\n": ["6 * 4 is 24.\n\n"],
        "is 24.\n\n": ["Good.\n</think>\n\n"],
        "</think>\n\n": ["1 * 4 = 4\n"],
        "Next numbers: 6 4\n": ["6 * 4 = 24\n"],
    }
    model = Witness(script, thinking=MARKERS)
    result = ask_game(model)
    assert (result.answer, result.correct) == ("(1 * 4) * 6 = 24", True) or result.correct
    assert "Next numbers" not in model.continued[1].rsplit("<think>", 1)[1]


def ask_game(model: ScriptedModel) -> Result:
    return coat.solve("1 4 6", task="game24", model=model, strategy="greedy", evaluator="verifier")


def test_facts_are_recalled_into_a_thought(tmp_path: Path) -> None:
    script = SCRIPT | {"(1) The Eiffel Tower is in France.\n\n": ["So it is Paris.\n</think>"]}
    model = Witness(script, thinking=MARKERS)
    with AssociativeMemory(tmp_path / "facts.db", HashingEmbedder()) as memory:
        memory.add("The Eiffel Tower is in France.", source="atlas")
        result = ask(model, memory=memory, recall_threshold=0.1)
    assert model.continued[1].endswith("<think>\nFacts: (1) The Eiffel Tower is in France.\n\n") or result.recalled


def test_a_thought_that_says_nothing_new_is_dropped() -> None:
    steps = [Step("Hm.", thought=True)]
    for text in ("", " \n", " Hm. "):
        with pytest.raises(IllegalStepError):
            check_thought(steps, text)
    assert check_thought(steps, " Hm, no.\n") == "Hm, no."


def test_what_is_said_is_what_lies_in_no_thought() -> None:
    steps = [Step("a", thought=True), Step("b"), Step("c", thought=True), Step("d")]
    assert said(steps) == ["b", "d"]
    assert not Thoughts(None, Settings()).open([])


def test_a_trace_keeps_what_is_a_thought() -> None:
    tree = Tree()
    tree.add(tree.add(0, Step("a", thought=True)), Step("b"))
    again = Tree.from_dict(tree.to_dict())
    assert [(node.step.thought, node.depth) for node in again.nodes] == [(False, 0), (True, 0), (False, 1)]


TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


@pytest.mark.xdist_group("llama")
def test_a_gguf_that_thinks_answers_after_its_thought_and_data_cannot_end_it(tmp_path: Path) -> None:
    file = write("dense", tmp_path / "thinker.gguf", template=TEMPLATE, words=("<think>", "</think>", "Yes", "No"))
    options = ContextOptions(cells=2048, lanes=4, batch=64, threads=1)
    with LlamaModel(file, options=options) as model:
        thinking = model.capabilities.thinking
        assert thinking == MARKERS
        marker = model.path((Text("</think>", control=True),))
        assert len(marker) == 1
        assert model._decoder.llama.piece(marker[0]) == b"</think>"
        assert marker[0] not in model.path((Text("as </think> said"),))
        result = coat.solve("Why?", model=model, evaluator="self", max_think=60, tokens=1500, width=2, temperature=0.9)
    thoughts = [node for node in result.tree.nodes if node.step.thought]
    assert thoughts
    assert result.usage.unclosed
    closed = [node for node in result.tree.nodes[1:] if not node.step.thought]
    assert closed  # what came after a thought
    assert result.usage.spent <= 1500


HASTY = {
    "<think>\n": ["It is Rome.</think>\n\n"],
    "It is Rome.\n\nWait": [", no: Paris.</think>\n\n"],
    "no: Paris.\n\nWait": [", yes.</think>\n\n"],
    "</think>\n\n": ["Answer: Paris"],
}


@pytest.mark.parametrize(
    ("knobs", "waits"), [({"waits": 1}, 1), ({"waits": 2}, 2), ({"min_think": 21}, 1), ({"min_think": 60}, 2), ({}, 0)]
)
def test_a_thought_that_ends_too_early_goes_on_after_a_wait(knobs: dict[str, int], waits: int) -> None:
    model = Witness(HASTY, thinking=MARKERS)
    result = ask(model, **knobs)
    thought = model.continued[-1].rsplit("<think>\n", 1)[1]
    assert thought.count("\n\nWait") == waits
    assert thought.count("</think>") == 1
    assert thought.endswith("</think>\n\n")
    assert result.answer == "Paris"


def test_what_only_a_model_with_thoughts_can_do_is_refused_of_others() -> None:
    for knobs, name in (
        ({"min_think": 5}, "min-think"),
        ({"waits": 1}, "waits"),
        ({"switch_penalty": 3.0}, "switch-penalty"),
    ):
        with pytest.raises(coat.InputError, match=f"no markers of thoughts; leave out --{name}"):
            ask(ScriptedModel({"": ["Answer: 1"]}), **knobs)
    with pytest.raises(coat.InputError, match="min-think must be at most max-think"):
        Settings(min_think=2000)


def test_switching_is_penalised_for_a_while_after_the_last_switch() -> None:
    script = {
        "<think>\n": ["It is in France.\n\n"],
        "France.\n\n": ["Alternatively, Spain?\n\n"],
        "Spain?\n\n": ["No.</think>"],
        "</think>\n\n": ["Answer: Paris"],
    }
    model = Witness(script, thinking=MARKERS)
    ask(model, switch_penalty=3.0, switch_window=30)
    penalties = [each.penalty and (each.penalty.alpha, each.penalty.tokens) for each in model.samplings]
    assert penalties == [
        (3.0, 30),
        (3.0, 30 - len("It is in France.\n\n")),
        (3.0, 30 - len("Alternatively, Spain?\n\n")),
        None,
    ]
