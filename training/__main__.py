"""`python -m training data|train|evaluate|export`: make, measure and ship the puzzle model."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training import text
from training.errors import TrainingError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
console = Console(stderr=False)

Seed = Annotated[int, typer.Option(help="Of the data and of the initial weights.")]
Rows = Annotated[int, typer.Option(min=1, help="Rows in a batch.")]
Length = Annotated[int, typer.Option(min=96, help="Tokens in a row; a row is one puzzle's tree.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of PyTorch; 0 leaves its own choice.")]
Checkpoint = Annotated[Path, typer.Argument(help="A run's checkpoint.pt, or weights as .safetensors.")]


@app.command()
def data(batches: int = 4, rows: Rows = 32, length: Length = 128, seed: Seed = 0) -> None:
    """Print one row of training data, branch by branch, and how fast rows are made."""
    from training.data import DataConfig, Stream, make_rows

    config = DataConfig(rows, length, seed)
    row = make_rows(config, 0)[0]
    for branch, end in enumerate(row.ends):
        inside = [place for place, owner in enumerate(row.branches) if owner == branch]
        aims = [f"{_name(t.label)} {t.weight:.2f}" for t in row.targets if t.source == end]
        line = text.decode(row.tokens[place] for place in inside)
        console.print(f"{branch:3} after {row.parents[branch]:3}  {line!r:28} then {', '.join(aims)}", highlight=False)
    stream, started = Stream(config), time.process_time()
    used = sum(int((stream[step].tokens > 0).sum()) for step in range(batches))
    seconds = time.process_time() - started
    made = batches * rows * length
    print(json.dumps({"tokens_per_second": round(made / seconds), "padding": round(1 - used / made, 3)}))


def _name(token: int) -> str:
    """A target as a person reads it."""
    return "end" if token == text.END else repr(text.decode([token]))


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The run's folder; a run found there goes on.")],
    steps: Annotated[int, typer.Option(min=1, help="Batches in all.")] = 2000,
    width: Annotated[int, typer.Option(min=32, help="Of the model; a multiple of 32.")] = 256,
    layers: Annotated[int, typer.Option(min=1)] = 6,
    rows: Rows = 32,
    length: Length = 128,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate of the plateau.")] = 2e-3,
    decay: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the steps with a falling rate.")] = 0.3,
    matrices: Annotated[str, typer.Option(help="What updates matrices: muon or adamw.")] = "muon",
    structured: Annotated[bool, typer.Option(help="Start number embeddings as waves.")] = True,
    reach: Annotated[float, typer.Option(min=0.0, help="Weight of the second reading, reachable targets.")] = 1.0,
    mixture: Annotated[str, typer.Option(help='Changes to the mixture, as JSON: {"good": 0.5}.')] = "{}",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16 (autocast).")] = "bfloat16",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Threads = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make data.")] = 1,
    exam: Annotated[int, typer.Option(min=0, help="Held-out puzzles asked at every look.")] = 100,
    every: Annotated[int, typer.Option(min=1, help="Steps from one look to the next.")] = 250,
    save_seconds: Annotated[float, typer.Option(help="From one checkpoint to the next.")] = 180.0,
    minutes: Annotated[float, typer.Option(help="Stop, as if interrupted, after so much work.")] = 0.0,
    start: Annotated[Path | None, typer.Option(help="Weights for a new run to start from.")] = None,
    seed: Seed = 0,
) -> None:
    """Train a model, or go on with the run in --out. Ctrl-C saves and stops."""
    from training import train as loop
    from training.data import DataConfig
    from training.export import start_from

    config = loop.RunConfig(
        loop.shape(width, layers),
        loop.TrainConfig(
            steps=steps,
            rate=rate,
            decay=decay,
            matrices=_one_of("--matrices", matrices, ("muon", "adamw")),
            precision=_one_of("--precision", precision, ("float32", "bfloat16")),
            structured=structured,
            reach=reach,
            seed=seed,
        ),
        DataConfig(rows, length, seed, loop.read_mixture(mixture)),
    )
    _prepare(device, threads)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        if start is not None:
            raise TrainingError(f"--start begins a new run, but {out} already holds one.")
        run = loop.resume(checkpoint, config, device)
    else:
        run = loop.fresh_run(config, device)
        if start is not None:
            start_from(start, run.model)
    habits = loop.Habits(out, workers, exam, every, save_seconds, minutes)
    console.print(f"{config.model.parameters:,} parameters, from step {run.step} of {steps}, into {out}")
    complete = loop.train(run, habits, console)
    console.print(f"{'Complete' if complete else 'Stopped'} at step {run.step}; give the same command to go on.")


@app.command()
def evaluate(
    checkpoint: Checkpoint,
    count: Annotated[int, typer.Option(min=10, help="Puzzles a set; probes are twice as many a kind.")] = 200,
    samples: Annotated[int, typer.Option(min=0, help="Of best-of-N beside greedy.")] = 16,
    device: str = "cpu",
    threads: Threads = 0,
    seed: Annotated[int, typer.Option(help="Of the held-out puzzles and the samples.")] = 1,
) -> None:
    """Print, as JSON, what a model solves and judges on held-out puzzles."""
    from training.evaluate import evaluate as measure
    from training.export import load_model

    _prepare(device, threads)
    model, _ = load_model(checkpoint)
    started = time.monotonic()
    figures: dict[str, object] = dict(measure(model.to(device), count, samples, seed))
    figures["parameters"] = model.config.parameters
    figures["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(figures, indent=1))


@app.command()
def export(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    name: Annotated[str, typer.Option(help="Stem of the files' names.")] = "puzzle",
) -> None:
    """Write the weights as safetensors (float16) and as GGUF in F32 and Q8_0."""
    from training.export import export as write

    print(json.dumps(write(checkpoint, out, name), indent=1))


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    """`value`, if it is among `known`."""
    if value not in known:
        raise TrainingError(f"{option} is {value!r}; it can be {' or '.join(known)}.")
    return value


def _prepare(device: str, threads: int) -> None:
    """Set the threads and see that the device is there."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise TrainingError(f"--device {device} is not available here; cpu always is.")


def main() -> None:
    """Run the command line; an error that was foreseen is one sentence and exit code 2."""
    try:
        app()
    except TrainingError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
