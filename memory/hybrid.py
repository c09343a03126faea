"""The shortlist of a recall: what vectors, words and association find, fused into one ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from memory import graph, lexical, names
from memory.fusion import fuse
from memory.lexical import Matches, WordCounts
from memory.recall import ASSOCIATED, COVERAGE, Candidate, Hit, Options, Pool, Shortlist, candidate

if TYPE_CHECKING:
    from memory.embedders import Vectors
    from memory.facts import FactStore


class Asked(NamedTuple):
    """One query: the texts it is asked by, their vectors (views, d), the episodes near to it, and facts told before."""

    views: Sequence[str]
    vectors: Vectors
    lived: Sequence[Candidate]
    told: Sequence[int] = ()


class Limits(NamedTuple):
    """How far a recall looks: `size` facts of each ranking, with ids to `up_to`, for `k` hits above `threshold`."""

    size: int
    up_to: int
    k: int
    threshold: float


def shortlist(
    facts: FactStore, counts: WordCounts, asked: Asked, dense: Pool, limits: Limits, options: Options
) -> Shortlist:
    """The candidates for one query: `dense` and the episodes, the facts that share its words, and their associates.

    A candidate has a cosine of at least the threshold, or covers the question (see `COVERAGE`), or is associated with
    one of the first that do.
    """
    matches = _matched(facts, counts, asked, limits) if options.mode != "dense" else []
    known = {each.hit.id: each for each in (*dense.candidates, *asked.lived)}
    near = sorted(known.values(), key=lambda each: (-each.hit.score, each.hit.id))
    whole = dense.floor < limits.threshold
    rankings = [(1.0, [each.hit.id for each in near if whole or each.hit.score >= dense.floor])]
    rankings += [(1 / len(matches), match.ids) for match in matches]
    known |= _loaded(facts, {n for match in matches for n in match.ids} - known.keys(), asked.vectors)
    first = [n for n in fuse(rankings) if n in known and _passes(known[n].hit, matches, limits.threshold)]
    links: Mapping[int, graph.Link] = {}
    if options.association != "off":
        links = _associated(facts, asked, [n for n in first if n > 0], limits, options)
        rankings.append((1.0, list(links)))
        known |= _loaded(facts, links.keys() - known.keys(), asked.vectors)
    least = min(limits.threshold, ASSOCIATED * limits.threshold)
    passed = {n for n, link in links.items() if link.fact and n in known and known[n].hit.score >= least}
    passed.update(first)
    direct = set(first[: limits.k])
    twice = 2.0 if matches else 1.0  # an episode's words are not looked up: its cosine stands for them
    fused = {n: score * (twice if n < 0 else 1.0) for n, score in fuse(rankings).items() if n in passed}
    found = [_placed(known[n], score, None if n in direct else links.get(n)) for n, score in fused.items()]
    return Shortlist(found, whole and not any(match.more for match in matches))


def _matched(facts: FactStore, counts: WordCounts, asked: Asked, limits: Limits) -> list[Matches]:
    with facts.database.transaction(write=False) as sql:
        revision = facts.revision()
        rows = [counts.of(sql, revision, lexical.terms(view)) for view in asked.views]
        return [lexical.search(sql, each, limits.size, limits.up_to) for each in rows]


def _associated(
    facts: FactStore, asked: Asked, first: Sequence[int], limits: Limits, options: Options
) -> dict[int, graph.Link]:
    """What the first facts, those that the path was told, and the question's names lead to, the most active first."""
    seeds = dict.fromkeys(asked.told, graph.TOLD)
    seeds |= {number: 1 / rank for rank, number in enumerate(first[: graph.SEEDS], start=1)}
    with facts.database.transaction(write=False) as sql:
        pagerank = options.association == "pagerank"
        links = graph.spread(sql, seeds, names.asked(asked.views[0]), limits.up_to, pagerank=pagerank)
    new = [pair for pair in links.items() if pair[0] not in asked.told]
    return dict(sorted(new, key=lambda pair: (-pair[1].strength, pair[0]))[: limits.size])


def _loaded(facts: FactStore, ids: Iterable[int], views: Vectors) -> dict[int, Candidate]:
    """The facts of `ids` that are there, with their largest cosine to a view."""
    numbers, vectors = facts.vectors(ids, views.shape[1])
    scores = (vectors @ views.T).max(axis=1, initial=-1).tolist()
    texts = {fact.id: fact for fact in facts.facts(ids=numbers)}
    rows = zip(numbers, scores, vectors, strict=True)
    return {n: candidate(texts[n], vector, score) for n, score, vector in rows if n in texts}


def _passes(hit: Hit, matches: Sequence[Matches], threshold: float) -> bool:
    return hit.score >= threshold or any(match.coverage.get(hit.id, 0.0) >= COVERAGE for match in matches)


def _placed(each: Candidate, fused: float, link: graph.Link | None) -> Candidate:
    if link is None:
        return each._replace(fused=fused)
    where = f"in fact {link.fact}" if link.fact else "in the question"
    return each._replace(hit=replace(each.hit, via=f"{link.name!r} {where}"), fused=fused)
