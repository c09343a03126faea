import math

import numpy as np
import pytest

from memory import AssociativeMemory, HashingEmbedder, InputError, Options, Query
from memory.recall import views

NEAREST = Options("dense", "off", diversity=0)


class Compass:
    """A text's direction is the angle it begins with, in degrees; a view of two texts lies between them."""

    name, dimension = "compass", 2

    def __init__(self):
        self.asked = []

    def embed(self, texts):
        self.asked.extend(texts)
        angles = [np.mean([float(word) for word in text.split() if _is_number(word)]) for text in texts]
        return np.array([(math.cos(math.radians(a)), math.sin(math.radians(a))) for a in angles], np.float32)


def _is_number(word):
    return word.lstrip("-").isdecimal()


def recalled(mem, *args, **options):
    return [hit.text for hit in mem.recall(*args, **options)]


@pytest.fixture
def compass():
    with AssociativeMemory(None, Compass()) as mem:
        yield mem


def test_the_nearest_come_first_and_ties_by_id(compass):
    compass.add(["40", "20", "60", "-20"])
    assert recalled(compass, "0", k=4) == ["20", "-20", "40", "60"]
    assert recalled(compass, "0", k=2) == ["20", "-20"]
    scores = [hit.score for hit in compass.recall("0", k=4)]
    assert scores == pytest.approx([math.cos(math.radians(a)) for a in (20, 20, 40, 60)], abs=1e-6)


def test_nothing_is_recalled_rather_than_noise(compass):
    compass.add(["59", "61"])
    assert recalled(compass, "0", threshold=0.5) == ["59"]
    assert recalled(compass, "0", threshold=0.6) == []
    assert recalled(compass, "180") == []


def test_an_empty_memory_recalls_nothing_and_asks_no_embedder(compass):
    assert compass.recall("0") == []
    assert compass.recall_many([]) == []
    assert compass._embedder.asked == []


def test_the_path_leads_to_what_the_question_alone_does_not_find(compass):
    compass.add(["first hop 0", "second hop 50"])
    assert recalled(compass, "-20", threshold=0.8) == ["first hop 0"]
    found = recalled(compass, "-20", ["first hop 0", "which leads on to 90"], threshold=0.8)
    assert found == ["second hop 50"]


def test_the_question_is_kept_when_a_step_went_astray(compass):
    compass.add(["close to the question 10"])
    assert recalled(compass, "0", ["far away 180"], threshold=0.9) == ["close to the question 10"]


def test_views_are_the_question_and_the_question_with_the_last_two_steps():
    assert views(Query("q")) == ["q"]
    assert views(Query("q", ["a", "b", " ", "c"])) == ["q", "q b c"]
    assert views(Query(" ", ["a"])) == ["a"]


def test_a_fact_that_the_path_holds_is_not_recalled_again(compass):
    compass.add(["River Tiber 10", "Rome 12"])
    path = ["I recall: river   tiber 10, so it flows"]
    assert recalled(compass, "11", path) == ["Rome 12"]


def test_ids_to_skip_are_skipped(compass):
    ids = compass.add(["1", "10", "20"])
    assert recalled(compass, "0", skip=ids[:2]) == ["20"]
    assert recalled(compass, "0", skip=iter(ids)) == []


def test_of_near_copies_only_the_best_is_recalled(compass):
    compass.add(["a b 10", "a  c 10", "d e 40"])
    assert recalled(compass, "0") == ["a b 10", "d e 40"]


def test_texts_that_differ_in_a_number_are_no_copies(compass):
    compass.add(["13 is 4 plus 9", "14 is 4 plus 10"])
    assert len(recalled(compass, "9")) == 2


def test_copies_and_known_texts_never_hide_what_lies_behind_them():
    with AssociativeMemory(None, Compass()) as mem:
        mem.add([(f"copy {'x' * n} 0", "") for n in range(300)])
        mem.add(["behind 30", "further behind 45"])
        assert recalled(mem, "0", k=3, options=NEAREST) == ["copy  0", "behind 30", "further behind 45"]


def test_many_queries_at_once_give_what_each_gives_alone():
    with AssociativeMemory(None, HashingEmbedder()) as mem:
        mem.add([f"the {colour} {thing} is item {n}" for n, (colour, thing) in enumerate(PAIRS)])
        queries = [Query(f"where is the {colour} {thing}", ("so it is",), (3,)) for colour, thing in PAIRS]
        together = mem.recall_many(queries, k=2, threshold=0.2)
        alone = [mem.recall(q.question, q.path, k=2, threshold=0.2, skip=q.skip) for q in queries]
        assert [[hit.id for hit in hits] for hits in together] == [[hit.id for hit in hits] for hits in alone]
        assert together[0][0].text == "the red cup is item 0"


PAIRS = [(colour, thing) for colour in ("red", "green", "blue") for thing in ("cup", "hat", "boat")]


def test_a_question_is_embedded_once(compass):
    compass.add("5")
    before = len(compass._embedder.asked)
    for step in ("10", "20"):
        compass.recall("0", [step])
    assert compass._embedder.asked[before:] == ["0", "0 10", "0 20"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": " "}, "needs a question or a path"),
        ({"question": "0", "path": "a step"}, "list of step texts"),
        ({"question": "0", "k": 0}, "k is 0"),
        ({"question": "0", "threshold": math.nan}, "threshold is nan"),
        ({"question": "0", "threshold": 40}, "threshold is 40"),
    ],
)
def test_a_recall_that_makes_no_sense_is_refused(compass, arguments, message):
    compass.add("0")
    with pytest.raises(InputError, match=message):
        compass.recall(**arguments)


@pytest.mark.parametrize(("angle", "found"), [(83, True), (84, False)])
def test_what_is_associated_need_not_be_as_near(compass, angle, found):
    """0.3 of the threshold of 0.4 is the cosine of 83.1 degrees."""
    compass.add(["Ann Lee: 0 from Wingham.", f"Wingham: {angle} degrees.", f"Sourdough: {angle} degrees."])
    hits = compass.recall("0", options=Options("dense", "hop"))
    assert [hit.id for hit in hits] == [1, 2][: 1 + found]
