"""Question tasks: records of the public files are read, and answers graded, as their papers do."""

import json
from typing import Any

import pytest

from coat import tasks
from coat.errors import InputError, UnreadableAnswerError
from coat.models.scripted import ScriptedModel

RECORDS: list[tuple[str, dict[str, Any], str, str, str]] = [
    # task, record, what is asked, a right answer, a wrong one
    ("gsm8k", {"question": "How many?", "answer": "9 * 2 = <<9*2=18>>18\n#### 1,018"}, "How many?", "$1018.00", "18"),
    ("gsm8k", {"question": "How much?", "answer": "so\n#### -2.50"}, "How much?", "it is -2.5 degrees", "2.5"),
    (
        "aqua",
        {"question": "x?", "options": ["A)5(√3 + 1)", "B) 6"], "rationale": "…", "correct": "B"},
        "x?\nOptions: A) 5(√3 + 1), B) 6",
        "(B) 6",
        "A",
    ),
    (
        "prontoqa",
        {"question": "Cats are loud.", "query": "True or false: Tom is loud.", "answer": "True"},
        "Cats are loud. True or false: Tom is loud.",
        "true.",
        "False",
    ),
    ("strategyqa", {"question": "Can it?", "answer": False, "facts": ["…"]}, "Can it?", "No, it cannot.", "yes"),
    ("hotpotqa", {"question": "Who?", "answer": "a spirit", "context": [], "level": "easy"}, "Who?", "spirit", "demon"),
    (
        "musique",
        {"question": "Who?", "answer": "G. Hall", "answer_aliases": ["Stan Hall"]},
        "Who?",
        "stan hall",
        "Hall",
    ),
    ("2wikimultihopqa", {"_id": "1", "question": "Who?", "answer": "yes", "type": "comparison"}, "Who?", "Yes", "no"),
    ("bbh:word_sorting", {"input": "List: b a", "target": "a b"}, "List: b a", "a b", "b a"),
    ("bbh:date_understanding", {"input": "When?", "target": "(B)"}, "When?", "(B) 12/25/1937", "(A)"),
    ("bbh:date_understanding", {"input": "When?", "target": "(B)"}, "When?", "B.", "C"),
]


@pytest.mark.parametrize(("name", "record", "asked", "right", "wrong"), RECORDS)
def test_a_record_is_read_and_an_answer_graded(
    name: str, record: dict[str, Any], asked: str, right: str, wrong: str
) -> None:
    task = tasks.get(name)
    problem = task.read(json.dumps(record))
    assert problem.question == asked
    assert task.grade(problem, right) is True
    assert task.grade(problem, wrong) is False


@pytest.mark.parametrize(
    ("name", "gold", "answer"),
    [
        ("gsm8k", {"question": "How many?", "answer": "#### 3"}, "three"),
        ("aqua", {"question": "x?", "options": ["A)1"], "correct": "A"}, "the first one"),
        ("strategyqa", {"question": "Can it?", "answer": True}, "perhaps"),
        ("bbh:date_understanding", {"input": "When?", "target": "(B)"}, "on Monday"),
    ],
)
def test_an_answer_of_another_kind_is_unreadable_not_guessed(name: str, gold: dict[str, Any], answer: str) -> None:
    task = tasks.get(name)
    with pytest.raises(UnreadableAnswerError):
        task.grade(task.read(json.dumps(gold)), answer)
    assert task.key(answer)  # it still has its vote


@pytest.mark.parametrize(
    ("name", "record", "words"),
    [
        ("gsm8k", {"query": "?"}, '"question" and an "answer" that ends in "#### number"'),
        ("aqua", {"question": "x?"}, '"options"'),
        ("prontoqa", {"question": "x"}, '"query"'),
        ("bbh:word_sorting", {"question": "x"}, '"input" and a "target"'),
    ],
)
def test_a_record_of_another_task_is_refused_with_what_it_must_hold(
    name: str, record: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        tasks.get(name).read(json.dumps(record))


def test_the_f1_of_a_multi_hop_answer_is_the_best_over_its_spellings() -> None:
    task = tasks.get("musique")
    problem = task.read(json.dumps({"question": "Who?", "answer": "G. Stanley Hall", "answer_aliases": ["Hall"]}))
    assert task.score(problem, "Stanley Hall") == pytest.approx(0.8)
    assert task.score(problem, "Hall") == 1.0


def test_a_kind_of_big_bench_hard_keeps_its_name_in_every_style() -> None:
    task = tasks.adapt(tasks.get("bbh:word_sorting"), ScriptedModel({}))
    assert task.name == "bbh:word_sorting"
    with pytest.raises(InputError, match="bbh:NAME"):
        tasks.get("bbh:")


@pytest.mark.parametrize("name", ["game24", "countdown"])
def test_a_puzzle_that_is_made_up_can_be_read_and_is_the_same_again(name: str) -> None:
    import random

    task = tasks.get(name)
    first = [task.generate(random.Random(seed)) for seed in range(20)]
    assert first == [task.generate(random.Random(seed)) for seed in range(20)]
    assert len(set(first)) > 15
    for text in first:
        assert text is not None
        assert task.read(text).task == name
