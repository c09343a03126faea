"""`--strategy auto`: a few lines first, how hard the problem seems from them, and the strategy that serves such best.

The table of choices comes from `coat tune`; without one a prior by the kind of task, the judge and the model's size
(compute-optimal scaling: arXiv 2408.03314, 2502.06703). It is part of a run's configuration, so that a replay chooses
the same.
"""

import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coat import strategies
from coat.errors import InputError
from coat.models import LanguageModel
from coat.models.header import read_header
from coat.settings import Settings
from coat.strategies import Key
from coat.tasks import Task
from search import Budget, Search, Tree, auto, take_up

VERSION = 1
LINES = 4
"""Lines that are drawn before anything is chosen."""
BINS = ("easy", "medium", "hard")
FEATURES = ("leader", "distinct", "answered", "logprob", "judged")
VOTES = ("cot", "majority", "best_of_n")
"""Strategies of independent lines, of which those that are drawn already are some."""
GOES_ON = (*VOTES, "beam", "dvts", "rebase", "particles", "coat")
"""Strategies that can go on with lines that others have drawn."""
NEVER = ("auto", "draft")
"""Strategies that are never chosen; drafts are asked for in other words from the start."""
KNOBS = (
    *("n", "width", "keep", "lookahead", "balance", "vote", "aggregate", "adaptive", "revisions", "backtracks"),
    *("posterior", "exploration", "retries", "widening", "certainty", "threshold", "temperature", "top_k", "top_p"),
    *("distinct", "episodes", "max_think", "min_think", "waits", "switch_penalty", "switch_window"),
)
"""Settings that a choice may change."""
BILLION = 10**9

Take = Callable[[Settings, str], None]
"""Told of the settings with which a search goes on, and why."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Predicted pass@1: `intercept` + Σ weight × feature; below `hard` it is hard, from `easy` on easy."""

    weights: Mapping[str, float]
    intercept: float
    hard: float
    easy: float

    def predict(self, features: Mapping[str, float]) -> float:
        """Pass@1, which may leave [0, 1]."""
        return self.intercept + sum(self.weights[name] * features[name] for name in FEATURES)

    def bin(self, features: Mapping[str, float]) -> str:
        """One of `BINS`."""
        predicted = self.predict(features)
        return "easy" if predicted >= self.easy else "hard" if predicted < self.hard else "medium"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: by budget the lines that are drawn first, and the settings to go on with in each bin.

    Without lines first there is one bin, "any". `source` says where the plan is from.
    """

    budgets: Mapping[int, tuple[int, Mapping[str, Settings]]]
    difficulty: Difficulty | None
    source: str

    @property
    def max_think(self) -> int:
        """The most that thoughts may cost by any choice."""
        return max(each.max_think for _, choices in self.budgets.values() for each in choices.values())

    def at(self, tokens: int | None) -> tuple[int, Mapping[str, Settings]]:
        """What is done with a budget: what the plan says for the nearest one not above it, or for its smallest."""
        below = [budget for budget in self.budgets if tokens is None or budget <= tokens]
        return self.budgets[max(below) if below else min(self.budgets)]


def make(tree: Tree, settings: Settings, depth: int, budget: Budget, key: Key, plan: Plan, take: Take) -> Search:
    """The search over `tree` that the `plan` leads to; `take` is told of its settings before it begins."""
    lines, choices = plan.at(settings.tokens)

    def then(tree: Tree) -> Search:
        name, why = "any", plan.source
        if plan.difficulty is not None and len(choices) > 1:
            found = features(tree, lines, key)
            name = plan.difficulty.bin(found)
            why = f"{lines} lines foretell pass@1 of {plan.difficulty.predict(found):.2f}, {name}; {plan.source}"
        chosen = choices.get(name) or next(iter(choices.values()))
        take(chosen, f"auto chose {chosen.strategy}: {why}")
        return _go_on(tree, chosen, depth, budget, key, lines)

    if not lines:
        return then(tree)
    return auto(tree, lines=lines, then=then, parallel=settings.parallel, depth=depth, budget=budget)


def _go_on(tree: Tree, settings: Settings, depth: int, budget: Budget, key: Key, lines: int) -> Search:
    """The search of `settings`, after `lines` lines; a vote ends as soon as nobody can overtake."""
    if settings.strategy not in VOTES:
        if lines:
            take_up(tree, settings.width)
        return strategies.make(tree, settings, depth, budget, key)
    n = strategies.lines(settings)
    over = (lambda tree: settled(tree, n, key, budget)) if settings.vote == "majority" else None
    return strategies.make(tree, settings, depth, budget, key, drawn=lines, over=over)


def settled(tree: Tree, n: int, key: Key, budget: Budget) -> bool:
    """Whether no answer can still overtake the one in the lead, of `n` lines, with what the budget still allows.

    A line that has not begun is taken to cost at least as much as the cheapest that reached an answer.
    """
    ends = tree.terminals()
    if budget.tokens is not None and ends:
        cheapest = min(sum(each.step.generated for each in tree.path(end.id)) for end in ends)
        unfinished = sum(node.status == "open" and not node.children for node in tree.nodes[1:])
        affordable = max(0, budget.tokens - budget.spent) // max(1, cheapest)
        n = min(n, len(ends) + unfinished + affordable)
    return strategies.decided(tree, n, key)


def features(tree: Tree, lines: int, key: Key) -> dict[str, float]:
    """What is known cheaply after `lines` lines; see `FEATURES`.

    `leader`, `distinct` and `answered` are shares of the lines: of those with the leading answer, of different answers,
    and of those that reached one. `logprob` is the mean natural log-probability of a token, `judged` the mean of the
    judge's values of steps that are no answers, one half where it gave none.
    """
    votes = Counter(key(node.id) for node in tree.terminals())
    steps = [node.step for node in tree.nodes[1:] if node.step.logprob is not None]
    judged = [node.judged for node in tree.nodes[1:] if node.judged is not None and node.status != "terminal"]
    return {
        "leader": max(votes.values(), default=0) / lines,
        "distinct": len(votes) / lines,
        "answered": votes.total() / lines,
        "logprob": sum(step.logprob or 0.0 for step in steps) / max(1, sum(step.generated for step in steps)),
        "judged": statistics.fmean(judged) if judged else 0.5,
    }


# The table that a plan is made of.


def prior(task: Task, model: LanguageModel, evaluator: str) -> dict[str, Any]:
    """The table without a tuned file.

    A task that can tell a right answer itself: coat. No judge that can be trusted, which is one that was trained for
    it: majority. Else by size (arXiv 2502.06703): below 7 billion parameters, or unknown, beam; up to 32 dvts; above
    best_of_n.
    """
    size = size_of(model)
    about = "of unknown size" if size is None else f"of {size / BILLION:.3g} billion parameters"
    trained = "prm" in evaluator or model.capabilities.notation is not None
    lines, strategy, knobs = 0, "best_of_n", {"n": 16}
    if task.verifies:
        strategy, knobs, why = "coat", {}, f"{task.name} checks answers itself"
    elif not trained:
        lines, strategy, why = LINES, "majority", f"no judge was trained to judge, only {evaluator!r}"
    elif size is None or size < 7 * BILLION:
        strategy, knobs, why = "beam", {}, f"a model {about} and a judge"
    elif size <= 32 * BILLION:
        strategy, why = "dvts", f"a model {about} and a judge"
    else:
        why = f"a model {about} and a judge"
    choice = {"strategy": strategy, "knobs": {**knobs, **({"vote": "majority"} if lines else {})}}
    entry = {"tokens": 1, "lines": lines, "choices": {"any": choice}}
    return {"version": VERSION, "budgets": [entry], "source": f"{why} (no file of `coat tune`)"}


def size_of(model: LanguageModel) -> int | None:
    """The model's parameters, from its file or else from its name, where that says so ("…-7B-…")."""
    file = getattr(model, "path_of_file", None)
    if file is not None:
        return read_header(file).parameters
    named = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z])", model.name.lower())
    return round(float(named[1]) * BILLION) if named else None


def table_for(task: Task, model: LanguageModel, evaluator: str, tuned: str | Path | Mapping[str, Any] | None) -> Any:
    """The table of `tuned`: a file, what one holds, or None for the user's own, or the prior where there is none.

    Raises:
        InputError: the file cannot be read, is no such file, or is of another task or model.
    """
    if isinstance(tuned, Mapping):
        return tuned
    file = tuned_file(task.name, model.name) if tuned is None else Path(tuned)
    if tuned is None and not file.exists():
        return prior(task, model, evaluator)
    table = read_table(file)
    if (table.get("task"), table.get("model")) != (task.name, model.name):
        raise InputError(
            f"{file} was tuned for {table.get('task')!r} and {table.get('model')!r}, not for {task.name!r} and"
            f" {model.name!r}; tune again with `coat tune`"
        )
    return {name: value for name, value in table.items() if name in ("version", "budgets", "difficulty")} | {
        "source": f"tuned on {table.get('problems')} problems with the evaluator {table.get('evaluator')!r}"
    }


def tuned_file(task: str, model: str) -> Path:
    """Where `coat tune` keeps what it found for a task and a model, in the user's data folder."""
    from platformdirs import user_data_path

    name = "--".join(re.sub(r"[^\w.-]+", "_", each) for each in (task, model))
    return user_data_path("coat") / "tuned" / f"{name}.json"


def read_table(file: Path) -> dict[str, Any]:
    """What a tuned file holds; InputError where it cannot be read or is none."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the tuned file {file}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no file of `coat tune`: {error}; name another, or tune again") from error
    if not isinstance(table, dict) or table.get("version") != VERSION or "budgets" not in table:
        raise InputError(f"{file} is no file of this `coat tune`; delete it, or tune again")
    return table


def with_knobs(table: Mapping[str, Any], task: Task, given: Collection[str]) -> dict[str, Any]:
    """`table` with what serves each choice's strategy well, but where that was `given`; so a run's log is complete.

    Raises:
        InputError: the table is no table, or a choice names what there is not.
    """

    def full(choice: Mapping[str, Any]) -> dict[str, Any]:
        own = {**strategies.get(choice["strategy"]).knobs, **task.knobs.get(choice["strategy"], {})}
        kept = {name: value for name, value in own.items() if name in KNOBS and name not in given}
        return {"strategy": choice["strategy"], "knobs": kept | dict(choice["knobs"])}

    with _readable():
        budgets = [
            {**entry, "choices": {name: full(choice) for name, choice in entry["choices"].items()}}
            for entry in table["budgets"]
        ]
    return {**table, "budgets": budgets}


def with_question(table: dict[str, Any], embed: Callable[[str], Sequence[float]], question: str) -> dict[str, Any]:
    """`table` with what the question's embedding adds to its difficulty taken into the intercept."""
    with _readable():
        difficulty = table.get("difficulty") or {}
        if not difficulty.get("embedding"):
            return table
        added = math.fsum(a * b for a, b in zip(difficulty["embedding"], embed(question), strict=True))
        rest = {name: value for name, value in difficulty.items() if name != "embedding"}
        return {**table, "difficulty": rest | {"intercept": difficulty["intercept"] + added}}


def plan(table: Mapping[str, Any], settings: Settings) -> Plan:
    """The plan of a table, whose choices change `settings`.

    Raises:
        InputError: the table is no table, or a choice names what there is not.
    """
    with _readable():
        found, budgets = table.get("difficulty"), {}
        for entry in table["budgets"]:
            lines = int(entry["lines"])
            choices = {name: _choice(each, lines, settings) for name, each in entry["choices"].items()}
            budgets[int(entry["tokens"])] = (lines, choices)
        difficulty = found and Difficulty(
            {name: float(found["weights"][name]) for name in FEATURES},
            *(float(found[name]) for name in ("intercept", "hard", "easy")),
        )
        if not budgets or not all(choices for _, choices in budgets.values()):
            raise ValueError("it holds no choice")
        return Plan(budgets, difficulty, str(table["source"]))


def _choice(choice: Mapping[str, Any], lines: int, settings: Settings) -> Settings:
    strategy, knobs = choice["strategy"], dict(choice["knobs"])
    if lines and strategy not in GOES_ON:
        raise InputError(f"auto cannot go on with {strategy!r} after {lines} lines; choose one of {', '.join(GOES_ON)}")
    strategies.get(strategy)
    if strategy in NEVER:
        raise InputError(f"auto cannot choose {strategy!r}; tune again with `coat tune`")
    if strange := sorted(knobs.keys() - {*KNOBS}):
        raise InputError(f"auto cannot change {strange[0]!r}; a choice may change: {', '.join(KNOBS)}")
    return replace(settings, **knobs, strategy=strategy)


@contextmanager
def _readable() -> Iterator[None]:
    """Say what is wrong with a table's form as one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the tuned table cannot be read ({error!r}); tune again with `coat tune`") from error
