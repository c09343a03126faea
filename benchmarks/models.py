"""Whether every kind of model gives the texts and scores of a fresh context: `python -m benchmarks.models --json`."""

import asyncio
import random
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.command import report
from benchmarks.fresh import Fresh
from benchmarks.kinds import KINDS, write
from coat.models import SampleRequest, Sampling, ScoreRequest, Text, Tokens
from coat.models.catalog import PACKAGES, resolve
from coat.models.header import Header, read_header
from coat.models.llama import ContextOptions, LlamaModel
from coat.models.llama.bindings import Llama
from coat.models.llama.devices import MARGIN, Device
from coat.models.llama.fit import fitting, needed
from coat.usage import Usage

OPENING = "A man, a plan, a canal."
SUFFIX, CANDIDATES = " so?", ("+", "-")
NEAR = 0.02
"""Log-probabilities no further apart than this are equal, or than two fresh contexts with other batches."""
NOISES = 8
DEVICES = (4.0, 6.0, 8.0, 24.0)
"""Sizes of simulated GPUs, GiB of free memory."""
SHAPE = {"block_count": 36, "embedding_length": 4096, "attention.head_count": 32, "attention.head_count_kv": 8}
EIGHT_BILLION = Header(
    Path("eight.gguf"),
    {"general.architecture": "any", **{f"any.{key}": value for key, value in SHAPE.items()}},
    8_190_000_000,
    5_030_000_000,
    (Path("eight.gguf"),),
)
"""The header of a model of eight billion parameters in four bits."""

console = Console(stderr=True)


class Trial:
    """Trees that grow at random over a model, whose greedy texts and scores are noted."""

    def __init__(self, model: LlamaModel, seed: int, longest: int) -> None:
        self._model, self._lot, self._longest = model, random.Random(seed), longest
        self._usage = Usage()
        self._known: list[Tokens] = [model.path((Text(OPENING),))]
        self.texts: list[tuple[Tokens, Tokens]] = []
        self.scores: list[tuple[Tokens, list[float]]] = []

    async def run(self, rounds: int, together: int = 6) -> None:
        """Grow `rounds` times, `together` places at once."""
        for _ in range(rounds):
            places = [self._lot.choice(self._known) for _ in range(together)]
            await asyncio.gather(*(self._score(at) if self._lot.random() < 0.4 else self._draw(at) for at in places))

    async def _score(self, path: Tokens) -> None:
        found = await self._model.score(ScoreRequest((path,), (Text(SUFFIX),), CANDIDATES), self._usage)
        self.scores.append((path, found))

    async def _draw(self, path: Tokens) -> None:
        greedy = Sampling(self._lot.randint(1, 9), temperature=0.0)
        (text,) = await self._model.sample(SampleRequest((path,), (0,), greedy), self._usage)
        self.texts.append((path, text.tokens))
        hot = Sampling(self._lot.randint(1, 9), temperature=1.5, top_k=8)
        siblings = await self._model.sample(SampleRequest((path,), (1, 2, 3), hot), self._usage)
        self._known += [(*path, *each.tokens) for each in siblings if len(path) < self._longest]

    def differing(self, fresh: Fresh) -> tuple[int, int]:
        """How many texts and how many scores are not those of a fresh context."""
        texts = sum(not fresh.agrees(path, tokens) for path, tokens in self.texts)
        scores = 0
        for path, found in self.scores:
            target = self._model.path((path, Text(SUFFIX)))
            ids = [self._model.path((target, Text(each)))[-1] for each in CANDIDATES]
            right = fresh.scores(target, ids)
            scores += max(abs(one - other) for one, other in zip(found, right, strict=True)) > max(NEAR, fresh.tie)
        return texts, scores

    def noise(self, fresh: Fresh) -> float:
        """The most that another batch alone moves a logit, over a few of the places that were scored."""
        return max(fresh.noise(path) for path, _ in self.scores[:NOISES])


def examine(name: str, file: Path, rounds: int) -> dict[str, Any]:
    """One model's row of the table."""
    options = ContextOptions(cells=512, lanes=4, batch=64, threads=1)
    model = LlamaModel(file, name, options)
    llama = Llama(file, ContextOptions(cells=1024, lanes=1, batch=256, threads=1))
    try:
        trial = Trial(model, 1, longest=300)
        asyncio.run(trial.run(rounds))
        fresh = Fresh(llama)
        fresh.tie = max(fresh.tie, trial.noise(fresh))
        texts, scores = trial.differing(fresh)
        found = {
            "noise": round(fresh.tie, 3),
            "architecture": read_header(file).architecture,
            "texts": len(trial.texts),
            "equal_text": len(trial.texts) - texts,
            "scores": len(trial.scores),
            "equal_scores": len(trial.scores) - scores,
            "leaks": leaks(model),
        }
    finally:
        model.close()
        llama.close()
    console.print(f"{name}: {found}", highlight=False)
    return found


def leaks(model: LlamaModel) -> int:
    """Sequences that are neither free nor hold a path, and lanes that are still at work, once all is answered."""
    decoder = model._decoder
    held = {span.sequence for span in decoder.cache.tree.spans()} - {None}
    lost = decoder.llama.sequences - len(decoder.cache.free) - len(held)
    return int(lost) + len(decoder.active) + len(decoder.running)


def fits() -> dict[str, Any]:
    """What is chosen for a model of eight billion parameters on GPUs of several sizes."""
    rows = {}
    for gib in DEVICES:
        device = Device("simulated", "simulated", "GPU", int(gib * 2**30), int(gib * 2**30))
        chosen = fitting(EIGHT_BILLION, device, ContextOptions())[0]
        rows[f"{gib:g} GiB"] = {
            "cells": chosen.cells,
            "cache_type": chosen.cache_type,
            "gpu_layers": chosen.gpu_layers,
            "gib": round(needed(EIGHT_BILLION, device, chosen) / 2**30, 2),
            "fits": needed(EIGHT_BILLION, device, chosen) <= MARGIN * device.free,
        }
    return rows


def measure(rounds: int) -> dict[str, Any]:
    """The table, and how many of its entries are wrong."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: resolve(name).path for name in PACKAGES}
        files |= {f"random {kind}": write(kind, Path(folder) / f"{kind}.gguf") for kind in KINDS}
        rows = {name: examine(name, file, rounds) for name, file in files.items()}
    fit = fits()
    wrong = sum(
        each["texts"] - each["equal_text"] + each["scores"] - each["equal_scores"] + each["leaks"]
        for each in rows.values()
    )
    return {"failures": wrong + sum(not each["fits"] for each in fit.values()), "models": rows, "fit": fit}


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[bool, typer.Option(help="A third of the work.")] = False,
) -> None:
    """Compare each kind of model with a fresh context, and see what fits on GPUs of several sizes."""
    report(lambda: measure(4 if quick else 12), as_json=as_json)


if __name__ == "__main__":
    app()
