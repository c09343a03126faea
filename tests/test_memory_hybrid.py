"""Recall by words, by vectors and by association, fused into one ranking."""

import math

import numpy as np
import pytest

from memory import AssociativeMemory, HashingEmbedder, InputError, Options, Query, graph, lexical
from memory.diversity import numbers
from memory.fusion import fuse


class Blind:
    """An embedder to which every text is at a right angle to every other, but those it is told to be near."""

    name, dimension = "blind", 64

    def __init__(self, near=()):
        self._near, self._known = dict(near), {}

    def embed(self, texts):
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[self._known.setdefault(self._near.get(text, text), len(self._known))] = 1
        return vectors


@pytest.fixture
def blind():
    with AssociativeMemory(None, Blind()) as mem:
        yield mem


def recalled(mem, *args, **options):
    return [hit.text for hit in mem.recall(*args, **options)]


def test_reciprocal_ranks_are_summed():
    scores = fuse([(1.0, "ab"), (0.5, "ba")], constant=2)
    assert scores == pytest.approx({"a": 1 / 3 + 0.5 / 4, "b": 1 / 4 + 0.5 / 3})
    assert list(scores) == ["a", "b"]
    assert list(fuse([(1.0, "xy"), (1.0, "yx")])) == ["x", "y"]


def test_names_and_numbers_are_found_that_the_embedder_does_not_see(blind):
    blind.add(["The sonata BWV 1033 is in C major.", "The sonata BWV 1034 is in E minor.", "Bread is baked."])
    assert recalled(blind, "BWV 1033", k=1) == ["The sonata BWV 1033 is in C major."]
    assert recalled(blind, "BWV 1033", options=Options("dense", "off")) == []
    assert recalled(blind, "bwv 1034?", k=1, options=Options("lexical", "off")) == [
        "The sonata BWV 1034 is in E minor."
    ]


def test_words_are_found_in_scripts_without_spaces(blind):
    blind.add(["東京都の人口", "大阪府の面積", "曹雪芹生于南京。"])
    assert recalled(blind, "東京都?") == ["東京都の人口"]
    assert recalled(blind, "南京") == ["曹雪芹生于南京。"]


def test_a_few_shared_words_are_not_enough(blind):
    blind.add(["The tall tower stands in Paris.", "The old bridge stands in Rome."])
    assert recalled(blind, "Which colour has the parrot that stands in the kitchen?") == []


def test_the_score_of_a_hit_is_its_cosine(blind):
    blind.add(["Ceelmakoile is a town."])
    (hit,) = blind.recall("Ceelmakoile")
    assert (hit.score, hit.via) == (0.0, "")


def test_words_of_a_later_fact_are_not_seen(blind):
    blind.add("The first xylophone.")
    session = blind.session()
    blind.add("The second xylophone.")
    assert recalled(session, "xylophone") == ["The first xylophone."]
    assert len(recalled(blind, "xylophone")) == 2


def test_a_query_may_hold_anything(blind):
    blind.add('The "NEAR" sign.')
    for question in ('"', "AND OR NOT", "NEAR(a b)", "text:sign*", "-sign ^", "🧠", "_", "e\u0301"):
        blind.recall(question)
    assert recalled(blind, '"NEAR" (sign*') == ['The "NEAR" sign.']


def test_frequent_words_are_not_read(monkeypatch):
    monkeypatch.setattr(lexical, "BUDGET", 10)
    with AssociativeMemory(None, Blind()) as mem:
        mem.add([f"the common word {n}" for n in range(20)] + ["the rare xylophone"])
        read = []
        with mem._facts.database.transaction(write=False) as sql:
            rows = lexical.WordCounts().of(sql, "r", lexical.terms("the common xylophone 7"))
            assert rows == {'"the"': 11, '"common"': 11, '"xylophone"': 1, '"7"': 1}
            sql.set_trace_callback(read.append)
            matches = lexical.search(sql, rows, 5, 21)
            sql.set_trace_callback(None)
    assert matches.ids == [8, 21] or matches.ids == [21, 8]
    assert sum(statement.startswith("SELECT rowid") for statement in read) == 2
    assert not matches.more


def test_coverage_is_the_share_of_idf():
    with AssociativeMemory(None, Blind()) as mem:
        mem.add(["alpha beta", "alpha gamma", "alpha delta"])
        with mem._facts.database.transaction(write=False) as sql:
            rows = lexical.WordCounts().of(sql, "r", lexical.terms("alpha beta unknown"))
            matches = lexical.search(sql, rows, 5, 3)
    alpha, beta, unknown = (math.log(1 + (3 - n + 0.5) / (n + 0.5)) for n in (3, 1, 0))
    assert matches.coverage[1] == pytest.approx((alpha + beta) / (alpha + beta + unknown))
    assert matches.ids[0] == 1


HOPS = [
    ("Ann Lee: A novelist who was born in Wingham.", "Ann Lee"),
    ("Sourdough: Bread is raised with wild yeast.", "Sourdough"),
    ("Wingham: A community by the Maitland River.", "Wingham"),
    ("Maitland River: It flows into a lake.", "Maitland River"),
]
WHO = "Who is the novelist Ann Lee?"


@pytest.fixture
def linked():
    near = {WHO: "q", HOPS[0][0]: "q"}
    with AssociativeMemory(None, Blind(near)) as mem:
        mem.add(HOPS)
        yield mem


def test_the_next_hop_comes_up_and_tells_through_what(linked):
    first, second = linked.recall(WHO, threshold=0, k=2)
    assert (first.source, first.via) == ("Ann Lee", "")
    assert (second.source, second.via) == ("Wingham", "'wingham' in fact 1")
    assert "Wingham" not in [hit.source for hit in linked.recall(WHO, threshold=0.1)]


def test_association_can_be_off(linked):
    options = Options("hybrid", "off")
    assert [hit.source for hit in linked.recall(WHO, threshold=0.1, options=options)] == ["Ann Lee"]


def test_a_step_leads_on_from_what_the_path_holds(linked):
    path = [HOPS[0][0]]
    assert linked.recall(WHO, path, threshold=0, k=1)[0].source == "Wingham"


def test_the_next_recall_goes_one_hop_on_from_what_was_told(linked):
    session = linked.session()
    first = session.recall(WHO, threshold=0, k=2)
    assert [hit.source for hit in first] == ["Ann Lee", "Wingham"]
    unled = session.recall(WHO, threshold=0, skip=[1])
    led = session.recall(WHO, threshold=0, skip=[hit.id for hit in reversed(first)])
    assert {hit.source: hit.via for hit in unled}["Maitland River"] == ""
    assert {hit.source: hit.via for hit in led} == {"Sourdough": "", "Maitland River": "'maitland river' in fact 3"}


def test_pagerank_reaches_two_hops(linked):
    with linked._facts.database.transaction(write=False) as sql:
        one = graph.spread(sql, {1: 1.0}, [], 4)
        two = graph.spread(sql, {1: 1.0}, [], 4, pagerank=True)
    assert set(one) == {3}
    assert set(two) == {1, 3, 4}
    assert two[3].strength > two[4].strength > 0


def test_a_title_links_more_than_a_mention_and_a_rare_name_more_than_a_common_one():
    with AssociativeMemory(None, HashingEmbedder(16)) as mem:
        mem.add(["Start: by Rome, Nice and Bath.", "Rome: a city.", "x: near Nice.", "y: in Bath.", "z: in Bath."])
        with mem._facts.database.transaction(write=False) as sql:
            links = graph.spread(sql, {1: 1.0}, [], 5)
            asked = graph.spread(sql, {}, ["rome"], 5)
            early = graph.spread(sql, {1: 1.0}, [], 2)
    assert sorted(links, key=lambda n: -links[n].strength) == [2, 3, 4, 5]
    assert links[2].strength == pytest.approx(graph.TITLE * links[3].strength)
    assert (asked[2].name, asked[2].fact) == ("rome", 0)
    assert set(early) == {2}


def test_a_name_that_is_everywhere_is_no_link():
    with AssociativeMemory(None, HashingEmbedder(16)) as mem:
        mem.add([f"t{n}: in Rome." for n in range(graph.SHARED + 1)])
        with mem._facts.database.transaction(write=False) as sql:
            assert graph.spread(sql, {1: 1.0}, [], 99) == {}
            assert len(graph.spread(sql, {1: 1.0}, [], graph.SHARED)) == graph.SHARED - 1


def test_off_topic_questions_get_nothing_by_association_either(linked):
    assert linked.recall("How are parrots fed in winter?") == []


def test_diversity_prefers_what_is_unlike_the_hits_before():
    class Fan:
        name, dimension = "fan", 2

        def embed(self, texts):
            angles = [math.radians(float(text.split()[-1])) for text in texts]
            return np.array([(math.cos(a), math.sin(a)) for a in angles], np.float32)

    with AssociativeMemory(None, Fan()) as mem:
        mem.add(["a 20", "b 41", "c -42"])
        assert recalled(mem, "q 0", k=2, options=Options("dense", "off", diversity=0)) == ["a 20", "b 41"]
        assert recalled(mem, "q 0", k=2, options=Options("dense", "off", diversity=0.5)) == ["a 20", "c -42"]


def test_numbers_of_all_scripts_are_told_apart():
    assert numbers("１２ pages, 3.5, 第三章, ½") == ["12", "3", "5", "三", "½"]
    near = {"第三章": "x", "第四章": "x", "第３章": "x", "第3章": "x", "東京は都": "x", "大阪城": "x"}
    with AssociativeMemory(None, Blind({**near, "q": "x"})) as mem:
        mem.add(list(near))
        found = recalled(mem, "q", k=6, options=Options("dense", "off", diversity=0))
    assert found == ["第三章", "第四章", "第３章", "東京は都", "大阪城"]


def test_many_queries_at_once_give_what_each_gives_alone():
    with AssociativeMemory(None, HashingEmbedder()) as mem:
        mem.add([f"Item {n}: the cup of Owner{n % 7}x is near Place{n % 5}x" for n in range(60)])
        queries = [Query(f"where is the cup of Owner{n}x", (f"It is item {n}.",)) for n in range(7)]
        together = mem.recall_many(queries, threshold=0.2)
        assert together == [mem.recall(q.question, q.path, threshold=0.2) for q in queries]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "fuzzy"}, "mode of a recall is 'fuzzy'; it is one of dense, lexical, hybrid"),
        ({"association": "on"}, "association of a recall is 'on'; it is one of off, hop, pagerank"),
        ({"diversity": 1.5}, "diversity of a recall is 1.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Options(**values)
