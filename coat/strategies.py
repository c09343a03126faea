"""The strategies by name. Each makes a search from the same settings; one that is another with an argument is that."""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coat import prompts, sandbox
from coat.errors import InputError, no_such
from coat.problem import Kind
from coat.settings import Settings
from coat.tasks import Task
from search import (
    Budget,
    Search,
    Tree,
    ab_mcts,
    auto,
    beam,
    best_first,
    best_of_n,
    dvts,
    feedback_edit,
    mcts,
    particles,
    rebase,
    rstar,
    s_star,
    tpo,
)

KINDS: tuple[Kind, ...] = ("moves", "question", "program", "text")
WORDS: tuple[Kind, ...] = ("question", "program", "text")
"""Where an answer may be one step, since the task checks no other."""
Key = Callable[[int], str]
"""What the answers at nodes have in common that are equal."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A search, whose arguments are the settings of the same names, unless they are `changed`.

    What is changed is a value, or a function of the settings. `knobs` are the settings that serve it well where the
    user asks for no others, `moves` the names of those that it makes, `kinds` those of the tasks that it serves,
    `models` the most that it can use. `steered`: it takes up what a person does to its tree (`search.steering`).
    """

    search: Callable[..., Search]
    about: str
    changed: Mapping[str, Any] = field(default_factory=dict)
    knobs: Mapping[str, Any] = field(default_factory=dict)
    moves: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = KINDS
    models: int = 1
    steered: bool = False


def lines(settings: Settings) -> int:
    """How many lines a strategy of independent lines draws in all."""
    return settings.n or settings.width


def _samples(settings: Settings) -> int:
    return settings.n or 4 * settings.width


def _judged(settings: Settings) -> str:
    return "answers" if settings.aggregate == "last" else "steps"


LINE = {"n": 1, "revisions": 0, "backtracks": 0}
LINES = {"n": lines, "revisions": 0, "backtracks": 0, "judged": _judged}

STRATEGIES: dict[str, Strategy] = {
    "auto": Strategy(auto, "a few lines first, then what `coat tune` found best for such problems, or a prior"),
    "coat": Strategy(
        mcts, "Monte Carlo tree search with recall and stepping back (CoAT, arXiv 2502.02390)", steered=True
    ),
    "cot": Strategy(best_of_n, "one line of thought", LINE),
    "draft": Strategy(
        best_of_n,
        "one line of short drafts (Chain of Draft, arXiv 2502.18600)",
        LINE,
        {"style": "draft"},
        kinds=("question",),
    ),
    "greedy": Strategy(best_of_n, "one line at temperature 0", LINE | {"temperature": 0.0}),
    "majority": Strategy(
        best_of_n,
        "--n independent lines, the answer that most give (arXiv 2203.11171); --adaptive stops when it is decided",
        LINES | {"judged": "nothing"},
    ),
    "best_of_n": Strategy(best_of_n, "--n independent lines, the answer that the judge likes best; see --vote", LINES),
    "revise": Strategy(
        best_of_n,
        "--n chains of --revisions more attempts each, the best of each chain, then across (arXiv 2408.03314)",
        LINES | {"revisions": lambda settings: settings.revisions},
        {"vote": "chains"},
    ),
    "beam": Strategy(
        beam, "level by level, the --keep best judged states go on, --width steps from each; --lookahead", steered=True
    ),
    "dvts": Strategy(
        dvts, "--n / --width independent subtrees, the best step of each goes on", {"n": _samples}, steered=True
    ),
    "rebase": Strategy(
        rebase, "--n samples a level, shared by what states are worth (arXiv 2408.00724)", {"n": _samples}, steered=True
    ),
    "particles": Strategy(
        particles,
        "--n lines, drawn anew after every step by what they are worth (arXiv 2502.01618)",
        {"n": _samples},
        steered=True,
    ),
    "best_first": Strategy(best_first, "the best judged state anywhere is expanded next", steered=True),
    "ab_mcts": Strategy(
        ab_mcts, "wider or deeper, and by which model, by Thompson sampling (AB-MCTS-A, arXiv 2503.04412)", models=8
    ),
    "self_backtracking": Strategy(
        best_of_n,
        "--n lines, then --backtracks times as many from one step before the mistakes (arXiv 2502.04404)",
        LINES | {"backtracks": lambda settings: settings.backtracks},
    ),
    "rstar": Strategy(
        rstar,
        "five kinds of step, --simulations roll-outs; each answer is checked by --n completions (arXiv 2408.06195)",
        {"depth": 5, "checks": lines},
        {"simulations": 16, "exploration": 2.0, "vote": "max"},
        ("finish", "subquestion", "reanswer", "rephrase"),
        kinds=("question",),
        models=2,
    ),
    "s_star": Strategy(
        s_star,
        "--n programs, debugged --revisions times, told apart by what they give for new inputs (S*, arXiv 2502.14382)",
        {"n": lines, "choice": lambda settings: prompts.choice},
        {"n": 16, "revisions": 2, "vote": "max"},
        ("debug", "tests", "inputs", "judge"),
        kinds=("program",),
    ),
    "tpo": Strategy(
        tpo,
        "--n whole answers, --rounds times as many by advice from the best and the worst (TPO, arXiv 2501.12895)",
        {"n": lambda settings: settings.n or 5},
        {"vote": "max"},
        ("draft", "loss", "gradient", "improve"),
        kinds=WORDS,
    ),
    "feedback_edit": Strategy(
        feedback_edit,
        "--n whole drafts, --feedbacks on each, --edits by each of these (arXiv 2503.04378)",
        {"n": lines},
        {"vote": "max"},
        ("draft", "feedback", "edit"),
        kinds=WORDS,
        models=3,
    ),
}


def get(name: str) -> Strategy:
    """The strategy called `name`.

    Raises:
        InputError: there is no such strategy.
    """
    if name not in STRATEGIES:
        raise no_such("strategy", "strategies", name, STRATEGIES)
    return STRATEGIES[name]


def fitting(name: str, task: Task, models: int = 1) -> Strategy:
    """The strategy called `name`, for `task` and so many models.

    Raises:
        InputError: there is no such strategy, it serves no such task or uses fewer models, or it runs programs and
            there is no sandbox.
    """
    strategy = get(name)
    if task.kind not in strategy.kinds:
        others = ", ".join(other for other, each in STRATEGIES.items() if task.kind in each.kinds)
        raise InputError(f"the strategy {name!r} does not serve the task {task.name!r}; these do: {others}")
    if models > strategy.models:
        several = ", ".join(f"{other} (up to {each.models})" for other, each in STRATEGIES.items() if each.models > 1)
        least = "one model" if strategy.models == 1 else f"at most {strategy.models} models"
        raise InputError(f"the strategy {name!r} uses {least}, not {models}; these use several: {several}")
    if strategy.kinds == ("program",) and (reason := sandbox.unavailable()):
        raise InputError(reason)
    return strategy


def make(
    tree: Tree,
    settings: Settings,
    depth: int,
    budget: Budget,
    key: Key,
    *,
    drawn: int = 0,
    over: Callable[[Tree], bool] | None = None,
    models: int = 1,
) -> Search:
    """The search over `tree` that the settings name, to at most `depth` steps; `coat.auto` makes that of auto.

    Of its lines `drawn` are in the tree already. `over` says when lines that are voted on need not go on.
    """
    strategy = get(settings.strategy)
    names = inspect.signature(strategy.search).parameters
    known: dict[str, Any] = {name: getattr(settings, name, None) for name in names}
    known |= {"depth": depth, "budget": budget, "key": key, "models": models}
    known |= {name: each(settings) if callable(each) else each for name, each in strategy.changed.items()}
    if settings.adaptive and known.get("judged") == "nothing":
        known["decided"] = lambda tree: decided(tree, known["n"], key)
    if over is not None:
        known["decided"] = over
    if drawn:
        known["n"] = max(0, known["n"] - drawn)
    given = {name: known[name] for name in names if name != "tree" and known.get(name) is not None}
    return strategy.search(tree, **given)


def decided(tree: Tree, n: int, key: Key) -> bool:
    """Whether no answer can still overtake the one in the lead, when `n` lines are asked in all."""
    votes = Counter(key(node.id) for node in tree.terminals())
    first, second = [*(count for _, count in votes.most_common(2)), 0, 0][:2]
    return first > second + n - votes.total()
