"""The errors that the memory raises, each with a sentence that says what is wrong, where, and what to do.

AssociativeMemoryError
├── InputError             a text, value, id or option that cannot be used
│   ├── CorpusError        a file of facts that cannot be read; none of it was kept
│   └── UnknownFactError   an id that no fact has
├── StorageError           the place: a folder that is missing or read-only, a full disk, a closed memory
│   └── MemoryInUseError   another process holds the file longer than the memory waits
├── NotAMemoryError        the file is something else
├── SchemaVersionError     the file was written by a newer release
├── DamagedMemoryError     the file is a memory, and part of it is broken
└── EmbedderError          the embedder: missing, ended, or giving vectors that cannot be used
    └── EmbedderMismatchError   the memory's vectors are of another embedder or dimension
"""


class AssociativeMemoryError(Exception):
    """The base of every error that the memory raises on purpose."""


class InputError(AssociativeMemoryError):
    """A text, value, id or option that cannot be used; nothing was changed."""


class CorpusError(InputError):
    """A file of facts that cannot be read; the message names file and line, and nothing of it was kept."""


class UnknownFactError(InputError):
    """An id that no fact has; nothing was changed."""


class StorageError(AssociativeMemoryError):
    """The memory's file or folder cannot be used: missing, read-only, full, or already closed."""


class MemoryInUseError(StorageError):
    """Another process is writing to the memory for longer than this one waits."""


class NotAMemoryError(AssociativeMemoryError):
    """The file is not a memory; it was left as it is."""


class SchemaVersionError(AssociativeMemoryError):
    """The memory was written by a newer release than this one."""


class DamagedMemoryError(AssociativeMemoryError):
    """The file is a memory, but part of it cannot be read."""


class EmbedderError(AssociativeMemoryError):
    """The embedder is missing, has ended, or gave vectors that cannot be used."""


class EmbedderMismatchError(EmbedderError):
    """The memory's vectors were made by another embedder, or have another dimension."""
