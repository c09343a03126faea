"""How fast a search tree grows over a GGUF model, and against what: `python -m benchmarks.decoding --json`."""

import asyncio
import importlib.util
import itertools
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import llama_cpp
import typer
from rich.console import Console

from benchmarks import peers
from benchmarks.command import report
from benchmarks.decoders import Engine, Naive, Server, find_server
from benchmarks.growing import Growth, Workload, grow
from benchmarks.multihop import Questions
from benchmarks.plots import draw_rates
from benchmarks.roofs import Bare, Roofs, roofs
from coat.errors import InputError
from coat.models import LanguageModel, Sampling, Tokens
from coat.models.catalog import resolve
from coat.models.llama import ContextOptions, LlamaModel
from coat.models.llama.bindings import Llama

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CHANGELOG.md", "benchmarks/README.md", "training/README.md")
"""Their text is what the trees go on with."""
DATA = Path("../shared/data")
QUESTIONS = Path("hotpotqa") / "hipporag_train_100.json"
TREES = 8
CELLS = 4096
"""Tokens in the cache for one tree; half as many for each of several. A slot of the server has 2,048."""
SIZES = (1, 2, 4, 8, 16, 32)
"""Lanes of the sweep."""
SWEEPS = 4
"""Runs of each number of lanes, of which the first is to warm up."""
KNEE = 0.95
"""The fewest lanes that reach this share of the best rate of the sweep are those that the trees are grown with."""

console = Console(stderr=True)


def say(text: str) -> None:
    """A line of progress."""
    console.print(text, highlight=False, markup=False)


class Bench:
    """One model's workloads; what is measured lands in `detail`."""

    def __init__(self, name: str, threads: int, expansions: int) -> None:
        self.name, self.threads = name, threads
        self.file = resolve(name).path
        self.detail: dict[str, Any] = {"threads": threads}
        puzzle = name == "puzzle"
        llama = Llama(self.file, ContextOptions(cells=64, lanes=4))
        try:
            self.text = llama.tokenize(_puzzles() if puzzle else _prose(), control=False)
            question, good, bad = ("?", "+", "-") if puzzle else ("\nIs this going well? Answer:", " yes", " no")
            suffix = llama.tokenize(question, control=False)
            readings = (llama.tokenize(good, control=False)[0], llama.tokenize(bad, control=False)[0])
        finally:
            llama.close()
        prefix = 128 if puzzle else 512
        # Hot enough that the puzzle model's few likely steps do not make all siblings one.
        sampling = Sampling(max_tokens=24, temperature=5.0 if puzzle else 0.8, top_k=40, top_p=1.0 if puzzle else 0.95)
        roots = tuple(self.text[n * prefix : (n + 1) * prefix] for n in range(TREES))
        self.many = Workload(roots, suffix, readings, expansions, sampling)
        self.one = replace(self.many, roots=roots[:1])

    def options(self, lanes: int, trees: int = 1) -> ContextOptions:
        """How everybody loads the model."""
        return ContextOptions(cells=max(CELLS, trees * CELLS // 2), lanes=lanes, threads=self.threads)

    def sweep(self, sizes: Sequence[int] = SIZES, *, served: bool = False) -> int:
        """Tokens a second over the number of lanes, ours and the bare loop's, interleaved; the knee of ours.

        With `served` the server's too, after its slots have all seen the prefix.
        """
        rates: dict[str, dict[int, float]] = {who: {} for who in ("engine", "bare", *["server"] * served)}
        ratios = {}
        for lanes in sizes:
            engine = Engine(self.file, self.one, self.options(lanes))
            bare = Bare(self.file, self.options(lanes), self.one.sampling)
            times: dict[str, list[float]] = {"engine": [], "bare": []}
            for repeat in range(SWEEPS):
                prefix = (*self.one.roots[0][:-1], self.text[-1 - repeat])
                times["engine"].append(_flat(engine, prefix, lanes, repeat))
                times["bare"].append(bare.run(prefix, lanes, repeat))
            engine.close()
            bare.close()
            tokens = lanes * self.one.tokens
            for who, seconds in times.items():
                rates[who][lanes] = round(tokens / statistics.median(seconds[1:]), 1)
            if served:
                rates["server"][lanes] = round(tokens / self._served(lanes), 1)
            ratios[lanes] = statistics.median(b / e for e, b in list(zip(*times.values(), strict=True))[1:])
            each = ", ".join(f"{who} {rate[lanes]}" for who, rate in rates.items())
            say(f"{self.name}, {lanes} lanes, tokens/s: {each}")
        best = max(rates["engine"].values())
        knee = next(lanes for lanes in sizes if rates["engine"][lanes] >= KNEE * best)
        self.detail |= {"tokens_per_second": rates, "knee": knee}
        self.detail["engine_vs_bare"] = {lanes: round(ratio, 3) for lanes, ratio in ratios.items()}
        return knee

    def _served(self, lanes: int) -> float:
        """Seconds for siblings after one prefix that every slot of a server knows, but for its last token."""
        prefix = self.one.roots[0]
        times: list[float] = []

        async def run() -> None:
            await asyncio.gather(*(server.score(prefix[:-1]) for _ in range(lanes)))
            for repeat in range(SWEEPS):
                begun = time.perf_counter()
                seeds = range(1000 * repeat, 1000 * repeat + lanes)
                await asyncio.gather(*(server.sample((*prefix[:-1], self.text[-1 - repeat]), [seed]) for seed in seeds))
                times.append(time.perf_counter() - begun)

        with Server(self.file, self.one, lanes, self.threads) as server:
            asyncio.run(run())
        return statistics.median(times[1:])

    def contest(self, workload: Workload, runs: "dict[str, Callable[[], Growth]]", repeats: int) -> dict[str, float]:
        """Everybody's time for a sampled token over ours: medians over interleaved repeats."""
        times: dict[str, list[float]] = {who: [] for who in runs}
        for repeat in range(repeats):
            for who, run in runs.items():
                grown = run()
                times[who].append(grown.per_token)
                say(
                    f"{self.name}, {len(workload.roots)} x {workload.expansions}, run {repeat + 1}, {who}:"
                    f" {grown.generated / grown.seconds:.1f} tokens/s, {grown.judged} scores, {grown.seconds:.1f} s"
                )
        ours = times["engine"]
        return {
            who: round(statistics.median(other / own for other, own in zip(each, ours, strict=True)), 2)
            for who, each in times.items()
        }

    def engine(self, workload: Workload, lanes: int, detail: dict[str, Any]) -> Growth:
        """Our run; its account lands in `detail`."""
        engine = Engine(self.file, workload, self.options(lanes, len(workload.roots)))
        try:
            grown = asyncio.run(grow(engine, workload))
        finally:
            engine.close()
        detail.setdefault("rows", []).append(engine.usage.evaluated)
        detail.setdefault("unique", []).append(engine.usage.unique)
        detail.setdefault("seconds", []).append(round(grown.seconds, 2))
        detail.setdefault("generated", []).append(grown.generated)
        detail.setdefault("occupancy", []).append(round(engine.occupancy, 3))
        return grown

    def naive(self, workload: Workload, *, fresh: bool) -> Growth:
        """The loop over `Llama`."""
        naive = Naive(self.file, workload, self.threads, fresh=fresh)
        try:
            return asyncio.run(grow(naive, workload))
        finally:
            naive.close()

    def server(self, workload: Workload, lanes: int) -> Growth:
        """The same search over llama-server."""
        with Server(self.file, workload, lanes, self.threads) as server:
            return asyncio.run(grow(server, workload))

    def peer(self, search: Callable[[Server, Workload], Growth], lanes: int) -> Growth:
        """Another library's search over llama-server."""
        with Server(self.file, self.one, lanes, self.threads) as server:
            return search(server, self.one)


def _prose() -> str:
    return "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)


def _puzzles() -> str:
    """Puzzles and a first step of each, in the puzzle model's notation."""
    numbers = itertools.product(range(1, 12), range(2, 9), (3, 7))
    return "".join(f"{a + b * c}:{a},{b},{c}\n{b}*{c}={b * c}:{a},{b * c}\n" for a, b, c in numbers)


def _flat(engine: Engine, prefix: Tokens, lanes: int, repeat: int) -> float:
    """Seconds for siblings after one prefix, of which all but the last token is decoded already."""

    async def run() -> float:
        await engine.score(prefix[:-1])
        begun = time.perf_counter()
        await engine.sample(prefix, [1000 * repeat + lane for lane in range(lanes)])
        return time.perf_counter() - begun

    return asyncio.run(run())


def efficiency(found: Roofs, account: dict[str, Any], workload: Workload, lanes: int) -> float:
    """Ideal time of the unique tokens of the tree over the measured time."""
    prefill = sum(map(len, workload.roots))
    shares: list[float] = []
    for unique, seconds in zip(account["unique"], account["seconds"], strict=True):
        cells = prefill + (unique - prefill) / 2
        shares.append(found.ideal(unique, lanes, prefill, cells) / seconds)
    return statistics.median(shares)


def peak(who: str, name: str, threads: int, lanes: int, expansions: int) -> float:
    """Peak memory of this process after growing one tree, or after the bare loop with as many cells; MB."""
    bench = Bench(name, threads, expansions)
    if who == "engine":
        bench.engine(bench.one, lanes, {})
    else:
        bare = Bare(bench.file, bench.options(lanes), bench.one.sampling)
        for repeat in range(expansions * bench.one.width // lanes + 1):
            bare.run(bench.one.roots[0], lanes, repeat)
        bare.close()
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def overhead(bench: Bench, lanes: int) -> float:
    """Our peak memory minus the bare loop's, MB; each in a process of its own."""
    found = {}
    for who in ("engine", "bare"):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found[who] = pool.submit(peak, who, bench.name, bench.threads, lanes, bench.one.expansions).result()
    bench.detail["peak_mb"] = {who: round(each) for who, each in found.items()}
    return found["engine"] - found["bare"]


def multihop(bench: Bench, lanes: int, data: Path, count: int, tokens: int) -> dict[str, Any]:
    """CoAT on multi-hop questions: our decoder against the same search over a server."""
    questions = Questions(data / QUESTIONS, count, tokens)
    engine = LlamaModel(bench.file, options=bench.options(lanes))
    found: dict[str, Growth] = {}
    try:
        with Server(bench.file, bench.one, lanes, bench.threads) as server:
            models: dict[str, str | LanguageModel] = {
                "engine": engine,
                "server": f"openai:{server.url}/v1#{bench.name}",
            }
            for who, model in models.items():
                found[who] = grown = questions.ask(model, 0)
                say(f"{bench.name}, {count} questions, {who}: {grown.generated / grown.seconds:.1f} tokens/s")
    finally:
        engine.close()
        questions.close()
    return {
        "questions": count,
        "tokens": tokens,
        "tokens_per_second": {who: round(each.generated / each.seconds, 1) for who, each in found.items()},
        "speedup_server": round(found["server"].per_token / found["engine"].per_token, 2),
    }


def main_model(bench: Bench, repeats: int, data: Path, *, quick: bool) -> dict[str, Any]:
    """The figures by name."""
    detail, eight = bench.detail, replace(bench.many, expansions=max(2, bench.many.expansions // 4))
    if quick:  # so that not nearly all of it is prefill
        eight = replace(eight, roots=tuple(root[: len(root) // 4] for root in eight.roots))
    lanes = bench.sweep(SIZES[::4] if quick else SIZES, served=not quick)
    one: dict[str, Any] = {}
    runs = {
        "engine": lambda: bench.engine(bench.one, lanes, one),
        "naive": lambda: bench.naive(bench.one, fresh=False),
        "server": lambda: bench.server(bench.one, lanes),
        "treequest": lambda: bench.peer(peers.treequest, lanes),
        "llm_reasoners": lambda: bench.peer(peers.llm_reasoners, lanes),
    }
    w1 = bench.contest(bench.one, runs, repeats)
    fresh = bench.contest(bench.one, {"fresh": lambda: bench.naive(bench.one, fresh=True), "engine": runs["engine"]}, 1)
    account: dict[str, Any] = {}
    w2 = bench.contest(
        eight,
        {"engine": lambda: bench.engine(eight, lanes, account), "server": lambda: bench.server(eight, lanes)},
        1,
    )
    detail["multihop"] = multihop(bench, lanes, data, *((1, 300) if quick else (5, 1500)))
    found = roofs(bench.file, bench.text, bench.threads, 3)
    detail |= {"one_tree": one, "eight_trees": account, "roofs": {"gb_per_second": round(found.bandwidth / 1e9, 1)}}
    detail["roofs"]["rows_per_second"] = round(found.rows, 1)
    return {
        "speedup_fresh": fresh["fresh"],
        "speedup_naive": w1["naive"],
        "speedup_server": [w1["server"], w2["server"]],
        "speedup_llm_reasoners": w1["llm_reasoners"],
        "speedup_treequest": w1["treequest"],
        "evaluated_per_unique": round(max(a / b for a, b in zip(one["rows"], one["unique"], strict=True)), 4),
        "engine_vs_bare": detail["engine_vs_bare"][lanes],
        "occupancy": statistics.median(account["occupancy"]),
        "roof_efficiency": round(efficiency(found, one, bench.one, lanes), 2),
        "overhead_mb": round(overhead(bench, lanes)),
    }


def other_model(bench: Bench) -> None:
    """Another model's figures, for the detail; its trees are grown once."""
    lanes = bench.sweep()
    account: dict[str, Any] = {}
    runs = {
        "engine": lambda: bench.engine(bench.one, lanes, account),
        "naive": lambda: bench.naive(bench.one, fresh=False),
        "server": lambda: bench.server(bench.one, lanes),
    }
    bench.detail["one_tree"] = bench.contest(bench.one, runs, 1)
    found = roofs(bench.file, bench.text, bench.threads, 3)
    bench.detail |= {
        "engine_vs_bare_at_knee": bench.detail["engine_vs_bare"][lanes],
        "evaluated_per_unique": round(account["rows"][0] / account["unique"][0], 4),
        "roof_efficiency": round(efficiency(found, account, bench.one, lanes), 2),
    }


def check(data: Path) -> None:
    """Find out before the first minute, not after the last one, that something is missing."""
    find_server()
    for name in ("treequest", "reasoners"):
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"no module called {name}", name=name)
    if not (data / QUESTIONS).exists():
        raise InputError(f"there is no {data / QUESTIONS}; name the folder that holds hotpotqa/ with --data")


def measure(
    models: list[str], threads: int, expansions: int, repeats: int, data: Path, *, quick: bool
) -> dict[str, Any]:
    """All figures; those by name are the first model's."""
    check(data)
    benches = [Bench(name, 1 if name == "puzzle" else threads, expansions) for name in models]
    figures = main_model(benches[0], repeats, data, quick=quick)
    for bench in benches[1:]:
        other_model(bench)
    gpu = "used" if llama_cpp.llama_supports_gpu_offload() else "none: llama.cpp is built for the CPU"
    return figures | {"detail": {bench.name: bench.detail for bench in benches} | {"gpu": gpu}}


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[bool, typer.Option(help="A tenth of the work, with the first model alone.")] = False,
    model: Annotated[list[str] | None, typer.Option(help="Models; the figures by name are the first one's.")] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads for everybody; 0 means one a core.")] = 0,
    expansions: Annotated[int, typer.Option(min=1, help="Expansions of a tree.")] = 48,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each, of which the medians are printed.")] = 3,
    data: Annotated[Path, typer.Option(help="The folder that holds hotpotqa/.")] = DATA,
    plot: Annotated[Path | None, typer.Option(help="An SVG of tokens a second against lanes to write.")] = None,
) -> None:
    """Measure the decoder against a loop over Llama, llama-server, two peers, a bare loop and the machine."""
    models = model or ["smollm2", "gemma3-270m", "puzzle"]
    if quick:
        models, expansions, repeats = models[:1], max(1, expansions // 10), 1
    threads = threads or os.cpu_count() or 1
    figures = report(lambda: measure(models, threads, expansions, repeats, data, quick=quick), as_json=as_json)
    if plot is not None:
        draw_rates(
            {name: found["tokens_per_second"] for name, found in figures["detail"].items() if name in models}, plot
        )


if __name__ == "__main__":
    app()
