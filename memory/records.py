"""What goes into a memory's facts and comes out of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Fact:
    """A text that lasts: its `id`, the `text`, the `source` to cite, and when it was `added` (Unix seconds).

    `document` is the file it is part of, by name, and `origin` says how it was found (JSON); both may be empty.
    """

    id: int
    text: str
    source: str
    added: float
    document: str = ""
    origin: str = ""

    @property
    def verified(self) -> bool:
        """Whether its origin says that it was checked."""
        try:
            return bool(self.origin) and json.loads(self.origin)["verified"] is True
        except (ValueError, KeyError, TypeError):  # an origin in other words
            return False


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to become a `Fact`; `added` None is now."""

    text: str
    source: str = ""
    document: str = ""
    origin: str = ""
    added: float | None = None


class Update(NamedTuple):
    """What adding did: the `ids` of the facts in order, how many were `added`, are `gone`, and `kept` as before."""

    ids: list[int]
    added: int
    gone: int
    kept: int


def digest(text: str, source: str) -> str:
    """What makes two facts the same: 128 bits, in hexadecimal, over text and source."""
    return hashlib.blake2b(f"{len(source)}:{source}{text}".encode(), digest_size=16).hexdigest()
