"""Calendar scheduling of Natural Plan: a time for a meeting that suits everybody (arXiv 2406.04520)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from coat import prompts
from coat.errors import InputError, UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.meetings import DAYS, Meeting, Slot, clock, meeting, slot
from coat.tasks.qa import QuestionAnswering, str_of

RULES = (
    "Find a time for the meeting: of the length that is asked for, within the work hours, when nobody is busy and"
    " nobody would rather not meet. {how} The last line is 'Answer:' and the day and the time."
)
ONE_DAY = (
    "You need to schedule a meeting for Ida and Paul for half an hour between the work hours of 9:00 to 12:00 on"
    " Monday.\nIda is busy on Monday during 9:00 to 10:00, 11:00 to 12:00;"
    "\nPaul has meetings on Monday during 9:30 to 10:30;"
)
TWO_DAYS = (
    "You need to schedule a meeting for Nora, Sam and Eva for one hour between the work hours of 9:00 to 17:00 on"
    " either Monday or Tuesday.\nNora is busy on Monday during 9:00 to 12:00, Tuesday during 9:00 to 10:00;"
    "\nSam has no meetings the whole week.\nEva has meetings on Tuesday during 11:00 to 13:30, 14:30 to 17:00;"
    "\nSam can not meet on Monday. Nora would rather not meet on Tuesday after 14:00."
)
ANSWERED = (
    (
        ONE_DAY,
        (
            "On Monday somebody is busy 9:00 - 10:30 and 11:00 - 12:00.",
            "Left is 10:30 - 11:00, which is half an hour.",
            "Answer: Monday, 10:30 - 11:00",
        ),
    ),
    (
        TWO_DAYS,
        (
            "Sam can not meet on Monday, so it is Tuesday.",
            "On Tuesday somebody is busy 9:00 - 10:00, 11:00 - 13:30 and 14:30 - 17:00.",
            "Nora would rather not meet after 14:00.",
            "Left are 10:00 - 11:00, which is one hour, and 13:30 - 14:00, which is too short.",
            "Answer: Tuesday, 10:00 - 11:00",
        ),
    ),
)
DRAFTED = (
    (ONE_DAY, ("busy 9:00 - 10:30, 11:00 - 12:00", "left 10:30 - 11:00", "Answer: Monday, 10:30 - 11:00")),
    (
        TWO_DAYS,
        (
            "not Monday: Sam",
            "busy 9:00 - 10:00, 11:00 - 13:30",
            "nothing after 14:00",
            "left 10:00 - 11:00",
            "Answer: Tuesday, 10:00 - 11:00",
        ),
    ),
)
NAMES = ("Ada", "Bela", "Cora", "Dan", "Emil", "Fay", "Gina", "Hugo")


class Calendar(QuestionAnswering):
    """A meeting to find a time for; verified against the schedules, graded by day and time."""

    name = "calendar"
    summary = "find a time for a meeting in everybody's calendar"
    source = "a generator; github.com/google-deepmind/natural-plan, data/calendar_scheduling.json (CC BY 4.0)"
    form = 'a "prompt_0shot" that states the schedules'
    sample = " ".join(ONE_DAY.split())
    verifies = True

    def write(self, style: prompts.Style) -> None:
        """From now on steps are of this style; times take many tokens."""
        super().write(style)
        self.step_tokens = {"lines": 128, "free": 256, "draft": 40}[style]

    def read(self, text: str) -> Problem:
        """The request and the schedules in words, or a JSON object as the public file has it.

        Raises:
            InputError: there is no schedule that can be read, or a sentence about it that cannot.
        """
        problem = super().read(text)
        return replace(problem, given={**problem.given, "meeting": meeting(problem.question)})

    def asked(self, data: Mapping[str, Any]) -> str:
        """The last task of the text, without the marks around it."""
        return str_of(data["prompt_0shot"]).rpartition("TASK:")[2].strip().removesuffix("SOLUTION:").strip()

    def gold(self, data: Mapping[str, Any]) -> str | None:
        """The slot of the golden plan."""
        plan = data.get("golden_plan")
        try:
            return None if plan is None else self.canonical(str_of(plan))
        except UnreadableAnswerError as error:
            raise InputError(f'the "golden_plan" is no day and time: {error}') from error

    def worked(self, problem: Problem) -> prompts.Worked:
        """Meetings with their slots."""
        return prompts.worked(RULES, "", ANSWERED, DRAFTED)

    def depth(self, problem: Problem) -> int:
        """Up to twelve steps: a few for each day, and the answer."""
        return 12

    def canonical(self, answer: str) -> str:
        """The slot, such as `Monday, 9:30 - 10:00`."""
        return str(slot(answer))

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether the answer is a slot that suits everybody."""
        wanted: Meeting = problem.given["meeting"]
        try:
            return wanted.suits(slot(self.answer(problem, path)))
        except UnreadableAnswerError:
            return False

    def generate(self, lot: Random) -> str:
        """Two to four people, one to three days, and calendars with room for the meeting."""
        people, days = lot.sample(NAMES, lot.randint(2, 4)), DAYS[: lot.randint(1, 3)]
        length = lot.choice((30, 60))
        start = lot.randrange(9 * 60, 17 * 60 - length + 1, 30)
        kept = Slot(lot.choice(days), start, start + length)
        on = f"either {_listed(days, 'or')}" if len(days) > 1 else days[0]
        asked = f"{_listed(people, 'and')} for {'half an hour' if length == 30 else 'one hour'}"
        lines = [f"You need to schedule a meeting for {asked} between the work hours of 9:00 to 17:00 on {on}."]
        lines += [_calendar(who, days, kept, lot) for who in people]
        if kept.start > 9 * 60 and lot.random() < 0.5:
            lines.append(f"{lot.choice(people)} would rather not meet on {kept.day} before {clock(kept.start)}.")
        return "\n".join(lines)


def _calendar(who: str, days: Sequence[str], kept: Slot, lot: Random) -> str:
    """When somebody is busy, which is about half of the time, but never in `kept`."""
    busy: list[str] = []
    for day in days:
        free = [Slot(day, start, start + 30) for start in range(9 * 60, 17 * 60, 30)]
        taken = [each for each in free if not each.overlaps(kept) and lot.random() < 0.5]
        spans: list[Slot] = []
        for each in taken:
            start = spans.pop().start if spans and spans[-1].end == each.start else each.start
            spans.append(Slot(day, start, each.end))
        if spans:
            busy.append(f"{day} during {', '.join(f'{clock(each.start)} to {clock(each.end)}' for each in spans)}")
    return f"{who} is busy on {', '.join(busy)};" if busy else f"{who} has no meetings the whole week."


def _listed(words: Sequence[str], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
