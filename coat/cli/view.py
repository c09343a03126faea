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
    limit: Annotated[int, typer.Option(help="The most nodes to draw in the terminal.")] = 200,
    html: Annotated[
        Path | None, typer.Option(help="Write the viewer and the tree to one HTML file; - prints it.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the picture to this SVG file instead.")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it in the viewer, served to this machine alone.")
    ] = False,
    port: Annotated[int, typer.Option(help="The port for --serve; 0 takes a free one.")] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open the browser: on the --html file, or served.")] = False,
) -> None:
    """Show the tree of a trace again: here, in the browser, or as a file."""
    from coat import trace

    if html is not None and serve:
        raise InputError("--html writes a file and --serve serves the trace itself; choose one")
    data, tree = trace.load(file)
    if html is not None:
        _write_html(tree, html, show)
    if serve or (show and html is None):
        from coat.viewer import serve as server

        server.serve(file, port, show=show)
    elif html is None:
        _draw(data, tree, limit, svg)


def _write_html(tree: "Tree", file: Path, show: bool) -> None:
    from coat.viewer.data import view
    from coat.viewer.files import write
    from coat.viewer.html import to_html

    page = to_html(view(tree))
    if str(file) == "-":
        sys.stdout.write(page)
        return
    write(file, page)
    if show:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())


def _draw(data: dict[str, Any], tree: "Tree", limit: int, svg: Path | None) -> None:
    from io import StringIO

    from rich.console import Console

    from coat.cli.show import report, tree_picture

    path = data["result"]["path"]
    best = next((node.id for node in tree.nodes if [each.step.text for each in tree.path(node.id)] == path), None)
    console = Console(record=True, width=100, file=StringIO()) if svg else Console()
    console.print(tree_picture(tree, data["question"], limit, best))
    console.print(report(data["result"]))
    if svg:
        try:
            console.save_svg(str(svg), title=f"coat: {data['question']}")
        except OSError as error:
            raise InputError(f"cannot write {svg}: {error.strerror}") from error
