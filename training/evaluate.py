"""What a model has learned, measured on held-out puzzles and states.

Solving runs in PyTorch with a key-value cache, all puzzles in one batch. The engine's own figures come from
`benchmarks`; these are the quick ones that guide training.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import text
from training.data import draw_puzzles, legal_steps
from training.model import Cache, Transformer
from training.splits import held_out
from training.trees import COMPUTATION, EXPLORATION, MISTAKES, RULE, Level, Step, mistaken

LINE = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)(?::(\d+(?:,\d+)*))?\Z")
KINDS = ("exploration", "computation", "rule")
HUMAN, COUNTDOWN = 13, 99
BACKTRACK, TAG = text.symbol(text.BACKTRACK), text.symbol(text.TAG)


@dataclass(frozen=True)
class Probe:
    """A path from a held-out puzzle to a held-out state, or to a claim of one.

    Attributes:
        ids: tokens of the problem and of one step.
        kind: None where the target can still be reached, else the kind of mistake the step is.
    """

    ids: list[int]
    kind: int | None


def read_step(line: str, numbers: Sequence[int]) -> Step | None:
    """The step that `line` (without its newline) spells, or None where the rules forbid it.

    >>> read_step("13-9=4:4,10", [4, 9, 10, 13]).left
    (4, 4, 10)
    >>> read_step("13-9=5:4,10", [4, 9, 10, 13]) is None
    True
    """
    match = LINE.match(line)
    if match is None:
        return None
    larger, operator, smaller, result = int(match[1]), match[2], int(match[3]), int(match[4])
    listed = [int(number) for number in (match[5] or "").split(",") if number]
    left = list(numbers)
    for operand in (larger, smaller):
        if operand not in left:
            return None
        left.remove(operand)
    right = {
        "+": larger + smaller == result,
        "-": larger - smaller == result,
        "*": larger * smaller == result,
        "/": smaller > 0 and smaller * result == larger,
    }
    same = sorted(listed) == sorted(left)
    return Step(larger, operator, smaller, result, tuple(sorted(left))) if same and right[operator] else None


def follow(lines: Sequence[str], numbers: Sequence[int], target: int) -> tuple[int, bool]:
    """How many of `lines` are legal before the first that is not, and whether they reach the target."""
    left: Sequence[int] = numbers
    for count, line in enumerate(lines):
        step = read_step(line, left)
        if step is None:
            return count, False
        left = step.left
    return len(lines), list(left) == [target]


@torch.inference_mode()
def generate(
    model: Transformer, prompts: Sequence[Sequence[int]], limit: int, temperature: float, seed: int = 0
) -> list[list[int]]:
    """Continue every prompt by up to `limit` tokens, never with a backtrack token.

    Args:
        model: the policy, on any device.
        prompts: token ids; shorter ones are padded on the left and the padding is masked.
        limit: tokens; generation stops earlier when every text has ended.
        temperature: 0 takes the most likely token.
        seed: of the samples.

    Returns:
        The new ids of each prompt, before its end token.
    """
    device = model.embedding.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    width = max(map(len, prompts))
    padding = torch.tensor([width - len(prompt) for prompt in prompts], device=device)
    tokens = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    slots = torch.arange(width + limit, device=device)
    real = slots >= padding[:, None]
    mask = (slots[:width, None] >= slots[:width]) & (real[:, None, :width] | torch.eye(width, device=device).bool())
    positions = (slots[:width] - padding[:, None]).clamp(min=0)
    cache: Cache = []
    written: list[Tensor] = []
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    for slot in range(width, width + limit):
        logits = model.logits(model(tokens, positions, mask[:, None], cache)[:, -1]).float()
        tokens = _pick(logits, temperature, generator)[:, None]
        written.append(tokens)
        ended |= tokens[:, 0] == text.END
        if ended.all():
            break
        positions, mask = slot - padding[:, None], real[:, None, : slot + 1]
    return [_until_end(row) for row in torch.cat(written, dim=1).tolist()]


def _pick(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """One token (batch,) from logits (batch, vocabulary) without the backtrack token."""
    logits[:, BACKTRACK] = -torch.inf
    if temperature == 0:
        return logits.argmax(dim=-1)
    shares = (logits / temperature).softmax(dim=-1)
    return torch.multinomial(shares, 1, generator=generator)[:, 0]


def _until_end(ids: list[int]) -> list[int]:
    """The tokens before the first end token."""
    return ids[: ids.index(text.END)] if text.END in ids else ids


def held_out_puzzles(
    size: int, count: int, high: int, seed: int, allowed: Callable[[Sequence[int], int], bool] = held_out
) -> list[tuple[list[int], int]]:
    """`count` held-out puzzles with a solution, or other `allowed` ones: `size` numbers 1..high and a target 1..100."""
    generator = np.random.default_rng((seed, size, high))
    numbers, targets = draw_puzzles(
        size, np.ones(count, dtype=np.bool_), np.full(count, high, dtype=np.int32), generator, allowed
    )
    return [(row.tolist(), int(target)) for row, target in zip(numbers, targets, strict=True)]


def solve_rates(
    model: Transformer, puzzles: Sequence[tuple[list[int], int]], samples: int, seed: int = 0
) -> dict[str, float]:
    """Shares of `puzzles` solved greedily and by any of `samples` samples, and of legal steps in each.

    A text's steps count up to and including the first illegal one.
    """
    prompts = [text.problem_ids(numbers, target) for numbers, target in puzzles]
    limit = 16 * max(len(numbers) for numbers, _ in puzzles)
    rates: dict[str, float] = {}
    for name, repeats, temperature in (("greedy", 1, 0.0), (f"best_of_{samples}", samples, 1.0)):
        if not repeats:
            continue
        texts = generate(model, prompts * repeats, limit, temperature, seed)
        solved, legal, steps = np.zeros(len(puzzles), dtype=np.bool_), 0, 0
        for index, ids in enumerate(texts):
            numbers, target = puzzles[index % len(puzzles)]
            lines = text.decode(ids).removesuffix("\n").split("\n")[: len(numbers) - 1]
            followed, reached = follow(lines, numbers, target)
            solved[index % len(puzzles)] |= reached
            legal, steps = legal + followed, steps + min(followed + 1, len(lines))
        rates |= {name: float(solved.mean()), f"{name}_legal": legal / steps}
    return rates


def probes(size: int, count: int, high: int, seed: int) -> list[Probe]:
    """One-step paths from held-out puzzles of `size` numbers; every state on them is held out.

    `count` of them keep the target within reach, and as many are mistakes of each kind.
    """
    random = Random(f"{seed}:{size}:{high}")
    found: dict[int | None, list[Probe]] = {kind: [] for kind in (None, EXPLORATION, COMPUTATION, RULE)}
    draw = 0
    while min(map(len, found.values())) < count:
        puzzles = held_out_puzzles(size, 200, high, 1000 * seed + draw)
        states = np.array([numbers for numbers, _ in puzzles], dtype=np.int32)
        targets = np.array([target for _, target in puzzles], dtype=np.int32)
        for (numbers, target), steps in zip(puzzles, legal_steps(states, targets), strict=True):
            prompt, level = text.problem_ids(numbers, target), Level(tuple(numbers), steps, None)
            for kind, list_ in found.items():
                step = _reaching(level, target, random) if kind is None else mistaken(level, kind, random)
                if step is not None and held_out(step.left, target):
                    list_.append(Probe(prompt + step.ids, kind))
        draw += 1
    return [probe for list_ in found.values() for probe in list_[:count]]


def _reaching(level: Level, target: int, random: Random) -> Step | None:
    """A random held-out step that keeps the target within reach."""
    steps = [step for step, count in level.steps.items() if count and held_out(step.left, target)]
    return random.choice(steps) if steps else None


@torch.inference_mode()
def read_probes(model: Transformer, found: Sequence[Probe]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each probe the log-odds of a good judgement, and whether the likeliest next step is to go back."""
    device = model.embedding.weight.device
    width = max(len(probe.ids) for probe in found) + 1
    rows = torch.zeros(len(found), width, dtype=torch.long)
    for row, probe in zip(rows, found, strict=True):
        row[: len(probe.ids) + 1] = torch.tensor([*probe.ids, TAG])
    positions = torch.arange(width, device=device).expand(len(found), width)
    hidden = model(rows.to(device), positions)
    ends = torch.tensor([len(probe.ids) for probe in found], device=device)
    index = torch.arange(len(found), device=device)
    judged = model.logits(hidden[index, ends]).float()
    odds = judged[:, text.symbol(text.GOOD)] - judged[:, text.symbol(text.BAD)]
    back = model.logits(hidden[index, ends - 1]).argmax(dim=-1) == BACKTRACK
    return odds.double().cpu().numpy(), back.cpu().numpy()


def area_under_curve(good: NDArray[np.float64], bad: NDArray[np.float64]) -> float:
    """The chance that a good one scores above a bad one, ties counting half (area under the ROC curve).

    >>> area_under_curve(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875
    """
    ordered = np.sort(bad)
    below = np.searchsorted(ordered, good, side="left") + np.searchsorted(ordered, good, side="right")
    return float(below.mean() / (2 * len(bad)))


def judgement_rates(model: Transformer, found: Sequence[Probe]) -> dict[str, float]:
    """How well judge and backtrack token tell the probes apart.

    Returns:
        `judge_auc`: good states against states that a legal step put out of reach. `backtrack_recall`: at
        mistakes mixed 1 : 2 : 2. `backtrack_precision`: where these and good steps are equally frequent.
    """
    odds, back = read_probes(model, found)
    kinds = kinds_of(found)
    rates = {"judge_auc": area_under_curve(odds[kinds < 0], odds[kinds == EXPLORATION])}
    return rates | backtrack_rates(kinds, back)


def kinds_of(found: Sequence[Probe]) -> NDArray[np.int_]:
    """The kind of each probe's mistake, -1 where it is none."""
    return np.array([-1 if probe.kind is None else probe.kind for probe in found])


def backtrack_rates(kinds: NDArray[np.int_], back: NDArray[np.bool_]) -> dict[str, float]:
    """Precision and recall of taking a step `back` at probes of these `kinds`, and the recall by kind."""
    recalls = [float(back[kinds == kind].mean()) for kind in range(len(KINDS))]
    recall, false = float(np.average(recalls, weights=MISTAKES)), float(back[kinds < 0].mean())
    rates = {"backtrack_precision": recall / (recall + false) if recall else 0.0, "backtrack_recall": recall}
    return rates | {f"recall_{name}": value for name, value in zip(KINDS, recalls, strict=True)}


def evaluate(model: Transformer, count: int, samples: int, seed: int = 1) -> dict[str, dict[str, float]]:
    """All figures, by set: Countdown with 3, 4 and 5 numbers, four numbers 1..13, and the probes by size."""
    model.eval()
    sets = {
        "countdown3": (3, COUNTDOWN),
        "countdown4": (4, COUNTDOWN),
        "countdown5": (5, COUNTDOWN),
        "human4": (4, HUMAN),
    }
    figures = {
        name: solve_rates(model, held_out_puzzles(size, count, high, seed), samples)
        for name, (size, high) in sets.items()
    }
    for size in (4, 5):
        figures[f"probes{size}"] = judgement_rates(model, probes(size, 2 * count, COUNTDOWN, seed))
    return figures


@dataclass(frozen=True)
class Exam:
    """A small fixed set for use during training: it is drawn once and asked many times."""

    puzzles: list[tuple[list[int], int]]
    probes: list[Probe]

    @classmethod
    def draw(cls, count: int, seed: int = 2) -> "Exam":
        """`count` held-out Countdown puzzles with four numbers, and eight times as many probes."""
        return cls(held_out_puzzles(4, count, COUNTDOWN, seed), probes(4, 2 * count, COUNTDOWN, seed))

    def grade(self, model: Transformer) -> dict[str, float]:
        """`solve_rates` and `judgement_rates` in one."""
        model.eval()
        figures = solve_rates(model, self.puzzles, 0) | judgement_rates(model, self.probes)
        model.train()
        return figures
