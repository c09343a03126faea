"""Association: what the memory adds to an expansion, and how much a step made of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from coat import prompts
from coat.evaluators import association
from memory import AssociativeMemory, Entry


class Associations:
    """One search's view of a memory: recalls for its expansions, F_a for its steps, episodes across its branches."""

    def __init__(self, memory: AssociativeMemory, k: int, threshold: float) -> None:
        """Recalls give up to `k` hits of at least cosine `threshold`, from the facts as they are now."""
        self._memory, self._k, self._threshold = memory, k, threshold
        self._session = memory.session()

    @property
    def episodes(self) -> int:
        """How many steps were kept so far."""
        return len(self._session.episodes)

    def recall(self, question: str, path: Sequence[str], skip: Sequence[int], episodes: int) -> list[dict[str, Any]]:
        """Up to `k` hits for the question and the path, as plain data; none in `skip`, none after `episodes`."""
        if not self._k:
            return []
        hits = self._session.recall(question, path, k=self._k, threshold=self._threshold, skip=skip, episodes=episodes)
        return [asdict(hit) for hit in hits]

    def tell(self, text: str, source: str) -> int:
        """Keep a fact and let later recalls find it; its id."""
        (fact,) = self._memory.add([(text, source)])
        self._session.admit(fact)
        return fact

    def forget(self, fact: int) -> None:
        """Remove a fact for good."""
        self._memory.forget(fact)

    def observe(self, text: str, state: str, value: float, verdict: bool) -> None:
        """Keep a step that the task proved or refuted, for the other branches."""
        self._session.observe(text, state=state, value=value, fate="proved" if verdict else "refuted")

    def remember(self, texts: Sequence[str], source: str, origins: Sequence[Mapping[str, Any]]) -> int:
        """Keep `texts` as facts of `source`, in one transaction; how many are new."""
        before = self._memory.count()
        made = (json.dumps(origin, ensure_ascii=False) for origin in origins)
        self._memory.add([Entry(text, source, origin=origin) for text, origin in zip(texts, made, strict=True)])
        return self._memory.count() - before

    def weigh(self, hits: Sequence[dict[str, Any]], step: str, path: Sequence[str]) -> float:
        """F_a: how relevant the recalled `hits` are to what `step` says, and how new they are to `path`."""
        if not hits:
            return 0.0
        vectors = self._memory.embed([step, *(hit["text"] for hit in hits), *path])
        facts = vectors[1 : 1 + len(hits)]
        relevance = (facts @ vectors[0]).clip(0, 1)
        known = vectors[1 + len(hits) :]
        novelty = 1 - (facts @ known.T).max(axis=1).clip(0, 1) if len(path) else relevance * 0 + 1
        return association(relevance.tolist(), novelty.tolist())


def lines(hits: Sequence[Mapping[str, Any]], end: str = "\n") -> str:
    """Recalled hits as lines of the path, each ended by `end`."""
    facts = [f"{hit['text']}{' (disputed)' if hit.get('disputed') else ''}" for hit in hits if hit["kind"] == "fact"]
    tried = [f"{hit['text']} ({hit['source']})" for hit in hits if hit["kind"] == "episode"]
    associated = [hit["text"] for hit in hits if hit["kind"] == "association"]
    return prompts.recalled(facts, tried, associated, end)


def association_of(text: str, path: Sequence[str], hits: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the model associates, as a hit; none where the path or a hit holds it already."""
    plain = _plain(text)
    held = [*path, *(hit["text"] for hit in hits)]
    if not plain or any(plain in _plain(each) for each in held):
        return []
    return [{"id": 0, "text": " ".join(text.split()), "source": "the model", "score": 1.0, "kind": "association"}]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
