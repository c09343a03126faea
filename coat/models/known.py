"""The models that coat knows by name, and which of them fit into how much memory."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

CELLS = 4096
"""Tokens in the KV cache of a search, unless more are asked for."""
CELL_BYTES = 150_000
"""Of one token in the KV cache, where the figure is not known: as in models of up to 8 billion parameters."""
WORK_BYTES = 400 << 20
"""What llama.cpp takes beside weights and cache: the graph's buffers, and logits for every sequence id."""


@dataclass(frozen=True, slots=True)
class Known:
    """A line of `coat/assets/models.toml`, which says what the fields are."""

    name: str
    role: Literal["policy", "prm"]
    bytes: int
    parameters: float
    license: str
    thinking: Literal["no", "switch", "always"]
    tried: bool
    package: str = ""
    repository: str = ""
    file: str = ""
    cell_bytes: int = CELL_BYTES
    reading: str = ""
    summary: str = ""

    @property
    def source(self) -> str:
        """Where it comes from: a name that `coat.load` takes."""
        return self.name if self.package else f"hf:{self.repository}/{self.file}"

    def memory(self, cells: int = CELLS) -> int:
        """Bytes of memory that a search with `cells` tokens in the cache takes."""
        return footprint(self.bytes, cells * self.cell_bytes)


def footprint(weights: int, cache: float, share: float = 1.0) -> int:
    """Bytes that the `share` of weights and cache takes which lies on a device, work included."""
    return int(share * (weights + cache)) + WORK_BYTES


@lru_cache(maxsize=1)
def known_models() -> dict[str, Known]:
    """All of them by name."""
    text = (files("coat") / "assets" / "models.toml").read_text(encoding="utf-8")
    return {entry["name"]: Known(**entry) for entry in tomllib.loads(text)["model"]}


def recommend(room: int, cells: int = CELLS) -> list[tuple[Known, Known | None]]:
    """What fits into `room` bytes: policies, the largest first, each with the largest PRM that fits beside it."""
    models = known_models().values()
    policies = [each for each in models if each.role == "policy" and each.memory(cells) <= room]
    judges = sorted((each for each in models if each.role == "prm"), key=lambda each: -each.parameters)
    found = []
    for policy in sorted(policies, key=lambda each: -each.parameters):
        left = room - policy.memory(cells)
        found.append((policy, next((each for each in judges if each.memory(cells) <= left), None)))
    return found
