"""S*: which programs are debugged, which survive, which inputs tell two of them apart, and who wins."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import coat
from coat import prompts, sandbox, tasks
from coat.models import Sampling
from coat.models.scripted import ScriptedModel
from coat.tasks import Programs
from coat.tasks.humaneval import HumanEval
from search import Budget, Evaluate, Execute, Execution, Expand, Expansion, Reply, Request, Step, Tree, drive, s_star

REASON = sandbox.unavailable()
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))

Gives = Mapping[str, Mapping[str, str]]


class Bench:
    """Canned replies over `tree`: what the model says by move and the texts it is about, and what programs give.

    At the root the model writes the programs `first`; a program that is in `wrong` fails with that report.
    """

    def __init__(
        self,
        tree: Tree,
        first: Sequence[str],
        said: Mapping[tuple[str, ...], str],
        wrong: Mapping[str, str],
        gives: Gives,
    ) -> None:
        self.tree, self.first, self.said, self.wrong, self.gives = tree, list(first), said, wrong, gives
        self.asked: list[Request] = []

    def text(self, node: int) -> str:
        return self.tree[node].step.text

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        assert not isinstance(request, Evaluate)
        if isinstance(request, Execute):
            programs = list(map(self.text, request.nodes))
            if request.inputs is None:
                return Execution(tuple((self.wrong.get(program, ""),) for program in programs))
            calls = tuple(self.text(request.inputs).split())
            return Execution(
                tuple(tuple(self.gives[each].get(call, "-") for call in calls) for each in programs), calls
            )
        if not request.move:
            steps = [Step(program, "answer") for program in self.first[: request.width]]
            return Expansion(tuple(steps), tokens=len(steps))
        about = map(self.text, request.about or (request.node,) * bool(request.node))
        text = self.said.get((request.move, *about), "")
        action = "answer" if request.move == "debug" else "think"
        steps = [Step(text, action, move=request.move, about=request.about)] if text else []  # type: ignore[arg-type]
        return Expansion(tuple(steps), tokens=1)

    def moves(self, move: str) -> list[tuple[str, ...]]:
        """What the requests by `move` were about, or where they were made."""
        asked = (each for each in self.asked if isinstance(each, Expand) and each.move == move)
        return [tuple(map(self.text, each.about or (each.node,))) for each in asked]


def play_on(
    play: Any, first: str, said: Mapping[tuple[str, ...], str], wrong: Mapping[str, str], gives: Gives, **knobs: Any
) -> Bench:
    tree = Tree()
    bench = Bench(tree, first.split(), said, wrong, gives)
    keys = {"key": bench.text, "choice": prompts.choice}
    play(s_star(tree, n=len(bench.first), **keys, **knobs), bench)
    return bench


def judged(bench: Bench) -> dict[str, float | None]:
    return {node.step.text: node.judged for node in bench.tree.terminals()}


def test_programs_that_fail_are_debugged_in_rounds_and_told_what_failed(play: Any) -> None:
    said = {("debug", "b"): "b2", ("debug", "c"): "c2", ("debug", "c2"): "c3", ("debug", "c3"): "c4"}
    wrong = {"b": "f(1) gives 3", "c": "f(1) gives 4", "c2": "f(1) gives 5", "c3": "f(1) gives 6"}
    bench = play_on(play, "a b c", said, wrong, {}, parallel=2)
    assert bench.moves("debug") == [("b",), ("c",), ("c2",)]  # two rounds, and none for what passes
    told = [each.told for each in bench.asked if isinstance(each, Expand) and each.move == "debug"]
    assert told == [("f(1) gives 3",), ("f(1) gives 4",), ("f(1) gives 5",)]
    assert [each.nodes for each in bench.asked if isinstance(each, Execute)] == [(1, 2, 3), (4, 5), (6,)]
    assert [node.step.text for node in bench.tree.path(6)] == ["c", "c2", "c3"]
    # Without new inputs a and b2, which pass, are told apart by their texts alone: the first of two clusters of one.
    assert judged(bench) == {"a": 1.0, "b": 0.0, "c": 0.0, "b2": 1 / 3, "c2": 0.0, "c3": 0.0}


def test_where_nothing_passes_the_last_program_of_each_line_goes_on(play: Any) -> None:
    said = {("debug", "a"): "a2"}
    bench = play_on(play, "a b b", said, {"a": "x", "a2": "y", "b": "z"}, {}, revisions=1)
    assert judged(bench) == {"a": 0.0, "b": 1.0, "a2": 1 / 3}
    assert bench.moves("tests") == [("",)]


def test_programs_that_give_the_same_are_one_cluster(play: Any) -> None:
    gives = {"a": {"f(1)": "1"}, "b": {"f(1)": "1"}}
    bench = play_on(play, "a b", {("tests",): "f(1)"}, {}, gives)
    assert judged(bench) == {"a": 1.0, "b": 1.0}
    assert bench.moves("inputs") == []


def test_equal_programs_need_no_inputs(play: Any) -> None:
    bench = play_on(play, "a a a", {}, {}, {})
    assert len(bench.asked) == 2
    assert (bench.tree[0].visits, bench.tree[0].value) == (3, 1.0)


GIVES = {
    "a": {"f(0)": "0", "f(7)": "1", "f(8)": "2"},
    "a2": {"f(0)": "0", "f(7)": "1", "f(8)": "2"},
    "b": {"f(0)": "1", "f(7)": "1", "f(8)": "3"},
    "c": {"f(0)": "2", "f(7)": "1"},
}


def test_an_input_on_which_two_differ_is_judged_and_the_most_wins_win(play: Any) -> None:
    said = {
        ("tests",): "f(0)",
        ("inputs", "b", "a"): "f(7) f(8)",
        ("inputs", "a", "c"): "f(7)",
        ("inputs", "c", "b"): "",
    }
    said |= {("inputs", "b", "c"): "f(7) f(0)"}
    said |= {("judge", "a", "b"): "Answer: 2", ("judge", "c", "a"): "So 2.", ("judge", "b", "c"): "Program 1"}
    bench = play_on(play, "a b a2 c", said | {("inputs", "a", "b"): "f(7) f(8)"}, {}, GIVES, parallel=8)
    asked = [each for each in bench.asked if isinstance(each, Expand) and each.move == "judge"]
    # f(7) tells a and b not apart; what the tests gave tells c and a apart, for whom nothing new was written.
    assert [each.told for each in asked] == [
        ("f(8)\nProgram 1: 2\nProgram 2: 3",),
        ("f(0)\nProgram 1: 2\nProgram 2: 0",),
        ("f(0)\nProgram 1: 1\nProgram 2: 2",),
    ]
    assert {each.temperature for each in asked} == {0.0}
    # b beats a and c, a beats c.
    assert judged(bench) == {"a": 2 / 4, "b": 1.0, "a2": 2 / 4, "c": 1 / 4}


def test_the_larger_cluster_wins_where_nothing_is_decided(play: Any) -> None:
    said = {("tests",): "f(0)", ("judge", "a", "b"): "Either of them."}
    bench = play_on(play, "b a a2", said, {}, GIVES)
    assert judged(bench) == {"b": 1 / 3, "a": 1.0, "a2": 1.0}


def test_the_way_does_not_depend_on_who_answers_first(play: Any) -> None:
    def run(slow: bool) -> list[Any]:
        tree = Tree()
        said = {("tests",): "f(0)", ("inputs", "a", "b"): "f(8)", ("judge", "a", "b"): "2", ("debug", "c"): "c2"}
        bench = Bench(tree, "abc", said, {"c": "wrong"}, GIVES | {"c2": {}})

        async def perform(request: Request) -> Reply:
            reply = bench(request)
            for _ in range(len(repr(request)) * (3 if slow else 5) % 7):
                await asyncio.sleep(0)
            return reply

        search = s_star(tree, n=3, key=bench.text, choice=prompts.choice, parallel=4)
        assert asyncio.run(drive(search, perform))
        return tree.to_dict()["nodes"]

    assert run(True) == run(False)


@pytest.mark.parametrize("tokens", range(1, 14))
def test_no_budget_is_exceeded_and_what_is_there_is_judged(tokens: int, play: Any) -> None:
    said = {("tests",): "f(0)", ("inputs", "a", "b"): "f(8)", ("judge", "a", "b"): "2", ("debug", "c"): "c2"}
    budget = Budget(tokens=tokens, cost=1)
    bench = play_on(play, "a b c", said, {"c": "wrong"}, GIVES | {"c2": {}}, parallel=2, budget=budget)
    assert budget.spent <= tokens
    assert budget.reserved == 0
    # Three programs, one debugged, tests, and three matches of two moves; a single program needs no more.
    assert budget.refused is (tokens < 11)
    assert max(node.judged or 0 for node in bench.tree.terminals()) == 1.0


# With the task, and programs that run.

PROMPT = '''
def middle(numbers: list) -> float:
    """The median of the numbers; of an even count, the mean of the two in the middle.
    >>> middle([3, 1, 2])
    2
    """
'''
RIGHT = """
def middle(numbers):
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
"""
WRONG = "def middle(numbers):\n    return sorted(numbers)[len(numbers) // 2]"
BROKEN = "def middle(numbers):\n    return numbers[0]"
TEST = "def check(candidate):\n    assert candidate([4, 2]) == 3\n"
RECORD = json.dumps({"prompt": PROMPT, "entry_point": "middle", "test": TEST})
TASK = HumanEval()
PROBLEM = TASK.read(RECORD)


def block(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


class Programmer(ScriptedModel):
    """Writes the wrong program twice as often as the right one, mends the broken one, and counts what it is asked."""

    def __init__(self, verdict: str = "The mean is 6.\nAnswer: {}", fail_after: int | None = None) -> None:
        super().__init__(self._write, context=32_768, fail_after=fail_after)
        self.verdict = verdict
        self.count = 0
        self.debugged: list[str] = []
        self.judged: list[str] = []

    def _write(self, prompt: str, seed: int, sampling: Sampling) -> str:
        self.count += 1
        asked = prompt.rsplit("'''", 1)[-1][-1500:]
        if "That program fails a test." in asked:
            self.debugged.append(asked.partition("That program fails a test.\n")[2])
            return f"It takes the first.\n{block(RIGHT)}"
        if "to test programs with" in asked:
            return "middle([5])\nmiddle([1, 2])\nmiddle(open('x'))"
        if "the two give different results" in asked:
            return "- `middle([1, 2, 10, 20])`\n- `middle([8, 6, 7])`"
        if "Which program does" in asked:
            self.judged.append(asked)
            return self.verdict.format(1 if "Program 1: 6" in asked else 2)
        return block((RIGHT, WRONG, WRONG, BROKEN)[seed % 4])


def ask(model: ScriptedModel, **knobs: Any) -> Any:
    given: dict[str, Any] = {"task": "humaneval", "strategy": "s_star", "evaluator": "logprob", "tokens": 40_000}
    return coat.solve(RECORD, model=model, **(given | knobs))


@needs_sandbox
def test_an_input_that_the_model_writes_finds_the_right_of_two_programs_that_the_examples_accept() -> None:
    model = Programmer()
    result = ask(model, n=12, revisions=1)
    assert TASK.verify(PROBLEM, [block(WRONG)]) is True
    assert (result.answer, result.correct) == (RIGHT.strip(), True)
    assert model.debugged
    assert model.debugged[0].startswith("Test: middle([3, 1, 2])\nExpected: 2\nGot: 3\n\nSay in a sentence")
    (asked,) = model.judged  # the two clusters meet once
    assert "middle([1, 2, 10, 20])\nProgram 1: " in asked
    assert "middle([8, 6, 7])" not in asked
    moves = [node.step.move for node in result.tree.nodes if node.step.move and node.step.move != "debug"]
    assert moves == ["tests", "inputs", "judge"]
    assert {node.judged for node in result.tree.terminals()} == {0.0, 1 / 3, 1.0}
    assert result.usage.spent <= 40_000


@needs_sandbox
def test_a_judgement_that_says_neither_is_counted_and_decides_nothing() -> None:
    model = Programmer("It depends.")
    result = ask(model, n=12, revisions=0)
    assert (len(model.judged), result.usage.illegal) == (1, 1)
    assert (result.answer, result.correct) == (WRONG, False)  # written more often


@needs_sandbox
def test_a_replayed_run_asks_nobody_and_runs_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(Programmer(), n=4, journal=tmp_path / "journal.db")
    model = Programmer()
    monkeypatch.setattr(HumanEval, "outputs", lambda *_: pytest.fail("a program ran again"))
    monkeypatch.setattr(HumanEval, "failure", lambda *_: pytest.fail("a program ran again"))
    again = ask(model, n=4, journal=tmp_path / "journal.db")
    assert (model.count, again.answer) == (0, first.answer)
    assert again.tree.to_dict() == first.tree.to_dict()


@needs_sandbox
@pytest.mark.parametrize("requests", [2, 4])
def test_a_run_that_broke_off_goes_on_as_if_it_had_not(requests: int, tmp_path: Path) -> None:
    whole = ask(Programmer(), n=6)
    with pytest.raises(coat.CoatError, match="the script ends after"):
        ask(Programmer(fail_after=requests), n=6, journal=tmp_path / "journal.db")
    assert ask(Programmer(), n=6, journal=tmp_path / "journal.db").tree.to_dict() == whole.tree.to_dict()


@needs_sandbox
def test_a_small_budget_is_kept() -> None:
    result = ask(Programmer(), n=8, tokens=900)
    assert result.usage.spent <= 900
    assert result.answer is not None


def test_a_task_without_programs_and_a_machine_without_a_sandbox_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = ScriptedModel({"": ["Answer: 7\n"]})
    with pytest.raises(coat.InputError, match="'s_star' does not serve the task 'qa'"):
        coat.solve("How many?", model=model, strategy="s_star", evaluator="logprob")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(coat.InputError, match="programs run in a sandbox alone"):
        ask(model)


def test_only_tasks_with_programs_offer_to_run_them() -> None:
    assert [name for name in tasks.TASKS if isinstance(tasks.get(name), Programs)] == ["humaneval"]


def test_calls_are_taken_where_their_arguments_are_literals() -> None:
    text = (
        "1. middle([1, 2])\n>>> middle(numbers=[-1.5])\nmiddle([1, 2]) == 1\nmiddle(open('x'))\nmiddle([9**9**9])\nf(2)"
    )
    assert TASK.calls(PROBLEM, text) == ["middle([1, 2])", "middle(numbers=[-1.5])"]
    assert len(TASK.calls(PROBLEM, "\n".join(f"middle([{n}])" for n in range(30)))) == 10


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "report"),
    [
        (RIGHT, ""),
        (BROKEN, "Test: middle([3, 1, 2])\nExpected: 2\nGot: 3"),
        ("def middle(n): return n[7]", "Test: middle([3, 1, 2])\nExpected: 2\nGot: raises IndexError: list index out"),
        ("def middle(n): return [", "Got: SyntaxError: "),
        ("raise SystemExit(0)", "Got: ends early, with exit code 0"),
        ("", "Test: middle([3, 1, 2])\nExpected: 2\nGot: raises NameError"),
    ],
)
def test_the_first_failure_is_told(code: str, report: str) -> None:
    told = TASK.failure(PROBLEM, [block(code)])
    assert told.startswith(report)
    assert bool(told) is bool(report)


@needs_sandbox
def test_a_program_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coat.tasks.suite.SECONDS", 1.0)
    assert "Got: runs " in TASK.failure(PROBLEM, [block("def middle(n):\n while True: pass")])


@needs_sandbox
def test_a_statement_that_fails_is_told_with_its_error() -> None:
    problem = TASK.read('def f(x):\n    """Sets.\n    assert set(f(1)) == {1}\n    """')
    assert (
        TASK.failure(problem, [block("def f(x): return [2]")])
        == "Test: assert set(f(1)) == {1}\nGot: raises AssertionError"
    )


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "given"),
    [
        ("return {'c', 'a', 'b'}", "{'a', 'b', 'c'}"),
        ("return {'b': 0.1 + 0.2, 'a': (1.0,), 'c': set()}", "{'a': (1,), 'b': 0.3, 'c': set()}"),
        ("return [float('inf'), 1e300, 'é', frozenset({True})]", "[inf, 1e+300, 'é', {True}]"),
        ("print('loud'); yield", "<generator object f>"),
        ("raise ValueError('why')", "raises ValueError"),
        ("raise SystemExit(0)", "raises SystemExit"),
        ("return 'x' * 400", "'" + "x" * 299 + "... (402 characters)"),
        ("import os; os._exit(3)", "ends early, with exit code 3"),
    ],
)
def test_what_a_call_gives_is_a_text_in_which_equal_values_look_alike(body: str, given: str) -> None:
    problem = TASK.read("def f(x):\n    pass")
    assert TASK.outputs(problem, [block(f"def f(x): {body}")], ["f(1)", "f(2)"]) == [given, given]
