"""How well the puzzle model judges held-out states and takes back wrong steps, asked through the engine."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coat import runtime
from coat.models import LanguageModel, Notation, ScoreRequest, Text
from coat.usage import Usage
from training.data import draw_puzzles, legal_steps
from training.evaluate import COUNTDOWN, KINDS, area_under_curve, probes
from training.solver import reachable
from training.splits import held_out
from training.text import decode, problem_line
from training.trees import MISTAKES

SIZE, SEED = 4, 5


def figures(model: LanguageModel, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """`judge_auc`, `backtrack_precision` and `backtrack_recall`, from `count` puzzles and probes a kind."""
    notation = model.capabilities.notation
    assert notation is not None, "a puzzle model declares its notation"
    return judge_figures(model, notation, count, detail) | backtrack_figures(model, notation, count, detail)


def judge_figures(model: LanguageModel, notation: Notation, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """The judge's area under the ROC curve on the states of uniformly random legal play from held-out puzzles.

    Half of the puzzles have a solution. States with three or more numbers left are held out; those with two, which the
    rule does not cover, are apart in `detail`, and count in `judge_auc_all` there.
    """
    texts, sizes, labels = played(count)
    odds = _ask(model, texts, (notation.good, notation.bad), notation.tag)
    score = odds[:, 0] - odds[:, 1]
    by_size = {}
    for left in sorted(set(sizes.tolist())):
        of = sizes == left
        by_size[f"{left} numbers left"] = {
            "auc": round(area_under_curve(score[of & labels], score[of & ~labels]), 4),
            "states": int(of.sum()),
            "good": int(labels[of].sum()),
        }
    covered = sizes >= 3
    detail["judge"] = by_size | {"judge_auc_all": round(area_under_curve(score[labels], score[~labels]), 4)}
    return {"judge_auc": round(area_under_curve(score[covered & labels], score[covered & ~labels]), 4)}


def played(count: int) -> tuple[list[str], NDArray[np.int_], NDArray[np.bool_]]:
    """Paths of random legal play as the model reads them; how many numbers are left; whether the target still is."""
    random, generator = Random(SEED), np.random.default_rng(SEED)
    solvable = np.arange(count) % 2 == 0
    high = np.full(count, COUNTDOWN, dtype=np.int32)
    numbers, targets = draw_puzzles(SIZE, solvable, high, generator, held_out)
    texts = [problem_line(row.tolist(), int(target)) for row, target in zip(numbers, targets, strict=True)]
    found, sizes, labels = [], [], []
    for left in range(SIZE, 1, -1):
        reach = reachable(numbers, targets)
        keep = [left < 3 or held_out(row.tolist(), int(target)) for row, target in zip(numbers, targets, strict=True)]
        found += [text for text, kept in zip(texts, keep, strict=True) if kept]
        labels += reach[keep].tolist()
        sizes += [left] * sum(keep)
        steps = [random.choice(list(each)) for each in legal_steps(numbers, targets)]
        texts = [text + decode(step.ids) for text, step in zip(texts, steps, strict=True)]
        numbers = np.array([step.left for step in steps], dtype=np.int32)
    return found, np.array(sizes), np.array(labels)


def backtrack_figures(model: LanguageModel, notation: Notation, count: int, detail: dict[str, Any]) -> dict[str, float]:
    """Precision and recall of taking a step back, where wrong steps are as frequent as good ones.

    Wrong steps are exploration, computation and rule errors, 1 : 2 : 2, after held-out puzzles. The model takes a step
    back where the token for it is more likely than all others together.
    """
    found = probes(SIZE, count, COUNTDOWN, SEED)
    texts = [decode(probe.ids) for probe in found]
    back = np.exp(_ask(model, texts, (notation.backtrack,), "")[:, 0]) > 0.5
    kinds = np.array([-1 if probe.kind is None else probe.kind for probe in found])
    recalls = [float(back[kinds == kind].mean()) for kind in range(len(KINDS))]
    recall, false = float(np.average(recalls, weights=MISTAKES)), float(back[kinds < 0].mean())
    detail["backtrack"] = {f"recall_{name}": round(value, 4) for name, value in zip(KINDS, recalls, strict=True)}
    detail["backtrack"]["false_alarms"] = round(false, 4)
    precision = recall / (recall + false) if recall else 0.0
    return {"backtrack_precision": round(precision, 4), "backtrack_recall": round(recall, 4)}


def _ask(model: LanguageModel, texts: Sequence[str], candidates: tuple[str, ...], tag: str) -> NDArray[np.float64]:
    """Log-probabilities (texts, candidates) of the next token after each text and the tag."""

    async def every() -> list[list[float]]:
        suffix = (Text(tag),) if tag else ()
        requests = [ScoreRequest((Text(text),), suffix, candidates) for text in texts]
        return await asyncio.gather(*(model.score(request, Usage()) for request in requests))

    return np.array(runtime.submit(every()).result())
