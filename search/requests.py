"""What a search asks for and what it is told: it never calls anybody itself."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from search.tree import Step, Tree


@dataclass(frozen=True, slots=True)
class Expand:
    """Ask for up to `width` next steps after `node`; `temperature` None means the caller's own.

    `distinct` steps are drawn without replacement: from each other, and from those that `node` was given before. `move`
    names another way to go on than by the next step, such as a critique; `about` are nodes that it is about, and `told`
    what else it says, such as what came of a test. `model` says which of the models is asked, from 0.
    """

    node: int
    width: int
    temperature: float | None = None
    distinct: bool = False
    move: str = ""
    about: tuple[int, ...] = ()
    told: tuple[str, ...] = ()
    model: int = 0


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Ask what the paths that end in `nodes` are worth."""

    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Execute:
    """Ask what the programs do that the paths to `nodes` end in.

    They are put to the public tests, or where `inputs` is a node, called as the step there says.
    """

    nodes: tuple[int, ...]
    inputs: int | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """The legal steps that came, in their seeds' order; the ids of the facts recalled for them; the tokens spent."""

    steps: tuple[Step, ...]
    recalled: tuple[int, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A value in [0, 1] for each node asked about, the components of each by name, and the tokens spent."""

    values: tuple[float, ...]
    parts: tuple[dict[str, float], ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """What each program gave for each of the `calls`; without calls one text each, the first failure or nothing."""

    outputs: tuple[tuple[str, ...], ...]
    calls: tuple[str, ...] = ()
    tokens: int = 0


Request = Expand | Evaluate | Execute
Reply = Expansion | Evaluation | Execution
Search = Generator[Sequence[Request], Reply, Tree]
"""Yields the requests that became possible, perhaps none, and is sent one reply at a time, in their order."""
