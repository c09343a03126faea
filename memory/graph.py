"""Association: from facts to the facts that share a name with them, as far as a question's next hop.

A fact that is active makes those active that it shares a name with: the more, the rarer the name, and most where the
name is their title (spreading activation, Collins & Loftus 1975). Only the neighbourhood of the first hits is looked
at, and a name that many facts share is no link, so that the work does not grow with the number of facts.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import networkx as nx

    from memory.records import Fact

SHARED = 16
"""A name that more facts share is no link.

Measured, like all constants here, by the supporting passages among the first five on HotpotQA and MuSiQue (questions 0
to 49), from the question alone and with one of them as the path, at a rank constant of 1: 8 gains 0.001 on average, 32
costs 0.006.
"""
TITLE = 4.0
"""How much more a name links where it is the other fact's title: 1 costs 0.02, 2 costs 0.015, 6 changes nothing."""
QUESTION = 0.25
"""How active the question's own names are, the first hit being 1: 0 costs 0.012, 0.5 costs 0.005."""
SEEDS = 2
"""The first hits from which activation spreads: 1 costs 0.015, 3 costs 0.005, 4 costs 0.002."""
TOLD = 0.25
"""How active a fact is that the path was told before, so that the next recall goes one hop on from it.

Two recalls of three facts find 0.93 of HotpotQA's supporting passages and 0.772 of MuSiQue's on the same questions, one
of six 0.93 and 0.755; 0, with which nothing goes on, 0.93 and 0.762. 0.1 and 0.5 are no worse by more than 0.01.
"""
DAMPING = 0.3
"""The share of activation that PageRank passes on.

It finds less than the strongest link does: 0.15, 0.3 and 0.5 cost 0.023, 0.031 and 0.027, which is no difference that
so few questions could tell; from the question alone 0.3 was the best of 0.3, 0.5 and 0.85.
"""
_WIDEST = 200


class Link(NamedTuple):
    """How active a fact became, through which `name`, of which `fact`; 0 for the question."""

    strength: float
    name: str
    fact: int


def spread(
    sql: sqlite3.Connection, seeds: Mapping[int, float], asked: Iterable[str], up_to: int, *, pagerank: bool = False
) -> dict[int, Link]:
    """The facts that share names with `seeds` (activation by fact id) or bear names that are `asked`, ids to `up_to`.

    Args:
        sql: A connection to the memory's file, inside a transaction.
        seeds: How active the first hits are.
        asked: What may be names in the question.
        up_to: The highest id.
        pagerank: Two hops by personalised PageRank (Page et al. 1999, as HippoRAG uses it, Gutiérrez et al. 2024)
            instead of one by the strongest link.
    """
    edges = {seed: links(sql, sorted(names_of(sql, seed)), seed, up_to) for seed in seeds}
    found: dict[int, Link] = {}
    for number, link in links(sql, _known(sql, asked), 0, up_to).items():
        found[number] = link._replace(strength=QUESTION * link.strength)
    for seed, active in seeds.items():
        for number, link in edges[seed].items():
            passed = link._replace(strength=active * link.strength)
            if number not in found or found[number].strength < passed.strength:
                found[number] = passed
    return _walked(sql, seeds, edges, up_to) if pagerank and any(edges.values()) else found


def links(sql: sqlite3.Connection, names: Iterable[str], fact: int, up_to: int) -> dict[int, Link]:
    """The facts other than `fact` that share one of `names`: the sum of its names' weights, and the best of these.

    A name's weight is its IDF as a share of the largest there is.
    """
    return {
        number: Link(sum(weights.values()), max(weights, key=lambda name: weights[name]), fact)
        for number, weights in _shared(sql, names, fact, up_to).items()
    }


def _shared(sql: sqlite3.Connection, names: Iterable[str], fact: int, up_to: int) -> dict[int, dict[str, float]]:
    """The facts other than `fact` that share some of `names`, each with what these weigh."""
    found: dict[int, dict[str, float]] = {}
    query = "SELECT fact, title FROM names WHERE name = ? AND fact <= ? LIMIT ?"
    for name in names:
        rows = sql.execute(query, (name, up_to, SHARED + 1)).fetchall()
        weight = math.log((up_to + 1) / max(1, len(rows))) / math.log(up_to + 1)
        for number, title in rows if len(rows) <= SHARED else ():
            if number != fact:
                found.setdefault(number, {})[name] = weight * (TITLE if title else 1.0)
    return found


def names_of(sql: sqlite3.Connection, fact: int) -> list[str]:
    """The names of a fact, those that its title gives first."""
    return [row[0] for row in sql.execute("SELECT name FROM names WHERE fact = ? ORDER BY title DESC, name", (fact,))]


def neighbours(sql: sqlite3.Connection, fact: int, up_to: int) -> dict[int, dict[str, float]]:
    """The facts that `fact` makes active, the most active first, each with the shared names by falling weight."""
    found = _shared(sql, names_of(sql, fact), fact, up_to)
    order = sorted(found, key=lambda number: (-sum(found[number].values()), number))
    return {number: dict(sorted(found[number].items(), key=lambda pair: (-pair[1], pair[0]))) for number in order}


def network(sql: sqlite3.Connection, facts: Iterable[Fact], up_to: int) -> nx.DiGraph[int]:
    """The links among `facts`; see `AssociativeMemory.to_networkx`."""
    import networkx

    graph: nx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from((fact.id, {"text": fact.text, "source": fact.source}) for fact in facts)
    for one in list(graph):
        for other, weights in neighbours(sql, one, up_to).items():
            if other in graph:
                graph.add_edge(one, other, weight=sum(weights.values()), names=list(weights))
    return graph


def _known(sql: sqlite3.Connection, asked: Iterable[str]) -> list[str]:
    """Those of `asked` that are names of facts and no part of a longer one that is."""
    query = "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM names WHERE name = value)"
    known = [row[0] for row in sql.execute(query, (json.dumps(list(asked)),))]
    return [name for name in known if not any(name != other and f" {name} " in f" {other} " for other in known)]


def _walked(
    sql: sqlite3.Connection, seeds: Mapping[int, float], edges: dict[int, dict[int, Link]], up_to: int
) -> dict[int, Link]:
    import networkx

    graph: nx.DiGraph[Any] = networkx.DiGraph()
    graph.add_nodes_from(seeds)
    reached: dict[int, Link] = {}
    for near in edges.values():
        reached |= near
    beyond = sorted(set(reached) - set(edges))[:_WIDEST]
    edges = edges | {number: links(sql, sorted(names_of(sql, number)), number, up_to) for number in beyond}
    for start, near in edges.items():
        for number, link in near.items():
            graph.add_edge(start, number, weight=link.strength)
            reached.setdefault(number, link)
    ranks = networkx.pagerank(graph, alpha=DAMPING, personalization=dict(seeds))
    total = sum(seeds.values())
    own = {seed: (1 - DAMPING) * active / total for seed, active in seeds.items()}
    gained = {number: ranks[number] - own.get(number, 0.0) for number in reached}
    return {number: reached[number]._replace(strength=more) for number, more in gained.items() if more > 0}
