"""The notebooks: each runs from top to bottom, and what is committed of its outputs is what it says.

`python tests/test_notebooks.py [notebooks/01_first_search.ipynb ...]` writes the outputs anew. What is committed shows
itself where no kernel runs: of a widget the picture is kept, and not the widget.
"""

import re
import sys
import tempfile
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from jupyter_client.kernelspec import KernelSpec  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
PLACE = re.compile(r"(?<![\w.])/(home|root|tmp|work|Users|private|var|mnt|opt|usr)/|\b[A-Za-z]:\\|file://")
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURES = {"image/svg+xml", "image/png"}
LARGEST = 300_000
"""Bytes of a notebook."""
VARIES = "varies"
"""The tag of a cell whose output is not the same in every run: what a model writes, or how long it took."""

pytestmark = pytest.mark.xdist_group("llama")
every_notebook = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)


class ThisInterpreter(AsyncKernelManager):
    """Starts this interpreter as the kernel, whatever kernels are installed for the user."""

    @property
    def kernel_spec(self):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def read(file):
    return nbformat.read(file, as_version=4)


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def said(cell):
    """What a cell printed or gave as text, but for the digits of its fractions, and of which kinds its outputs are."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})} - {WIDGET}
    return re.sub(r"\d+\.\d+", "#", text), kinds


def execute(notebook, folder):
    """Run a notebook in `folder`, and keep of widgets what is shown where no kernel runs."""
    place = {"metadata": {"path": str(folder)}}
    options = {"timeout": 900, "resources": place, "store_widget_state": False}
    nbclient.NotebookClient(notebook, kernel_manager_class=ThisInterpreter, **options).execute()
    for cell in cells(notebook):
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a notebook runs, without the user's own start-up files for IPython and matplotlib."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_there_are_notebooks():
    assert NOTEBOOKS


@every_notebook
def test_it_runs_and_says_what_is_committed(file, folder):
    notebook = read(file)
    committed = [said(cell) for cell in cells(notebook)]
    execute(notebook, folder)
    for cell, before in zip(cells(notebook), committed, strict=True):
        if VARIES in cell.metadata.get("tags", ()):
            assert bool(cell.outputs) == any(before)
        else:
            assert said(cell) == before, f"run {file.name} anew: the output of cell {cell.id} has changed"
    assert not list(folder.iterdir()), "a notebook leaves no files behind"


@every_notebook
def test_its_outputs_are_committed_whole_and_without_errors(file):
    code = cells(read(file))
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@every_notebook
def test_it_shows_something_where_no_kernel_runs(file):
    notebook = read(file)
    kinds = {kind for cell in cells(notebook) for kind in said(cell)[1]}
    assert kinds & PICTURES
    assert WIDGET not in nbformat.writes(notebook)
    assert file.stat().st_size < LARGEST


@every_notebook
def test_it_tells_nothing_of_the_machine_that_ran_it(file):
    notebook = read(file)
    for cell in cells(notebook):
        for output in cell.outputs:
            output.get("data", {}).pop("image/png", None)
    text = nbformat.writes(notebook)
    assert not [match[0] for match in PLACE.finditer(text)]
    assert str(Path.home()) not in text


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:] or NOTEBOOKS):
        notebook = read(file)
        with tempfile.TemporaryDirectory() as empty:
            execute(notebook, empty)
        file.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")
