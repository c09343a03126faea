"""The decoding benchmark: the same tree for everybody, the roofline's known answers, and its plot."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.growing import Workload, grow
from benchmarks.plots import draw_rates
from benchmarks.roofs import Roofs
from coat.models import Sampling, Tokens

WORKLOAD = Workload(((1, 2), (3, 4)), (5,), (6, 7), 9, Sampling(max_tokens=3), width=2, parallel=4)


class Fake:
    """Children of its own choice; which paths it was asked about, by the shape of the tree."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.asked: list[tuple[int, ...]] = []

    async def sample(self, path: Tokens, seeds: Sequence[int]) -> list[Tokens]:
        self.asked.append((path[0], len(path), *seeds))
        return [(self.first, seed, 0) for seed in seeds]

    async def score(self, path: Tokens) -> None:
        self.asked.append((path[0], len(path)))


def test_everybody_grows_the_same_tree_whatever_is_sampled() -> None:
    one, other = Fake(10), Fake(11)
    growths = [asyncio.run(grow(fake, WORKLOAD)) for fake in (one, other)]
    assert [(each.generated, each.judged) for each in growths] == [(2 * 9 * 2 * 3, 2 * 9 * 2)] * 2
    assert sorted(one.asked) == sorted(other.asked)
    assert len({length for _, length, *_ in one.asked}) > 3  # it is a tree, not a bush
    assert growths[0].per_token == pytest.approx(growths[0].seconds / 108)


def test_the_roofline_takes_the_slower_of_weights_and_arithmetic_and_adds_the_cache() -> None:
    roofs = Roofs(bandwidth=1000.0, rows=50.0, weights=100, cell=2)
    # One lane: the weights take 0.1 s, a row's arithmetic 0.02 s, ten cells 0.02 s; ten rows after five in one batch.
    assert roofs.ideal(15, 1, 5, 10) == pytest.approx(5 / 50 + 10 * (0.1 + 0.02))
    # Ten lanes: the arithmetic of ten rows takes 0.2 s.
    assert roofs.ideal(15, 10, 5, 10) == pytest.approx(5 / 50 + 0.2 + 0.02)


def test_the_plot_names_every_decoder_and_model(tmp_path: Path) -> None:
    file = tmp_path / "rates.svg"
    line = {1: 50.0, 8: 90.0}
    draw_rates({"one": {"engine": line, "bare": line, "server": line}, "other": {"engine": line, "bare": line}}, file)
    picture = file.read_text()
    assert all(f"<!-- {text} -->" in picture for text in ("one", "other", "coat", "bare loop", "llama-server", "lanes"))
