"""`coat memory`: facts in and out of a memory file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coat.cli.config import Layered
from coat.errors import InputError
from memory import naming

if TYPE_CHECKING:
    from memory import AssociativeMemory

app = typer.Typer(
    name="memory", cls=Layered, help="Add, recall and forget facts.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path, typer.Option("--memory", help="The memory file.")]
Download = Annotated[bool, typer.Option(help="Fetch the embedding model where it is not installed.")]
EmbedderName = Annotated[
    str,
    typer.Option("--embedder", help="Of a new memory: a sentence-transformers model, gguf:PATH or openai:URL#MODEL."),
]
DEFAULT = Path("facts.db")


def _open(file: Path, *, download: bool = False) -> "AssociativeMemory":
    from memory import AssociativeMemory

    if not file.exists():
        raise InputError(f"there is no memory file {file}; `coat memory add FILE --memory {file}` makes one")
    return AssociativeMemory(file, download=download)


def _open_or_make(call: typer.Context, file: Path, embedder: str, download: bool) -> "AssociativeMemory":
    """The memory with `embedder`; where that is a setting and not of this call, an older memory keeps its own."""
    from memory import AssociativeMemory

    source = call.get_parameter_source("embedder")
    if source is not None and source.name == "COMMANDLINE":
        return AssociativeMemory(file, embedder, download=download)
    return AssociativeMemory(file, default=embedder, download=download)


@app.command()
def add(
    call: typer.Context,
    sources: Annotated[list[Path], typer.Argument(help="JSONL, JSON, Markdown or text files.")],
    *,
    memory: File = DEFAULT,
    embedder: EmbedderName = naming.DEFAULT,
    download: Download = False,
) -> None:
    """Add the facts of files: all of them, or none where one is broken."""
    from rich.console import Console
    from rich.progress import Progress

    from memory import corpora

    pairs = [pair for source in sources for pair in corpora.read(source)]
    with _open_or_make(call, memory, embedder, download) as store, Progress(console=Console(stderr=True)) as bar:
        before = store.count()
        job = bar.add_task("embedding", total=None)
        store.add(pairs, progress=lambda done, total: bar.update(job, completed=done, total=total))
        bar.update(job, completed=1, total=1)
        added = store.count() - before
    sys.stdout.write(f"{added} facts added, {len(pairs) - added} known already: {memory} holds {before + added}.\n")


@app.command()
def recall(
    question: Annotated[str, typer.Argument(help="What to recall facts for.")],
    *,
    memory: File = DEFAULT,
    path: Annotated[list[str] | None, typer.Option(help="A step taken so far; may be given again.")] = None,
    k: Annotated[int, typer.Option("-k", help="The most facts.")] = 3,
    threshold: Annotated[float, typer.Option(help="The least cosine.")] = 0.4,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show what a search would be given for a question and a path."""
    from coat.cli.show import printable

    with _open(memory) as store:
        hits = store.recall(question, path or (), k=k, threshold=threshold)
    if as_json:
        rows = [{"id": hit.id, "text": hit.text, "source": hit.source, "score": hit.score} for hit in hits]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
        return
    for hit in hits:
        sys.stdout.write(f"[{hit.id}] {hit.score:.2f}  {printable(hit.text)}  ({printable(hit.source)})\n")
    if not hits:
        sys.stdout.write("nothing near enough\n")


@app.command("list")
def list_facts(
    *,
    memory: File = DEFAULT,
    source: Annotated[str | None, typer.Option(help="Only the facts of this source.")] = None,
) -> None:
    """List the facts."""
    from coat.cli.show import printable

    with _open(memory) as store:
        for fact in store.list(source):
            sys.stdout.write(f"[{fact.id}] {printable(fact.text)}  ({printable(fact.source)})\n")


@app.command()
def forget(
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers of facts.")] = None,
    *,
    memory: File = DEFAULT,
    source: Annotated[str | None, typer.Option(help="All facts of this source.")] = None,
) -> None:
    """Remove facts for good, by number or by source."""
    if bool(ids) == (source is not None):
        raise InputError("give the numbers of the facts to forget, or --source; not both, not neither")
    with _open(memory) as store:
        count = store.forget(ids) if ids else store.forget(source=source)
    sys.stdout.write(f"{count} facts forgotten\n")


@app.command()
def reembed(
    *,
    embedder: Annotated[
        str, typer.Option(help="The new one: a sentence-transformers model, gguf:PATH or openai:URL#MODEL.")
    ],
    memory: File = DEFAULT,
    download: Download = False,
) -> None:
    """Change the embedder: every fact gets its vector, in one step at the end; or say where the embedder is now."""
    from rich.console import Console
    from rich.progress import Progress

    with _open(memory) as store, Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("embedding", total=None)
        count = store.reembed(
            embedder, progress=lambda done, total: bar.update(job, completed=done, total=total), download=download
        )
        bar.update(job, completed=1, total=1)
        name = store.embedder
    sys.stdout.write(f"{count} facts embedded anew: {memory} is of {name}.\n")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The JSONL file to write.")],
    *,
    memory: File = DEFAULT,
) -> None:
    """Write all facts to a JSONL file, which `add` reads."""
    with _open(memory) as store:
        count = store.export(file)
    sys.stdout.write(f"{count} facts written to {file}\n")
