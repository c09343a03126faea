"""Meetings: what a text says of people, their calendars and wishes, and which slots suit them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coat.errors import InputError, UnreadableAnswerError

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY = f"(?:{'|'.join(DAYS)})"
TIME = r"(?:[01]?\d|2[0-4]):[0-5]\d"
SPAN = rf"{TIME} ?(?:to|and|-|–) ?{TIME}"
PART = rf"{DAY}(?: (?:before|after) {TIME})?"
AND = r"(?:,? (?:and|or) |, )"
REQUEST = re.compile(
    r"meeting for (?P<people>\S.*?) for (?P<length>half an hour|(?:one|an) hour|[1-9]\d{0,3} minutes|[1-9]\d? hours)"
    rf" between (?:the )?(?:work hours of )?(?P<hours>{SPAN}) on (?:either )?(?P<days>{DAY}(?:{AND}{DAY})*)$"
)
BUSY = (
    rf"{{who}} ?(?:is busy|has meetings|has blocked \w+ calendar) on"
    rf" (?P<when>{DAY} during {SPAN}(?:, (?:{DAY} during )?{SPAN})*)"
)
FREE = r"{who}(?:'s calendar is wide open| is free| ?has no meetings) the (?:entire|whole) (?:day|week)"
AVOID = (
    r"{who} (?:would rather not meet|do(?:es)? not want to meet|can ?not meet|would like to avoid more meetings) on"
    rf" (?P<when>{PART}(?:{AND}{PART})*)"
)
PARTS = re.compile(rf"{PART}(?:{AND}{PART})*")
EARLIEST = re.compile(r"[\w ]+ would like to (?:meet|schedule the meeting) at their earl(?:ie|i)st availability")
ANSWER = re.compile(rf"({DAY})[,:]? *(?:from |at )?({TIME}) *(?:to|-|–|—) *({TIME})(?!\d)", re.IGNORECASE)
REQUESTED = (
    "Schedule a meeting for Ida and Paul for half an hour between the work hours of 9:00 to 12:00 on Monday."
    " Ida is busy on Monday during 9:00 to 10:00. Paul is free the entire day."
)
SHOWN = 80
"""Characters of a sentence that an error repeats."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of a day, in minutes after midnight."""

    day: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.day}, {clock(self.start)} - {clock(self.end)}"

    def overlaps(self, other: "Slot") -> bool:
        """Whether both have some time in common; where one ends the other may begin."""
        return self.day == other.day and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Meeting:
    """What is asked for, minutes long and within the hours, and by person when they are busy or would rather not meet.

    `earliest`: they want no later slot than they need.
    """

    days: tuple[str, ...]
    hours: tuple[int, int]
    minutes: int
    busy: Mapping[str, tuple[Slot, ...]]
    avoided: Mapping[str, tuple[Slot, ...]]
    earliest: bool

    def suits(self, slot: Slot) -> bool:
        """Whether `slot` is as asked for and everybody can and would meet."""
        return self._free(slot) and (not self.earliest or slot == self._first())

    def _taken(self) -> list[Slot]:
        return [slot for slots in (*self.busy.values(), *self.avoided.values()) for slot in slots]

    def _free(self, slot: Slot) -> bool:
        within = slot.day in self.days and self.hours[0] <= slot.start and slot.end <= self.hours[1]
        return within and slot.end - slot.start == self.minutes and not any(map(slot.overlaps, self._taken()))

    def _first(self) -> Slot | None:
        """The earliest free slot, which begins with the work hours or where something else ends."""
        starts = sorted({self.hours[0], *(slot.end for slot in self._taken())})
        slots = (Slot(day, start, start + self.minutes) for day in self.days for start in starts)
        return next(filter(self._free, slots), None)


def clock(minutes: int) -> str:
    """Minutes after midnight as a time.

    >>> clock(570)
    '9:30'
    """
    return f"{minutes // 60}:{minutes % 60:02}"


def slot(answer: str) -> Slot:
    """The slot that `answer` names.

    >>> str(slot("Monday, 14:30 - 15:00")), str(slot("on friday from 9:00 to 09:30."))
    ('Monday, 14:30 - 15:00', 'Friday, 9:00 - 9:30')

    Raises:
        UnreadableAnswerError: it names none, or several.
    """
    found = {Slot(day.capitalize(), _minutes(start), _minutes(end)) for day, start, end in ANSWER.findall(answer)}
    if len(found) != 1:
        raise UnreadableAnswerError(f"there is no single day and time in {answer[:80]!r}")
    return found.pop()


def meeting(text: str) -> Meeting:
    """The meeting that `text` asks for.

    Raises:
        InputError: it asks for none, lacks a calendar, or says of people, days or times what is not understood.
    """
    sentences = [" ".join(each.split()).strip(" ,") for each in re.split(r"[;\n]|\.(?=\s|$)", text)]
    request = next(filter(None, map(REQUEST.search, sentences)), None)
    if request is None:
        raise InputError(f"this asks for no meeting; write people, length, hours, days and calendars: {REQUESTED!r}")
    people, hours = re.split(AND, request["people"]), _span(request["hours"])
    slots = _slots([each.replace(request[0], "") for each in sentences], people, hours)
    if missing := [who for who in people if who not in slots["busy"]]:
        raise InputError(
            f"there is no calendar of {missing[0]}; write '{missing[0]} is free the entire day.', or when not"
        )
    kept = {kind: {who: tuple(each) for who, each in by.items()} for kind, by in slots.items()}
    days = tuple(sorted(set(re.findall(DAY, request["days"])), key=DAYS.index))
    earliest = any(map(EARLIEST.fullmatch, sentences))
    return Meeting(days, hours, _length(request["length"]), kept["busy"], kept["avoided"], earliest)


def _slots(sentences: Sequence[str], people: Sequence[str], hours: tuple[int, int]) -> dict[str, dict[str, list[Slot]]]:
    """By person, the slots of the sentences on who is `busy`, and on what is `avoided`, which may run over several."""
    who = f"(?P<who>{'|'.join(map(re.escape, people))})"
    busy, free, avoid = (re.compile(each.format(who=who)) for each in (BUSY, FREE, AVOID))
    matters = re.compile(rf"\b(?:{who}|{DAY}|\d+:\d+)")
    found: dict[str, dict[str, list[Slot]]] = {"busy": {}, "avoided": {}}
    wish: list[Slot] | None = None
    for sentence in sentences:
        if wish is not None and PARTS.fullmatch(sentence):
            wish += _parts(sentence, hours)
            continue
        wish = None
        if said := busy.fullmatch(sentence):
            found["busy"].setdefault(said["who"], []).extend(_stretches(said["when"]))
        elif said := free.fullmatch(sentence):
            found["busy"].setdefault(said["who"], [])
        elif said := avoid.fullmatch(sentence):
            wish = found["avoided"].setdefault(said["who"], [])
            wish += _parts(said["when"], hours)
        elif matters.search(sentence) and not EARLIEST.fullmatch(sentence):
            raise InputError(
                f"{sentence[:SHOWN]!r} is not understood; write it like 'Ida is busy on Monday during 9:00 to 9:30,"
                " 11:00 to 12:00.', 'Ida is free the entire day.' or 'Ida can not meet on Monday before 10:00.'"
            )
    return found


def _stretches(when: str) -> list[Slot]:
    """`Monday during 9:00 to 9:30, 10:00 to 10:30, Tuesday during …`, slot by slot."""
    found, day = [], ""
    for name, span in re.findall(rf"({DAY})|({SPAN})", when):
        day = name or day
        if span:
            found.append(Slot(day, *_span(span)))
    return found


def _parts(when: str, hours: tuple[int, int]) -> list[Slot]:
    """`Monday before 10:00, Tuesday`, slot by slot within `hours`."""
    found = []
    for part in re.findall(PART, when):
        day, *limit = part.split()
        start, end = hours
        if limit:
            edge = _minutes(limit[1])
            start, end = (start, edge) if limit[0] == "before" else (edge, end)
        found.append(Slot(day, start, end))
    return found


def _span(text: str) -> tuple[int, int]:
    """The two times in `text`, in minutes after midnight; InputError where the second is not later."""
    start, end = map(_minutes, re.findall(TIME, text))
    if start >= end:
        raise InputError(f"{text!r} ends before it begins; write times from 0:00 to 24:00")
    return start, end


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def _length(words: str) -> int:
    """`half an hour`, `one hour`, `45 minutes` or `2 hours`, in minutes."""
    if words == "half an hour":
        return 30
    number, unit = words.split()
    return 60 if unit == "hour" else int(number) * (60 if unit == "hours" else 1)
