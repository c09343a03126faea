"""Trips: what a text says of cities, days, appointments and flights, and which plans keep to it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coat.errors import IllegalStepError, InputError

CITY = r"[A-ZÀ-ÖØ-Þ][^\s.,;:\d]*(?: [A-ZÀ-ÖØ-Þ][^\s.,;:\d]*)*"
NUMBER = r"\d{1,4}"
WISH = r"(?:You (?:plan|want|would like) to )?"
DAYS = rf"day (?P<first>{NUMBER}) (?:and|to) (?:day )?(?P<last>{NUMBER})"
FLIGHT = rf"(?:from {CITY} to {CITY}|{CITY} and {CITY})"
TOTAL = re.compile(rf"(?:(?P<cities>{NUMBER}) (?:European )?|the )cities for (?P<days>{NUMBER}) days")
STAYS = (
    re.compile(rf"{WISH}(?:[Vv]isit|[Ss]tay in) (?P<city>{CITY}) for (?P<days>{NUMBER}) days?"),
    re.compile(rf"{WISH}[Ss]pend (?P<days>{NUMBER}) days? in (?P<city>{CITY})"),
)
WINDOWS = (
    re.compile(
        r"You (?:want|would like|plan|have|are going) to (?:meet|attend|visit)\b\D*? (?:in|at)"
        rf" (?P<city>{CITY}) (?:between|from|during) {DAYS}(?: to tour together)?"
    ),
    re.compile(rf"(?:During|From|Between) {DAYS}, \D*?\b(?:meet|attend|visit)\b\D*? (?:in|at) (?P<city>{CITY})"),
)
FLIGHTS = re.compile(rf"{FLIGHT}(?:, {FLIGHT})*")
SHOWN = 80
"""Characters of a sentence that an error repeats."""
REQUESTED = (
    "Visit 2 cities for 5 days in total. Visit Rome for 3 days. You want to meet a friend in Rome between day 3 and day"
    " 5. Spend 3 days in Oslo. Direct flights: Oslo and Rome."
)


@dataclass(frozen=True, slots=True)
class Stay:
    """The days in a city, with the first and the last."""

    city: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.city} {self.first}-{self.last}"

    @property
    def days(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Trip:
    """What is asked for: the days in all and by city, when to be where, and the flights, each in its direction."""

    total: int
    days: Mapping[str, int]
    windows: tuple[Stay, ...]
    flights: frozenset[tuple[str, str]]

    def left(self, plan: Sequence[Stay]) -> dict[str, int]:
        """The days of the cities that `plan` does not visit."""
        seen = {stay.city for stay in plan}
        return {city: days for city, days in self.days.items() if city not in seen}

    def check(self, plan: Sequence[Stay], stay: Stay) -> None:
        """Raises IllegalStepError where `stay` may not come after `plan`, whatever follows."""
        if stay.city not in self.days:
            raise IllegalStepError(f"{stay.city!r} is none of the cities of the trip")
        if stay.city not in self.left(plan):
            raise IllegalStepError(f"{stay.city} was visited before")
        if plan and (plan[-1].city, stay.city) not in self.flights:
            raise IllegalStepError(f"there is no direct flight from {plan[-1].city} to {stay.city}")
        if stay.first != (begin := plan[-1].last if plan else 1):
            raise IllegalStepError(f"the stay in {stay.city} begins on day {begin}, not {stay.first}")
        if stay.days != self.days[stay.city]:
            raise IllegalStepError(f"the stay in {stay.city} takes {self.days[stay.city]} days, not {stay.days}")

    def missed(self, plan: Sequence[Stay]) -> list[Stay]:
        """The windows that the stays of `plan` do not keep: a stay covers its window, or lies within a longer one."""
        stays = {stay.city: stay for stay in plan}
        return [each for each in self.windows if each.city in stays and not _nested(stays[each.city], each)]

    def keeps(self, plan: Sequence[Stay]) -> bool:
        """Whether `plan`, each stay of which is legal, is all that is asked for."""
        return not self.left(plan) and not self.missed(plan) and plan[-1].last == self.total


def trip(text: str) -> Trip:
    """The trip that `text` asks for.

    Raises:
        InputError: it asks for none, contradicts itself, or says of cities and days what is not understood.
    """
    sentences = [" ".join(each.split()).strip(" ,") for each in re.split(r"[;\n]|[.:](?=\s|$)", text)]
    totals = list(filter(None, map(TOTAL.search, sentences)))
    stays = [found for each in sentences if (found := _matched(STAYS, each))]
    if not totals or not stays:
        raise InputError(f"this asks for no trip; write the days in all, cities, days and flights: {REQUESTED!r}")
    days = {found["city"]: int(found["days"]) for found in stays}
    total = int(totals[0]["days"])
    windows = tuple(_window(found, days) for each in sentences if (found := _matched(WINDOWS, each)))
    flights = frozenset(_flights([each for each in sentences if FLIGHTS.fullmatch(each)], days))
    if len(days) > 1 and not flights:
        raise InputError(
            "the trip has no flights that can be read; write them like 'Oslo and Rome, from Rome to Bern.'"
        )
    for sentence in sentences:
        _understood(sentence, days)
    _consistent(totals, len(stays), days)
    return Trip(total, days, windows, flights)


def _matched(forms: Iterable[re.Pattern[str]], sentence: str) -> re.Match[str] | None:
    return next(filter(None, (form.fullmatch(sentence) for form in forms)), None)


def _window(found: re.Match[str], days: Mapping[str, int]) -> Stay:
    """The window that a sentence states; InputError where it ends before it begins, or is in another city."""
    window = Stay(found["city"], int(found["first"]), int(found["last"]))
    if window.days < 1 or window.city not in days:
        raise InputError(f"{found[0]!r} names a city without a stay, or days that end before they begin")
    return window


def _flights(sentences: Iterable[str], days: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    """The flights that are listed; `A and B` goes both ways. InputError where the trip does not stay in a city."""
    for flight in (each for sentence in sentences for each in sentence.split(", ")):
        one_way = flight.startswith("from ")
        a, b = flight.removeprefix("from ").split(" to " if one_way else " and ")
        if strange := [city for city in (a, b) if city not in days]:
            raise InputError(f"there is a flight of {strange[0]}, where the trip does not stay; say for how many days")
        yield a, b
        if not one_way:
            yield b, a


def _understood(sentence: str, days: Mapping[str, int]) -> None:
    """Raises InputError where a sentence has numbers or names a city, and is of none of the known forms."""
    known = TOTAL.search(sentence) or _matched((*STAYS, *WINDOWS, FLIGHTS), sentence)
    if not known and (re.search(r"\d", sentence) or any(city in sentence for city in days)):
        raise InputError(f"{sentence[:SHOWN]!r} is not understood; write sentences like these: {REQUESTED!r}")


def _consistent(totals: Sequence[re.Match[str]], stays: int, days: Mapping[str, int]) -> None:
    """Raises InputError where the cities are not as many, or their days not as long, as the text says."""
    counted = {int(each["cities"]) for each in totals if each["cities"]}
    if len(days) != stays or counted - {stays}:
        raise InputError(
            f"the trip names {len(days)} cities in {stays} stays, and says that there are {counted or stays}"
        )
    needed, said = sum(days.values()) - len(days) + 1, totals[0]["days"]
    if {int(each["days"]) for each in totals} != {needed} or min(days.values()) < 1:
        raise InputError(f"the stays take {needed} days, as each day of flight belongs to two of them, and not {said}")


def _nested(a: Stay, b: Stay) -> bool:
    """Whether one lies within the other."""
    return (a.first - b.first) * (a.last - b.last) <= 0
