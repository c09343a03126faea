"""The widget in a real JupyterLab, in headless Chromium: a search grows, is steered by clicks, and stops.

`COAT_PICTURES=docs/pictures` writes the picture of it anew.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
api = pytest.importorskip("playwright.sync_api")
for needed in ("anywidget", "jupyterlab", "ipykernel"):
    pytest.importorskip(needed)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOME = Path(__file__).resolve().parent.parent
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
FLAGS += ("--disable-component-update", "--disable-sync")
ALONE = (
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.expose_app_in_browser=True",
)
"""JupyterLab asks nobody for news, updates or extensions, and can be told what to do from the page."""
TOKEN = "for-this-test-only"
SECONDS = 40_000

pytestmark = [
    pytest.mark.xdist_group("llama"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to look at a notebook with"),
]

WATCH = """\
import coat

live = coat.watch(
    "3 7 25 50 9 = 79", task="countdown", paused=True, parallel=1,
    verify=False, tokens=1_000_000, simulations=1_000_000,
)
live"""
TELL = """\
import json

search = live.search
print(json.dumps({"edits": search.edits, "stop": live.result.stop, "nodes": search.tree.to_dict()["nodes"]}))"""
CELLS = (WATCH, TELL, "live.result")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a JupyterLab of our own, and the notebook that it shows."""
    home = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    quiet = home / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    (home / "work").mkdir()
    nbformat.write(notebook, home / "work" / "watch.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
    own += ("JUPYTERLAB_WORKSPACES_DIR",)
    environment = os.environ | {name: str(home / name) for name in own}
    environment |= {"PYTHONPATH": os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", *ALONE]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home / "work", env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/lab/tree/watch.ipynb?token={TOKEN}&reset", home / "work" / "watch.ipynb"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def page(lab: tuple[str, Path]) -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(SECONDS)
        end = time.monotonic() + 40
        while True:
            try:
                page.goto(lab[0])
                break
            except api.Error:
                assert time.monotonic() < end, "JupyterLab does not answer"
                time.sleep(0.3)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
        yield page
        browser.close()


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def spent(output: Any) -> int:
    """The tokens that the widget says were spent."""
    return int(output.get_by_text("of 1,000,000 tokens").inner_text().partition(" ")[0].replace(",", ""))


def run_cell(page: Any, number: int) -> Any:
    """Run a cell; its output area."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
    return cell.locator(".jp-OutputArea")


def test_a_search_in_a_notebook_grows_is_pruned_by_a_click_and_stopped(page: Any, lab: tuple[str, Path]) -> None:
    output = run_cell(page, 0)
    tree = output.get_by_role("tree")
    tree.wait_for()
    assert tree.get_by_role("treeitem").count() == 1

    for _ in range(20):  # each lets one reply in: a step, or what it is worth
        output.get_by_role("button", name="Step", exact=True).click()
        if tree.get_by_role("treeitem").count() > 3:
            break
    until(lambda: tree.get_by_role("treeitem").count() > 3, "steps did not grow the tree")
    assert output.get_by_text("paused", exact=True).is_visible()

    before = tree.get_by_role("treeitem").count()
    tree.locator("#node1").click()
    output.get_by_role("button", name="Prune", exact=True).click()
    until(lambda: "dead" in (tree.locator("#node1").get_attribute("aria-label") or ""), "node 1 was not closed")

    tree.locator("#node2").click()
    output.get_by_role("button", name="Resume", exact=True).click()
    until(lambda: spent(output) > 400, "the search did not go on")
    if folder := os.environ.get("COAT_PICTURES"):
        picture(page, output, Path(folder) / "notebook.png")
    output.get_by_role("button", name="Stop", exact=True).click()
    output.get_by_text("done", exact=True).wait_for()

    told = run_cell(page, 1).locator(".jp-OutputArea-output pre").first
    told.wait_for()
    found = json.loads(told.inner_text())
    assert found["stop"] == "interrupted"
    assert [(edit["by"], edit["do"], edit["node"]) for edit in found["edits"]] == [("person", "prune", 1)]
    closed = {1}
    for node in found["nodes"]:
        closed |= {node["id"]} if node["parent"] in closed else set()
    after = {node["id"] for node in found["nodes"]} - set(range(before))
    assert len(after) > 20
    assert len(after & closed) <= 1, "more than what was under way came below the node that was pruned"
    check_saved(page, lab[1], f"{len(found['nodes'])} nodes")
    check_result(page)
    assert output.get_by_role("heading", name="Step 2").is_visible(), "the view forgot which node was chosen"


def check_saved(page: Any, notebook: Path, words: str) -> None:
    """The saved notebook holds a picture of the last tree beside the widget."""
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    def pictures() -> list[str]:
        outputs = nbformat.read(notebook, as_version=4).cells[0].get("outputs", [])
        return [str(each["data"]["image/svg+xml"]) for each in outputs if "image/svg+xml" in each.get("data", {})]

    until(lambda: len(pictures()) == 1 and words in pictures()[0], "no picture")


def picture(page: Any, output: Any, file: Path) -> None:
    """A picture of the notebook while the search is held."""
    output.get_by_role("button", name="Pause", exact=True).click()
    output.get_by_role("button", name="Fit the whole tree").click()
    output.get_by_text("paused", exact=True).wait_for()
    time.sleep(1)
    page.screenshot(path=file)
    output.get_by_role("button", name="Resume", exact=True).click()


def check_result(page: Any) -> None:
    """A result shows the widget of its tree, which has nothing to stop."""
    output = run_cell(page, 2)
    output.get_by_role("tree").get_by_role("treeitem").nth(3).wait_for()
    assert output.get_by_role("button", name="Stop", exact=True).count() == 0
