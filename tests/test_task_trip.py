"""Trip planning: what a text says of cities, days and flights is read, stays are checked, and plans verified."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import coat
from coat import tasks
from coat.errors import IllegalStepError, InputError, UnreadableAnswerError
from coat.models.scripted import ScriptedModel
from coat.tasks.trips import Stay, Trip

SAMPLES = Path(__file__).resolve().parents[2] / "shared/data/natural_plan/trip_sample.jsonl"
TASK = tasks.get("trip")
TEXT = (
    "You plan to visit 3 European cities for 7 days in total. You only take direct flights to commute between cities."
    " You would like to visit Oslo for 2 days. You plan to stay in New York for 4 days. You want to spend 3 days in"
    " Rome. You would like to meet your friends at Rome between day 2 and day 4 to tour together.\n\n"
    "Here are the cities that have direct flights:\nOslo and Rome, Oslo and New York, from Rome to New York.\n\n"
    "Find a trip plan of visiting the cities for 7 days by taking direct flights to commute between them."
)
TRIP = TASK.read(TEXT)
PATH = ["Day 1-2: Oslo", "Day 2-4: Rome", "Day 4-7: New York"]
GOLDEN = (
    "Here is the trip plan for visiting the 3 European cities for 7 days:\n\n"
    "**Day 1-2:** Arriving in Oslo and visit Oslo for 2 days.\n**Day 2:** Fly from Oslo to Rome.\n"
    "**Day 2-4:** Visit Rome for 3 days.\n**Day 4:** Fly from Rome to New York.\n"
    "**Day 4-7:** Visit New York for 4 days."
)


def wanted(text: str) -> Trip:
    found = TASK.read(text).given["trip"]
    assert isinstance(found, Trip)
    return found


def test_cities_days_windows_and_flights_are_read_from_the_text() -> None:
    assert wanted(TEXT) == Trip(
        total=7,
        days={"Oslo": 2, "New York": 4, "Rome": 3},
        windows=(Stay("Rome", 2, 4),),
        flights=frozenset(
            {("Oslo", "Rome"), ("Rome", "Oslo"), ("Oslo", "New York"), ("New York", "Oslo"), ("Rome", "New York")}
        ),
    )


@pytest.mark.parametrize(
    "window",
    [
        "You want to meet a friend in Rome between day 2 and day 4.",
        "You are going to attend a wedding in Rome between day 2 and day 4.",
        "During day 2 and day 4, you have to attend a conference in Rome.",
        "You have to attend a workshop in Rome between day 2 and day 4.",
        "You plan to visit relatives in Rome between day 2 and day 4.",
        "From day 2 to day 4, there is a annual show you want to attend in Rome.",
    ],
)
def test_a_window_is_read_in_every_form(window: str) -> None:
    friends = "You would like to meet your friends at Rome between day 2 and day 4 to tour together."
    assert friends in TEXT
    assert wanted(TEXT.replace(friends, window)) == wanted(TEXT)


def test_a_record_is_read_and_a_plan_graded_by_cities_and_days() -> None:
    problem = TASK.read(json.dumps({"cities": "Oslo**Rome**New York", "prompt_0shot": TEXT, "golden_plan": GOLDEN}))
    assert (problem.question, problem.given) == (TEXT, TRIP.given)
    assert problem.gold == TASK.answer(problem, PATH) == "Oslo 1-2, Rome 2-4, New York 4-7"
    assert TASK.grade(problem, "Oslo 1-2, Rome 2-4, New York 4-7") is True
    assert TASK.grade(problem, "Rome 1-3, Oslo 3-4, New York 4-7") is False
    assert TASK.grade(TRIP, "Oslo 1-2") is None
    for unreadable in ("", "Oslo, then Rome"):
        with pytest.raises(UnreadableAnswerError, match="is no plan like"):
            TASK.grade(problem, unreadable)


def test_a_plan_is_legal_step_by_step_and_right() -> None:
    actions = [TASK.parse(TRIP, PATH[:n], step)[0] for n, step in enumerate(PATH)]
    assert actions == ["think", "think", "answer"]
    assert TASK.depth(TRIP) == 3
    assert TASK.verify(TRIP, PATH) is True
    assert TASK.parse(TRIP, PATH[:1], " Backtrack. ") == ("backtrack", "Backtrack.")


@pytest.mark.parametrize(
    ("path", "step", "message"),
    [
        ([], "Oslo first", "not of the form 'Day 1-5: City'"),
        ([], "Day 1-2: Oslo\nDay 2-4: Rome", "not of the form"),
        ([], "", "not of the form"),
        ([], "Day 1-2: Bern", "'Bern' is none of the cities"),
        ([], "Day 2-3: Oslo", "begins on day 1, not 2"),
        ([], "Day 1-3: Oslo", "takes 2 days, not 3"),
        ([], "Day 2-1: Oslo", "begins on day 1, not 2"),
        (PATH[:1], "Day 2-3: Oslo", "Oslo was visited before"),
        (PATH[:1], "Day 3-5: Rome", "begins on day 2, not 3"),
        (["Day 1-4: New York"], "Day 4-6: Rome", "no direct flight from New York to Rome"),
        (PATH, "Day 7-8: Oslo", "Oslo was visited before"),
        ([], "Backtrack", "no step to go back on"),
        ([], f"Day 1-{'9' * 5000}: Oslo", "not of the form"),
    ],
)
def test_a_step_against_the_rules_is_illegal(path: list[str], step: str, message: str) -> None:
    with pytest.raises(IllegalStepError, match=message):
        TASK.parse(TRIP, path, step)


@pytest.mark.parametrize(
    "path",
    [
        ["Day 1-3: Rome", "Day 3-4: Oslo", "Day 4-7: New York"],  # legal, but the friends come on day 2
        PATH[:2],
        [],
        ["Day 1-4: New York", "Day 4-6: Rome", "Day 6-7: Oslo"],  # no such flight
    ],
)
def test_a_plan_that_misses_something_is_wrong(path: list[str]) -> None:
    assert TASK.verify(TRIP, path) is False


@pytest.mark.parametrize(
    ("window", "kept"),
    [((2, 4), True), ((3, 3), True), ((1, 6), True), ((1, 3), False), ((3, 5), False), ((5, 7), False)],
)
def test_a_stay_covers_its_window_or_lies_within_a_longer_one(window: tuple[int, int], kept: bool) -> None:
    problem = TASK.read(TEXT.replace("day 2 and day 4", "day {} and day {}".format(*window)))
    assert TASK.verify(problem, PATH) is kept


def test_the_note_is_what_is_left_and_the_state_what_paths_share() -> None:
    assert TASK.note(TRIP, []) == ""
    assert TASK.note(TRIP, PATH[:1]) == "Left from day 2: New York (4 days), Rome (3 days)\n"
    assert TASK.note(TRIP, PATH) == "Left from day 7: nothing\n"
    free = TASK.read(TEXT.replace("day 2 and day 4", "day 1 and day 7"))
    ways = (["Day 1-2: Oslo", "Day 2-4: Rome"], ["Day 1-3: Rome", "Day 3-4: Oslo"])
    assert len({TASK.state(free, way) for way in ways}) == 2  # one is elsewhere
    assert TASK.state(TRIP, []) == "at home; left: New York, Oslo, Rome; missed: "
    assert TASK.state(TRIP, ways[1]) == "at Oslo; left: New York; missed: Rome 2-4"
    assert TASK.state(free, ways[1]) == "at Oslo; left: New York; missed: "


def test_the_worked_examples_are_right_and_told_as_in_a_search(check_examples: Any) -> None:
    assert check_examples(TASK, TRIP).rstrip().endswith("by taking direct flights to commute between them.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "asks for no trip"),
        ("Where shall I go?", "asks for no trip"),
        ('{"question": "Where?"}', 'no text "prompt_0shot" of a trip, only question'),
        ('{"prompt_0shot": 3}', 'no text "prompt_0shot" of a trip'),
        ('{"prompt_0shot": ' + "[" * 100_000, "is not JSON"),
        (json.dumps({"prompt_0shot": TEXT, "golden_plan": "Oslo"}), '"golden_plan" states no stays'),
        (json.dumps({"prompt_0shot": TEXT, "golden_plan": 7}), '"golden_plan" states no stays'),
        (TEXT.replace("for 7 days in total", "for 8 days in total"), "the stays take 7 days, .* and not 8"),
        (TEXT.replace("visit 3 European", "visit 4 European"), "names 3 cities .* says that there are"),
        (TEXT.replace("stay in New York for 4", "stay in Oslo for 4"), "names 2 cities in 3 stays|there is a flight"),
        (TEXT.replace("from Rome to New York", "from Rome to Bern"), "a flight of Bern, where the trip does not stay"),
        (TEXT.replace("friends at Rome", "friends at Bern"), "names a city without a stay"),
        (TEXT.replace("day 2 and day 4", "day 4 and day 2"), "days that end before they begin"),
        (TEXT.replace("day 2 and day 4 to tour", "breakfast and lunch to tour"), "is not understood"),
        (TEXT.replace("Oslo and Rome, ", "Oslo by Rome, "), "no flights that can be read|is not understood"),
        (f"{TEXT} Avoid Rome on day 3.", "'Avoid Rome on day 3' is not understood"),
        (TEXT + " really" * 4000, "characters; the most is"),
        (TEXT + " \udc80", "not valid Unicode"),
    ],
)
def test_what_is_no_trip_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        TASK.read(text)
    assert len(str(caught.value)) < 500


def plans(trip: Trip, plan: Sequence[Stay] = ()) -> Iterator[Sequence[Stay]]:
    """Every plan that keeps to all rules, by going through all orders."""
    if not trip.left(plan) and trip.keeps(plan):
        yield plan
    begin = plan[-1].last if plan else 1
    for city, days in trip.left(plan).items():
        if not plan or (plan[-1].city, city) in trip.flights:
            yield from plans(trip, [*plan, Stay(city, begin, begin + days - 1)])


def test_a_trip_that_is_made_up_can_be_read_has_a_plan_and_is_the_same_again() -> None:
    texts = [TASK.generate(random.Random(seed)) for seed in range(100)]
    assert texts == [TASK.generate(random.Random(seed)) for seed in range(100)]
    assert len(set(texts)) > 90
    for text in texts:
        assert text is not None
        assert any(plans(wanted(text)))


def test_a_trip_is_found_by_a_search_that_the_verifier_ends() -> None:
    asked = "commute between them.\n"
    model = ScriptedModel(
        {
            asked: ["Day 1-3: Rome\n", "Day 1-2: Oslo\n", "Day 1-9: Oslo\n"],
            ": New York (4 days), Rome (3 days)\n": ["Day 2-4: Rome\n"],
            ": Oslo (2 days), New York (4 days)\n": ["Day 3-4: Oslo\n"],
            "Left from day 4: New York (4 days)\n": ["Day 4-7: New York\n"],
            "Another attempt:\nLeft from day 7: nothing\n": ["Backtrack\n"],
        },
        context=20_000,
    )
    result = coat.solve(TEXT, task="trip", model=model, evaluator="verifier", width=4, seed=1)
    assert (result.answer, result.correct, result.stop) == ("Oslo 1-2, Rome 2-4, New York 4-7", True, "solved")
    assert result.path == PATH
    assert result.usage.illegal > 0


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public records are not here")
def test_every_public_record_is_read_and_its_golden_plan_verifies() -> None:
    for line in SAMPLES.read_text().splitlines():
        record, problem = json.loads(line), TASK.read(line)
        trip, known = problem.given["trip"], record["initial_config"]
        assert (trip.total, trip.days) == (known["total_days"], known["days_to_spend"])
        assert {each.city: [each.first, each.last] for each in trip.windows} == known["city_windows"]
        assert problem.gold is not None
        stays = [stay.rsplit(" ", 1) for stay in problem.gold.split(", ")]
        path = [f"Day {days}: {city}" for city, days in stays]
        assert TASK.parse(problem, path[:-1], path[-1])[0] == "answer"
        assert TASK.verify(problem, path) is True
        assert TASK.grade(problem, TASK.answer(problem, path)) is True
