"""The journal: every reply of a model, and the log of every run, in SQLite, before anything is made of them.

Replies are kept under (model fingerprint, place, parameters, seed), so that any run that asks the same again is told
the same. A run's log keeps what replies do not tell: recalls with their texts, what programs did, the clock, and how
it ended. Together they replay a run: after a kill no journalled token is generated again, and the replayed nodes are
identical.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from coat.errors import InputError, UnreadableScoreError
from coat.models import (
    Capabilities,
    Completion,
    LanguageModel,
    Message,
    Prompt,
    SampleRequest,
    ScoreRequest,
    Tokens,
)
from coat.usage import Usage

VERSION = 1
SCHEMA = """
CREATE TABLE replies (key BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (id INTEGER PRIMARY KEY, identity TEXT UNIQUE NOT NULL, config TEXT NOT NULL,
    started REAL NOT NULL, stop TEXT, result TEXT);
CREATE TABLE log (run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, number INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One line of `coat runs`; `stop` is None while the run goes on, or was killed."""

    id: int
    config: dict[str, Any]
    started: float
    stop: str | None
    result: dict[str, Any] | None


class Journal:
    """A journal file; `None` keeps it in this process. Safe for several threads and processes."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file.

        Raises:
            InputError: the file is no journal, of a newer version, or cannot be written.
        """
        self.path = path
        self._lock = threading.RLock()
        with self._sentences():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        """Make the tables where there is nothing, and leave a file that is not ours as it is."""
        with self._transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")
            elif version != VERSION:
                known = f"version {version}, this coat writes {VERSION}" if version else "not a journal of coat"
                raise sqlite3.DatabaseError(known)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Say what SQLite and the file system say as an InputError."""
        try:
            yield
        except (sqlite3.Error, OSError, json.JSONDecodeError) as error:
            raise InputError(
                f"cannot use {self.path} as a journal: {error}; name another file with --journal, or use --no-journal"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; errors become sentences."""
        with self._sentences(), self._lock:
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The same, for writing all or nothing."""
        with self._alone() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def reply(self, key: bytes) -> Any | None:
        """The journalled reply under `key`; InputError, as from every method, where the file is damaged or full."""
        with self._alone() as db:
            row = db.execute("SELECT body FROM replies WHERE key = ?", (key,)).fetchone()
            return None if row is None else json.loads(row[0])

    def keep(self, replies: Sequence[tuple[bytes, Any]]) -> None:
        """Write replies, all or none; the first one under a key stays."""
        rows = [(key, json.dumps(body)) for key, body in replies]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?)", rows)

    def begin(self, config: dict[str, Any]) -> "Run":
        """The run with this configuration: a new one, or the earlier one, to be replayed and gone on with."""
        identity = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        with self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO runs (identity, config, started) VALUES (?, ?, ?)",
                (identity, json.dumps(config), time.time()),
            )
            row = db.execute("SELECT id, stop FROM runs WHERE identity = ?", (identity,)).fetchone()
            entries = db.execute("SELECT kind, body FROM log WHERE run = ? ORDER BY number", (row[0],)).fetchall()
            return Run(self, row[0], [(kind, json.loads(body)) for kind, body in entries], row[1])

    def runs(self) -> list[RunRecord]:
        """All runs, the newest last."""
        with self._alone() as db:
            rows = db.execute("SELECT id, config, started, stop, result FROM runs ORDER BY id").fetchall()
            return [
                RunRecord(number, json.loads(config), started, stop, json.loads(result) if result else None)
                for number, config, started, stop, result in rows
            ]

    def config(self, run: int) -> dict[str, Any]:
        """The configuration of a run.

        Raises:
            InputError: there is no such run.
        """
        for record in self.runs():
            if record.id == run:
                return record.config
        raise InputError(f"there is no run {run} in {self.path}; `coat runs` lists them")

    def _append(self, run: int, number: int, kind: str, body: Any) -> None:
        with self._alone() as db:
            db.execute("INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?)", (run, number, kind, json.dumps(body)))

    def _end(self, run: int, stop: str, result: Any) -> None:
        with self._alone() as db:
            db.execute("UPDATE runs SET stop = ?, result = ? WHERE id = ?", (stop, json.dumps(result), run))


class Run:
    """The log of one run: what was logged before is replayed, then it goes on."""

    def __init__(self, journal: Journal, run: int, entries: Sequence[tuple[str, Any]], stop: str | None) -> None:
        self.id = run
        self._journal = journal
        self._number = len(entries)
        self._recalls = {body["node"]: body["hits"] for kind, body in entries if kind == "recall"}
        self._executed = {_work(body["nodes"], body["inputs"]): body for kind, body in entries if kind == "execute"}
        self._clock = [body for kind, body in entries if kind == "delivered"]
        self._edits = [body for kind, body in entries if kind == "edit"]
        self._stop = stop
        self._delivered = 0
        self._began = time.monotonic()
        self._held: float | None = None

    def recall(self, node: int) -> list[dict[str, Any]] | None:
        """What was recalled for the expansion of `node`, None where that is not in the log."""
        return self._recalls.get(node)

    def recalled(self, node: int, hits: list[dict[str, Any]]) -> None:
        """Log a recall."""
        self._write("recall", {"node": node, "hits": hits})

    def executed(self, nodes: Sequence[int], inputs: int | None) -> dict[str, Any] | None:
        """What the programs at `nodes` did with those `inputs`, None where that is not in the log."""
        return self._executed.get(_work(nodes, inputs))

    def execute(self, nodes: Sequence[int], inputs: int | None, done: dict[str, Any]) -> None:
        """Log what programs did."""
        self._write("execute", {"nodes": list(nodes), "inputs": inputs, **done})

    def delivered(self) -> float:
        """Log that a reply was delivered; the run's seconds so far, those of earlier sittings included."""
        if self._delivered < len(self._clock):
            seconds: float = self._clock[self._delivered]
            self._began = time.monotonic() - seconds
        else:
            seconds = self.seconds
            self._write("delivered", seconds)
        self._delivered += 1
        return seconds

    def due_edits(self) -> list[dict[str, Any]]:
        """What a person did in an earlier sitting after as many replies as were delivered now; each comes once."""
        due = [edit for edit in self._edits if edit["at"] <= self._delivered]
        self._edits = self._edits[len(due) :]
        return due

    def edited(self, edit: dict[str, Any]) -> None:
        """Log what a person did."""
        self._write("edit", edit)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the clock stand still."""
        self._held = self.seconds
        try:
            yield
        finally:
            self._began, self._held = time.monotonic() - self._held, None

    @property
    def replies(self) -> int:
        """How many replies were delivered."""
        return self._delivered

    @property
    def logged(self) -> int:
        """How many replies were delivered in earlier sittings."""
        return len(self._clock)

    @property
    def replaying(self) -> bool:
        """Whether deliveries of an earlier sitting are still to come."""
        return self._delivered < len(self._clock)

    @property
    def seconds(self) -> float:
        """Seconds of work, earlier sittings included."""
        return time.monotonic() - self._began if self._held is None else self._held

    @property
    def stopped_here(self) -> bool:
        """Whether the clock stopped the run at this very point when it was first run."""
        return self._stop == "seconds" and not self.replaying

    def end(self, stop: str, result: Any) -> None:
        """Log how the run ended."""
        self._journal._end(self.id, stop, result)

    def _write(self, kind: str, body: Any) -> None:
        self._journal._append(self.id, self._number, kind, body)
        self._number += 1


def _work(nodes: Sequence[int], inputs: int | None) -> tuple[tuple[int, ...], int | None]:
    return tuple(nodes), inputs


class JournalledModel:
    """A `LanguageModel` that asks the journal first, and writes every new reply before it hands it on."""

    def __init__(self, model: LanguageModel, journal: Journal) -> None:
        self._model, self._journal = model, journal

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    @property
    def fingerprint(self) -> str:
        """The model's."""
        return self._model.fingerprint

    @property
    def note(self) -> str:
        """The model's."""
        return self._model.note

    @property
    def capabilities(self) -> Capabilities:
        """The model's."""
        return self._model.capabilities

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The model's."""
        return self._model.chat(messages)

    def path(self, prompt: Prompt) -> Tokens | str:
        """The model's."""
        return self._model.path(prompt)

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """See `LanguageModel`; only the siblings that the journal lacks are sampled."""
        with usage.of(self.name) as account:
            return await (self._distinct if request.distinct else self._alone)(request, account)

    async def _alone(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Siblings that know nothing of each other are kept one by one."""
        place, sampling = self.path(request.prompt), astuple(request.sampling)
        ruled = () if request.rules is None else (request.rules.name,)
        keys = [self._key("sample", place, sampling, seed, *ruled) for seed in request.seeds]
        found = {seed: self._journal.reply(key) for seed, key in zip(request.seeds, keys, strict=True)}
        missing = tuple(seed for seed in dict.fromkeys(request.seeds) if found[seed] is None)
        replies = {seed: _completion(body) for seed, body in found.items() if body is not None}
        _book(usage, place, replies.values())
        if missing:
            fresh = await self._model.sample(replace(request, seeds=missing), usage)
            replies |= zip(missing, fresh, strict=True)
            named = dict(zip(request.seeds, keys, strict=True))
            self._journal.keep([(named[seed], astuple(replies[seed])) for seed in missing])
        return [replies[seed] for seed in request.seeds]

    async def _distinct(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Siblings that depend on each other are kept together."""
        place, sampling = self.path(request.prompt), astuple(request.sampling)
        seen = [[token for token, _ in draw] for draw in request.seen]
        name = None if request.rules is None else request.rules.name
        key = self._key("distinct", place, sampling, seen, request.seeds, name)
        body = self._journal.reply(key)
        if body is not None:
            replies = [_completion(each) for each in body]
            _book(usage, place, replies)
            return replies
        replies = await self._model.sample(request, usage)
        self._journal.keep([(key, [astuple(each) for each in replies])])
        return replies

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """See `LanguageModel`."""
        place = self.path((*request.prompt, *request.suffix))
        key = self._key("score", place, request.candidates, len(self.path(request.prompt)))
        body = self._journal.reply(key)
        if body is not None:
            with usage.of(self.name) as account:
                account.replayed += body["scored"]
                if not isinstance(place, str):
                    account.need(place)
        else:
            body = await self._score(request, usage)
            self._journal.keep([(key, body)])
        if "unreadable" in body:
            raise UnreadableScoreError(body["unreadable"])
        return [float(score) for score in body["scores"]]

    async def _score(self, request: ScoreRequest, usage: Usage) -> dict[str, Any]:
        """What the model says, that it cannot be read included, and how many tokens it read for it."""
        with usage.of(self.name) as account:
            try:
                said: dict[str, Any] = {"scores": await self._model.score(request, account)}
            except UnreadableScoreError as error:
                said = {"unreadable": str(error)}
        return said | {"scored": account.scored}

    def close(self) -> None:
        """Close the model; the journal stays open."""
        self._model.close()

    def _key(self, kind: str, *parts: Any) -> bytes:
        return hashlib.sha256(json.dumps([kind, self.fingerprint, *parts]).encode()).digest()


def _book(usage: Usage, place: Tokens | str, replies: Iterable[Completion]) -> None:
    """Book what the journal supplied after `place`."""
    for each in replies:
        usage.replayed += each.generated
        if not isinstance(place, str):
            usage.need((*place, *each.tokens))


def _completion(body: Sequence[Any]) -> Completion:
    text, tokens, logprob, generated, finish, *draw = body
    drawn = tuple((token, share) for token, share in (draw[0] if draw else ()))
    return Completion(text, tuple(tokens), logprob, generated, finish, drawn)
