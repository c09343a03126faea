"""`coat tune`: which strategy serves problems of which difficulty best, at which budget (arXiv 2408.03314).

Measured on calibration problems: pass@1 over sampled lines; what a few other lines tell of it; and every candidate,
alone and after these lines. Choices are made on one half of the problems and held to the other.
"""

import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coat import auto
from coat.auto import BINS, FEATURES, LINES
from coat.errors import ContextError, InputError
from coat.evaluation import SAMPLED, checkable, pass_at_1, results
from coat.intervals import wilson
from coat.models import LanguageModel
from coat.problem import Problem
from coat.result import Result, answer_of
from coat.settings import Settings
from coat.tasks import Task

CANDIDATES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "majority": ({"n": 16, "vote": "majority"},),
    "best_of_n": ({"n": 16},),
    "beam": ({"keep": 4, "width": 4}, {"keep": 2, "width": 8}),
    "rebase": ({"n": 16}, {"n": 32}),
    "coat": ({},),
}
"""What is tried of a strategy, unless knobs are named; one that is not here is tried as it is."""
SPENDING = (1, 256, 1024)
"""What thoughts may cost that is tried of a model that thinks, in tokens a path; a thought of 1 is ended at once."""
FEWEST = 8
"""Problems that are needed to learn what is difficult."""
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Strengths of the ridge penalty that are tried, by leave-one-out."""

Choice = tuple[str, bool]
"""A candidate's name, and whether lines were drawn before it."""
Watch = Callable[[str, Iterator[Any], int], Iterable[Any]]
"""Looks on at results that come: what they are of, the results, how many there will be."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy and what it changes of the settings."""

    strategy: str
    knobs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is typed: `beam:keep=2:width=8`."""
        return ":".join([self.strategy, *(f"{name}={value}" for name, value in self.knobs.items())])

    def table(self, lines: int) -> dict[str, Any]:
        """A table for `auto` that always chooses this, after `lines` lines."""
        entry = {"tokens": 1, "lines": lines, "choices": {"any": self.choice}}
        return {"version": auto.VERSION, "budgets": [entry], "source": "it is measured"}

    @property
    def choice(self) -> dict[str, Any]:
        """As a tuned file has it."""
        return {"strategy": self.strategy, "knobs": dict(self.knobs)}


@dataclass(slots=True)
class Measured:
    """One calibration problem: pass@1, what a few lines told, and by choice and budget whether right, and the tokens.

    `open`: no verifier has ended the run while these lines were drawn.
    """

    pass_at_1: float = 0.0
    open: bool = True
    features: dict[str, float] = field(default_factory=dict)
    embedding: list[float] = field(default_factory=list)
    runs: dict[tuple[Choice, int], tuple[bool, int]] = field(default_factory=dict)

    @property
    def row(self) -> list[float]:
        """What the regressor reads."""
        return [*(self.features[name] for name in FEATURES), *self.embedding]


@dataclass(frozen=True, slots=True)
class Share:
    """Of `n` problems so many were `right`, for `tokens` a problem."""

    right: int
    n: int
    tokens: float

    def as_dict(self) -> dict[str, Any]:
        """Accuracy with its 95 % Wilson interval, tokens a problem, and the number of problems."""
        low, high = wilson(self.right, self.n) if self.n else (0.0, 1.0)
        accuracy = self.right / self.n if self.n else None
        return {
            "accuracy": None if accuracy is None else round(accuracy, 4),
            "interval": [round(low, 4), round(high, 4)],
            "tokens": round(self.tokens, 1),
            "n": self.n,
        }


# Measuring.


def measure(
    problems: Sequence[tuple[str, Problem]],
    candidates: Sequence[Candidate],
    budgets: Sequence[int],
    *,
    task: str,
    samples: int,
    jobs: int,
    watch: Watch,
    **call: Any,
) -> list[Measured]:
    """What `problems` tell; `call` is what `coat.start` takes beside the question. A journal replays what it holds.

    Raises:
        InputError: nothing can tell right from wrong, or what `coat.start` says.
    """
    checkable(problems, task)

    def run(label: str, **more: Any) -> Iterator[tuple[Measured, Result | ContextError, Task]]:
        running = results([text for text, _ in problems], jobs, task=task, **call, **more)
        for each, (result, adapted) in zip(found, watch(label, running, len(problems)), strict=False):
            yield each, result, adapted

    found = [Measured() for _ in problems]
    for number, (each, result, adapted) in enumerate(run("pass@1", **SAMPLED, n=samples)):
        each.pass_at_1 = pass_at_1(result, adapted, problems[number][1], samples)
    few = Candidate("majority", {"n": LINES, "vote": "majority"}).table(LINES)
    for number, (each, result, adapted) in enumerate(run("features", strategy="auto", tuned=few, tokens=None)):
        _tell(each, result, adapted, problems[number][1])
    for budget, candidate, lines in itertools.product(budgets, candidates, (0, LINES)):
        if not lines or candidate.strategy in auto.GOES_ON:
            label = f"{candidate.name}, {budget} tokens" + (f", after {lines} lines" if lines else "")
            for each, result, _ in run(label, strategy="auto", tuned=candidate.table(lines), tokens=budget):
                each.runs[(candidate.name, bool(lines)), budget] = _outcome(result)
    return found


def _tell(each: Measured, result: Result | ContextError, task: Task, problem: Problem) -> None:
    """Note the features that the lines in a result tell."""
    if isinstance(result, ContextError):
        each.open = False
        return
    tree = result.tree
    each.open = result.stop != "solved"
    each.features = auto.features(tree, LINES, lambda node: task.key(answer_of(tree, task, problem, tree[node])))


def _outcome(result: Result | ContextError) -> tuple[bool, int]:
    return (False, 0) if isinstance(result, ContextError) else (bool(result.correct), result.usage.spent)


def possible(candidates: Iterable[Candidate], model: LanguageModel) -> tuple[list[Candidate], list[str]]:
    """Those of `candidates` that can be measured, and a sentence for each of the others.

    Raises:
        InputError: a strategy or a setting that there is not.
    """
    fine, left_out = [], []
    for each in candidates:
        if each.strategy in auto.NEVER:
            left_out.append(f"{each.strategy} is left out: auto cannot choose it")
        elif each.strategy == "revise" and model.capabilities.notation is not None:
            left_out.append(f"revise is left out: {model.name} cannot be asked for another attempt")
        else:
            auto.plan(each.table(0), Settings())
            fine.append(each)
    return fine, left_out


def spending(candidates: Sequence[Candidate], model: LanguageModel) -> list[Candidate]:
    """Each of `candidates` with each of `SPENDING`, but one that says itself what thoughts may cost.

    Raises:
        InputError: `model` thinks nowhere that can be told.
    """
    if model.capabilities.thinking is None:
        raise InputError(f"{model.name} declares no markers of thoughts, on which auto could spend; leave out --think")
    told = [(each, (each.knobs.get("max_think"),) if "max_think" in each.knobs else SPENDING) for each in candidates]
    return [Candidate(each.strategy, {**each.knobs, "max_think": most}) for each, costs in told for most in costs]


# Choosing.


@dataclass(frozen=True, slots=True)
class Fitted:
    """A ridge regression in plain numbers, and where it cuts between hard, medium and easy."""

    weights: Sequence[float]
    intercept: float
    hard: float
    easy: float

    def bin(self, each: Measured) -> str:
        """The bin of a problem that lines were drawn for; see `coat.auto.Difficulty`."""
        predicted = self.intercept + sum(a * b for a, b in zip(self.weights, each.row, strict=True))
        return "easy" if predicted >= self.easy else "hard" if predicted < self.hard else "medium"

    def as_dict(self) -> dict[str, Any]:
        """As a tuned file has it."""
        named = dict(zip(FEATURES, self.weights, strict=False))
        rest = list(self.weights[len(FEATURES) :])
        numbers = {"intercept": self.intercept, "hard": self.hard, "easy": self.easy}
        return {"weights": named, **numbers, **({"embedding": rest} if rest else {})}


def fit(problems: Sequence[Measured]) -> Fitted | None:
    """Pass@1 from features, over those that lines leave open; cut at the terciles. None of fewer than `FEWEST`."""
    import numpy as np
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    going = [each for each in problems if each.open]
    if len(going) < FEWEST:
        return None
    rows = np.array([each.row for each in going])
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(rows, [each.pass_at_1 for each in going])
    scaler, ridge = model[0], model[1]
    weights = ridge.coef_ / scaler.scale_
    hard, easy = np.quantile(model.predict(rows), (1 / 3, 2 / 3))
    intercept = float(ridge.intercept_ - weights @ scaler.mean_)
    return Fitted([float(each) for each in weights], intercept, float(hard), float(easy))


def reached(problems: Iterable[Measured], choices: Iterable[Choice], budget: int) -> Share:
    """What each problem's choice came to."""
    runs = [each.runs[choice, budget] for each, choice in zip(problems, choices, strict=True)]
    return Share(sum(right for right, _ in runs), len(runs), statistics.fmean([spent for _, spent in runs] or [0]))


def best(problems: Sequence[Measured], choices: Sequence[Choice], budget: int) -> Choice:
    """The choice with which most are right, of equal ones the one of fewest tokens, then the first."""
    shares = {each: reached(problems, [each] * len(problems), budget) for each in choices}
    return max(choices, key=lambda each: (shares[each].right, -shares[each].tokens))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was learnt for a budget: the best single choice, and the best in each bin after lines."""

    single: Choice
    fitted: Fitted | None
    bins: Mapping[str, Choice]

    def of(self, each: Measured) -> Choice:
        """The choice for a problem, by what lines tell of it; one that is not open has been solved by them."""
        if self.fitted is None or not each.open:
            return next(iter(self.bins.values()))
        return self.bins[self.fitted.bin(each)]


def learn(problems: Sequence[Measured], budget: int, fitted: Fitted | None) -> Chosen:
    """The best choices on `problems`; a bin without problems takes what is best after lines in all."""
    known = list(dict.fromkeys(choice for (choice, each) in problems[0].runs if each == budget))
    single = best(problems, [each for each in known if not each[1]], budget)
    after = [each for each in known if each[1]]
    open_ones = [each for each in problems if each.open]
    inside = {name: [each for each in open_ones if fitted and fitted.bin(each) == name] for name in BINS}
    overall = best(open_ones, after, budget) if after else single
    bins = {name: best(each, after, budget) if each and after else overall for name, each in inside.items()}
    return Chosen(single, fitted, bins)


def cross_validated(problems: Sequence[Measured], budget: int) -> list[tuple[Measured, Choice, Choice, str]]:
    """Each problem with the choices, single and by bin, that the half made in which it is not; and its bin."""
    found = []
    for half in (0, 1):
        learnt, held = problems[half::2], problems[1 - half :: 2]
        fitted = fit(learnt)
        chosen = learn(learnt, budget, fitted)
        for each in held:
            name = fitted.bin(each) if fitted and each.open else "solved" if not each.open else "medium"
            found.append((each, chosen.single, chosen.of(each), name))
    return found


def tune(problems: Sequence[Measured], candidates: Sequence[Candidate], budgets: Sequence[int]) -> dict[str, Any]:
    """The part of a tuned file that `coat.auto.plan` reads, with what was measured.

    Where lines and bins reach no more than the best single candidate, by cross-validation, the file says that one.
    """
    known = {each.name: each for each in candidates}
    fitted = fit(problems)
    entries = []
    for budget in budgets:
        chosen, held = learn(problems, budget, fitted), cross_validated(problems, budget)
        everyone = [each for each, *_ in held]
        single = reached(everyone, [each for _, each, _, _ in held], budget)
        binned = reached(everyone, [each for _, _, each, _ in held], budget)
        lines = LINES * int((binned.right, -binned.tokens) > (single.right, -single.tokens))
        named = {"any": chosen.single} if not lines else dict(chosen.bins)
        choices = {}
        for name, choice in named.items():
            inside = [each for each in held if name in ("any", each[3])]
            made = [after if lines else alone for _, alone, after, _ in inside]
            share = reached([each for each, *_ in inside], made, budget)
            choices[name] = {**known[choice[0]].choice, **share.as_dict()}
        entry = {"tokens": budget, "lines": lines, "choices": choices, "after_lines": binned.as_dict()}
        entries.append(entry | {"single": known[chosen.single[0]].choice | single.as_dict()})
    return {"difficulty": fitted and fitted.as_dict(), "budgets": entries}
