"""How hard the puzzles of `coat play` are: `python -m benchmarks.difficulty --json`."""

import math
import statistics
import time
from random import Random
from typing import Annotated, Any

import typer

from benchmarks.command import report
from coat.play.difficulty import drawn
from coat.play.rating import RATERS, UNITS


def measure(sample: int, seed: int) -> dict[str, Any]:
    """By game, the effort at the ends of the thirds of a seeded sample, its range, and seconds a puzzle."""
    figures: dict[str, Any] = {"sample": sample, "seed": seed}
    for game, rate in RATERS.items():
        lot, began = Random(f"{game}:{seed}"), time.perf_counter()
        efforts = sorted(rate(drawn(game, lot)) for _ in range(sample))
        easy, medium = statistics.quantiles(efforts, n=3, method="inclusive")
        figures[game] = {
            "unit": UNITS[game],
            "easy_up_to": math.ceil(10 * easy) / 10,
            "medium_up_to": math.ceil(10 * medium) / 10,
            "least": round(efforts[0], 1),
            "median": round(statistics.median(efforts), 1),
            "most": round(efforts[-1], 1),
            "shares": [_share(efforts, 0, easy), _share(efforts, easy, medium), _share(efforts, medium, efforts[-1])],
            "seconds_each": round((time.perf_counter() - began) / sample, 4),
        }
    return figures


def _share(efforts: list[float], above: float, to: float) -> float:
    return round(sum(above < effort <= to for effort in efforts) / len(efforts), 3)


def main(
    sample: Annotated[int, typer.Option(help="Puzzles of each game.")] = 300,
    seed: Annotated[int, typer.Option(help="Another seed, another sample.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Deal puzzles, rate them, and print where thirds of them end."""
    report(lambda: measure(sample, seed), as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
