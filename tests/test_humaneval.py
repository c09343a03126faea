"""HumanEval: problems are read, code is found in what a model writes, examples verify it and hidden tests grade it."""

import json
from pathlib import Path
from typing import Any

import pytest

import coat
from coat import data, sandbox, tasks
from coat.errors import IllegalStepError, InputError
from coat.models import Sampling, Text
from coat.models.scripted import ScriptedModel
from coat.tasks import examples
from coat.tasks.humaneval import END, HumanEval

REASON = sandbox.unavailable()
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
TASK = HumanEval()
PROMPT = (
    "from typing import List\n\n\ndef halves(numbers: List[float]) -> List[float]:\n"
    '    """The half of each number.\n    >>> halves([1.0, 3])\n    [0.5, 1.5]\n    >>> halves([])\n    []\n    """\n'
)
BODY = "    return [number / 2 for number in numbers]\n"
TEST = "def check(candidate):\n    assert candidate([2, 4]) == [1, 2]\n    assert candidate([-1]) == [-0.5]\n"
RECORD = {"task_id": "T/0", "prompt": PROMPT, "entry_point": "halves", "canonical_solution": BODY, "test": TEST}
PROBLEM = TASK.read(json.dumps(RECORD))
RIGHT = "def halves(numbers):\n    # each\n\n    return [number / 2 for number in numbers]"
WRONG = "def halves(numbers):\n    return [number // 2 for number in numbers]"
FITTED = "def halves(numbers):\n    return {2: [0.5, 1.5], 0: []}[len(numbers)]"


def block(code: str) -> str:
    return f"```python\n{code}\n```"


def test_a_record_and_the_typed_function_are_the_same_problem_but_for_the_hidden_tests() -> None:
    typed = TASK.read(PROMPT)
    assert (typed.question, typed.given) == (PROBLEM.question, PROBLEM.given)
    assert (typed.gold, PROBLEM.gold) == (None, f"{TEST}\ncheck(halves)\n")
    assert len(PROBLEM.given["examples"]) == 2
    assert TASK.read("def f(x):").given["name"] == "f"
    assert TASK.read(TASK.sample).given["examples"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 characters"),
        ("x" * 30_000, "30000 characters"),
        ("write me a function", "this is no function in Python"),
        ("x = 1", 'neither a function nor an "entry_point"'),
        ('{"prompt": 3}', 'a "prompt" and perhaps a "test"'),
        ('{"test": ""}', 'a "prompt" and perhaps a "test"'),
        ('{"prompt": "def f', "this is not JSON"),
        (json.dumps({"prompt": "def f(): pass", "entry_point": "f(x)"}), "neither a function"),
    ],
)
def test_what_is_no_problem_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TASK.read(text)


def test_the_model_reads_worked_problems_whose_code_is_parsed_and_then_the_problem() -> None:
    (*_, last) = prompt = TASK.prompt(PROBLEM, ScriptedModel({}))
    text = "".join(piece.text for piece in prompt if isinstance(piece, Text))
    assert text.count("```python\n") == 5
    assert isinstance(last, Text)
    nameless = TASK.read(json.dumps({"prompt": '"""Add.\nassert add(1, 2) == 3\n"""', "entry_point": "add"}))
    asked = "".join(piece.text for piece in TASK.prompt(nameless, ScriptedModel({})) if isinstance(piece, Text))
    assert "The function is called add." in asked


@pytest.mark.parametrize(
    ("path", "text", "action", "code"),
    [
        ([], "Divide each by two.", "think", ""),
        ([], f"So:\n{block(RIGHT)}", "answer", RIGHT),
        (["Divide."], block(RIGHT), "answer", RIGHT),
        ([], RIGHT, "answer", RIGHT),
        ([], f"```\n{RIGHT}\n```", "answer", RIGHT),
        ([], "It is\n```\nhalves([1]) == [0.5]\n```", "think", ""),
        ([], f"{block(RIGHT)}\nUse it so:\n{block('halves([1])')}", "answer", RIGHT),
        ([], "```python\ndef halves(numbers):", "think", ""),
        (["```python\nimport math"], f"{WRONG}\n```", "answer", f"import math\n\n{WRONG}"),
        ([f"```python\n{RIGHT.partition(END)[0]}"], f"{RIGHT.partition(END)[2]}\n```", "answer", RIGHT),
        (["Think."], "Backtrack", "backtrack", ""),
    ],
)
def test_a_block_of_code_is_the_answer_and_all_else_a_thought(
    path: list[str], text: str, action: str, code: str
) -> None:
    found, step = TASK.parse(PROBLEM, path, text)
    assert found == action
    if action == "answer":
        assert TASK.answer(PROBLEM, [*path, step]) == code


def test_a_block_with_which_the_turn_ends_is_whole_though_nothing_closes_it() -> None:
    action, step = TASK.parse(PROBLEM, ["Divide."], f"```python\n{RIGHT}", last=True)
    assert (action, TASK.answer(PROBLEM, ["Divide.", step])) == ("answer", RIGHT)


@pytest.mark.parametrize(
    ("path", "text"),
    [([], " \n"), ([], "Backtrack"), (["Divide."], "Divide."), ([], "Facts: (1) it is 4"), ([], "half \udc80")],
)
def test_steps_that_the_rules_forbid(path: list[str], text: str) -> None:
    with pytest.raises(IllegalStepError):
        TASK.parse(PROBLEM, path, text)


def test_the_key_of_an_answer_knows_no_comments_blank_lines_and_quotes() -> None:
    assert TASK.key(RIGHT) == TASK.key("def halves(numbers):\n    return [number/2 for number in numbers]  # half\n")
    assert TASK.key(RIGHT) != TASK.key(WRONG)
    assert TASK.key(" def (:") == "def (:"
    assert TASK.key("x\0") == "x\0"
    assert TASK.key("-" * 100_000 + "1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("f(2) == 4", [("f(2)", "4")]),
        ("f(2) ➞ 4\nf( [1,\n 2] ) => (1, 'a')  # so", [("f(2)", "4"), ("f([1, 2])", "(1, 'a')")]),
        ("* f(-1) -> None.\nf(')') returns 'x', as (f) should return True", [("f(-1)", "None"), ("f(')')", "'x'")]),
        ("f(2) should return 4. f(3) = 9", [("f(2)", "4"), ("f(3)", "9")]),
        ("f(n) = n * f(n - 1)\nf(3) = 6", []),
        ("f(n) == 1\nf(3) == 6.0", [("f(3)", "6.0")]),
        ("f(2) == 1 + 3\nf(a) == 4\nf(2) == g(1)\nf(2) == ''4'\nf(2 == 4\ndef(2) == 4", []),
        (">>> f(2)\n4\n>>> f(f(2)) # twice\n[1,\n 2]", [("f(2)", "4"), ("f(f(2))", "[1, 2]")]),
        (">>> f(2) == 4\n>>> f(3) ==5", [("f(2)", "4"), ("f(3)", "5")]),
        (">>> f(2)\nabout 4\n>>> f(3)\n9", [("f(3)", "9")]),
        (">>>f(2)\n4", []),
        ("f(1) == __import__('os').getcwd()", []),
    ],
)
def test_examples_are_read_where_both_sides_are_literals(text: str, shown: list[tuple[str, str]]) -> None:
    assert examples.statements(text, "f") == [
        f"assert {examples.SAME}({call}, {given}), {call!r}" for call, given in shown
    ]


def test_a_session_keeps_what_prepares_an_example_and_asserted_lines_are_kept_as_they_are() -> None:
    session = examples.statements(">>> x = [3]\n>>> f(x)\n3", "f")
    assert session == ["x = [3]", f"assert {examples.SAME}(f(x), 3), 'f(x)'"]
    assert examples.statements("Sets.\nassert set(f(1)) == {1}\nassert g() == f", "f") == ["assert set(f(1)) == {1}"]


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "verified", "graded"),
    [
        (RIGHT, True, True),
        (WRONG, False, False),
        (FITTED, True, False),
        ("from __future__ import annotations\n" + RIGHT, True, True),
        (RIGHT + "\n\n\nif __name__ == '__main__':\n    input()", True, True),
        ("def check(x): return x / 2\n\ndef halves(numbers): return list(map(check, numbers))", True, True),
        ("def halves(numbers: List[float]): return [x / 2 for x in numbers]", True, True),
        ("def halve(numbers): return []", False, False),
        ("def halves(numbers):", False, False),
        ("raise SystemExit(0)", False, False),
        ("import os\nprint('all tests passed')\nos._exit(0)", False, False),
        ("def halves(numbers): return \0", False, False),
    ],
)
def test_examples_verify_and_hidden_tests_grade(code: str, verified: bool, graded: bool) -> None:
    assert TASK.verify(PROBLEM, ["Divide.", block(code)]) is verified
    assert TASK.grade(PROBLEM, code) is graded


@needs_sandbox
def test_numbers_may_differ_by_rounding_alone() -> None:
    problem = TASK.read('def f(x):\n    """Sum.\n    >>> f([0.1, 0.2])\n    [0.3]\n    """')
    assert TASK.verify(problem, [block("def f(x): return [sum(x)]")]) is True
    assert TASK.verify(problem, [block("def f(x): return [sum(x) + 1e-4]")]) is False
    assert TASK.verify(problem, [block("def f(x): return [0.3, 1]")]) is False


@needs_sandbox
def test_inputs_of_evalplus_are_compared_with_the_canonical_solution() -> None:
    record = {**RECORD, "base_input": [[[1, 2]]], "plus_input": [[[7.5]], [None], [[float("inf")]]]}
    del record["test"]
    problem = TASK.read(json.dumps(record))
    assert TASK.grade(problem, RIGHT) is True
    assert TASK.grade(problem, WRONG) is False


def test_without_examples_or_hidden_tests_nothing_is_said() -> None:
    problem = TASK.read("def f(x):\n    '''Does it.'''")
    assert TASK.verify(problem, [block("def f(x): pass")]) is None
    assert TASK.grade(problem, "def f(x): pass") is None
    assert TASK.remarks(problem)[0].startswith("no answer was tested: ")
    assert TASK.remarks(PROBLEM) == ([] if REASON is None else [f"no answer was tested: {REASON}"])


def test_without_a_sandbox_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\n{RIGHT}"
    assert TASK.verify(PROBLEM, [block(code)]) is None
    assert "sandbox" in TASK.remarks(PROBLEM)[0]
    assert TASK.grade(PROBLEM, code) is None
    assert not (tmp_path / "ran").exists()


@needs_sandbox
def test_best_of_n_finds_the_program_that_its_examples_accept() -> None:
    right = RIGHT.replace("    # each\n\n", "")

    def write(prompt: str, seed: int, sampling: Sampling) -> str:
        if prompt.endswith("Divide each.\n\n"):
            return block(right if seed % 4 == 0 else WRONG)
        return "Divide each.\n\n"

    result = coat.solve(
        json.dumps(RECORD),
        task="humaneval",
        strategy="best_of_n",
        evaluator="verifier",
        model=ScriptedModel(write, context=16_384),
        memory=None,
        n=16,
    )
    assert (result.answer, result.correct, result.stop) == (right, True, "solved")
    assert result.path == ["Divide each.", block(right)]


PUBLIC = Path(__file__).resolve().parents[2] / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"


@needs_sandbox
@pytest.mark.skipif(not PUBLIC.exists(), reason="the public file is not there")
def test_canonical_solutions_of_the_public_file_pass() -> None:
    task = tasks.get("humaneval")
    read = data.problems(task, PUBLIC)
    assert len(read) == 164
    assert sum(bool(problem.given["examples"]) for _, problem in read) == 137
    for text, problem in read[::20]:
        record: dict[str, Any] = json.loads(text)
        step = block(record["prompt"] + record["canonical_solution"])
        assert task.verify(problem, [step]) in (True, None), record["task_id"]
        assert task.grade(problem, task.answer(problem, [step])) is True, record["task_id"]
