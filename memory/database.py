"""The memory's SQLite file: opened or made, checked, and its errors put into words.

Write-ahead log and `synchronous=FULL`: a transaction that has ended is on the disk. `secure_delete`: what is deleted
is overwritten with zeros.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from memory import derived
from memory.errors import (
    AssociativeMemoryError,
    DamagedMemoryError,
    InputError,
    MemoryInUseError,
    NotAMemoryError,
    SchemaVersionError,
    StorageError,
)

FORMAT = "coat memory"
SCHEMA_VERSION = 2
BUSY_SECONDS = 30.0
"""How long a call waits for another process's transaction."""

_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE facts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        text TEXT NOT NULL,
        source TEXT NOT NULL,
        added REAL NOT NULL,
        digest TEXT NOT NULL UNIQUE,
        vector BLOB NOT NULL
    )""",
    "CREATE INDEX facts_by_source ON facts (source)",
)
_SECOND = (
    "ALTER TABLE facts ADD COLUMN document TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE facts ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX facts_by_document ON facts (document) WHERE document != ''",
    "CREATE TABLE held (document TEXT NOT NULL, fact INTEGER NOT NULL, PRIMARY KEY (document, fact)) WITHOUT ROWID",
    "CREATE INDEX held_by_fact ON held (fact)",
    "CREATE TABLE names (name TEXT, fact INTEGER, title INTEGER, PRIMARY KEY (name, fact)) WITHOUT ROWID",
    "CREATE INDEX names_by_fact ON names (fact)",
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='porter unicode61 remove_diacritics 2')",
    "CREATE TABLE new_vectors (fact INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
    "CREATE TRIGGER forgotten AFTER DELETE ON facts BEGIN DELETE FROM new_vectors WHERE fact = old.id; END",
)
"""What version 2 adds: the document that a fact is part of ('' for none), further ones that hold it too, how it was
found (JSON), names and words in its text, and the vectors of an embedder that is to replace the present one."""


class Database:
    """One connection, shared by the threads of this process; `path` None keeps everything in the process.

    Raises when it is made, and from within `transaction`:
        StorageError: The place cannot be read or written, the disk is full, or the memory is closed.
        MemoryInUseError: Another process was writing for longer than `BUSY_SECONDS`.
        NotAMemoryError: The file is something else.
        SchemaVersionError: The file was written by a newer release.
        DamagedMemoryError: A part of the file cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = RLock()
        self._closed = False
        if path is not None:
            _check_place(path)
        with _in_words(path):
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise

    def _open(self) -> None:
        if self._is_empty():
            self._create()
        self._check_format()
        if self.meta("schema") == "1":
            self._migrate()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")

    def _is_empty(self) -> bool:
        return self._connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone() is None

    def _create(self) -> None:
        with self.transaction() as sql:
            if self._is_empty():  # no other process made it in the meantime
                for statement in (*_SCHEMA, *_SECOND):
                    sql.execute(statement)
                self.set_meta("format", FORMAT)
                self.set_meta("schema", str(SCHEMA_VERSION))
                self.mark_changed()

    def _migrate(self) -> None:
        with self.transaction() as sql:
            if self.meta("schema") == "1":  # no other process did it in the meantime
                for statement in _SECOND:
                    sql.execute(statement)
                derived.add(sql, sql.execute("SELECT id, text, source FROM facts"))
                self.set_meta("schema", str(SCHEMA_VERSION))

    def _check_format(self) -> None:
        tables = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")}
        if not {"meta", "facts"} <= tables or self.meta("format") != FORMAT:
            raise NotAMemoryError(f"{self.path} is a SQLite database of something else. Choose another file.")
        version = self.meta("schema") or ""
        if not version.isdecimal():
            raise DamagedMemoryError(f"{self.path}: its schema version is {version!r}, not a number.")
        if int(version) > SCHEMA_VERSION:
            raise SchemaVersionError(
                f"{self.path} has schema version {version}, this release reads up to {SCHEMA_VERSION}. "
                "Update coat to open it."
            )

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, where its body raises, nothing; inside another one, a part of that.

        With `write` false it is a consistent view that never waits for a writer, and keeps nothing.
        """
        with self._lock, _in_words(self.path):
            if self._closed:
                raise StorageError(f"the memory {self.path or 'of this process'} is closed. Open it again.")
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield self._connection
                if write:  # a view just ends: what could not be read in it would make COMMIT fail
                    self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def meta(self, key: str) -> str | None:
        """What is written under `key`, or None."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Write `value` under `key`, inside a transaction."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def mark_changed(self) -> None:
        """Give the facts a new revision, inside a transaction: a random one, so that copies cannot agree."""
        self.set_meta("revision", os.urandom(16).hex())

    def flush(self) -> None:
        """Move the write-ahead log into the file and empty it, unless another process is reading just now."""
        with self._lock, _in_words(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def vacuum(self) -> None:
        """Write the file anew without the room that deleted rows left; needs as much free room as the file takes."""
        with self._lock, _in_words(self.path):
            if self._closed:
                raise StorageError(f"the memory {self.path or 'of this process'} is closed. Open it again.")
            self._connection.execute("VACUUM")
        self.flush()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        with self._lock:
            self._closed = True
            self._connection.close()


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise StorageError(f"{path} is a folder. Give the name of a file in it.")
    if not path.parent.is_dir():
        raise StorageError(f"{path}: the folder {path.parent} does not exist. Make it, or choose another.")


@contextmanager
def _in_words(path: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _worded(error, str(path or "the memory of this process")) from error
    except UnicodeEncodeError as error:
        raise InputError(f"a text that was asked for is not valid Unicode: {error}.") from error


def _worded(error: sqlite3.Error | UnicodeDecodeError, where: str) -> AssociativeMemoryError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return NotAMemoryError(f"{where} is not a memory, or its beginning is damaged. Choose another file.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        wait = f"for more than {BUSY_SECONDS:.0f} s"
        return MemoryInUseError(f"{where} is in use: another process was writing {wait}. Try again when it is done.")
    if code == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError) or "to UTF-8" in str(error):
        cure = "Restore it from a copy, or export what is whole; where that fails, try `sqlite3 FILE .recover`."
        return DamagedMemoryError(f"{where} is damaged: {error}. {cure}")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        cure = "The file and its folder must be readable and writable."
        return StorageError(f"{where} cannot be opened for writing: {error}. {cure}")
    if code == sqlite3.SQLITE_FULL:
        return StorageError(f"{where}: the disk is full; nothing of this call was kept. Make room and try again.")
    return StorageError(f"{where} cannot be used: {error}.")
