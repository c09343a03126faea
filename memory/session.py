"""A session: the facts as they were when a search began, and the episodes of that search."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Literal, get_args

from memory.diversity import choose
from memory.embedders import check_text
from memory.errors import EmbedderMismatchError, InputError, UnknownFactError
from memory.hybrid import Asked, Limits
from memory.recall import (
    DEFAULT_OPTIONS,
    DEFAULT_THRESHOLD,
    Candidate,
    Hit,
    Options,
    Query,
    check_limits,
    views,
)

if TYPE_CHECKING:
    from memory.associative import AssociativeMemory
    from memory.embedders import Vectors

FIRST_POOL = 32
"""Facts that a recall looks at first; it looks at more while near-copies and known texts leave it short of hits."""

TOLD = 8
"""Facts that a path was told before from which association goes on: two or three expansions' worth."""

Fate = Literal["open", "proved", "refuted"]


@dataclass(frozen=True, slots=True)
class Episode:
    """A step that this search evaluated: its `text`, the `state` it led to, its `value` in [0, 1], and its `fate`.

    The id is negative, so that it is no fact's.
    """

    id: int
    text: str
    state: str
    value: float
    fate: Fate


class Session:
    """One search's view of a memory; for several threads. Its episodes end with it, unless they are promoted.

    Facts that were added since it began are not seen, unless they are admitted; those that were forgotten are gone.
    """

    def __init__(self, memory: AssociativeMemory, last_id: int) -> None:
        self._memory, self._last_id, self._embedder = memory, last_id, memory.embedder
        self._episodes: dict[tuple[str, str], Episode] = {}
        self._vectors: dict[int, Vectors] = {}
        self._lock = Lock()

    @property
    def episodes(self) -> list[Episode]:
        """The episodes, oldest first."""
        with self._lock:
            return list(self._episodes.values())

    def observe(self, text: str, *, state: str = "", value: float, fate: Fate = "open") -> int:
        """Take in an evaluated step and return its id; the same text in the same state is the same episode.

        Costs no embedding: what is new is embedded, in one batch, by the next recall.

        Raises:
            InputError: The text is blank or not Unicode, `value` is not in [0, 1], or `fate` is not one of `Fate`.
        """
        check_text(text, "the text of an episode")
        if state:
            check_text(state, "the state of an episode")
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise InputError(f"the value of an episode is {value}; it lies between 0 and 1.")
        if fate not in get_args(Fate):
            raise InputError(f"the fate of an episode is {fate!r}; it is one of {', '.join(get_args(Fate))}.")
        with self._lock:
            old = self._episodes.get((text, state))
            number = old.id if old else -len(self._episodes) - 1
            self._episodes[text, state] = Episode(number, text, state, value, fate)
        return number

    def admit(self, fact: int) -> None:
        """See the facts up to `fact`, which was added since the session began."""
        self._last_id = max(self._last_id, fact)

    def recall(
        self,
        question: str,
        path: Sequence[str] = (),
        *,
        k: int = 3,
        threshold: float = DEFAULT_THRESHOLD,
        skip: Iterable[int] = (),
        episodes: int | None = None,
        options: Options = DEFAULT_OPTIONS,
    ) -> list[Hit]:
        """At most `k` facts and episodes for a question and the path so far, best first; none rather than noise.

        Args:
            question: What the search is to answer.
            path: The texts of the steps so far; what these hold is not recalled again.
            k: The most hits.
            threshold: The least cosine of a hit, unless the question's words or a hit lead to it (`memory.hybrid`).
            skip: Ids that are not wanted: what the path was told before, the last first. Association goes on from the
                first `TOLD` of them.
            episodes: How many of the first episodes to look at, so that a recall that runs later sees no more than
                there were when it was asked for; None: all there are.
            options: How facts are found and chosen.

        Raises:
            InputError: Question and path are blank, or `k` or `threshold` makes no sense.
            EmbedderError: The embedder failed, or is another one than the memory's.
        """
        query = Query(question, path, tuple(dict.fromkeys(skip)))
        return self.recall_many([query], k=k, threshold=threshold, episodes=episodes, options=options)[0]

    def recall_many(
        self,
        queries: Sequence[Query],
        *,
        k: int = 3,
        threshold: float = DEFAULT_THRESHOLD,
        episodes: int | None = None,
        options: Options = DEFAULT_OPTIONS,
    ) -> list[list[Hit]]:
        """What `recall` gives, for each of `queries`, with one call of the embedder and one of the index.

        Raises:
            InputError, EmbedderError: As `recall`.
        """
        check_limits(k, threshold)
        texts = [views(query) for query in queries]
        lived_through = self.episodes[:episodes]
        if not queries or not (lived_through or self._last_id):
            return [[] for _ in queries]
        if self._memory.embedder != self._embedder:
            raise EmbedderMismatchError("the memory was re-embedded since this session began. Begin another session.")
        vectors = self._embed(texts)
        lived = self._nearest_episodes(lived_through, vectors, threshold)
        told = [[number for number in query.skip if number > 0][:TOLD] for query in queries]
        asked = [Asked(*each) for each in zip(texts, vectors, lived, told, strict=True)]
        limits = Limits(FIRST_POOL + 4 * k, self._last_id, k, threshold)
        hits: list[list[Hit]] = [[] for _ in queries]
        short = list(range(len(queries)))
        while short:
            lists = self._memory.shortlists([asked[n] for n in short], limits, options)
            for n, found in zip(short, lists, strict=True):
                hits[n] = choose(found.candidates, queries[n], k, options.diversity)
            short = [n for n, found in zip(short, lists, strict=True) if len(hits[n]) < k and not found.whole]
            limits = limits._replace(size=4 * limits.size)
        return hits

    def promote(self, ids: Iterable[int] | None = None, *, source: str) -> list[int]:
        """Write proved episodes (all, or those of `ids`) as facts of `source`, in one transaction.

        Returns:
            The ids of the facts. They are not seen by this session.

        Raises:
            UnknownFactError: An id that no episode of this session has.
            InputError: An episode that is not proved.
            EmbedderError, StorageError: As `AssociativeMemory.add`; nothing was written.
        """
        episodes = {episode.id: episode for episode in self.episodes}
        chosen = [n for n, each in episodes.items() if each.fate == "proved"] if ids is None else list(ids)
        for number in chosen:
            if number not in episodes:
                raise UnknownFactError(f"this session has no episode {number}; nothing was promoted.")
            if episodes[number].fate != "proved":
                raise InputError(f"episode {number} is {episodes[number].fate}, not proved; nothing was promoted.")
        return self._memory.add([(episodes[number].text, source) for number in chosen])

    def _embed(self, groups: Sequence[Sequence[str]]) -> list[Vectors]:
        import numpy as np

        together = self._memory.embed_questions([text for group in groups for text in group])
        ends = np.cumsum([len(group) for group in groups])[:-1]
        return np.split(together, ends)

    def _nearest_episodes(
        self, episodes: Sequence[Episode], queries: Sequence[Vectors], threshold: float
    ) -> list[list[Candidate]]:
        import numpy as np

        new = [episode for episode in episodes if episode.id not in self._vectors]
        if new:
            made = self._memory.embed([f"{episode.text} {episode.state}".strip() for episode in new])
            self._vectors.update((episode.id, vector) for episode, vector in zip(new, made, strict=True))
        if not episodes:
            return [[] for _ in queries]
        vectors = np.stack([self._vectors[episode.id] for episode in episodes])
        found = []
        for query in queries:
            scores = (query @ vectors.T).max(axis=0)
            near = np.flatnonzero(scores >= threshold).tolist()
            found.append([Candidate(_hit(episodes[n], scores[n]), vectors[n]) for n in near])
        return found


def _hit(episode: Episode, score: float) -> Hit:
    source = f"{episode.fate}, value {episode.value:.2f}"
    return Hit(episode.id, episode.text, source, min(float(score), 1.0), "episode")
