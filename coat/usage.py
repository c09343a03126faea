"""What a run has cost, token by token."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Usage:
    """The account of one run; every field but `seconds` is a count.

    `generated`: tokens sampled. `scored`: tokens read for judgements. `replayed`: tokens of either kind that
    the journal supplied, so that no model worked for them. `evaluated`: rows the model really decoded, in
    `decodes` calls. `unique`: distinct token prefixes over all requests, replayed ones too: the least that an engine
    must evaluate.
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
    _prefixes: set[int] = field(default_factory=set, repr=False, compare=False)

    @property
    def spent(self) -> int:
        """Tokens that count against the token budget: generated, scored and replayed."""
        return self.generated + self.scored + self.replayed

    def need(self, path: Sequence[int]) -> None:
        """Record that every prefix of the token ids `path` had to be evaluated; repeats cost nothing."""
        seen, prefix = self._prefixes, 0
        before = len(seen)
        for token in path:
            prefix = hash((prefix, token))
            seen.add(prefix)
        self.unique += len(seen) - before

    def fork(self) -> "Usage":
        """An empty account that knows the prefixes of this one, for a part of the work; `add` books it back."""
        return Usage(_prefixes=self._prefixes)

    def add(self, part: "Usage") -> None:
        """Book the counts of a fork."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(part, name))

    def as_dict(self) -> dict[str, int | float]:
        """The public fields by name, in the order of the documented JSON."""
        return {name: getattr(self, name) for name in COUNTS} | {"seconds": round(self.seconds, 3)}


COUNTS = (
    *("generated", "scored", "evaluated", "unique", "replayed", "decodes"),
    *("expansions", "evaluations", "recalls", "illegal", "unreadable", "recalled", "unclosed"),
)
