"""Trip planning of Natural Plan: cities in an order that fits days, flights and appointments (arXiv 2406.04520)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from random import Random
from typing import Any

from coat.errors import IllegalStepError, InputError, UnreadableAnswerError
from coat.problem import Problem
from coat.tasks.planning import Planning
from coat.tasks.qa import LONGEST, is_unicode
from coat.tasks.trips import Stay, Trip, trip

STEP = re.compile(r"Day (\d{1,4}) ?[-–] ?(\d{1,4}): (.+)")
STAY = re.compile(r"(.+) (\d{1,4})-(\d{1,4})")
GOLDEN = re.compile(r"Day (\d{1,4})-(\d{1,4}):\W.*?\b[Vv]isit (.+) for \d+ days?")

RULES = (
    "Plan the trip, one stay a line: its days and the city. The first stay begins on day 1, each of the others on the"
    " last day of the one before, the day of the flight. A stay takes the days that are asked for, a direct flight"
    " leads to it from the city before, and it covers the days of what takes place there. Visit each city once."
)
SHORT = (
    "You plan to visit 3 European cities for 8 days in total. You only take direct flights to commute between cities."
    " You want to spend 3 days in Oslo. You would like to visit Rome for 4 days. You have to attend a workshop in Rome"
    " between day 1 and day 4. You plan to stay in Bern for 3 days.\n\n"
    "Here are the cities that have direct flights:\nRome and Bern, from Bern to Oslo."
)
LONG = (
    "You plan to visit 4 European cities for 9 days in total. You only take direct flights to commute between cities."
    " You would like to visit Lyon for 2 days. You plan to stay in Riga for 3 days. You are going to attend a wedding"
    " in Riga between day 5 and day 7. You want to spend 4 days in Cork. You would like to visit Turin for 3 days.\n\n"
    "Here are the cities that have direct flights:\nLyon and Riga, Cork and Lyon, Cork and Turin, Riga and Turin."
)
SOLVED = (
    (SHORT, ("Day 1-4: Rome", "Day 4-6: Bern", "Day 6-8: Oslo")),
    (LONG, ("Day 1-4: Cork", "Day 4-5: Lyon", "Day 5-7: Riga", "Day 7-9: Turin")),
)
CITIES = ("Bari", "Bergen", "Cadiz", "Ghent", "Graz", "Lille", "Malmo", "Odense", "Porto", "Split")


class TripPlanning(Planning[tuple[Stay, ...]]):
    """A trip; a step is the stay in a city, and verified are its days, flights and windows."""

    name = "trip"
    summary = "plan a trip of cities, days, direct flights and appointments"
    source = "a generator; github.com/google-deepmind/natural-plan, data/trip_planning.json (CC BY 4.0)"
    sample = " ".join(SHORT.split())
    rules = RULES
    solved = SOLVED

    def typed(self, text: str) -> Problem:
        """The trip in words; InputError where there is none that can be read, or a sentence about it that cannot."""
        question = text.strip()
        if len(question) > LONGEST:
            raise InputError(f"the trip has {len(question)} characters; the most is {LONGEST}")
        if not is_unicode(question):
            raise InputError(f"the trip is not valid Unicode: {question[:80]!r}; write it as UTF-8")
        return Problem(question, self.name, {"trip": trip(question)}, None)

    def recorded(self, record: Mapping[str, Any]) -> Problem:
        """A record of Natural Plan: the trip in words, and its golden plan."""
        question = record.get("prompt_0shot")
        if not isinstance(question, str):
            raise InputError(f'the record has no text "prompt_0shot" of a trip, only {", ".join(record) or "nothing"}')
        plan = record.get("golden_plan")
        return replace(self.typed(question), gold=None if plan is None else _golden(plan))

    def posed(self, problem: Problem) -> str:
        """As the public file has it."""
        return problem.question

    def depth(self, problem: Problem) -> int:
        """A step for each city."""
        return len(_trip(problem).days)

    def start(self, problem: Problem) -> tuple[Stay, ...]:
        """No stays."""
        return ()

    def after(self, problem: Problem, state: tuple[Stay, ...], step: str) -> tuple[Stay, ...]:
        """`Day 5-9: Rome`: a city not yet visited, by a direct flight, from the day on which the last stay ended."""
        stay = _stay(step)
        _trip(problem).check(state, stay)
        return (*state, stay)

    def finished(self, problem: Problem, state: tuple[Stay, ...]) -> bool:
        """Whether no city is left."""
        return not _trip(problem).left(state)

    def told(self, problem: Problem, state: tuple[Stay, ...]) -> str:
        """The day on which the next stay begins, and the cities that are left with their days."""
        left = ", ".join(f"{city} ({days} days)" for city, days in _trip(problem).left(state).items())
        return f"Left from day {state[-1].last}: {left or 'nothing'}"

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """Where one is, the cities left by name, and the windows missed; the day follows from them."""
        stays, wanted = self.reached(problem, path), _trip(problem)
        left, missed = sorted(wanted.left(stays)), sorted(map(str, wanted.missed(stays)))
        return f"at {stays[-1].city if stays else 'home'}; left: {', '.join(left)}; missed: {', '.join(missed)}"

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The stays, such as `Rome 1-4, Bern 4-6`."""
        return ", ".join(map(str, self.reached(problem, path)))

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether every step is legal, all cities are visited, the windows kept, and the last day is the trip's."""
        try:
            return _trip(problem).keeps(self.reached(problem, path))
        except IllegalStepError:
            return False

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether the cities, their order and days are the golden plan's.

        Raises:
            UnreadableAnswerError: it is no plan.
        """
        if not all(map(STAY.fullmatch, answer.split(", "))):
            raise UnreadableAnswerError(f"{answer[:80]!r} is no plan like 'Rome 1-4, Bern 4-6'")
        return None if problem.gold is None else answer == problem.gold

    def generate(self, lot: Random) -> str:
        """Three to five cities, one or two appointments, and flights along a plan and elsewhere."""
        cities = lot.sample(CITIES, lot.randint(3, 5))
        plan: list[Stay] = []
        for city in cities:
            first = plan[-1].last if plan else 1
            plan.append(Stay(city, first, first + lot.randint(1, 4)))
        meetings = lot.sample(plan, lot.randint(1, 2))
        stays = [_asked(stay, stay in meetings) for stay in lot.sample(plan, len(plan))]
        legs = list(pairwise(cities))
        others = [pair for pair in combinations(cities, 2) if pair not in legs and lot.random() < 0.4]
        flights = [f"{a} and {b}" if lot.random() < 0.8 else f"from {a} to {b}" for a, b in legs + others]
        lot.shuffle(flights)
        return (
            f"You plan to visit {len(cities)} European cities for {plan[-1].last} days in total. You only take direct"
            f" flights to commute between cities. {' '.join(stays)}\n\n"
            f"Here are the cities that have direct flights:\n{', '.join(flights)}."
        )


def _trip(problem: Problem) -> Trip:
    wanted: Trip = problem.given["trip"]
    return wanted


def _stay(step: str) -> Stay:
    found = STEP.fullmatch(step)
    if found is None:
        raise IllegalStepError(f"{step[:80]!r} is not of the form 'Day 1-5: City'")
    return Stay(found[3], int(found[1]), int(found[2]))


def _golden(plan: object) -> str:
    """The stays of a golden plan as an answer; InputError where it states none."""
    stays = GOLDEN.findall(plan) if isinstance(plan, str) else []
    if not stays:
        raise InputError(f'the "golden_plan" states no stays: {str(plan)[:80]!r}')
    return ", ".join(str(Stay(city, int(first), int(last))) for first, last, city in stays)


def _asked(stay: Stay, meets: bool) -> str:
    """The sentences that ask for a stay, and where somebody is met there, say when."""
    wish = f"You would like to visit {stay.city} for {stay.days} days."
    return (
        f"{wish} You want to meet a friend in {stay.city} between day {stay.first} and day {stay.last}."
        if meets
        else wish
    )
