"""How fast the viewer shows a large tree, and how smoothly it moves, in a headless Chromium.

`first_paint_s` is from the begin of the navigation to an HTML file until the first frame with the tree was painted;
`fps` the frames a second in the least smooth of four doings: zooming, panning, expanding, and taking live updates. Both
are medians over the runs, the worst runs stand beside them. A browser paints at most 60 frames a second.
"""

import os
import platform
import random
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.browser import chromium
from benchmarks.command import report
from benchmarks.search import Grown
from coat.trace import Tree
from coat.viewer.data import View, view
from coat.viewer.html import script, to_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NODES = 5000
SECONDS = 3.0
SIZE = {"width": 1280, "height": 800}
TALK = "the sum of both sides is even so take one from the larger half and try again with what remains"

FIRST_PAINT = """
window.painted = new Promise((done) => {
    const look = () => {
        const root = document.getElementById("coat-viewer")?.shadowRoot;
        if (!root?.querySelector("[role=treeitem]")) return requestAnimationFrame(look);
        requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    };
    requestAnimationFrame(look);
});
"""
MOUNT = """
async ([code, data]) => {
    const { mount } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    window.handle = mount(document.getElementById("place"), data, { send() {} });
}
"""
FRAMES = """
async ([doing, seconds, changes]) => {
    const svg = document.getElementById("place").shadowRoot.querySelector(".tree");
    const { left, top, width, height } = svg.getBoundingClientRect();
    const at = { clientX: left + width / 3, clientY: top + height / 2, bubbles: true, cancelable: true, view: window };
    const mouse = (type, x, y) => new MouseEvent(type, { ...at, clientX: at.clientX + x, clientY: at.clientY + y });
    const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    const doings = {
        zooming(frame) {
            const deltaY = frame % 60 < 30 ? 40 : -40;
            svg.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY }));
        },
        panning(frame) {
            if (frame === 0) svg.dispatchEvent(mouse("mousedown", 0, 0));
            window.dispatchEvent(mouse("mousemove", 200 * Math.sin(frame / 20), 300 * Math.sin(frame / 13)));
        },
        expanding(frame) {
            if (frame % 6) return;
            const stubs = svg.querySelectorAll("[data-key^=more]");
            if (stubs.length && frame % 60 < 48) stubs[frame % stubs.length].dispatchEvent(mouse("click", 0, 0));
            else key("ArrowLeft");
        },
        updating(frame) {
            if (frame % 6 === 0 && changes.length) window.handle.update(changes.shift());
        },
    };
    const ended = performance.now() + 1000 * seconds;
    const began = performance.now();
    let frames = 0, longest = 0, last = began;
    await new Promise((done) => {
        const tick = (now) => {
            doings[doing](frames++);
            longest = Math.max(longest, now - last);
            last = now;
            if (performance.now() < ended) requestAnimationFrame(tick);
            else done();
        };
        requestAnimationFrame(tick);
    });
    window.dispatchEvent(mouse("mouseup", 0, 0));
    return { fps: (1000 * frames) / (performance.now() - began), longest };
}
"""
DOINGS = ("zooming", "panning", "expanding", "updating")


def large(nodes: int, seed: int = 0) -> View:
    """A tree of `nodes` nodes as MCTS grows it, with steps of 3 to 30 words, facts, and dead branches, from `seed`."""
    grown = Grown(seed)
    grown.grow(nodes)
    lot = random.Random(seed)
    data = grown.tree.to_dict()
    data["nodes"] = data["nodes"][:nodes]
    for node in data["nodes"][1:]:
        text = f"{node['id']}: {' '.join(lot.choices(TALK.split(), k=lot.randint(3, 30)))}"
        node["step"] |= {"text": text, "generated": lot.randint(5, 40), "logprob": -lot.random() * 20}
        node["judged"] = node["value"] if node["judged"] is None else node["judged"]
        if not node["visits"] and lot.random() < 0.3:
            node["status"] = "dead"
    tree = Tree.from_dict(data)
    facts = [{"id": 7, "text": "Halves of even numbers are whole.", "source": "notes.md", "score": 0.61}]
    limits = {"tokens": 200_000, "seconds": 600.0}
    tree.about = {
        "question": "Which way is the shortest?",
        "recalled": {str(node): facts for node in range(0, nodes, 9)},
    }
    tree.about |= {"task": "qa", "strategy": "coat", "model": "seeded", "budget": limits}
    tree.about |= {"usage": {"generated": 100_000, "scored": 20_000}, "seconds": 300.0}
    return view(tree)


def changes(seen: View, times: int, seed: int = 0) -> list[dict[str, Any]]:
    """Live updates: in each, four new nodes and forty that were visited once more."""
    lot = random.Random(seed)
    nodes = [dict(node) for node in seen["nodes"]]
    found: list[dict[str, Any]] = []
    for number in range(times):
        parent = lot.choice(nodes)
        below = {"parent": parent["id"], "depth": parent["depth"] + 1, "visits": 0, "status": "open", "recalled": []}
        new = [{**nodes[-1], **below, "id": len(nodes) + more} for more in range(4)]
        nodes += new
        met = [node | {"visits": node["visits"] + 1, "value": lot.random()} for node in lot.sample(nodes[:-4], 40)]
        for node in met:
            nodes[node["id"]] = node
        usage = {"generated": 100_000 + 60 * number, "scored": 20_000 + 4 * number}
        found.append({"nodes": [*met, *new], "usage": usage, "seconds": 300.0 + number / 10, "state": "running"})
    return found


def first_paint(browser: "Browser", page_file: Path) -> float:
    """Seconds from navigation to the first painted tree, in a browser context that knows nothing yet."""
    with browser.new_context(viewport=SIZE) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.add_init_script(FIRST_PAINT)
        page.goto(page_file.as_uri())
        return float(page.evaluate("window.painted")) / 1000


def frames(page: "Page", seen: View, doing: str) -> dict[str, float]:
    """Frames a second and the longest time between two, in milliseconds, while `doing` goes on."""
    page.set_content('<div id="place" style="height:100vh"></div>')
    page.evaluate(MOUNT, [script(), seen | {"state": "running"}])
    page.wait_for_selector("[role=treeitem]")
    page.wait_for_timeout(300)
    given = changes(seen, round(15 * SECONDS)) if doing == "updating" else []
    found: dict[str, float] = page.evaluate(FRAMES, [doing, SECONDS, given])
    return found


def measure(nodes: int, runs: int) -> dict[str, Any]:
    """All figures, medians and worst of `runs` runs."""
    seen = large(nodes)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder) / "tree.html"
        file.write_text(to_html(seen), encoding="utf-8")
        paints = [first_paint(browser, file) for _ in range(runs)]
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        moved = {doing: [frames(page, seen, doing) for _ in range(runs)] for doing in DOINGS}
        version = browser.version
    rates = {doing: [each["fps"] for each in found] for doing, found in moved.items()}
    return {
        "first_paint_s": round(statistics.median(paints), 3),
        "fps": round(min(statistics.median(each) for each in rates.values()), 1),
        "nodes": nodes,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Chromium {version} without a GPU",
        "detail": {
            "first_paint_worst_s": round(max(paints), 3),
            "fps": {doing: round(statistics.median(each), 1) for doing, each in rates.items()},
            "fps_worst": {doing: round(min(each), 1) for doing, each in rates.items()},
            "longest_frame_ms": {doing: round(max(run["longest"] for run in each)) for doing, each in moved.items()},
            "runs": runs,
        },
    }


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    nodes: Annotated[int, typer.Option(min=2, help="Nodes of the tree.")] = NODES,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each measurement.")] = 5,
) -> None:
    """Measure the viewer on a tree that a search has grown from one seed."""
    report(lambda: measure(nodes, runs), as_json=as_json)


if __name__ == "__main__":
    app()
