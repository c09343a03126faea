"""kill -9 at random points of whatever changes a memory; then nothing that was acknowledged may be lost or come back.

A child process works on one file and says what it begins and what is done. For each point it is killed somewhere within
the next operation of a kind: add, forget, compact, re-embed, rebuild and save the index. The file is then opened and
held against what had been acknowledged, and the next child goes on with it.
"""

import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from memory import AssociativeMemory, HashingEmbedder, Query

KINDS = ("add", "forget", "compact", "reembed", "index")
DIMENSIONS = (16, 32)
"""The two embedders between which the child changes."""
FIRST_EMBEDDER = f"hashing-{DIMENSIONS[0]}"
FIRST = 200
"""Facts that a file begins with."""
OVER = 1.3
"""A kill comes after up to that many times the median of what an operation of its kind has taken."""


@dataclass(slots=True)
class Told:
    """What children acknowledged: texts that are `there` and that are `gone`, and what each kind took, in seconds."""

    there: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    took: dict[str, list[float]] = field(default_factory=lambda: {kind: [0.01] for kind in KINDS})

    def take(self, line: dict[str, Any]) -> None:
        """Take in that an operation is done."""
        texts = set(line["texts"])
        self.took[line["kind"]].append(line["seconds"])
        if line["kind"] == "add":
            self.there |= texts
        elif line["kind"] == "forget":
            self.there -= texts
            self.gone |= texts


def work(path: Path, seed: int) -> None:
    """What the child does until it is killed."""
    rng = random.Random(seed)
    with AssociativeMemory(path, default=FIRST_EMBEDDER) as memory:
        live = {fact.id: fact.text for fact in memory.list()}
        for step in range(1_000_000):
            kind = rng.choice(KINDS) if len(live) >= FIRST else "add"
            texts: list[str] = []
            if kind == "add":
                count = rng.randint(1, 40) if live else FIRST
                texts = [_text(rng, f"thought{seed}of{step}at{n}") for n in range(count)]
            doomed = rng.sample(sorted(live), rng.randint(1, 20)) if kind == "forget" else []
            texts += [live.pop(number) for number in doomed]
            _say(kind=kind, begins=True, texts=texts)
            began = time.monotonic()
            _do(memory, kind, texts, doomed, live)
            _say(kind=kind, begins=False, texts=texts, seconds=time.monotonic() - began)


def _text(rng: random.Random, word: str) -> str:
    return f"{word} " + " ".join(f"w{rng.randrange(300)}" for _ in range(rng.choices([0, 5, 20, 900], [4, 4, 4, 1])[0]))


def _do(memory: AssociativeMemory, kind: str, texts: list[str], doomed: list[int], live: dict[int, str]) -> None:
    if kind == "add":
        live.update(zip(memory.add(texts), texts, strict=True))
    elif kind == "forget":
        memory.forget(doomed)
    elif kind == "compact":
        memory.compact()
    elif kind == "reembed":
        old = int(memory.embedder.rpartition("-")[2])
        memory.reembed(HashingEmbedder(sum(DIMENSIONS) - old))
    else:
        memory._index = None
        memory.recall("thought", threshold=-1)
        memory.save()


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def crash(path: Path, kind: str, seed: int, told: Told) -> dict[str, Any] | None:
    """Kill a child within an operation of `kind`; what it had begun and not acknowledged."""
    rng = random.Random(f"{seed} {kind}")
    command = [sys.executable, "-m", "benchmarks.memory.crashes", "--child", str(path), "--seed", str(seed)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout
        assert child.stderr
        lines = list(_until(child.stdout, kind))
        time.sleep(rng.random() * OVER * statistics.median(told.took[kind][-20:]))
        child.kill()
        lines += child.stdout.readlines()
        errors = child.stderr.read()
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the child of {kind}, seed {seed}, ended by itself: {errors}")
    begun = None
    for line in lines:
        if line.endswith("\n"):  # else the kill cut it
            said = json.loads(line)
            begun = said if said["begins"] else None
            if begun is None:
                told.take(said)
    return begun


def _until(lines: Iterable[str], kind: str) -> Iterator[str]:
    for line in lines:
        yield line
        said = json.loads(line)
        if said["begins"] and said["kind"] == kind:
            return


def check(path: Path, told: Told, begun: dict[str, Any] | None) -> list[str]:
    """What is wrong with the file after a kill within the operation `begun`; nothing where all is well.

    What was acknowledged counts from then on with what the open operation has done or not done.
    """
    maybe = set(begun["texts"]) if begun else set()
    with AssociativeMemory(path, default=FIRST_EMBEDDER) as memory:
        found = {fact.text for fact in memory.list()}
        kept = found & maybe
        wrong = {
            "lost": told.there - maybe - found,
            "back": found & (told.gone - maybe),
            "strange": found - told.there - told.gone - maybe,
            "half of an operation": kept if kept != maybe else set(),
        }
        problems = [f"{what}: {sorted(texts)[:3]}" for what, texts in wrong.items() if texts]
        problems += _inside(memory) + _recalled(memory, sorted(found))
    told.there, told.gone = found, (told.gone | told.there | maybe) - found
    data = path.read_bytes()
    traces = [text for text in told.gone if text.split()[0].encode() + b" " in data]
    return problems + [f"traces of a forgotten fact: {text[:40]}" for text in traces[:3]]


def _inside(memory: AssociativeMemory) -> list[str]:
    """What is wrong in the file's tables."""
    problems = []
    with memory._facts._database.transaction(write=False) as sql:
        for name in ("integrity_check", "foreign_key_check"):
            problems += [str(row[0]) for row in sql.execute(f"PRAGMA {name}") if row[0] != "ok"]
        facts = sql.execute("SELECT id, text, vector FROM facts").fetchall()
        ids = {row[0] for row in facts}
        for table, column in (("words", "rowid"), ("new_vectors", "fact"), ("names", "fact")):
            strangers = {row[0] for row in sql.execute(f"SELECT {column} FROM {table}")} - ids
            problems += [f"{table} knows the facts {sorted(strangers)[:5]}, which are gone"] if strangers else []
        query = "SELECT rowid FROM words WHERE words MATCH ?"
        unknown = [
            number for number, text, _ in facts if sql.execute(query, (text.split()[0],)).fetchall() != [(number,)]
        ]
        problems += [f"the words of the facts {unknown[:5]} do not find them"] if unknown else []
    made = HashingEmbedder(int(memory.embedder.rpartition("-")[2])).embed([text for _, text, _ in facts])
    other = [n for (n, _, vector), right in zip(facts, made, strict=True) if vector != right.astype("<f4").tobytes()]
    return problems + ([f"the vectors of the facts {other[:5]} are not of {memory.embedder}"] if other else [])


def _recalled(memory: AssociativeMemory, texts: list[str]) -> list[str]:
    """What recall does not find of a few of `texts` by themselves."""
    asked = [Query(text) for text in texts[:: max(1, len(texts) // 5)]]
    found = memory.recall_many(asked, k=50, threshold=0.999) if asked else []
    missed = [
        query.question
        for query, hits in zip(asked, found, strict=True)
        if query.question not in [hit.text for hit in hits]
    ]
    return [f"not recalled: {text[:40]}" for text in missed]


def crashes(points: int, seed: int = 0) -> dict[str, Any]:
    """Kill at `points` points, the kinds in turn; the figures, with what went wrong."""
    told, within = Told(), dict.fromkeys(KINDS, 0)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.db"
        for point in range(points):
            kind = KINDS[point % len(KINDS)]
            begun = crash(path, kind, seed + point, told)
            if begun:
                within[begun["kind"]] += 1
            problems += [f"point {point}, {kind}: {problem}" for problem in check(path, told, begun)]
    figures = {"points": points, "within": within, "facts": len(told.there), "forgotten": len(told.gone)}
    return figures | {"problems": problems}


def main(
    points: Annotated[int, typer.Option(help="How often to kill.")] = 200,
    seed: Annotated[int, typer.Option(help="Other seeds, other points.")] = 0,
    child: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Kill a process that works on a memory at random points, and print what went wrong."""
    if child is not None:
        work(child, seed)
    figures = crashes(points, seed)
    print(json.dumps(figures))
    if figures["problems"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
