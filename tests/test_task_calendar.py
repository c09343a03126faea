"""Calendar scheduling: what a text says of people and times is read, and a slot is checked against it."""

import json
import random
from pathlib import Path

import pytest

import coat
from coat import tasks
from coat.errors import InputError, UnreadableAnswerError
from coat.models.scripted import ScriptedModel
from coat.problem import Problem
from coat.tasks.calendar import ANSWERED, DRAFTED, Calendar
from coat.tasks.meetings import Meeting, Slot

SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/natural_plan/calendar_sample.jsonl"
TASK = tasks.get("calendar")
REQUEST = "Schedule a meeting for Ann and Bob for half an hour between the work hours of 9:00 to 12:00 on Monday."
OPEN = f"{REQUEST}\nAnn is free the entire day.\nBob is busy on Monday during 10:00 to 11:00;\n"
WEEK = (
    "Schedule a meeting for Ann, Bob and Cy for one hour between the work hours of 9:00 to 17:00 on either Monday,"
    " Tuesday or Wednesday.\nHere are the existing schedules for everyone during the days:\n"
    "Ann has blocked their calendar on Monday during 9:00 to 12:30, 13:00 to 17:00, Tuesday during 12:00 to 13:00;\n"
    "Bob's calendar is wide open the entire day.\nCyhas no meetings the whole week.\n"
    "Bob can not meet on Monday. Tuesday after 14:00. Cy would like to avoid more meetings on Tuesday before 10:00."
    " Wednesday. Find a time that works for everyone's schedule and constraints."
)


def meeting(text: str) -> Meeting:
    wanted = TASK.read(text).given["meeting"]
    assert isinstance(wanted, Meeting)
    return wanted


def right(problem: Problem, answer: str) -> bool | None:
    return TASK.verify(problem, ["Let me see.", f"Answer: {answer}"])


def test_people_times_and_wishes_are_read_from_the_text() -> None:
    wanted = meeting(WEEK)
    assert (wanted.days, wanted.hours, wanted.minutes) == (("Monday", "Tuesday", "Wednesday"), (540, 1020), 60)
    assert wanted.busy == {
        "Ann": (Slot("Monday", 540, 750), Slot("Monday", 780, 1020), Slot("Tuesday", 720, 780)),
        "Bob": (),
        "Cy": (),
    }
    assert wanted.avoided == {
        "Bob": (Slot("Monday", 540, 1020), Slot("Tuesday", 840, 1020)),
        "Cy": (Slot("Tuesday", 540, 600), Slot("Wednesday", 540, 1020)),
    }
    assert not wanted.earliest


def test_a_record_is_read_and_an_answer_graded_by_day_and_time() -> None:
    record = {
        "golden_plan": "Here is the proposed time: Monday, 9:00 - 9:30 ",
        "prompt_0shot": f"TASK: an example SOLUTION: none\nTASK: {OPEN} \nSOLUTION:",
    }
    problem = TASK.read(json.dumps(record))
    assert (problem.question, problem.gold) == (OPEN.strip(), "Monday, 9:00 - 9:30")
    assert problem.given["meeting"] == meeting(OPEN)
    assert TASK.grade(problem, "monday, 09:00 - 9:30.") is True
    assert TASK.grade(problem, "Monday from 11:00 to 11:30") is False  # free, but another slot than the golden one
    assert right(problem, "Monday, 11:00 - 11:30") is True
    assert TASK.grade(TASK.read(OPEN), "Monday, 9:00 - 9:30") is None
    for unreadable in ("in the morning", "Monday, 9:00 - 9:30 or Monday, 11:00 - 11:30", "9:00 - 9:30", ""):
        with pytest.raises(UnreadableAnswerError, match="no single day and time"):
            TASK.grade(problem, unreadable)


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ("Tuesday, 10:00 - 11:00", True),
        ("Tuesday, 13:00 - 14:00", True),
        ("Tuesday, 10:15 - 11:15", True),
        ("Tuesday, 10:00 - 10:30", False),  # half an hour
        ("Tuesday, 11:30 - 12:30", False),  # Ann is busy
        ("Tuesday, 9:30 - 10:30", False),  # Cy would rather not
        ("Tuesday, 13:30 - 14:30", False),  # Bob would rather not
        ("Monday, 12:00 - 13:00", False),
        ("Wednesday, 10:00 - 11:00", False),
        ("Thursday, 10:00 - 11:00", False),  # not asked for
        ("Tuesday, 11:00 - 10:00", False),
        ("Tuesday, 25:00 - 26:00", False),
        ("Tuesday at ten", False),
        ("Tuesday, 10:00 - 11:00 or Tuesday, 9:00 - 10:00", False),
    ],
)
def test_a_slot_is_verified_against_length_hours_schedules_and_wishes(answer: str, fits: bool) -> None:
    assert right(TASK.read(WEEK), answer) is fits


def test_a_slot_lies_within_the_work_hours() -> None:
    problem = TASK.read(OPEN)
    assert right(problem, "Monday, 11:30 - 12:00") is True
    assert right(problem, "Monday, 11:45 - 12:15") is False
    assert right(problem, "Monday, 8:30 - 9:00") is False
    assert TASK.verify(problem, []) is False


@pytest.mark.parametrize("who", ["The group would like to meet", "Ann would like to schedule the meeting"])
@pytest.mark.parametrize("word", ["earliest", "earlist"])
def test_the_earliest_availability_is_one_slot_alone(who: str, word: str) -> None:
    problem = TASK.read(f"{OPEN}Ann would rather not meet on Monday before 9:15. {who} at their {word} availability.")
    assert right(problem, "Monday, 9:15 - 9:45") is True
    assert right(problem, "Monday, 9:30 - 10:00") is False
    assert right(problem, "Monday, 9:00 - 9:30") is False


@pytest.mark.parametrize(("words", "minutes"), [("an hour", 60), ("45 minutes", 45), ("2 hours", 120)])
def test_a_meeting_may_be_of_another_length(words: str, minutes: int) -> None:
    assert meeting(OPEN.replace("half an hour", words)).minutes == minutes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("When shall we meet?", "asks for no meeting; write people"),
        ("", "empty"),
        ('{"question": "When?"}', '"prompt_0shot" that states the schedules'),
        (json.dumps({"prompt_0shot": "When?"}), "asks for no meeting"),
        (json.dumps({"prompt_0shot": OPEN, "golden_plan": "soon"}), '"golden_plan" is no day and time'),
        (json.dumps({"prompt_0shot": OPEN, "golden_plan": 9}), '"prompt_0shot"'),
        (REQUEST, "no calendar of Ann"),
        (f"{REQUEST} Ann is free the entire day.", "no calendar of Bob"),
        (OPEN.replace("9:00 to 12:00", "12:00 to 9:00"), "ends before it begins"),
        (OPEN.replace("10:00 to 11:00", "11:00 to 11:00"), "ends before it begins"),
        (OPEN.replace("10:00 to 11:00", "10:70 to 11:00"), "'Bob is busy on Monday during 10:70 to 11:00' is not"),
        (f"{OPEN}Ann hates early meetings.", "'Ann hates early meetings' is not understood"),
        (f"{OPEN}Ann can not meet on Monday mornings.", "is not understood"),
        (f"{OPEN}Ann can not meet on Monday before 9:30 nor after 11:30.", "is not understood"),
        (f"{OPEN}Ann can not meet on Monday before 9:30. Thank you. Monday.", "'Monday' is not understood"),
        (f"{OPEN}Zoe is busy on Monday during 9:00 to 12:00.", "'Zoe is busy .* is not understood"),
        (OPEN.replace("on Monday.", "on Monday, but not at noon.", 1), "asks for no meeting"),
    ],
)
def test_what_is_no_schedule_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TASK.read(text)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("text", "lines"), [*ANSWERED, *DRAFTED])
def test_the_worked_examples_are_right(text: str, lines: tuple[str, ...]) -> None:
    problem = TASK.read(text)
    for number, line in enumerate(lines):
        action, _ = TASK.parse(problem, lines[:number], line)
        assert action == ("answer" if number == len(lines) - 1 else "think")
    assert TASK.verify(problem, lines) is True


def test_a_meeting_that_is_made_up_can_be_read_has_room_and_is_the_same_again() -> None:
    texts = [TASK.generate(random.Random(seed)) for seed in range(100)]
    assert texts == [TASK.generate(random.Random(seed)) for seed in range(100)]
    assert len(set(texts)) > 90
    for text in texts:
        assert text is not None
        wanted = meeting(text)
        starts = range(*wanted.hours, 30)
        assert any(wanted.suits(Slot(day, at, at + wanted.minutes)) for day in wanted.days for at in starts)


def test_a_meeting_is_found_by_a_search_that_the_verifier_ends() -> None:
    left = "Left are 9:00 - 10:00 and 11:00 - 12:00."
    model = ScriptedModel(
        {"11:00;\n": [f"{left}\n"], f"{left}\n": ["Answer: Monday, 9:30 - 10:30\n", "Answer: Monday, 9:30 - 10:00\n"]},
        context=20_000,
    )
    result = coat.solve(OPEN, task="calendar", model=model, evaluator="verifier", width=4)
    assert (result.answer, result.correct, result.stop) == ("Monday, 9:30 - 10:00", True, "solved")
    assert result.path == [left, "Answer: Monday, 9:30 - 10:00"]


def test_a_meeting_is_asked_in_every_style() -> None:
    task = tasks.adapt(TASK, ScriptedModel({}), coat.Settings(style="draft"))
    assert isinstance(task, Calendar)
    turns = task.turns(TASK.read(OPEN))
    assert [turn.content for turn in turns[1::2]] == ["\n".join(lines) for _, lines in DRAFTED]
    assert turns[-1].content == OPEN.strip()


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public records are not here")
def test_every_public_record_is_read_and_its_golden_plan_verifies() -> None:
    for line in SAMPLES.read_text().splitlines():
        record, problem = json.loads(line), TASK.read(line)
        wanted = problem.given["meeting"]
        stated = (int(record["num_people"]), int(record["num_days"]), 60 * float(record["duration"]))
        assert (len(wanted.busy), len(wanted.days), wanted.minutes) == stated
        assert right(problem, record["golden_plan"]) is True
        assert TASK.grade(problem, record["golden_plan"]) is True
