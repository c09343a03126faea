"""A task and a strategy of the user's own, as the documents show them: objects instead of names."""

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

import coat
from coat import tasks
from coat.comparison import measured
from coat.errors import InputError
from coat.evaluation import evaluate
from coat.journal import Journal
from coat.models.scripted import ScriptedModel
from coat.strategies import STRATEGIES
from coat.tasks.arithmetic import Arithmetic
from search import Evaluation, Expansion, Step, Tree

DOCS = Path(__file__).resolve().parent.parent / "docs"
SAMPLE = "16 in 2 of 12 8 5 1"


def shown_in(document: str) -> dict[str, Any]:
    """What the Python that a document shows defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (DOCS / document).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(code, document, "exec"), names)
    return names


@pytest.fixture(scope="module")
def coins() -> Any:
    return shown_in("tasks.md")["Coins"]()


@pytest.fixture
def depth_first(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("coat.strategies.STRATEGIES", STRATEGIES | {})
    shown_in("strategies.md")
    return "depth_first"


def purse(prompt: str, seed: int, _: Any) -> str:
    """A coin for every seed, the largest most often; some that there are not."""
    return f"pay {(12, 12, 8, 1, 12, 3)[seed % 6]}\n"


def model(**options: Any) -> ScriptedModel:
    return ScriptedModel(purse, logprob=lambda prompt, text: -6.0 / len(text), **options)


def solve(task: Any, **knobs: Any) -> coat.Result:
    return coat.solve(SAMPLE, task=task, **({"model": model(), "evaluator": "logprob", "tokens": 2000} | knobs))


def test_a_task_that_is_an_object_is_solved_by_its_own_rules(coins: Any) -> None:
    result = solve(coins)
    assert (result.answer, result.correct, result.stop) == ("pay 8, pay 8", True, "solved")
    assert result.usage.illegal
    assert all(coin in ("pay 12", "pay 8", "pay 1") for coin in (node.step.text for node in result.tree.nodes[1:]))


def test_its_verifier_is_asked(coins: Any) -> None:
    class Strict(type(coins)):  # type: ignore[misc]
        """Nothing is right."""

        def verify(self, problem: Any, path: Any) -> bool:
            return False

    result = solve(Strict())
    assert (result.answer, result.correct) == ("pay 8, pay 8", False)


def test_the_model_reads_its_rules_its_examples_and_the_state() -> None:
    prompts = []

    def replies(prompt: str, seed: int, _: Any) -> str:
        prompts.append(prompt)
        return purse(prompt, seed, _)

    coins = shown_in("tasks.md")["Coins"]()
    solve(coins, model=ScriptedModel(replies))
    assert all(f"{coins.rules}\n14 in 2 of 10 7 2 1" in prompt and SAMPLE in prompt for prompt in prompts)
    assert any(prompt.endswith("pay 12\nleft: 4\n") for prompt in prompts)


def test_the_object_that_was_given_stays_as_it_is(coins: Any) -> None:
    before = dict(vars(coins))
    solve(coins, step_end=";")
    assert (vars(coins), coins.step_end) == (before, ("\n",))


def test_made_up_problems_can_be_paid_and_are_measured(coins: Any) -> None:
    lot = Random(3)
    texts = [coins.generate(lot) for _ in range(6)]
    problems = [(text, coins.read(text)) for text in texts]
    assert all(2 <= problem.given["most"] <= 4 for _, problem in problems)
    outcomes = list(evaluate(problems, task=coins, model=model(), evaluator="logprob", tokens=2000))
    assert [each.question for each in outcomes] == texts
    assert not any(each.correct for each in outcomes[:1] if "8" not in each.question.split(" of ")[1])
    rows = measured(problems, ["greedy", "coat"], [500], task=coins, model=[model()], evaluator="logprob")
    assert [(row.strategy, row.budget, len(row.outcomes)) for row in rows] == [("greedy", 500, 6), ("coat", 500, 6)]


def test_a_run_of_an_object_is_not_that_of_a_name(coins: Any) -> None:
    journal = Journal(None)
    first = solve(coins, journal=journal)
    again = solve(coins, journal=journal)
    assert (again.run, again.usage.generated, again.answer) == (first.run, 0, first.answer)
    line = {"model": model(), "evaluator": "logprob", "tokens": 2000, "strategy": "greedy", "journal": journal}
    runs = [coat.solve("1 2 3", task=task, **line).run for task in ("game24", Arithmetic("game24", target=24))]
    assert runs[0] != runs[1]
    assert [record.config["task"] for record in journal.runs()] == [
        "coins (shown.Coins)",
        "game24",
        "game24 (coat.tasks.arithmetic.Arithmetic)",
    ]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (3, "a int is no task, it has no name, summary"),
        (Arithmetic, "Arithmetic is a class; give a task made of it"),
        ("coin", "there is no task 'coin'"),
    ],
)
def test_what_is_no_task_is_refused(task: Any, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        solve(task)


def test_a_text_that_is_no_problem_of_it_is_refused(coins: Any) -> None:
    with pytest.raises(InputError, match="'16' is no amount"):
        coat.solve("16", task=coins, model=model())
    with pytest.raises(InputError, match="problems of 'coins' are not records of a file"):
        coins.read('{"amount": 3}')


def test_a_name_lists_the_tasks_and_gives_a_new_one_each_time() -> None:
    assert tasks.get("qa") is not tasks.get("qa")
    assert tasks.title("qa") == "qa"


def test_a_strategy_of_ones_own_is_found_by_its_name(coins: Any, depth_first: str) -> None:
    result = solve(coins, strategy=depth_first, width=32)
    assert (result.answer, result.correct, result.strategy) == ("pay 8, pay 8", True, "depth_first")


def test_depth_first_goes_on_from_the_best_step_and_back_to_the_next(depth_first: str) -> None:
    search = shown_in("strategies.md")["depth_first"](Tree(), width=2, depth=2)
    asked = []
    request = next(search)[0]
    while True:
        asked.append(request.node)
        first = len(asked) * 2 - 1
        search.send(Expansion((Step(f"a{first}"), Step(f"b{first}"))))
        try:
            request = search.send(Evaluation((0.2, 0.7)))[0]
        except StopIteration as end:
            tree = end.value
            break
    assert asked == [0, 2, 1]
    assert [node.judged for node in tree.nodes[1:]] == [0.2, 0.7] * 3
    assert (tree[0].visits, round(tree[2].value, 2)) == (6, 0.53)


def test_it_keeps_to_its_budget_and_replays(coins: Any, depth_first: str) -> None:
    journal = Journal(None)
    hard = {"strategy": depth_first, "journal": journal, "tokens": 150, "model": ScriptedModel({"": ["pay 1\n"]})}
    first, again = solve(coins, **hard), solve(coins, **hard)
    assert (first.answer, first.correct) == (None, False)
    assert first.usage.spent <= 150
    assert (again.usage.generated, again.tree.to_dict()) == (0, first.tree.to_dict())
