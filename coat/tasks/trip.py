"""Trip planning of Natural Plan: cities in an order that fits days, flights and appointments (arXiv 2406.04520)."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from random import Random
from types import MappingProxyType
from typing import Any

from coat import prompts
from coat.errors import IllegalStepError, InputError, UnreadableAnswerError
from coat.models import LanguageModel, Prompt
from coat.problem import Kind, Problem
from coat.tasks.qa import LONGEST, is_unicode, str_of
from coat.tasks.trips import Stay, Trip, trip
from search import Action

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
ANSWERED = (
    (
        SHORT,
        (
            "Day 1-4: Rome",
            "Left from day 4: Oslo (3 days), Bern (3 days)",
            "Day 4-6: Bern",
            "Left from day 6: Oslo (3 days)",
            "Day 6-8: Oslo",
        ),
    ),
    (
        LONG,
        (
            "Day 1-4: Cork",
            "Left from day 4: Lyon (2 days), Riga (3 days), Turin (3 days)",
            "Day 4-5: Lyon",
            "Left from day 5: Riga (3 days), Turin (3 days)",
            "Day 5-7: Riga",
            "Left from day 7: Turin (3 days)",
            "Day 7-9: Turin",
        ),
    ),
)
CITIES = ("Bari", "Bergen", "Cadiz", "Ghent", "Graz", "Lille", "Malmo", "Odense", "Porto", "Split")


class TripPlanning:
    """A trip; a step is the stay in a city, and verified are its days, flights and windows."""

    name = "trip"
    summary = "plan a trip of cities, days, direct flights and appointments"
    source = "a generator; github.com/google-deepmind/natural-plan, data/trip_planning.json (CC BY 4.0)"
    sample = " ".join(SHORT.split())
    step_tokens: int = 24
    temperature: float = 1.0
    step_end: tuple[str, ...] = ("\n",)
    step_complete: tuple[str, ...] = ()
    kind: Kind = "moves"
    verifies: bool = True
    model: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def read(self, text: str) -> Problem:
        """The trip in words, or a JSON object as the public file has it.

        Raises:
            InputError: there is no trip that can be read, or a sentence about it that cannot.
        """
        question, plan = text.strip(), None
        if question.startswith("{"):
            try:
                data = json.loads(question)
                question, plan = str_of(data["prompt_0shot"]).strip(), data.get("golden_plan")
            except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
                raise InputError(f'this is no JSON object with a "prompt_0shot" of a trip: {text[:80]!r}') from error
        if len(question) > LONGEST:
            raise InputError(f"the trip has {len(question)} characters; the most is {LONGEST}")
        if not is_unicode(question):
            raise InputError(f"the trip is not valid Unicode: {question[:80]!r}; write it as UTF-8")
        return Problem(question, self.name, {"trip": trip(question)}, None if plan is None else _golden(plan))

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """Instructions, planned trips as earlier turns, and the trip."""
        return model.chat(prompts.question(prompts.worked(RULES, "", ANSWERED), "lines", problem.question))

    def remarks(self, problem: Problem) -> list[str]:
        """None."""
        return []

    def depth(self, problem: Problem) -> int:
        """A step for each city."""
        return len(_trip(problem).days)

    def plan(self, problem: Problem, path: Sequence[str]) -> list[Stay]:
        """The stays of `path`.

        Raises:
            IllegalStepError: a step of the path breaks a rule.
        """
        stays: list[Stay] = []
        for text in path:
            stay = _stay(text)
            _trip(problem).check(stays, stay)
            stays.append(stay)
        return stays

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """`Day 5-9: Rome`: a city not yet visited, by a direct flight, from the day on which the last stay ended.

        Raises:
            IllegalStepError: any other text.
        """
        step = text.strip()
        if prompts.steps_back(step, path):
            return "backtrack", step
        stays = self.plan(problem, [*path, step])
        return ("think" if _trip(problem).left(stays) else "answer"), step

    def possible(self, problem: Problem, path: Sequence[str]) -> None:
        """Nothing can, before the step is complete."""

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """The day on which the next stay begins, and the cities that are left with their days."""
        if not path:
            return ""
        stays = self.plan(problem, path)
        left = ", ".join(f"{city} ({days} days)" for city, days in _trip(problem).left(stays).items())
        return f"Left from day {stays[-1].last}: {left or 'nothing'}\n"

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """Where one is, the cities left by name, and the windows missed; the day follows from them."""
        stays = self.plan(problem, path)
        wanted = _trip(problem)
        left, missed = sorted(wanted.left(stays)), sorted(map(str, wanted.missed(stays)))
        return f"at {stays[-1].city if stays else 'home'}; left: {', '.join(left)}; missed: {', '.join(missed)}"

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The stays, such as `Rome 1-4, Bern 4-6`."""
        return ", ".join(map(str, self.plan(problem, path)))

    def key(self, answer: str) -> str:
        """The plan itself: two ways through the cities are two answers."""
        return answer

    def verify(self, problem: Problem, path: Sequence[str]) -> bool:
        """Whether every step is legal, all cities are visited, the windows kept, and the last day is the trip's."""
        try:
            return _trip(problem).keeps(self.plan(problem, path))
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

    def score(self, problem: Problem, answer: str) -> float | None:
        """None: there is right and wrong."""
        return None

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
