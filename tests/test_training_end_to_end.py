"""From nothing to a model that the engine solves with, in a minute: train, export, search."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import coat
from training.solver import reachable

MIXTURE = {"sizes": [1, 0, 0], "human": 1.0}
"""Three numbers from 1 to 13: what a small model learns in this time."""
OPTIONS = {"width": 64, "layers": 2, "rows": 16, "steps": 700, "rate": 3e-3, "seed": 1}
OPTIONS |= {"threads": 1, "workers": 0, "exam": 0, "every": 350}
PUZZLES = ("2 5 7 = 17", "1 4 9 = 32", "3 6 11 = 29", "2 8 13 = 42", "4 5 12 = 60", "3 7 10 = 40", "5 6 8 = 38")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    options = [part for name, value in OPTIONS.items() for part in (f"--{name}", str(value))]
    train = ["train", "--out", str(folder), "--mixture", json.dumps(MIXTURE), *options]
    for command in (train, ["export", str(folder / "checkpoint.pt"), "--out", str(folder)]):
        subprocess.run([sys.executable, "-m", "training", *command], check=True, capture_output=True, timeout=600)
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert curve[-1]["loss_all"] < 0.6 * curve[0]["loss_all"]
    assert (folder / "curve.png").stat().st_size > 1000
    return folder / "puzzle-q8_0.gguf"


def test_the_engine_solves_with_a_model_made_in_a_minute(model: Path) -> None:
    results = [coat.solve(question, task="countdown", model=str(model), tokens=500) for question in PUZZLES]
    assert all(result.usage.generated > 0 and not result.remarks for result in results)
    assert sum(result.correct is True for result in results) >= len(PUZZLES) - 2


def test_it_judges_better_than_chance(model: Path) -> None:
    values: dict[bool, list[float]] = {True: [], False: []}
    for question in PUZZLES:
        result = coat.solve(question, task="countdown", model=str(model), tokens=400, verify=False, width=8)
        target = int(question.partition("=")[2])
        for node in result.tree.nodes:
            if node.depth == 1 and node.judged is not None:
                left = np.array([node.step.state.split()], dtype=np.int32)
                values[bool(reachable(left, np.array([target], dtype=np.int32))[0])].append(node.judged)
    good, bad = (sum(each) / len(each) for each in (values[True], values[False]))
    assert good > bad + 0.2
