"""`coat view`: a trace in the terminal, in the browser, or as a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.errors import InputError

if TYPE_CHECKING:
    from coat.trace import Tree


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(view)


def view(
    file: Annotated[Path, typer.Argument(help="A trace that `coat solve --trace FILE` wrote.")],
    *,
    limit: Annotated[int | None, typer.Option(help="The most nodes to draw; in the terminal 200 unless given.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the viewer and the tree to one HTML file.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write a picture that scales.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write a picture in pixels.")] = None,
    dot: Annotated[Path | None, typer.Option(help="Write the source of a picture by Graphviz.")] = None,
    mermaid: Annotated[Path | None, typer.Option(help="Write the source of a picture by Mermaid.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write what the viewer is given.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it in the viewer, served to this machine alone.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="The port for --serve; any free one unless named.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the browser: on the --html file, or served.")] = False,
) -> None:
    """Show the tree of a trace again: here, in the browser, or as files; - writes to the standard output."""
    from coat import trace

    named = {"html": html, "svg": svg, "png": png, "dot": dot, "mermaid": mermaid, "json": as_json}
    outs = {form: out for form, out in named.items() if out is not None}
    served = serve or (show and html is None)
    _check(outs, served, port, show)
    data, tree = trace.load(file)
    for form, out in outs.items():
        _write(form, tree, out, limit)
    if show and html is not None:
        import webbrowser

        if not webbrowser.open(html.resolve().as_uri()):
            raise InputError(f"no browser opens here; {html} is written, open it yourself")
    if served:
        from coat.viewer import serve as server

        server.serve(file, port or 0, show=show)
    elif not outs:
        _draw(file, data, tree, 200 if limit is None else limit)


def _check(outs: dict[str, Path], served: bool, port: int | None, show: bool) -> None:
    """Raises InputError where options do not go together."""
    if outs and served:
        form = next(iter(outs))
        raise InputError(f"--{form} writes a file, and --serve or --open alone serve the trace itself; choose one")
    if port is not None and not served:
        raise InputError("--port is for --serve; add that, or leave the port out")
    printed = [f"--{form}" for form, out in outs.items() if str(out) == "-"]
    if len(printed) > 1:
        raise InputError(f"{printed[0]} and {printed[1]} cannot both go to the standard output; name a file for one")
    if show and printed == ["--html"]:
        raise InputError("--html - prints the page, and --open needs a file; name one")


def _write(form: str, tree: "Tree", out: Path, limit: int | None) -> None:
    from coat.viewer.exports import pixels, text
    from coat.viewer.files import write

    content = pixels(tree, limit) if form == "png" else text(form, tree, limit)
    if str(out) != "-":
        write(out, content)
    elif isinstance(content, bytes):
        sys.stdout.buffer.write(content)
    else:
        sys.stdout.write(content)


def _draw(file: Path, data: dict[str, Any], tree: "Tree", limit: int) -> None:
    from rich.console import Console

    from coat.cli.show import report, tree_picture

    lacks = [
        name for name in ("answer", "correct", "path", "recalled", "usage", "remarks") if name not in data["result"]
    ]
    if lacks:
        raise InputError(f"{file} is a damaged trace: its result lacks {', '.join(lacks)}; --html shows what there is")
    path = data["result"]["path"]
    best = next((node.id for node in tree.nodes if [each.step.text for each in tree.path(node.id)] == path), None)
    console = Console()
    console.print(tree_picture(tree, data["question"], limit, best))
    console.print(report(data["result"]))
