"""Part `association`: the supporting passages of HotpotQA and MuSiQue that a recall finds, by each way of finding.

The passages of all 100 questions of a file are one memory; thresholds are off. What the memory's constants were chosen
by are questions 0 to 49, what is reported questions 50 to 99.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coat.errors import InputError
from memory import AssociativeMemory, Embedder, Options, Query, SentenceTransformerEmbedder
from memory.files import write_whole

if TYPE_CHECKING:
    from memory.embedders import Vectors

K = 5
TUNED, HELD_OUT = range(50), range(50, 100)
WAYS = {
    "dense": Options("dense", "off"),
    "lexical": Options("lexical", "off"),
    "hybrid": Options("hybrid", "off"),
    "hybrid_association": Options("hybrid", "hop"),
    "hybrid_pagerank": Options("hybrid", "pagerank"),
}
"""What is compared; `hybrid_association` is the default of a recall."""
CORPUS = "hipporag_train_100_corpus.json"
QUESTIONS = "hipporag_train_100.json"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the texts of the passages that support its answer, and of all that come with it."""

    text: str
    support: tuple[str, ...]
    context: tuple[str, ...]


class KeptEmbedder:
    """An embedder that keeps its vectors in a file from one run to the next."""

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._embedder, self._file = embedder, file
        self.name, self.dimension = embedder.name, embedder.dimension
        self._known: dict[str, Vectors] = {}
        if file.is_file():
            import numpy as np

            with np.load(file) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`; unknown ones are made in one call."""
        import numpy as np

        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known |= zip(new, self._embedder.embed(list(new.values())), strict=True)
        return np.stack([self._known[key] for key in keys])

    def keep(self) -> None:
        """Write the file."""
        import io

        import numpy as np

        payload = io.BytesIO()
        np.savez(payload, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, [payload.getvalue()])


def measure(data: Path, cache: Path, *, quick: bool = False) -> dict[str, Any]:
    """Recall@5 from the question alone by each of `WAYS`, on the questions that nothing was chosen by.

    `detail` also has the recall of what is left when a first supporting passage is the path (`stepwise`), and both on
    the questions that constants were chosen by. `quick` leaves MuSiQue out.

    Raises:
        InputError: A file is missing.
    """
    figures: dict[str, Any] = {}
    detail: dict[str, Any] = {}
    with SentenceTransformerEmbedder() as minilm:
        embedder = KeptEmbedder(minilm, cache / "association.npz")
        for name in ("hotpotqa",) if quick else ("hotpotqa", "musique"):
            passages, questions = read(data / name)
            with AssociativeMemory(None, embedder) as memory:
                memory.add(passages)
                embedder.keep()
                figures[f"{name}_recall_at_{K}"] = direct(memory, [questions[n] for n in HELD_OUT])
                detail[name] = {
                    "passages": memory.count(),
                    "stepwise": stepwise(memory, [questions[n] for n in HELD_OUT]),
                    "tuned": direct(memory, [questions[n] for n in TUNED]),
                    "tuned_stepwise": stepwise(memory, [questions[n] for n in TUNED]),
                }
                embedder.keep()
    return figures | {"detail": detail}


def direct(memory: AssociativeMemory, questions: Sequence[Question]) -> dict[str, float]:
    """For each way, the mean share of a question's supporting passages among its first `K` hits."""
    asked = [(Query(question.text), question.support) for question in questions]
    return {name: _recall(memory, asked, options) for name, options in WAYS.items()}


def stepwise(memory: AssociativeMemory, questions: Sequence[Question]) -> dict[str, float]:
    """For each way, the mean share of the other supporting passages, where one of them is the path."""
    asked = [
        (Query(question.text, (first,)), tuple(text for text in question.support if text != first))
        for question in questions
        for first in question.support
    ]
    return {name: _recall(memory, asked, options) for name, options in WAYS.items()}


def _recall(memory: AssociativeMemory, asked: Sequence[tuple[Query, tuple[str, ...]]], options: Options) -> float:
    found = memory.recall_many([query for query, _ in asked], k=K, threshold=-1, options=options)
    shares = [_share(wanted, (hit.text for hit in hits)) for hits, (_, wanted) in zip(found, asked, strict=True)]
    return round(sum(shares) / len(shares), 4)


def _share(wanted: Sequence[str], found: Iterable[str]) -> float:
    return len(set(wanted) & set(found)) / len(wanted)


def read(folder: Path) -> tuple[list[tuple[str, str]], list[Question]]:
    """The passages of a data set, whole, each with its title before it and as its source; and the questions.

    Raises:
        InputError: A file is missing.
    """
    for name in (CORPUS, QUESTIONS):
        if not (folder / name).is_file():
            raise InputError(f"there is no {folder / name}; name the folder that holds {folder.name}/ with --data")
    corpus = json.loads((folder / CORPUS).read_text(encoding="utf-8"))
    if isinstance(corpus, dict):  # HotpotQA's: a title's sentences
        entries = [(title, " ".join(map(str.strip, sentences))) for title, sentences in corpus.items()]
    else:
        entries = [(each["title"], each["text"]) for each in corpus]
    passages = [(_titled(title, text), title) for title, text in entries]
    by_title = {source: text for text, source in reversed(passages)}
    asked = json.loads((folder / QUESTIONS).read_text(encoding="utf-8"))
    return passages, [Question(entry["question"], *_parts(entry, by_title)) for entry in asked]


def _parts(entry: dict[str, Any], by_title: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The supporting passages of a question, and all of its own."""
    if "paragraphs" in entry:
        own = [(_titled(part["title"], part["paragraph_text"]), part["is_supporting"]) for part in entry["paragraphs"]]
        support, context = [text for text, supports in own if supports], [text for text, _ in own]
    else:
        support = [by_title[title] for title, _ in entry["supporting_facts"]]
        context = [by_title[title] for title, _ in entry["context"]]
    return tuple(dict.fromkeys(support)), tuple(dict.fromkeys(context))


def _titled(title: str, text: str) -> str:
    return text if text.startswith(f"{title}: ") else f"{title}: {text}"


if __name__ == "__main__":
    import sys

    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
