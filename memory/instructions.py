"""Prefixes: what some embedders were trained to read before a question and before a text that may answer it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from memory.embedders import Embedder, place_of

if TYPE_CHECKING:
    from memory.embedders import Vectors


class Prefixes(NamedTuple):
    """What stands before a question, and before any other text."""

    question: str
    text: str


_SEARCH = "Represent this sentence for searching relevant passages: "
_TASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
FAMILIES: tuple[tuple[str, Prefixes], ...] = (
    (r"multilingual-e5-large-instruct", Prefixes(f"{_TASK} ", "")),
    (r"(^|[/_-])(multilingual-)?e5-(small|base|large)", Prefixes("query: ", "passage: ")),
    (r"nomic-embed-text-v(1|2)", Prefixes("search_query: ", "search_document: ")),
    (r"bge-(small|base|large)-en-v1\.5", Prefixes(_SEARCH, "")),
    (r"mxbai-embed-(large|xsmall)", Prefixes(_SEARCH, "")),
    (r"snowflake-arctic-embed-(m|l)-v2", Prefixes("query: ", "")),
    (r"snowflake-arctic-embed", Prefixes(_SEARCH, "")),
    (r"qwen3-embedding", Prefixes(_TASK, "")),
    (r"embeddinggemma", Prefixes("task: search result | query: ", "title: none | text: ")),
)
"""Prefixes by what a model's name holds, the first that fits: as the models' own cards ask for them."""


def prefixes(name: str) -> Prefixes | None:
    """The prefixes of the model called `name` (a hub's name, a file, a server's model), or None.

    >>> prefixes("intfloat/multilingual-e5-small")
    Prefixes(question='query: ', text='passage: ')
    """
    return next((found for pattern, found in FAMILIES if re.search(pattern, name, re.IGNORECASE)), None)


class InstructedEmbedder:
    """An embedder with `prefixes` before what it reads.

    What stands before the texts makes other vectors, so it is part of the `name`; what stands before questions is not.
    It closes the embedder that it was given.
    """

    def __init__(self, embedder: Embedder, prefixes: Prefixes) -> None:
        self._embedder, self._prefixes = embedder, prefixes

    @property
    def name(self) -> str:
        """The embedder's name, and the prefix of texts, if any."""
        return f"{self._embedder.name}{f' after {self._prefixes.text!r}' if self._prefixes.text else ''}"

    @property
    def place(self) -> str:
        """Where the embedder is, without the prefix, which comes with its name."""
        return place_of(self._embedder)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._embedder.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        return self._embedder.embed([self._prefixes.text + text for text in texts])

    def embed_questions(self, texts: Sequence[str]) -> Vectors:
        """The same of texts that ask."""
        return self._embedder.embed([self._prefixes.question + text for text in texts])

    def close(self) -> None:
        """End the embedder."""
        close = getattr(self._embedder, "close", None)
        if close:
            close()
