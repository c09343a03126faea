"""What a run has cost, token by token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Usage:
    """The account of one run; every field but `seconds` is a count, or counts.

    `generated`: tokens sampled. `scored`: tokens read for judgements. `replayed`: tokens of either kind that
    the journal supplied, so that no model worked for them. `evaluated`: rows the model really decoded, in
    `decodes` calls. `unique`: distinct token prefixes over all requests, replayed ones too: the least that an engine
    must evaluate; `unique_of` by the model's name.
    `recalled`: tokens of what the memory recalled, as far as the model works on tokens; they are read, not generated,
    and count against no budget. `unclosed`: thoughts that were ended because they had cost their budget.
    """

    generated: int = 0
    scored: int = 0
    evaluated: int = 0
    unique: int = 0
    replayed: int = 0
    decodes: int = 0
    expansions: int = 0
    evaluations: int = 0
    recalls: int = 0
    illegal: int = 0
    unreadable: int = 0
    recalled: int = 0
    unclosed: int = 0
    seconds: float = 0.0
    unique_of: dict[str, int] = field(default_factory=dict)
    _model: str = ""
    _prefixes: dict[str, set[int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def spent(self) -> int:
        """Tokens that count against the token budget: generated, scored and replayed."""
        return self.generated + self.scored + self.replayed

    def need(self, path: Sequence[int]) -> None:
        """Record that every prefix of the token ids `path` had to be evaluated; repeats cost nothing."""
        seen, prefix = self._prefixes.setdefault(self._model, set()), 0
        before = len(seen)
        for token in path:
            prefix = hash((prefix, token))
            seen.add(prefix)
        new = len(seen) - before
        self.unique += new
        self.unique_of[self._model] = self.unique_of.get(self._model, 0) + new

    def fork(self) -> "Usage":
        """An empty account that knows the prefixes of this one, for a part of the work; `add` books it back."""
        return Usage(_model=self._model, _prefixes=self._prefixes)

    @contextmanager
    def of(self, model: str) -> Iterator["Usage"]:
        """An account of what the model called `model` does, booked back in the end; models share no prefixes."""
        part = Usage(_model=model, _prefixes=self._prefixes)
        try:
            yield part
        finally:
            self.add(part)

    def add(self, part: "Usage") -> None:
        """Book the counts of a fork."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        for name, count in part.unique_of.items():
            self.unique_of[name] = self.unique_of.get(name, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """The public fields by name, in the order of the documented JSON."""
        counts = {name: getattr(self, name) for name in COUNTS}
        return counts | {"unique_of": dict(self.unique_of), "seconds": round(self.seconds, 3)}


COUNTS = (
    *("generated", "scored", "evaluated", "unique", "replayed", "decodes"),
    *("expansions", "evaluations", "recalls", "illegal", "unreadable", "recalled", "unclosed"),
)
