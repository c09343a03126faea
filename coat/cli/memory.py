"""`coat memory`: facts in and out of a memory file."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli import intake, upkeep
from coat.cli.config import Layered
from coat.cli.show import printable
from coat.cli.stores import DEFAULT, AsJson, File, age, line, opened, print_json, when
from coat.errors import InputError

if TYPE_CHECKING:
    from memory import AssociativeMemory

app = typer.Typer(
    name="memory", cls=Layered, help="Add, recall and forget facts.", no_args_is_help=True, rich_markup_mode=None
)
app.command()(intake.add)

LINKS = 12
"""Links of a fact that are shown; --json has all."""

OfSource = Annotated[str | None, typer.Option(help="Only the facts of this source.")]
OfDocument = Annotated[str | None, typer.Option(help="Only the facts of this file, or of the files of this folder.")]


@app.command()
def recall(
    question: Annotated[str, typer.Argument(help="What to recall facts for.")],
    *,
    memory: File = DEFAULT,
    path: Annotated[list[str] | None, typer.Option(help="A step taken so far; may be given again.")] = None,
    k: Annotated[int, typer.Option("-k", help="The most facts.")] = 3,
    threshold: Annotated[float, typer.Option(help="The least cosine.")] = 0.4,
    mode: Annotated[str, typer.Option(help="How facts are found: dense, lexical, hybrid.")] = "hybrid",
    association: Annotated[str, typer.Option(help="To facts that share names: off, hop, pagerank.")] = "hop",
    as_json: AsJson = False,
) -> None:
    """Show what a search would be given for a question and a path."""
    from memory import Options

    options = Options(mode, association)  # type: ignore[arg-type]
    with opened(memory) as store:
        hits = store.recall(question, path or (), k=k, threshold=threshold, options=options)
    if as_json:
        print_json([asdict(hit) for hit in hits])
        return
    for hit in hits:
        via = f"  via {printable(hit.via)}" if hit.via else ""
        disputed = f"  disputed by {', '.join(map(str, hit.disputed))}" if hit.disputed else ""
        where = printable(hit.source)
        sys.stdout.write(f"[{hit.id}] {hit.score:.2f}  {printable(hit.text)}  ({where}){via}{disputed}\n")
    if not hits:
        sys.stdout.write("nothing near enough\n")


@app.command("list")
def list_facts(
    *,
    memory: File = DEFAULT,
    source: OfSource = None,
    document: OfDocument = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most facts.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="How many facts to pass over first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the facts, oldest first."""
    with opened(memory) as store:
        named = document and _document(store, document)
        facts = store.list(source, document=named, limit=limit and limit + 1, offset=offset)
    more, facts = limit is not None and len(facts) > limit, facts[:limit]
    if as_json:
        print_json([asdict(fact) for fact in facts])
        return
    for fact in facts:
        sys.stdout.write(line(fact))
    if more:
        sys.stderr.write(f"There are more; they begin at --offset {offset + len(facts)}.\n")


@app.command()
def show(
    ids: Annotated[list[int], typer.Argument(help="Numbers of facts.")],
    *,
    memory: File = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a fact."""
    with opened(memory) as store:
        facts = store.get(ids)
        known = {fact.id: _known_of(store, fact.id) for fact in facts}
    unknown = sorted(set(ids) - known.keys())
    if unknown:
        raise InputError(f"no fact has the id {', '.join(map(str, unknown))}; `coat memory list` shows the ids")
    if as_json:
        print_json([asdict(fact) | known[fact.id] for fact in facts])
        return
    for fact in facts:
        found = known[fact.id]
        links = [f"{each['id']} ({', '.join(each['names'])})" for each in found["links"]]
        rows = {
            "source": fact.source,
            "document": ", ".join(found["documents"]),
            "origin": fact.origin,
            "added": when(fact.added),
            "names": ", ".join(found["names"]),
            "links": ", ".join(links[:LINKS] + ["…"] * (len(links) > LINKS)),
        }
        sys.stdout.write(f"[{fact.id}] {printable(fact.text)}\n")
        for name, value in rows.items():
            sys.stdout.write(f"    {name:<9} {printable(value) or '-'}\n")


def _known_of(store: "AssociativeMemory", number: int) -> dict[str, Any]:
    """What is known of a fact beside itself: documents, names, and links, the strongest first."""
    return {
        "documents": [name for name in store.held_by(number) if name],
        "names": store.names(number),
        "links": [{"id": other, "names": names} for other, names in store.links(number).items()],
    }


@app.command()
def forget(
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers of facts.")] = None,
    *,
    memory: File = DEFAULT,
    source: Annotated[str | None, typer.Option(help="All facts of this source.")] = None,
    document: Annotated[str | None, typer.Option(help="All facts of this file, or of this folder's files.")] = None,
    older_than: Annotated[str | None, typer.Option(help="All facts of this age, as in 30d; h, d, w, y.")] = None,
    matching: Annotated[str | None, typer.Option(help="What a recall for this finds; asks before.")] = None,
    k: Annotated[int, typer.Option("-k", help="The most facts for --matching.")] = 10,
    threshold: Annotated[float, typer.Option(help="The least cosine for --matching.")] = 0.4,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove facts for good, by number, source, document, age, or what they say."""
    by_kind = source is not None or older_than is not None
    if bool(ids) + by_kind + (document is not None) + (matching is not None) != 1:
        raise InputError(
            "give the numbers of the facts to forget, or --source (with or without --older-than), --document, or "
            "--matching; not both, not neither"
        )
    before = None if older_than is None else time.time() - age(older_than)
    if matching is not None:
        count = _forget_matching(memory, matching, k, threshold, yes)
    else:
        with opened(memory) as store:
            if document is not None:
                count = store.forget(document=_document(store, document))
            else:
                count = store.forget(ids) if ids else store.forget(source=source, before=before)
    sys.stdout.write(f"{count} facts forgotten\n")


def _forget_matching(memory: Path, query: str, k: int, threshold: float, yes: bool) -> int:
    """Show what is found, ask, and forget it; return how many facts these were."""
    with opened(memory) as store:
        found = store.get([hit.id for hit in store.recall(query, k=k, threshold=threshold)])
        for fact in found:
            sys.stdout.write(line(fact))
        if found and not yes:
            if not sys.stdin.isatty():
                raise InputError("nobody can be asked whether to forget these; --yes forgets them. Nothing was changed")
            if not typer.confirm(f"Forget these {len(found)} facts?"):
                return 0
        return store.forget([fact.id for fact in found]) if found else 0


def _document(store: "AssociativeMemory", given: str) -> str:
    """The name of a document that was given as a person types it: a path, from here, or a name as it is stored."""
    from memory import corpora

    for name in (corpora.name_of(given), given):
        if store.documents(name):
            return name
    raise InputError(f"{store.path} holds no document {given}; `coat memory list --json` shows the documents")


upkeep.register(app)
