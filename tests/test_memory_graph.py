"""Names and links of facts, as a user sees them."""

import pytest

from memory import AssociativeMemory, HashingEmbedder, UnknownFactError, graph

FACTS = [
    ("Ann Lee: A novelist who was born in Wingham.", "books"),
    ("Wingham: A community by the Maitland River, where Ann Lee lived.", "places"),
    ("Maitland River: It flows into a lake.", "places"),
    ("bread is raised with wild yeast.", ""),
]


@pytest.fixture
def mem():
    with AssociativeMemory(None, HashingEmbedder(16)) as opened:
        opened.add(FACTS)
        yield opened


def test_the_names_of_a_fact_begin_with_its_title(mem):
    assert mem.names(1) == ["ann lee", "wingham"]
    assert mem.names(2) == ["wingham", "ann lee", "maitland river"]
    assert mem.names(4) == []


def test_links_lead_to_facts_that_share_a_name_the_strongest_first(mem):
    assert mem.links(2) == {1: ["ann lee", "wingham"], 3: ["maitland river"]}
    assert list(mem.links(2)) == [1, 3]
    assert mem.links(1) == {2: ["wingham", "ann lee"]}, "what is the other's title links most"
    assert mem.links(4) == {}
    mem.forget(1)
    assert mem.links(2) == {3: ["maitland river"]}


def test_a_name_that_many_facts_share_is_no_link(mem):
    mem.add([f"Number {n} is kept in the Maitland River." for n in range(graph.SHARED)])
    assert mem.links(3) == {}
    assert mem.names(3) == ["maitland river"]


def test_the_facts_are_a_graph_whose_weights_are_those_of_association(mem):
    found = mem.to_networkx()
    assert set(found) == {1, 2, 3, 4}
    assert found.nodes[3] == {"text": FACTS[2][0], "source": "places"}
    assert {*found.edges} == {(1, 2), (2, 1), (2, 3), (3, 2)}
    assert found.edges[2, 1]["names"] == ["ann lee", "wingham"]
    assert found.edges[2, 3]["weight"] == pytest.approx(graph.TITLE * found.edges[3, 2]["weight"])
    with mem._facts.database.transaction(write=False) as sql:
        spread = graph.spread(sql, {2: 1.0}, [], 4)
    assert {number: link.strength for number, link in spread.items()} == {
        other: found.edges[2, other]["weight"] for other in (1, 3)
    }


def test_a_graph_of_some_facts_has_only_the_links_among_them(mem):
    assert {*mem.to_networkx([1, 3]).edges} == set()
    assert {*mem.to_networkx([2, 3]).edges} == {(2, 3), (3, 2)}
    assert set(mem.to_networkx([])) == set()


@pytest.mark.parametrize(
    "ask", [lambda mem: mem.names(77), lambda mem: mem.links(77), lambda mem: mem.to_networkx([1, 77])]
)
def test_an_unknown_id_is_refused(mem, ask):
    with pytest.raises(UnknownFactError, match="no fact has the id 77;"):
        ask(mem)
