"""The tasks: what a puzzle or a question may look like, which steps are legal, and when an answer is right."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coat import tasks
from coat.errors import IllegalStepError, InputError
from coat.models import Message, Text
from coat.models.scripted import ScriptedModel
from coat.problem import Problem
from coat.tasks import Task
from coat.tasks.arithmetic import Arithmetic
from coat.tasks.qa import QuestionAnswering, token_f1

GAME24, COUNTDOWN, QA = tasks.get("game24"), tasks.get("countdown"), tasks.get("qa")
PUZZLE = GAME24.read("4 9 10 13")
EIGHTS = GAME24.read("3 3 8 8")
MIXED = COUNTDOWN.read("-2 0 5 = 9")
SOLUTIONS = [
    (GAME24, "4 9 10 13", ["13 - 9 = 4", "10 - 4 = 6", "4 * 6 = 24"]),
    (GAME24, "1 1 4 6", ["1 * 1 = 1 (left: 4 6 1)", "4 * 1 = 4 (left: 6, 4)", "6*4=24"]),
    (GAME24, "3,3,8,8", ["8 / 3 = 8/3", "3 - 8/3 = 1/3", "8 / 1/3 = 24"]),
    (GAME24, '{"nums": [1, 5, 5, 5]}', ["1 / 5 = 1/5", "5 - 1/5 = 24/5 (left: 5 24/5)", "24/5 * 5 = 24"]),
    (COUNTDOWN, "30 100 93 = 23", ["30 - 100 = -70", "93 + -70 = 23"]),
    (COUNTDOWN, '{"input": "83,18,75", "output": "10"}', ["83 - 18 = 65", "75 - 65 = 10"]),
    (COUNTDOWN, '{"nums": [-2, 0, 5], "target": 7}', ["5 - -2 = 7", "7 - 0 = 7 (left 7)"]),
]


def parsed(problem: Problem, path: list[str], text: str) -> tuple[str, str]:
    return tasks.get(problem.task).parse(problem, path, text)


@pytest.mark.parametrize("text", ["3 7 25 50 = 117", "3, 7,25 ,50=117", ' {"nums": [3, 7, 25, 50], "target": 117}\n'])
def test_a_countdown_puzzle_reads_the_same_in_every_format(text: str) -> None:
    read = COUNTDOWN.read(text)
    assert read == Problem("3 7 25 50 = 117", "countdown", {"numbers": (3, 7, 25, 50), "target": 117})
    assert COUNTDOWN.read('{"input": "3,7,25,50", "output": "117"}') == read
    assert COUNTDOWN.depth(read) == 3


def test_game_of_24_knows_its_target() -> None:
    assert Problem("4 9 10 13", "game24", {"numbers": (4, 9, 10, 13), "target": 24}) == PUZZLE
    assert GAME24.read('{"input": "4,9,10,13", "output": "24"}') == PUZZLE


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        (GAME24, "", "0 numbers"),
        (GAME24, "7", "1 numbers; give 2 to 10"),
        (GAME24, " ".join("1" * 11), "11 numbers"),
        (GAME24, "4 9 ten 13", "'ten' .* is not a whole number"),
        (GAME24, "4 9 1.5 13", "'1.5' .* is not a whole number"),
        (GAME24, "4 9 10 1e3", "'1e3'"),
        (GAME24, "4 9 10 = 24", "always 24"),
        (GAME24, '{"nums": [4, 9, 10, 13], "target": 25}', "always 24"),
        (GAME24, "1 2 3 2000000000", "beyond 1000000000"),
        (COUNTDOWN, "3 7 25 50", "has no target"),
        (COUNTDOWN, "3 7 =", "'' .* is not a whole number"),
        (COUNTDOWN, "3 7 = 8 = 9", "'8 = 9'"),
        (COUNTDOWN, "= 5", "0 numbers"),
        (COUNTDOWN, '{"nums": [3, 7]', "is not JSON"),
        (COUNTDOWN, '{"target": 7}', 'neither "nums" nor "input"'),
        (COUNTDOWN, '{"nums": [3, 7]}', "has no target"),
        (COUNTDOWN, '{"nums": 37, "target": 3}', "no list of numbers"),
        (COUNTDOWN, '{"nums": {"3": 7}, "target": 3}', "no list of numbers"),
        (COUNTDOWN, '{"nums": [3, true], "target": 4}', "'True'"),
        (COUNTDOWN, '{"nums": [3, null], "target": 4}', "'None'"),
        (COUNTDOWN, '{"nums": [3, 7], "target": "ten"}', "'ten'"),
        (COUNTDOWN, '{"nums": [' + "9" * 5000 + ', 7], "target": 3}', "is not JSON"),
        (COUNTDOWN, '{"nums": ' + "[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_puzzle_is_refused_by_name(task: Task, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        task.read(text)
    assert len(str(caught.value)) < 400


@settings(deadline=None)
@given(st.text() | st.text('0123456789 ,=-{}[]":numstarget'), st.sampled_from([GAME24, COUNTDOWN, QA]))
@example('{"nums": "3 7", "target": 10}', COUNTDOWN)
@example('{"question": {}}', QA)
@example('{"question": "why?", "answer": ' + "9" * 5000 + "}", QA)
@example('{"question": ' + "[" * 100_000, QA)
@example("\udc80", QA)
def test_any_text_is_a_problem_or_refused_in_a_sentence(text: str, task: Task) -> None:
    try:
        problem = task.read(text)
    except InputError as error:
        assert str(error)  # noqa: PT017
    else:
        assert problem.task == task.name
        assert problem.question.strip()


TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Who painted Guernica?"},
    {"role": "assistant", "content": "Answer: Picasso"},
    {"role": "user", "content": " Where was he born? "},
]


def test_the_last_turn_of_a_conversation_is_the_question_and_the_others_come_before_it() -> None:
    problem = QA.read(json.dumps({"messages": TALK, "answer": "Málaga"}))
    assert (problem.question, problem.gold) == ("Where was he born?", "Málaga")
    turns = QuestionAnswering().turns(problem)
    assert turns[0] == Message("system", "Be kind.")
    assert turns[-3:] == [
        Message("user", "Who painted Guernica?"),
        Message("assistant", "Answer: Picasso"),
        Message("user", "Question: Where was he born?"),
    ]
    assert [turn.role for turn in turns[1:]] == ["user", "assistant"] * (len(turns) // 2 - 1) + ["user"]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], 'a "question" in words, or with "messages"'),
        (TALK[:3], "the last message is the assistant's; it must be the user's"),
        ([{"role": "tool", "content": "x"}], "a message's role is system, user or assistant, not 'tool'"),
        ([{"role": "user"}], 'or with "messages"'),
        ([{"role": "user", "content": " "}], "the question is empty"),
        ("who?", 'or with "messages"'),
    ],
)
def test_a_conversation_that_asks_nothing_is_refused_by_name(messages: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        QA.read(json.dumps({"messages": messages}))


@pytest.mark.parametrize(("task", "text", "path"), SOLUTIONS)
def test_a_known_solution_is_legal_and_right(task: Arithmetic, text: str, path: list[str]) -> None:
    problem = task.read(text)
    actions = [task.parse(problem, path[:n], step)[0] for n, step in enumerate(path)]
    assert actions == ["think"] * (len(path) - 1) + ["answer"]
    assert task.verify(problem, path) is True
    assert len(path) == task.depth(problem)


@pytest.mark.parametrize(("task", "text", "path"), SOLUTIONS)
def test_an_answer_is_an_expression_of_the_numbers_that_is_the_target(
    task: Arithmetic, text: str, path: list[str]
) -> None:
    problem = task.read(text)
    left, _, right = task.answer(problem, path).rpartition(" = ")
    assert _exactly(left) == Fraction(right) == problem.given["target"]
    assert sorted(_numbers_of(left)) == sorted(problem.given["numbers"])


def test_answers_read_as_people_write_them() -> None:
    task, text, path = SOLUTIONS[0]
    assert task.answer(task.read(text), path) == "(13 - 9) * (10 - 4) = 24"
    assert task.answer(EIGHTS, SOLUTIONS[2][2]) == "8 / (3 - (8 / 3)) = 24"


def test_an_answer_that_misses_the_target_ends_the_path_and_is_wrong() -> None:
    path = ["4 + 9 = 13", "10 + 13 = 23"]
    assert parsed(PUZZLE, path, "13 + 23 = 36") == ("answer", "13 + 23 = 36")
    assert GAME24.verify(PUZZLE, [*path, "13 + 23 = 36"]) is False
    assert GAME24.verify(PUZZLE, path) is False


def test_a_right_number_with_numbers_to_spare_is_no_answer() -> None:
    problem = GAME24.read("1 4 6")
    assert parsed(problem, [], "4 * 6 = 24")[0] == "think"
    assert GAME24.verify(problem, ["4 * 6 = 24"]) is False


@pytest.mark.parametrize(
    ("problem", "path", "step", "message"),
    [
        (PUZZLE, [], "", "not of the form"),
        (PUZZLE, [], "add 4 and 9", "not of the form"),
        (PUZZLE, [], "4 + 9", "not of the form"),
        (PUZZLE, [], "4 + 9 = 13.0", "not of the form"),
        (PUZZLE, [], "4 + 9 + 10 = 23", "not of the form"),
        (PUZZLE, [], "4 ^ 9 = 262144", "not of the form"),
        (PUZZLE, [], "4 + 9 = 13\n10 + 13 = 23", "not of the form"),
        (PUZZLE, [], "4 + 9 = 13 so", "not of the form"),
        (PUZZLE, [], "Left: 4 9", "not of the form"),
        (PUZZLE, [], "4 + 5 = 9", "uses 5, which is not left"),
        (PUZZLE, [], "4 + 4 = 8", "uses 4, which is not left"),
        (PUZZLE, ["4 + 9 = 13"], "9 + 10 = 19", "uses 9, which is not left"),
        (PUZZLE, ["4 + 9 = 13"], "13 + 13 = 26 (left: 10)", "wrong about the numbers"),
        (PUZZLE, [], "4 + 9 = 14", "is not true"),
        (PUZZLE, [], "9 / 4 = 2", "is not true"),
        (PUZZLE, [], "4 - 9 = 5", "is not true"),
        (PUZZLE, [], "4 + 9 = 13 (left: 10 13)", "wrong about the numbers"),
        (PUZZLE, [], "4 + 9 = 13 (left: 13 13 10 10)", "wrong about the numbers"),
        (PUZZLE, [], "4 + 9 = 13 (left: )", "wrong about the numbers"),
        (EIGHTS, ["8 / 3 = 8/3"], "8/3 + 3 = 11/3", "is not true"),
        (EIGHTS, [], "8/0 + 3 = 3", "divides by zero"),
        (MIXED, [], "5 / 0 = 0", "divides by zero"),
        (MIXED, [], "2 + 5 = 7", "uses 2, which is not left"),
        (PUZZLE, [], "Backtrack", "no step to go back on"),
        (PUZZLE, SOLUTIONS[0][2], "24 + 24 = 48", "not left"),
        (PUZZLE, [], "1" * 5000 + " + 9 = 13", "form"),
    ],
)
def test_a_step_against_the_rules_is_illegal(problem: Problem, path: list[str], step: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        parsed(problem, path, step)


@pytest.mark.parametrize(
    ("problem", "path", "step"),
    [
        (PUZZLE, [], " 4+9=13 "),
        (PUZZLE, ["4 + 9 = 13"], "13 + 13 = 26 (left: 26, 10)"),
        (EIGHTS, [], "8 / 3 = 8/3 (left: 3 8 8/3)"),
        (EIGHTS, [], "8/3 = 8/3"),
        (MIXED, [], "5 - -2 = 7"),
        (MIXED, [], "-2 - 5 = -7 (left: 0 -7)"),
        (MIXED, [], "0 / 5 = 0"),
        (MIXED, ["-2 / 5 = -2/5"], "0 - -2/5 = 2/5"),
    ],
)
def test_a_step_by_the_rules_is_kept_as_it_was_written(problem: Problem, path: list[str], step: str) -> None:
    action, text = parsed(problem, path, step)
    assert action == ("answer" if len(path) + 2 == len(problem.given["numbers"]) else "think")
    assert text == step.strip()


def test_a_step_back_has_its_own_word() -> None:
    assert parsed(PUZZLE, ["4 + 9 = 13"], " backtrack. ") == ("backtrack", "backtrack.")


def test_the_note_says_what_is_left() -> None:
    assert GAME24.note(PUZZLE, []) == ""
    assert GAME24.note(PUZZLE, ["4 - 9 = -5", "10 / 13 = 10/13"]).endswith(": -5 10/13\n")


@settings(deadline=None)
@given(st.text() | st.text("0123456789 +-*/=()left:,", max_size=30) | st.sampled_from(SOLUTIONS[2][2]))
@example("8 / 3 = 8/3 (left: 1/0)")
@example("8 / 3 = 1/0")
@example("٣ + ٨ = ١١")
def test_any_text_is_a_legal_step_or_illegal_and_nothing_else(text: str) -> None:
    for path in ([], SOLUTIONS[2][2][:1]):
        try:
            action, step = parsed(EIGHTS, path, text)
        except IllegalStepError:
            continue
        if action != "backtrack":
            before, after = (len(GAME24.left(EIGHTS, each)) for each in (path, [*path, step]))
            assert after == before - 1


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Thought: Rome lies on the Tiber.", "think"),
        ("Rome lies on the Tiber", "think"),
        ("  Recall: the Tiber ", "recall"),
        ("Answer: Rome", "answer"),
        ("Answer: Rome: the city", "answer"),
        ("Backtrack", "backtrack"),
        ("The Answer: Rome", "think"),
    ],
)
def test_a_line_acts_as_its_label_says(text: str, action: str) -> None:
    problem = QA.read("Where?")
    assert QA.parse(problem, ["Thought: where indeed"], text) == (action, text.strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "says nothing"),
        (" \t", "says nothing"),
        ("Answer:", "says nothing"),
        ("Recall", "says nothing"),
        ("Thought: known", "said before"),
        ("Facts: (1) Rome is in France.", "is told, and is no step"),
        ("Tried elsewhere: (1) Answer: Rome", "is told, and is no step"),
        ("Answer: half a pair \ud83d", "not valid Unicode"),
    ],
)
def test_a_line_that_says_nothing_new_or_forges_a_fact_is_illegal(text: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        QA.parse(QA.read("Where?"), ["Thought: known"], text)


def test_a_question_cannot_be_gone_back_on() -> None:
    with pytest.raises(IllegalStepError, match="no step to go back on"):
        QA.parse(QA.read("Where?"), [], "Backtrack.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "empty"),
        ('{"question": " "}', "empty"),
        ('{"question": null}', '"question"'),
        ('{"question": ["who?"]}', '"question"'),
        ('{"answer": "Rome"}', '"question"'),
        ("{what?}", '"question"'),
        ("why " * 6000, "23999 characters"),
        ("caf\udce9?", "not valid Unicode"),
        ('{"question": "caf\\udce9?"}', "not valid Unicode"),
    ],
)
def test_what_is_no_question_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        QA.read(text)


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("the Eiffel Tower", "Eiffel Tower.", True),
        ("An Eiffel-Tower", "eiffeltower", True),
        ("Eiffel", "Eiffel Tower", False),
        ("42", 42, True),
    ],
)
def test_an_answer_is_graded_by_exact_match_after_normalisation(answer: str, gold: Any, right: bool) -> None:
    problem = QA.read(json.dumps({"question": "What?", "answer": gold, "id": 7}))
    assert (problem.question, problem.gold) == ("What?", str(gold))
    assert QA.grade(problem, answer) is right
    assert QA.verify(problem, [f"Answer: {answer}"]) is None


def test_without_a_gold_answer_nothing_is_graded() -> None:
    assert QA.grade(QA.read("What?"), "that") is None
    assert GAME24.grade(PUZZLE, "24 = 24") is None


def test_the_answer_is_what_follows_the_label() -> None:
    problem = QA.read("What?")
    assert QA.answer(problem, ["Thought: so", "Answer:  Rome: the city "]) == "Rome: the city"
    assert QA.answer(problem, []) == ""
    assert QA.key("The  Eiffel Tower!") == "eiffel tower"


def test_a_question_in_chinese_is_asked_answered_and_graded_in_it() -> None:
    problem = QA.read(json.dumps({"question": "法国的首都是哪里？", "answer": "巴黎"}))
    turns = QuestionAnswering().turns(problem)
    assert turns[-1] == Message("user", "问题：法国的首都是哪里？")
    assert turns[0].content.startswith("回答问题。")
    assert parsed(problem, [], "法国在欧洲。") == ("think", "法国在欧洲。")
    assert parsed(problem, [], "回忆：法国 首都") == ("recall", "回忆：法国 首都")
    assert parsed(problem, [], "答案: 《巴黎》。") == ("answer", "答案: 《巴黎》。")
    assert QA.answer(problem, ["法国在欧洲。", "答案：《巴黎》。"]) == "《巴黎》。"
    assert QA.grade(problem, "《巴黎》。")
    assert not QA.grade(problem, "里昂")
    with pytest.raises(IllegalStepError, match="the step says nothing"):
        QA.parse(problem, [], "答案： ")


def test_a_question_in_japanese_is_not_asked_in_chinese() -> None:
    turns = QuestionAnswering().turns(QA.read("日本の首都はどこですか？"))
    assert turns[-1] == Message("user", "Question: 日本の首都はどこですか？")


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("Eiffel Tower", "the Eiffel tower", 1.0),
        ("red Eiffel Tower", "Eiffel Tower", 0.8),  # precision 2/3, recall 1
        ("Paris Paris", "Paris", 2 / 3),  # a token counts as often as both have it
        ("Rome", "Paris", 0.0),
        ("the", "Paris", 0.0),
        ("the", "an", 1.0),
        ("法国巴黎", "《巴黎》。", 2 / 3),  # precision 2/4, recall 1
        ("１９７３年", "1973年", 1.0),
    ],
)
def test_token_f1_is_worked_out_by_hand(answer: str, gold: str, f1: float) -> None:
    assert token_f1(answer, gold) == pytest.approx(f1)


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"no task 'game42', did you mean game24\? .* game24, countdown, qa"):
        tasks.get("game42")
    with pytest.raises(InputError, match=r"no task 'chess'\. The tasks are"):
        tasks.get("chess")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_every_task_reads_its_own_sample(name: str) -> None:
    task = tasks.get(name)
    problem = task.read(task.sample)
    assert problem.task == task.name == name
    prompt = task.prompt(problem, ScriptedModel({}))
    assert isinstance(prompt[-2], Text)
    assert all(word in prompt[-2].text for word in problem.question.split() if word not in ("=", "->"))
    assert task.source


def _exactly(expression: str) -> Fraction:
    """The value of an expression by Python's own rules of precedence, over exact fractions."""
    return eval(_each_number(expression), {"__builtins__": {}, "Fraction": Fraction})  # type: ignore[no-any-return]


def _each_number(expression: str) -> str:
    return " ".join(
        word if word.strip("()") in "+-*/" else word.replace(core := word.strip("()"), f"Fraction({core})")
        for word in expression.split()
    )


def _numbers_of(expression: str) -> list[int]:
    return [int(word.strip("()")) for word in expression.split() if word.strip("()") not in "+-*/"]
