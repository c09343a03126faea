"""The training loop: masked loss over trees of steps, a warm-up, a plateau and a decay, and exact resumption.

Everything that a run needs to go on is in one checkpoint: configuration, weights, optimiser state, step (which
is also the position in the data, a pure function of seed and step) and the curve so far.
"""

import json
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import clip_grad_norm_

from training import text
from training.data import TARGETS, Batch, DataConfig, batches
from training.errors import TrainingError
from training.evaluate import Exam
from training.model import ModelConfig, Reach, Transformer, initialise
from training.trees import BACKTRACK, JUDGE, POLICY, RESULT, Mixture

LOSSES = {"policy": POLICY, "judge": JUDGE, "backtrack": BACKTRACK, "result": RESULT}


@dataclass(frozen=True)
class TrainConfig:
    """How a run is optimised.

    Attributes:
        steps: batches in all.
        rate: the learning rate of the plateau.
        warmup: steps of linear increase.
        decay: share of the steps, at the end, over which the rate falls linearly to zero.
        matrices: what updates the blocks' matrices, "muon" (torch.optim.Muon) or "adamw"; AdamW does the rest.
        weight_decay: decoupled, on matrices.
        clip: largest norm of the gradient.
        precision: "float32" or "bfloat16" (autocast; weights and optimiser stay float32).
        structured: whether number embeddings start as waves (`model.number_waves`).
        reach: weight of `model.Reach` in the loss, where all of the text weighs 1.
        seed: of the initial weights.
    """

    steps: int = 2000
    rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.3
    matrices: str = "muon"
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "bfloat16"
    structured: bool = True
    reach: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run."""

    model: ModelConfig
    train: TrainConfig
    data: DataConfig


def shape(width: int, layers: int) -> ModelConfig:
    """A model of the usual proportions: heads of 32, a feed-forward network of 8/3 of the width.

    Raises:
        TrainingError: `width` is no multiple of 32.
    """
    if width % 32:
        raise TrainingError(f"The width is {width}; it must be a multiple of 32.")
    hidden = round(width * 8 / 3 / 32) * 32
    return ModelConfig(text.VOCABULARY, width, layers, width // 32, hidden)


def read_mixture(changes: str) -> Mixture:
    """The default mixture with the fields of a JSON object changed.

    Raises:
        TrainingError: it is no JSON object, or has a field that a mixture has not.
    """
    try:
        given = json.loads(changes)
        sizes = tuple(given.pop("sizes", Mixture().sizes))
        return Mixture(sizes=sizes, **given)
    except (ValueError, TypeError, AttributeError) as error:
        raise TrainingError(f"The mixture {changes} cannot be read: {error}.") from error


@dataclass
class Run:
    """A run as it stands: what `step` gradients and `seconds` of work have made of it."""

    config: RunConfig
    model: Transformer
    reach: Reach
    optimisers: list[torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


def learning_rate(step: int, config: TrainConfig) -> float:
    """The rate of step number `step`: warm-up, plateau, linear decay (arXiv 2404.06395, WSD).

    >>> config = TrainConfig(steps=100, rate=1.0, warmup=10, decay=0.5)
    >>> [learning_rate(step, config) for step in (0, 9, 49, 75, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.02]
    """
    rise = (step + 1) / max(1, config.warmup)
    fall = (config.steps - step) / max(1.0, config.decay * config.steps)
    return config.rate * min(1.0, rise, fall)


def optimisers(model: Transformer, reach: Reach, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon for the blocks' matrices where the configuration asks for it."""
    matrices = [weight for weight in model.blocks.parameters() if weight.dim() == 2]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    betas = (0.9, 0.98)
    groups: list[dict[str, Any]] = [
        {"params": [model.embedding.weight, *reach.parameters()], "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if config.matrices == "adamw":
        groups.append({"params": matrices, "weight_decay": config.weight_decay})
        return [torch.optim.AdamW(groups, lr=config.rate, betas=betas)]
    muon = torch.optim.Muon(matrices, lr=config.rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
    return [torch.optim.AdamW(groups, lr=config.rate, betas=betas), muon]


def fresh_run(config: RunConfig, device: str) -> Run:
    """A run before its first step, with new weights."""
    model = Transformer(config.model)
    numbers = (text.FIRST_NUMBER, text.FIRST_NUMBER + text.NUMBERS)
    initialise(model, numbers, config.train.structured, config.train.seed)
    reach = Reach(config.model)
    model.to(device), reach.to(device)
    return Run(config, model, reach, optimisers(model, reach, config.train))


def losses(run: Run, batch: Batch) -> dict[str, Tensor]:
    """Weighted mean cross-entropies: "all", which is trained on, and one for each kind of target and for reach.

    A soft target's entropy counts, so the least possible policy loss is above zero.
    """
    model, config = run.model, run.config.train
    device = model.embedding.weight.device
    on_device = Batch(*(torch.as_tensor(array).to(device, non_blocking=True) for array in batch))
    tokens, positions, mask, sources, slots, labels, weights, kinds, places, reached, known = on_device
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        hidden = model(tokens, positions, mask[:, None]).flatten(0, 1)
        logits = model.logits(hidden[sources])
        first = text.FIRST_NUMBER + TARGETS.start
        reach = run.reach(hidden[places], model.embedding.weight[first : first + len(TARGETS)])
    terms = -logits.float().log_softmax(dim=-1)[slots, labels] * weights
    reached, known = torch.as_tensor(reached).float(), torch.as_tensor(known).float()
    reached_terms = F.binary_cross_entropy_with_logits(reach.float(), reached, known, reduction="sum")
    found = {"reach": reached_terms / known.sum()}
    found["all"] = terms.sum() / weights.sum() + config.reach * found["reach"]
    for name, kind in LOSSES.items():
        chosen = kinds == kind
        found[name] = terms[chosen].sum().detach() / weights[chosen].sum().clamp(min=1e-9)
    return found


def train_step(run: Run, batch: Batch) -> dict[str, Tensor]:
    """One update of the weights; returns the losses before it."""
    config = run.config.train
    found = losses(run, batch)
    torch.autograd.backward(found["all"])
    clip_grad_norm_([*run.model.parameters(), *run.reach.parameters()], config.clip)
    for optimiser in run.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(run.step, config)
        optimiser.step()
        optimiser.zero_grad()
    run.step += 1
    return {name: value.detach() for name, value in found.items()}


def save(run: Run, path: Path) -> None:
    """Write the checkpoint; a kill while it is written leaves the old one whole."""
    state = {
        "config": asdict(run.config),
        "model": run.model.state_dict(),
        "reach": run.reach.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in run.optimisers],
        "step": run.step,
        "seconds": run.seconds,
        "curve": run.curve,
    }
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save` wrote.

    Raises:
        TrainingError: there is no such file, or it is no checkpoint.
    """
    if not path.is_file():
        raise TrainingError(f"There is no checkpoint {path}.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = {"config", "model", "reach", "optimisers", "step"} <= state.keys()
    except (RuntimeError, OSError, EOFError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is no checkpoint that can be read.") from error
    if not known:
        raise TrainingError(f"{path} is no checkpoint of this program.")
    return state


def resume(path: Path, config: RunConfig, device: str) -> Run:
    """The run of a checkpoint, with the optimisation settings of `config` from here on.

    Raises:
        TrainingError: the checkpoint's model or data are not those of `config`.
    """
    state = load_checkpoint(path)
    for part, mine in (("model", asdict(config.model)), ("data", asdict(config.data))):
        theirs = state["config"][part]
        differing = [f"{name} {theirs.get(name)}, not {mine[name]}" for name in mine if theirs.get(name) != mine[name]]
        if differing:
            raise TrainingError(
                f"The run in {path.parent} has another {part}: {'; '.join(differing)}. "
                "Give the options it was started with, or another --out."
            )
    run = fresh_run(config, device)
    if len(state["optimisers"]) != len(run.optimisers):
        raise TrainingError(f"The run in {path.parent} was started with another --matrices.")
    run.model.load_state_dict(state["model"])
    run.reach.load_state_dict(state["reach"])
    for optimiser, saved in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    run.step, run.seconds, run.curve = state["step"], state["seconds"], state["curve"]
    return run


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Collect the signals that ask the process to stop, so that the loop can end between two steps."""
    received: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda number, _: received.append(number)) for kind in kinds]
    try:
        yield received
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


@dataclass(frozen=True)
class Habits:
    """What a run does beside training; none of it changes the weights.

    Attributes:
        folder: where checkpoint, curve and log are written.
        workers: processes that make data; 0 makes it between steps.
        exam: held-out puzzles asked at every look; 0 for none.
        every: steps from one look (losses, exam, a line in the log) to the next.
        save_seconds: from one checkpoint to the next.
        minutes: of work, after which the run stops as if interrupted; 0 for no limit.
    """

    folder: Path
    workers: int = 1
    exam: int = 100
    every: int = 250
    save_seconds: float = 180.0
    minutes: float = 0.0


def train(run: Run, habits: Habits, console: Console) -> bool:
    """Work until the last step, or until interrupted; save either way. Returns whether the run is complete."""
    habits.folder.mkdir(parents=True, exist_ok=True)
    config, checkpoint = run.config, habits.folder / "checkpoint.pt"
    exam = Exam.draw(habits.exam) if habits.exam else None
    stream = batches(config.data, run.step, config.train.steps, habits.workers)
    started = seen = saved = time.monotonic()
    sums: dict[str, Tensor] = {}
    count = 0
    with _progress(console) as progress, interruptible() as signals:
        bar = progress.add_task("", total=config.train.steps, completed=run.step)
        for batch in stream:
            for name, value in train_step(run, batch).items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
            count += 1
            now = time.monotonic()
            progress.update(bar, completed=run.step)
            stop = bool(signals) or (0 < habits.minutes <= (run.seconds + now - started) / 60)
            if run.step % habits.every == 0 or run.step == config.train.steps:
                point = _look(run, sums, count, now - seen, exam)
                run.curve.append(point | {"seconds": round(run.seconds + now - started, 1)})
                console.print(describe(run.curve[-1]), highlight=False, soft_wrap=True)
                progress.update(bar, description=describe(run.curve[-1]))
                sums, count, seen = {}, 0, time.monotonic()
            if stop or now - saved > habits.save_seconds:
                saved = _keep(run, checkpoint, started)
                started = saved
            if stop:
                break
    _keep(run, checkpoint, started)
    write_curve(run, habits.folder)
    return run.step >= config.train.steps


def _keep(run: Run, checkpoint: Path, started: float) -> float:
    """Book the seconds since `started`, save, and return the time now."""
    now = time.monotonic()
    run.seconds += now - started
    save(run, checkpoint)
    return now


def _look(run: Run, sums: dict[str, Tensor], count: int, seconds: float, exam: Exam | None) -> dict[str, float]:
    """One point of the curve: mean losses since the last, tokens/s, and the exam's grades."""
    tokens = run.config.data.rows * run.config.data.length
    point = {"step": float(run.step), "tokens": float(run.step * tokens)}
    point |= {f"loss_{name}": round(float(total) / count, 4) for name, total in sums.items()}
    point["rate"] = round(count * tokens / seconds)
    grades = exam.grade(run.model) if exam else {}
    return point | {name: round(value, 4) for name, value in grades.items()}


def describe(point: dict[str, float]) -> str:
    """One line for a person."""
    parts = [f"step {point['step']:.0f}, {point['tokens'] / 1e6:.1f}M tokens, {point['rate'] / 1e3:.1f}k/s"]
    parts += [f"loss {point['loss_all']:.3f}"]
    parts += [f"{name} {point[f'loss_{name}']:.3f}" for name in (*LOSSES, "reach")]
    names = {"greedy": "solved", "greedy_legal": "legal", "judge_auc": "AUC", "backtrack_recall": "back"}
    parts += [f"{label} {point[name]:.3f}" for name, label in names.items() if name in point]
    return " · ".join(parts)


def _progress(console: Console) -> Progress:
    """A bar with steps, time left and the last look."""
    columns = (BarColumn(20), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.description}"), console=console, transient=True)


def write_curve(run: Run, folder: Path) -> None:
    """Write the curve as `curve.jsonl` and, once it has points, draw it as `curve.png`."""
    lines = "".join(json.dumps(point) + "\n" for point in run.curve)
    (folder / "curve.jsonl").write_text(lines)
    if not run.curve:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    tokens = [point["tokens"] / 1e6 for point in run.curve]
    for name in (*LOSSES, "reach"):
        left.plot(tokens, [point[f"loss_{name}"] for point in run.curve], label=name)
    left.set(xlabel="million tokens", ylabel="loss (nats)", yscale="log")
    left.legend()
    for name in ("greedy", "greedy_legal", "judge_auc", "backtrack_precision", "backtrack_recall"):
        if name in run.curve[0]:
            right.plot(tokens, [point[name] for point in run.curve], label=name.replace("_", " "))
    right.set(xlabel="million tokens", ylabel="held-out Countdown, 4 numbers", ylim=(0, 1))
    if right.lines:
        right.legend()
    figure.savefig(folder / "curve.png", dpi=120)


def run_config(state: dict[str, Any]) -> RunConfig:
    """The configuration in a checkpoint or in a weights file, as objects again.

    Raises:
        TrainingError: a field is missing or unknown.
    """
    try:
        mixture = Mixture(**state["data"]["mixture"] | {"sizes": tuple(state["data"]["mixture"]["sizes"])})
        data = DataConfig(**state["data"] | {"mixture": mixture})
        return RunConfig(ModelConfig(**state["model"]), TrainConfig(**state["train"]), data)
    except (KeyError, TypeError) as error:
        raise TrainingError(f"The configuration was written by another version of training/: {error}.") from error
