"""CoAT on multi-hop questions with recalled facts, through our decoder and through a server: whole searches."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import coat
from benchmarks.growing import Growth
from coat.models import LanguageModel
from memory import AssociativeMemory, SentenceTransformerEmbedder

KNOBS: dict[str, Any] = {"task": "qa", "strategy": "coat", "evaluator": "logprob", "parallel": 8}


class Questions:
    """The first `count` questions of a HotpotQA file, and a memory of all the passages that come with them.

    Each is searched with `tokens` tokens.
    """

    def __init__(self, file: Path, count: int, tokens: int) -> None:
        self._knobs = KNOBS | {"tokens": tokens}
        entries = json.loads(file.read_text(encoding="utf-8"))[:count]
        self.texts = [str(entry["question"]) for entry in entries]
        self._embedder = SentenceTransformerEmbedder()
        self.memory = AssociativeMemory(None, self._embedder)
        self.memory.add(_passages(entries))

    def ask(self, model: str | LanguageModel, seed: int) -> Growth:
        """Search for all answers, one question after the other."""
        generated = judged = 0
        begun = time.perf_counter()
        for text in self.texts:
            result = coat.solve(text, model=model, memory=self.memory, seed=seed, **self._knobs)
            generated += result.usage.generated
            judged += result.usage.evaluations
        return Growth(time.perf_counter() - begun, generated, judged)

    def close(self) -> None:
        """Close the memory and its embedder."""
        self.memory.close()
        self._embedder.close()


def _passages(entries: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    contexts = [passage for entry in entries for passage in entry["context"]]
    return list(dict.fromkeys((f"{title}: {''.join(sentences)}", title) for title, sentences in contexts))
