"""Facts that may contradict each other."""

import pytest

from coat.association import lines
from memory import AssociativeMemory, HashingEmbedder
from memory.conflicts import contradict


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The Seine is 777 km long.", "The Seine is 775 km long.", True),
        ("The capital of Australia is Canberra.", "The capital of Australia is Sydney.", True),
        ("Ada Lovelace was born in London in 1815.", "Ada Lovelace was born in London in 1852.", True),
        ("The office moved to New York City.", "The office moved to Los Angeles.", True),
        ("The bridge is open.", "The bridge is not open.", True),
        ("Birds cannot swim here.", "Birds can swim here.", True),
        ("Some birds do not fly.", "Some birds fly.", True),
        ("The door isn't locked.", "The door is locked.", True),
        ("东京的人口是一千万。", "东京的人口是两千万。", True),
        ("他是老师。", "他不是老师。", True),
        ("The rate is 3.5%.", "The rate is 4%.", True),
        # the subject differs, nothing differs, or something else does
        ("Paris lies on the Seine.", "Rome lies on the Tiber.", False),
        ("Berlin is a capital.", "Madrid is a capital.", False),
        ("Room 12 is blue.", "Room 14 is blue.", False),
        ("The Seine is 777 km long.", "The Seine is 777 km long.", False),
        ("In 1990 the town had 100 people.", "In 2000 the town had 120 people.", False),
        ("Paris is a city in France.", "Paris is a town in France.", False),
        ("The Seine is 777 km long.", "The Seine flows through Paris and reaches the sea at Le Havre.", False),
        ("", "", False),
        (
            f"The Seine is 777 km long. {'So it goes on. ' * 50}",
            f"The Seine is 775 km long. {'So it goes on. ' * 50}",
            False,
        ),
        ("7", "8", False),
    ],
)
def test_one_value_of_the_same_subject_makes_a_contradiction(one: str, other: str, expected: bool) -> None:
    assert contradict(one, other) is expected
    assert contradict(other, one) is expected


def hits(memory, **more):
    return [(hit.text, hit.disputed) for hit in memory.recall("What is the capital of Australia?", k=2, **more)]


def test_facts_that_dispute_each_other_are_told_and_the_newer_comes_first():
    old, new = "The capital of Australia is Sydney.", "The capital of Australia is Canberra."
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        first, _ = memory.add([old, "Australia is a continent with kangaroos."], source="atlas")
        (second,) = memory.add([new], source="atlas")
        assert hits(memory) == [(new, (first,)), (old, (second,))]


def test_what_was_verified_comes_before_what_is_newer():
    right, wrong = "The capital of Australia is Canberra.", "The capital of Australia is Sydney."
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        (first,) = memory.add([right], origin='{"verified": true}')
        (second,) = memory.add([wrong])
        assert hits(memory) == [(right, (second,)), (wrong, (first,))]


@pytest.mark.parametrize("turned", [False, True])
def test_where_there_is_room_for_one_the_newer_is_told(turned):
    texts = ["The Seine is 777 km long.", "The Seine is 775 km long."]
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        (first,) = memory.add(texts[turned])
        (second,) = memory.add(texts[not turned])
        (hit,) = memory.recall("How long is the Seine?", k=1)
        assert (hit.id, hit.disputed) == (second, (first,))


def test_what_the_path_was_told_is_not_told_again_for_being_newer():
    with AssociativeMemory(embedder=HashingEmbedder()) as memory:
        (first,) = memory.add("The Seine is 777 km long.")
        (second,) = memory.add("The Seine is 775 km long.")
        (hit,) = memory.recall("How long is the Seine?", k=1, skip=[second])
        assert (hit.id, hit.disputed) == (first, (second,))


def test_the_model_is_told_what_is_disputed():
    told = lines([{"text": "A", "kind": "fact", "disputed": (3,)}, {"text": "B", "kind": "fact", "disputed": ()}])
    assert told == "Facts: (1) A (disputed) (2) B\n"
