"""How well the puzzle model judges held-out states and takes back wrong steps, asked through the engine."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coat import runtime
from coat.errors import InputError
from coat.models import LanguageModel, Notation, ScoreRequest, Text
from coat.usage import Usage
from training.data import legal_steps
from training.evaluate import COUNTDOWN, area_under_curve, backtrack_rates, held_out_puzzles, kinds_of, probes
from training.splits import held_out
from training.text import decode, problem_line

SIZE, SEED = 4, 5


def figures(model: LanguageModel, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """`judge_auc`, `backtrack_precision` and `backtrack_recall`, from `count` puzzles and probes a kind."""
    notation = model.capabilities.notation
    if notation is None:
        raise InputError(f"{model.name} declares no notation; name a puzzle model with --model")
    return judge_figures(model, notation, count, detail) | backtrack_figures(model, notation, count, detail)


def judge_figures(model: LanguageModel, notation: Notation, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """The judge's area under the ROC curve on held-out states, as many good as bad ones.

    States are one legal step away from held-out puzzles of 5 and 4 numbers; those of 3, which leave two numbers that
    the rule of the splits does not cover, stand apart in `detail`.
    """
    scores: list[NDArray[np.float64]] = []
    detail["judge"] = {}
    good = np.arange(2 * count) < count
    for size in (5, 4, 3):
        odds = _ask(model, states(size, count), (notation.good, notation.bad), notation.tag)
        scores.append(odds[:, 0] - odds[:, 1])
        detail["judge"][f"{size - 1} numbers left"] = round(area_under_curve(scores[-1][good], scores[-1][~good]), 4)
    covered, labels = np.concatenate(scores[:2]), np.concatenate([good, good])
    return {"judge_auc": round(area_under_curve(covered[labels], covered[~labels]), 4)}


def states(size: int, count: int) -> list[str]:
    """Paths of one legal step, `count` that keep the target within reach and then as many that do not."""
    random = Random(f"states:{SEED}:{size}")
    found: dict[bool, list[str]] = {True: [], False: []}
    draw = 0
    while min(map(len, found.values())) < count:
        puzzles = held_out_puzzles(size, 200, COUNTDOWN, 1000 * SEED + draw)
        numbers = np.array([each for each, _ in puzzles], dtype=np.int32)
        targets = np.array([target for _, target in puzzles], dtype=np.int32)
        for (start, target), steps in zip(puzzles, legal_steps(numbers, targets), strict=True):
            for good, texts in found.items():
                fitting = [
                    step
                    for step, ways in steps.items()
                    if bool(ways) is good and (size == 3 or held_out(step.left, target))
                ]
                if fitting:
                    texts.append(problem_line(start, target) + decode(random.choice(fitting).ids))
        draw += 1
    return found[True][:count] + found[False][:count]


def backtrack_figures(model: LanguageModel, notation: Notation, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """Precision and recall of taking a step back, where wrong steps are as frequent as good ones.

    Wrong steps are exploration, computation and rule errors, 1 : 2 : 2, after held-out puzzles. The model takes a step
    back where the token for it is more likely than all others together.
    """
    found = probes(SIZE, count, COUNTDOWN, SEED)
    texts = [decode(probe.ids) for probe in found]
    back = np.exp(_ask(model, texts, (notation.backtrack,), "")[:, 0]) > 0.5
    kinds = kinds_of(found)
    rates = {name: round(value, 4) for name, value in backtrack_rates(kinds, back).items()}
    figures = {name: rates.pop(name) for name in ("backtrack_precision", "backtrack_recall")}
    detail["backtrack"] = rates | {"false_alarms": round(float(back[kinds < 0].mean()), 4)}
    return figures


def _ask(model: LanguageModel, texts: Sequence[str], candidates: tuple[str, ...], tag: str) -> NDArray[np.float64]:
    """Log-probabilities (texts, candidates) of the next token after each text and the tag."""

    async def every() -> list[list[float]]:
        suffix = (Text(tag),) if tag else ()
        requests = [ScoreRequest((Text(text),), suffix, candidates) for text in texts]
        return await asyncio.gather(*(model.score(request, Usage()) for request in requests))

    return np.array(runtime.submit(every()).result())
