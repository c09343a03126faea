"""MATH-500: answers in LaTeX are compared by algebra, which can neither hang nor guess."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from coat import tasks
from coat.algebra import LONGEST, Algebra
from coat.errors import InputError, UnreadableAnswerError
from coat.models.scripted import ScriptedModel
from coat.tasks.math500 import bare, equal

PUBLIC = Path(__file__).resolve().parents[2] / "shared/data/math500/first100.jsonl"

SAME = [
    ("42", "42.0"),
    (r"\frac{3}{8}", "0.375"),
    (r"\frac{3}{8}", r"\dfrac38"),
    ("0.375", "3/8"),
    (r"\frac{2}{3}", "0.666667"),
    ("1,250", "1250"),
    (r"1{,}250", r"1\,250"),
    (r"\$4.50", "4.5"),
    (r"45^\circ", "45"),
    ("45", "45 degrees"),
    (r"30\%", "30"),
    ("0.3", r"30\%"),
    (r"6\text{ cm}^2", "6"),
    ("6", "6 square inches"),
    ("6", "6 minutes"),
    ("x=7", "7"),
    ("7", "$x = 7$"),
    (r"2\sqrt{7}", r"\sqrt{28}"),
    (r"\sqrt{7}", "sqrt(7)"),
    (r"\frac{\pi}{4}", "pi/4"),
    ("(a+b)^2", "a^2 + 2ab + b^2"),
    (r"\tan x", r"\frac{\sin x}{\cos x}"),
    (r"\left(2, \frac{1}{2}\right)", "(2, 0.5)"),
    ("2, 9", "9 and 2"),
    (r"2 \pm \sqrt{3}", r"2+\sqrt{3}, 2-\sqrt{3}"),
    (r"\{1, 4\}", r"\{4, 1\}"),
    (r"(-\infty, 3]", r"x \le 3"),
    (r"[0,1) \cup (2,3]", r"(2,3] \cup [0,1)"),
    (r"\begin{pmatrix} 1/2 \\ 3 \end{pmatrix}", r"\begin{bmatrix} 0.5 \\ 3 \end{bmatrix}"),
    ("2x + y = 3", "y = 3 - 2x"),
    ("2i", "(1+i)^2"),
    ("37_9", "37"),
    ("37_9", "37_{9}"),
    (r"\text{north}", "North."),
    (r"\text{(B)}", "B"),
    ("8:30", "8:30"),
]
OTHER = [
    ("42", "43"),
    ("42", "42x"),
    ("0.000001", "0.0000012"),
    (r"\frac{2}{3}", "0.67"),
    (r"\pi", "3.14"),
    ("(1,2)", "(2,1)"),
    ("(1,2)", "[1,2]"),
    ("2, 9", "(2, 9)"),
    ("2, 9", "2"),
    ("x=7", "y=7"),
    ("37_9", "37_8"),
    ("37_9", "34"),
    (r"\text{north}", r"\text{south}"),
    (r"2 \pm \sqrt{3}", r"2 + \sqrt{3}"),
    (r"2\pi", "2"),
    ("3+2i", "3-2i"),
]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_the_same_in_another_form_is_right(gold: str, answer: str) -> None:
    assert equal(gold, bare(answer))
    assert equal(gold, gold)


@pytest.mark.parametrize(("gold", "answer"), OTHER)
def test_something_else_is_wrong(gold: str, answer: str) -> None:
    assert not equal(gold, answer)


@pytest.mark.parametrize("answer", ["", "???", "I do not know", "five", r"\frac{1}{", "1+" * LONGEST + "1", "9" * 5000])
def test_what_is_no_mathematics_is_unreadable(answer: str) -> None:
    task = tasks.get("math500")
    with pytest.raises(UnreadableAnswerError):
        task.grade(task.read('{"problem": "?", "answer": "5"}'), answer)
    task.key(answer)


def test_a_record_of_the_public_file_is_read() -> None:
    task = tasks.get("math500")
    record = {"problem": "Find $x$.", "solution": "…", "answer": "3", "subject": "Algebra", "level": "Level 1"}
    problem = task.read(json.dumps(record))
    assert (problem.question, problem.gold) == ("Find $x$.", "3")
    assert task.grade(task.read("Find $x$."), "3") is None
    with pytest.raises(InputError, match='"problem" and an "answer" in LaTeX'):
        task.read('{"question": "Find $x$."}')
    assert "Answer: -2, 3" in str(task.prompt(problem, ScriptedModel({})))


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (r"Answer: \boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        ("Answer: It is $12$.", "12"),
        ("Answer: They are $1$ and $-1$.", "1, -1"),
        (r"Answer: \(x + 1\)", "x + 1"),
        ("Answer: $18.90", "$18.90"),
        (r"Answer: \boxed{5", r"\boxed{5"),
    ],
)
def test_the_answer_is_the_formula_of_the_last_line(step: str, answer: str) -> None:
    task = tasks.get("math500")
    assert task.answer(task.read("Find $x$."), ["So it is.", step]) == answer


def test_equal_answers_vote_together() -> None:
    key = tasks.get("math500").key
    assert len({key(each) for each in ("0.5", r"\frac12", r"\dfrac{1}{2}", "1/2", "x = 0.50", "$0.5$")}) == 1
    assert key(r"(1,\, 2)") == key(r"\left( 1, 2 \right)")
    assert key("3") != key("-3")


@pytest.fixture
def hasty() -> Iterator[Algebra]:
    algebra = Algebra(seconds=2.0)
    yield algebra
    algebra.close()


def test_what_takes_for_ever_is_broken_off_and_the_next_is_compared(hasty: Algebra) -> None:
    assert hasty.equal("x+1", "1+x")
    with pytest.raises(UnreadableAnswerError, match="too much time or memory"):
        hasty.equal("1", "10000000000!")
    assert hasty.equal("2x", "x+x")


def test_threads_compare_as_the_main_one_does(hasty: Algebra) -> None:
    found: dict[int, bool] = {}
    asked = [("2x", "x+x"), ("2x", "3x"), ("3y", "y+y+y"), ("3y", "y+1")]
    threads = [
        threading.Thread(target=lambda at=at, pair=pair: found.update({at: hasty.equal(*pair)}))
        for at, pair in enumerate(asked)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[at] for at in range(4)] == [True, False, True, False]


@pytest.mark.skipif(not PUBLIC.exists(), reason="the public sample is not here")
def test_the_public_answers_are_equal_to_themselves_and_to_no_other() -> None:
    records = [json.loads(line) for line in PUBLIC.read_text("utf-8").splitlines()]
    golds = sorted({record["answer"] for record in records} - {"x=5"})
    for gold in golds:
        for variant in (f"${gold}$", gold.replace(r"\frac", r"\dfrac"), gold.replace(" ", ""), f"{gold}."):
            assert equal(gold, bare(variant)), (gold, variant)
    for one, other in zip(golds, golds[1:] + golds[:1], strict=True):
        try:
            assert not equal(one, other), (one, other)
        except UnreadableAnswerError:
            assert other.startswith(r"\text")
