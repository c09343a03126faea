"""The errors that coat raises, each with a sentence a person can act on.

CoatError
├── InputError        what was asked for is wrong: an option, a puzzle, a file (exit code 2)
│   ├── ModelError    the model: not found, not a GGUF, cannot do what is needed
│   │   └── OutOfMemoryError
│   └── ContextError  a request that cannot fit into the model's context or cache
└── BackendError      a model that failed while it worked: a server gone, llama.cpp out of memory
"""

import difflib
from collections.abc import Iterable


class CoatError(Exception):
    """The base of every error that coat raises on purpose."""


class InputError(CoatError):
    """What was asked for is wrong; the message says what, where and what to do."""


class ModelError(InputError):
    """A model that is missing, broken, or unable to do what was asked of it."""


class OutOfMemoryError(ModelError):
    """A model that does not fit into memory as it was to be loaded."""


class ContextError(InputError):
    """A request that is larger than the model's context or cache."""


class BackendError(CoatError):
    """A model that failed while it was working."""


class UnreadableScoreError(BackendError):
    """A score whose candidates the model does not show; it is counted, never guessed."""


class IllegalStepError(CoatError):
    """A step that the task's rules forbid; it is dropped and counted."""


class UnreadableAnswerError(CoatError):
    """An answer that a grader cannot read; it is wrong, and counted, never guessed."""


SHOWN = 80
"""Characters of a text that an error repeats."""


def shown(text: str) -> str:
    """`text` as an error repeats it: quoted, and not too long.

    >>> shown("on a b"), len(shown("on a b, " * 100))
    ("'on a b'", 83)
    """
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def no_such(kind: str, plural: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that there is not, with the nearest one and all that there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    hint = f", did you mean {close[0]}?" if close else "."
    return InputError(f"there is no {kind} {name!r}{hint} The {plural} are: {', '.join(names)}.")
