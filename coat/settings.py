"""How a problem is to be searched."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from coat.errors import InputError

CHOICES = {
    "vote": ("weighted", "majority", "max", "chains"),
    "aggregate": ("last", "min", "mean", "product"),
    "posterior": ("gaussian", "beta"),
    "brain": ("memory", "model", "both", "none"),
    "style": (None, "lines", "free", "draft"),
}
KINDS = {str: "a name", bool: "True or False", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The knobs of a run; whatever changes here makes it another run.

    `tokens` is the budget (generated + scored, replayed ones included), `seconds` the clock, both None for no limit.
    `temperature`, `step_end` (what ends a step, but for inside a code block or a formula) and `step_tokens` (its most
    tokens) None are the task's own. `max_think` is the most tokens of a path's thoughts, where the model thinks; one
    that the model ends before `min_think` goes on after a "Wait", up to `waits` times (None: twice where there is a
    `min_think`). `switch_penalty` is taken off the logits of what begins one of `switch_phrases`, with commas between
    them, for `switch_window` tokens after the last of these.
    `n` is how many lines or samples a strategy draws that draws many, None for the `width`, or four times that where
    states are expanded by the width. `vote` says how answers are counted (see `coat.result.choose`), `aggregate` what a
    line is worth whose steps are judged, `adaptive` ends a majority vote that is decided.
    `keep` is how many states a beam holds, `lookahead` how many steps ahead it judges, `balance` the temperature at
    which REBASE and particles weigh states, `posterior` that of AB-MCTS, `revisions` how often an answer is revised,
    `backtracks` how often Self-Backtracking takes steps back, `rounds` how often TPO asks for better answers,
    `feedbacks` how many each draft gets, `edits` how many each feedback gets. `style`, where steps have no form of
    their own: "lines" after worked examples, "free" paragraphs, "draft" for drafts of a few words, None for what suits
    the model. `retries` is after how many expansions in a row without a new step a state counts as exhausted.
    `widening` is the power of a node's visits up to which it may be expanded again, `certainty` the probability above
    which a step back is taken. `accept` ends the search at an answer whose value is at least that. `beta` weighs F_a
    against F_g; `recall` is how many facts an expansion gets and `recall_threshold` the least cosine of one.
    `brain` says who associates: the memory, the model by itself, both or nobody. `remember` makes facts of an answer
    that the task verifies, and of the steps to it.
    `threshold` is the judged value above which an ancestor is re-opened by a step back. `verify` lets the task's
    verifier judge answers and end the run. `distinct`: siblings are drawn without replacement, where the model can.
    `episodes`: a state that another branch has reached is not entered again. `rules`: steps that break the task's are
    dropped; else only the verifier knows them.
    """

    strategy: str = "coat"
    evaluator: str = "self"
    reading: str = "math-shepherd"
    width: int = 4
    n: int | None = None
    vote: str = "weighted"
    aggregate: str = "last"
    adaptive: bool = False
    style: str | None = None
    keep: int = 4
    lookahead: int = 0
    balance: float | None = None
    posterior: str = "gaussian"
    revisions: int = 3
    backtracks: int = 1
    rounds: int = 2
    feedbacks: int = 2
    edits: int = 2
    simulations: int = 10_000
    parallel: int = 4
    tokens: int | None = 8192
    seconds: float | None = None
    seed: int = 0
    temperature: float | None = None
    step_end: str | None = None
    step_tokens: int | None = None
    max_think: int = 1024
    min_think: int = 0
    waits: int | None = None
    switch_penalty: float = 0.0
    switch_window: int = 600
    switch_phrases: str = "alternatively, wait, maybe, another approach, hmm"
    top_k: int = 40
    top_p: float = 0.95
    exploration: float = 1.0
    retries: int = 16
    widening: float = 0.0
    certainty: float = 0.0
    threshold: float = 0.5
    accept: float | None = None
    beta: float = 0.1
    brain: str = "memory"
    remember: bool = False
    recall: int = 3
    recall_threshold: float = 0.4
    verify: bool = True
    distinct: bool = True
    episodes: bool = True
    rules: bool = True

    def __post_init__(self) -> None:
        """Raises InputError where a value is of another kind or out of its range."""
        for each in fields(self):
            kind, *other = get_args(each.type) or (each.type,)
            value = getattr(self, each.name)
            fits = is_kind(value, kind) or (value is None and bool(other))
            _demand(fits, each.name, KINDS[kind], repr(value))
        for name in ("width", "keep", "simulations", "parallel", "retries", "max_think"):
            _demand(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        _demand(self.width <= 256, "width", "at most 256", self.width)
        _demand(self.n is None or 1 <= self.n <= 4096, "n", "from 1 to 4096", self.n)
        for name in ("feedbacks", "edits"):
            _demand(1 <= getattr(self, name) <= 64, name, "from 1 to 64", getattr(self, name))
        for name, choices in CHOICES.items():
            named = ", ".join(filter(None, choices))
            _demand(getattr(self, name) in choices, name, f"one of {named}", repr(getattr(self, name)))
        for name in ("lookahead", "revisions", "rounds"):
            _demand(0 <= getattr(self, name) <= 64, name, "from 0 to 64", getattr(self, name))
        _demand(
            self.balance is None or (math.isfinite(self.balance) and self.balance > 0),
            "balance",
            "more than 0",
            self.balance,
        )
        for name in ("tokens", "seconds"):
            value = getattr(self, name)
            _demand(value is None or (math.isfinite(value) and value > 0), name, "more than 0", value)
        for name in ("min_think", "waits", "switch_window"):
            _demand((getattr(self, name) or 0) >= 0, name, "0 or more", getattr(self, name))
        _demand(self.min_think <= self.max_think, "min_think", "at most max-think", self.min_think)
        for name in ("temperature", "exploration", "beta", "switch_penalty"):
            value = getattr(self, name)
            _demand(value is None or (math.isfinite(value) and value >= 0), name, "0 or more", value)
        for name in ("threshold", "accept", "top_p", "recall_threshold", "widening", "certainty"):
            value = getattr(self, name)
            _demand(value is None or 0 <= value <= 1, name, "from 0 to 1", value)
        _demand(self.step_end != "", "step_end", "a text", "an empty one")
        _demand(self.step_tokens is None or self.step_tokens >= 1, "step_tokens", "at least 1", self.step_tokens)
        _demand(self.backtracks >= 0, "backtracks", "0 or more", self.backtracks)
        _demand(self.top_k >= 0, "top_k", "0 or more", self.top_k)
        _demand(0 <= self.recall <= 100, "recall", "from 0 to 100", self.recall)

    def as_dict(self) -> dict[str, Any]:
        """All knobs by name."""
        return asdict(self)


def is_kind(value: object, kind: type) -> bool:
    """Whether `value` is of `kind`: a whole number is a number too, and True and False are none."""
    return isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)


def _demand(fine: bool, name: str, what: str, value: object) -> None:
    if not fine:
        raise InputError(f"{name.replace('_', '-')} must be {what}, not {value}")
