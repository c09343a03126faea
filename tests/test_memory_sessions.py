import math

import pytest

from memory import AssociativeMemory, Episode, HashingEmbedder, InputError, UnknownFactError


@pytest.fixture
def mem(tmp_path):
    with AssociativeMemory(tmp_path / "facts.db", HashingEmbedder(128)) as opened:
        yield opened


def recalled(view, question, **options):
    return [hit.text for hit in view.recall(question, threshold=0.5, **options)]


def test_a_session_sees_the_facts_as_they_were_when_it_began(mem):
    mem.add("the cup is red")
    session = mem.session()
    mem.add("the cup is large")
    assert recalled(session, "the cup is") == ["the cup is red"]
    assert len(recalled(mem, "the cup is")) == 2
    assert len(recalled(mem.session(), "the cup is")) == 2


def test_a_session_that_began_without_facts_sees_none(mem):
    session = mem.session()
    mem.add("the cup is red")
    assert recalled(session, "the cup is red") == []


def test_a_forgotten_fact_leaves_running_sessions_too(mem):
    ids = mem.add(["the cup is red", "the hat is green"])
    session = mem.session()
    mem.forget(ids[0])
    assert recalled(session, "the cup is red") == []
    mem.add("the cup is red")
    assert recalled(session, "the cup is red") == []
    assert recalled(session, "the hat is green") == ["the hat is green"]


def test_episodes_are_recalled_in_their_session_and_gone_in_the_next(mem):
    session = mem.session()
    number = session.observe("10 - 4 = 6", state="left: 6 9 13", value=0.1, fate="refuted")
    (hit,) = session.recall("10 - 4 = 6", threshold=0.3)
    assert (hit.id, hit.text, hit.kind) == (number, "10 - 4 = 6", "episode")
    assert hit.id < 0
    assert hit.source == "refuted, value 0.10"
    assert mem.session().recall("10 - 4 = 6", threshold=0.3) == []
    assert mem.recall("10 - 4 = 6", threshold=0.3) == []
    assert mem.count() == 0


def test_an_episode_is_found_by_the_state_it_led_to(mem):
    session = mem.session()
    session.observe("13 - 9 = 4", state="left: 4 4 10", value=0.2)
    assert recalled(session, "left: 4 4 10", path=["14 - 4 = 10"]) == ["13 - 9 = 4"]


def test_facts_and_episodes_share_one_ranking(mem):
    (fact,) = mem.add("red cup on table", source="atlas")
    session = mem.session()
    episode = session.observe("red cup on table near door", value=0.8, fate="proved")
    hits = session.recall("red cup on table near door", threshold=0.3)
    assert [(hit.id, hit.kind) for hit in hits] == [(episode, "episode"), (fact, "fact")]
    assert hits[0].score > hits[1].score
    assert [hit.id for hit in session.recall("red cup on table", threshold=0.3, skip=[episode])] == [fact]


def test_a_threshold_of_minus_one_recalls_all_there_is(mem):
    session = mem.session()
    number = session.observe("a step", value=0.5)
    assert [hit.id for hit in session.recall("something else", threshold=-1)] == [number]
    (fact,) = mem.add("a fact")
    session = mem.session()
    session.observe("a step", value=0.5)
    assert {hit.id for hit in session.recall("something else", threshold=-1)} == {number, fact}
    mem.forget(fact)
    assert [hit.id for hit in session.recall("something else", threshold=-1)] == [number]


def test_the_path_does_not_recall_its_own_episodes(mem):
    session = mem.session()
    session.observe("the cup is red", value=0.5)
    assert session.recall("the cup", ["the cup is red"], threshold=0.1) == []


def test_observing_again_updates_the_episode(mem):
    session = mem.session()
    first = session.observe("a step", state="s", value=0.5)
    other = session.observe("a step", state="t", value=0.5)
    assert session.observe("a step", state="s", value=0.9, fate="proved") == first
    assert session.episodes == [
        Episode(first, "a step", "s", 0.9, "proved"),
        Episode(other, "a step", "t", 0.5, "open"),
    ]


def test_observing_asks_no_embedder_until_a_recall(mem):
    calls = []

    class Counting(HashingEmbedder):
        def embed(self, texts):
            calls.append(len(texts))
            return super().embed(texts)

    with AssociativeMemory(None, Counting()) as counted:
        session = counted.session()
        for n in range(5):
            session.observe(f"step {n}", value=0.5)
        assert calls == []
        session.recall("which step")
        session.recall("which step")
        assert calls == [1, 5]


def test_proved_episodes_become_facts_in_one_transaction(mem):
    session = mem.session()
    session.observe("a refuted step", value=0.0, fate="refuted")
    session.observe("an open step", value=0.5)
    session.observe("a proved step", value=1.0, fate="proved")
    second = session.observe("another proved step", value=1.0, fate="proved")
    (one,) = session.promote([second], source="run 7")
    both = session.promote(source="run 7")
    assert one in both
    assert [(fact.text, fact.source) for fact in mem.list()] == [
        ("another proved step", "run 7"),
        ("a proved step", "run 7"),
    ]
    assert mem.recall("a proved step", threshold=0.9)[0].kind == "fact"


def test_a_promotion_that_fails_writes_nothing(mem):
    session = mem.session()
    good = session.observe("a proved step", value=1.0, fate="proved")
    bad = session.observe("an open step", value=0.5)
    with pytest.raises(InputError, match=f"episode {bad} is open, not proved"):
        session.promote([good, bad], source="run")
    with pytest.raises(UnknownFactError, match="no episode -99"):
        session.promote([good, -99], source="run")
    assert mem.count() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": " \n"}, "text of an episode is empty"),
        ({"value": 1.5}, "value of an episode is 1.5"),
        ({"value": math.nan}, "value of an episode is nan"),
        ({"fate": "lost"}, "'lost'; it is one of open, proved, refuted"),
    ],
)
def test_an_episode_that_makes_no_sense_is_refused(mem, change, message):
    session = mem.session()
    with pytest.raises(InputError, match=message):
        session.observe(**{"text": "a step", "value": 0.5} | change)
    assert session.episodes == []
