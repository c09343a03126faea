"""The associative memory of coat: facts that last, episodes of one search, one recall over both.

    memory = AssociativeMemory("facts.db")              the file's facts; no path: a memory of this process
    memory.add(corpora.read("corpus.jsonl"))            texts or (text, source) pairs, in one transaction -> ids
    memory.update(corpora.documents("notes"))           files as they are now: what changed is added and forgotten
    memory.recall(question, path, k=3)                  facts for a question and the path so far -> hits
    memory.forget(source="corpus.jsonl:7")              by id, source, document or age, for good -> how many
    memory.list(), .get(ids), .count(), .documents(), .export(file), .import_(file), .save(), .close()
    memory.names(7), .links(7), .to_networkx()          what links facts: names, and the facts that share them
    memory.stats(), .verify(), .compact()               upkeep

    session = memory.session()                          the facts as they are now, for one search
    session.observe(text, state=…, value=0.9, fate="proved")        an evaluated step -> episode id
    session.recall(question, path, k=3)                 facts and episodes -> hits
    session.promote(source="run 7")                     proved episodes become facts, in one transaction

A `Hit` is (id, text, source, score, kind, via), kind "fact" or "episode", `via` the name and fact that led to it;
`recall_many` takes a list of `Query`, and `Options` say how facts are found: by vectors, words, association. SQLite is
the truth and FAISS a cache beside it, "facts.db.faiss". The embedder is a Protocol; `embedder(name)` makes one: a
sentence-transformers model, `gguf:PATH`, `openai:URL#MODEL`, or `hashing`, the fake. A file is opened with the embedder
that it was made with; `memory.reembed(name)` changes that. Errors derive from `AssociativeMemoryError`.

>>> with AssociativeMemory(embedder=HashingEmbedder()) as memory:
...     ids = memory.add(["Rome lies on the Tiber.", "Paris lies on the Seine."], source="atlas")
...     [(hit.text, hit.source) for hit in memory.recall("On what river lies Paris?", k=1)]
[('Paris lies on the Seine.', 'atlas')]
"""

from memory import corpora
from memory.associative import AssociativeMemory
from memory.embedders import Embedder, HashingEmbedder
from memory.errors import (
    AssociativeMemoryError,
    CorpusError,
    DamagedMemoryError,
    EmbedderError,
    EmbedderMismatchError,
    InputError,
    MemoryInUseError,
    NotAMemoryError,
    SchemaVersionError,
    StorageError,
    UnknownFactError,
)
from memory.exchange import Exported
from memory.maintenance import Compacted, Problem, Stats
from memory.naming import embedder
from memory.recall import DEFAULT_THRESHOLD, Hit, Options, Query
from memory.records import Entry, Fact, Update
from memory.sentence_transformer import SentenceTransformerEmbedder
from memory.session import Episode, Fate, Session

__all__ = [
    "DEFAULT_THRESHOLD",
    "AssociativeMemory",
    "AssociativeMemoryError",
    "Compacted",
    "CorpusError",
    "DamagedMemoryError",
    "Embedder",
    "EmbedderError",
    "EmbedderMismatchError",
    "Entry",
    "Episode",
    "Exported",
    "Fact",
    "Fate",
    "HashingEmbedder",
    "Hit",
    "InputError",
    "MemoryInUseError",
    "NotAMemoryError",
    "Options",
    "Problem",
    "Query",
    "SchemaVersionError",
    "SentenceTransformerEmbedder",
    "Session",
    "Stats",
    "StorageError",
    "UnknownFactError",
    "Update",
    "corpora",
    "embedder",
]
