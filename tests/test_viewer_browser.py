"""The viewer in a real browser: from a file, from the server, and in a page that records what it sends."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks.browser import chromium
from benchmarks.viewer import large
from coat.errors import InputError
from coat.trace import Tree
from coat.viewer.data import View, view
from coat.viewer.html import script, to_html
from coat.viewer.serve import make_server
from search import Step

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

PICTURES = Path(__file__).parent.parent / "docs" / "pictures" if os.environ.get("COAT_PICTURES") else None
"""`COAT_PICTURES=1 pytest tests/test_viewer_browser.py` takes the pictures of the documentation anew."""
LONG = "ten thousand characters " * 416 + "the end"
HARSH = [
    "<script>document.title = 'forged'</script>",
    "</script><img src=x onerror=\"document.title='forged'\">",
    "\"double\" 'single' `back` & &amp; <!-- \u2028",
    "עברית ואז عربي 1 + 2",
    "safe\u202e\u2066txt.exe",
    "🤔 👩‍👩‍👧 e\u0301",
    "bell\x07 escape\x1b[31m null\x00",
    LONG,
]
MOUNT = """
async ([code, data, steered]) => {
    const { mount } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    window.sent = [];
    window.handle = mount(document.getElementById("place"), data, steered ? { send: (each) => sent.push(each) } : {});
}
"""
WIDGET = """
async ([code, data]) => {
    const { default: widget } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    window.sent = [];
    const heard = new Set();
    const model = {
        get: (name) => ({ data, height: 420, key: "one" })[name],
        on: (event, call) => event === "msg:custom" && heard.add(call),
        off: (event, call) => heard.delete(call),
        send: (command) => sent.push(command),
    };
    window.tell = (message) => heard.forEach((call) => call(message));
    window.end = widget.render({ model, el: document.getElementById("place") });
    window.listeners = () => heard.size;
}
"""
INTRUDE = """
async () => {
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    document.body.append(Object.assign(document.createElement("script"), { textContent: "window.forged = 1" }));
    document.body.append(Object.assign(document.createElement("img"), { src: "data:image/gif;base64,R0lGODlh" }));
    await fetch("data:,x").catch(() => {});
    await new Promise((done) => setTimeout(done, 50));
    return [window.forged, ...refused];
}
"""


def puzzle() -> View:
    """A small tree with one of everything: a solution, a dead branch, a step back, a person's step, facts, a pin."""
    tree = Tree()

    def grow(parent: int, step: Step, visits: int, value: float, **more: Any) -> int:
        node = tree.add(parent, step)
        tree[node].visits, tree[node].value, tree[node].judged = visits, value, value
        for name, given in more.items():
            setattr(tree[node], name, given)
        return node

    tree[0].visits, tree[0].value, tree[0].expansions = 21, 0.41, 3
    first = grow(0, Step("10 - 4 = 6", "think", (5, 6, 7), -0.9, 7, "6 9 13"), 9, 0.62, prior=0.5, expansions=2)
    second = grow(first, Step("13 - 9 = 4", "think", (8, 9), -1.4, 7), 5, 0.81, parts={"F_g": 0.8, "F_a": 0.85})
    grow(second, Step("6 * 4 = 24", "answer", (3,), -0.2, 6), 2, 1.0, parts={"verifier": 1.0})
    grow(first, Step("13 + 9 = 22", "think", (), -2.2, 7), 2, 0.2, status="dead")
    grow(first, Step("this leads nowhere", "backtrack", (), -3.0, 4), 1, 0.0)
    other = grow(0, Step("4 + 9 = 13", "think", (1,), -1.9, 7), 5, 0.35)
    grow(other, Step("13 - 13 = 0", author="person"), 1, 0.15)
    grow(0, Step("recall: what makes 24?", "recall", (), -2.0, 8), 2, 0.5)
    fact = {"id": 4, "text": "24 is 6 times 4.", "source": "tables.md", "score": 0.71, "kind": "fact", "via": "24"}
    edit = {"by": "person", "do": "add", "at": 6, "seconds": 1.4, "node": other, "text": "13 - 13 = 0", "new": 7}
    cut = {"by": "person", "do": "prune", "at": 9, "seconds": 2.25, "node": 4}
    tree.about = {"question": "4 9 10 13", "task": "game24", "strategy": "coat", "model": "puzzle"}
    tree.about |= {"pinned": first, "best": [1, 2, 3], "edits": [edit, cut]}
    tree.about |= {"recalled": {"0": [fact], "2": [fact, fact | {"id": 5, "text": "4 is 13 less 9."}]}}
    tree.about |= {"usage": {"generated": 310, "scored": 52}, "budget": {"tokens": 4000, "seconds": 60.0}}
    return view(tree) | {"seconds": 3.5, "state": "paused", "steerable": True}


def odd() -> View:
    tree = Tree()
    for text in HARSH:
        tree.add(0, Step(text))
    tree.about = {"question": HARSH[0], "recalled": {"1": [{"id": 1, "text": HARSH[1], "source": HARSH[2]}]}}
    return view(tree)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        with chromium() as found:
            yield found
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 1100, "height": 680}) as context:
        made = context.new_page()
        wrong: list[str] = []
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        made.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
        made.set_default_timeout(5000)
        yield made
        assert wrong == []


def open_file(page: Any, folder: Path, seen: View) -> None:
    file = folder / "tree.html"
    file.write_text(to_html(seen), encoding="utf-8")
    page.goto(file.as_uri())
    page.wait_for_selector("[role=treeitem]")


def hosted(page: Any, seen: View, steered: bool = True) -> None:
    page.set_content('<html lang="en"><title>host</title><main id="place" style="height:95vh"></main>')
    page.evaluate(MOUNT, [script(), seen, steered])
    page.wait_for_selector("[role=treeitem]")


def item(page: Any, node: int) -> Any:
    return page.locator(f"[data-key=node{node}]")


def settle(page: Any) -> None:
    """Wait for the frame in which all that was done is painted, and the next."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def chosen(page: Any) -> str:
    settle(page)
    return str(page.locator("[role=tree]").get_attribute("aria-activedescendant"))


def picture(page: Any, name: str) -> None:
    if PICTURES:
        settle(page)
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")


def faults(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    settle(page)
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary']}" for each in found]


def test_a_file_shows_the_tree_and_a_click_all_about_a_node(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    assert page.locator("[role=treeitem]").count() == 9
    item(page, 2).click()
    told = page.locator(".side").inner_text()
    for words in ("Step 2", "best path", "13 - 9 = 4", "0.810", "F_g", "0.800", "F_a", "0.850", "-1.400", "-0.200"):
        assert words in told
    for words in ("7 generated, 2 in the text", "24 is 6 times 4.", "fact, tables.md, 0.71, via 24", "4 is 13 less 9."):
        assert words in told
    assert "person added a thought below step 6 as step 7" in told
    assert "after 9 replies, 2.3 s" in told or "after 9 replies, 2.2 s" in told
    page.get_by_role("button", name="step 7").click()
    assert chosen(page) == "node7"
    picture(page, "viewer")


def test_nothing_is_steered_in_a_file(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    item(page, 2).click()
    for name in ("Prune", "Pause", "Stop", "Add the fact", "Forget fact 4"):
        assert page.get_by_role("button", name=name).count() == 0


def test_kinds_of_nodes_are_told_apart_by_shape_and_by_words(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    kinds = {1: "open", 3: "answer", 4: "dead", 5: "backtrack", 7: "person"}
    outlines = {item(page, node).locator(f".mark.{kind}").get_attribute("d") for node, kind in kinds.items()}
    assert len(outlines) == len(kinds)
    said = {1: "pinned", 3: "✓ right", 4: "dead", 5: "back", 7: "person", 8: "recall"}
    for node, words in said.items():
        assert words in item(page, node).locator(".figures").text_content()
        assert words.strip("✓ ") in item(page, node).get_attribute("aria-label")
    assert [item(page, node).locator(".facts").text_content() for node in (0, 2)] == ["1", "2"]
    assert [item(page, node).get_attribute("class") for node in (3, 4)] == ["place on-best", "place"]
    areas = [item(page, node).locator(".mark").bounding_box()["width"] for node in (1, 2)]
    assert areas[0] > areas[1]


def test_branches_collapse_and_expand_by_mouse(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    item(page, 1).dblclick()
    api.expect(item(page, 2)).to_have_count(0)
    assert item(page, 1).get_attribute("aria-expanded") == "false"
    assert page.locator("[data-key=more1]").text_content() == "+4"
    page.locator("[data-key=more1]").click()
    api.expect(item(page, 3)).to_have_count(1)
    assert item(page, 1).get_attribute("aria-expanded") == "true"
    page.get_by_role("button", name="Collapse or expand").click()
    api.expect(item(page, 2)).to_have_count(0)


def test_search_finds_steps_and_facts_and_opens_what_hides_them(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    item(page, 1).dblclick()
    box = page.get_by_role("searchbox")
    box.fill("13 - ")
    assert page.locator(".found").inner_text() == "2 found"
    box.press("Enter")
    assert (chosen(page), page.locator(".found").inner_text()) == ("node2", "1 of 2")
    api.expect(item(page, 2)).to_have_class("place on-best hit")
    page.get_by_role("button", name="Next hit").click()
    page.get_by_role("button", name="Next hit").click()
    assert chosen(page) == "node2"
    box.fill("4 IS 13 LESS")
    box.press("Enter")
    assert chosen(page) == "node2"
    box.fill("nowhere to be found")
    assert page.locator(".found").inner_text() == "0 found"


def test_all_of_it_can_be_done_with_the_keyboard_alone(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot.activeElement.getAttribute('role')") == "tree":
            break
    went = []
    for key in "ArrowRight ArrowRight ArrowDown ArrowLeft ArrowLeft ArrowLeft ArrowRight b Home".split():  # noqa: SIM905
        page.keyboard.press(key)
        went.append(chosen(page).removeprefix("node"))
    assert went == ["1", "2", "3", "2", "2", "1", "2", "3", "0"]
    page.keyboard.press("End")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    assert chosen(page) == "node7"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "side"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.locator("[role=tree]").focus()
    page.keyboard.press("/")
    page.keyboard.type("22")
    page.keyboard.press("Enter")
    assert chosen(page) == "node4"


def test_zoom_pan_and_fit_move_the_picture(page: Any, tmp_path: Path) -> None:
    open_file(page, tmp_path, puzzle())

    def world() -> str:
        settle(page)
        return str(page.locator("[role=tree] > g").get_attribute("transform"))

    places = [world()]
    page.locator("[role=tree]").hover(position={"x": 300, "y": 40})
    page.mouse.wheel(0, -300)
    places.append(world())
    page.mouse.down()
    page.mouse.move(420, 300, steps=3)
    page.mouse.up()
    places.append(world())
    page.get_by_role("button", name="Fit the whole tree").click()
    places.append(world())
    assert len(set(places)) == len(places) or places[3] == places[0]
    assert len(set(places[:3])) == 3
    assert "scale(1.0000)" not in places[1]


def test_every_text_is_shown_as_text(page: Any, tmp_path: Path) -> None:
    seen = odd()
    open_file(page, tmp_path, seen)
    assert page.locator("[role=treeitem]").count() == len(HARSH) + 1
    shown = []
    for node in range(1, len(HARSH) + 1):
        item(page, node).click()
        shown.append(page.locator(".chosen p.whole").text_content())
        assert len(item(page, node).locator(".words").text_content()) <= 45
    assert shown[:2] == HARSH[:2]
    assert shown[2] == HARSH[2].replace("\u2028", "⟨U+2028⟩")
    assert shown[3:6] == [HARSH[3], "safe⟨U+202E⟩⟨U+2066⟩txt.exe", HARSH[5]]
    assert shown[6:] == ["bell␇ escape␛[31m null␀", LONG]
    assert page.locator(".chosen p.whole").get_attribute("dir") == "auto"
    assert page.title() == f"coat: {HARSH[0]}"
    assert page.locator("img, script[src]").count() == 0
    item(page, 1).click()
    assert HARSH[1] in page.locator("ul.facts").text_content()


def test_a_file_may_neither_run_other_scripts_nor_load_anything(browser: Any, tmp_path: Path) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        open_file(page, tmp_path, puzzle())
        refused = page.evaluate(INTRUDE)
    assert refused[0] is None
    assert {each.removesuffix("-elem") for each in refused[1:]} == {"script-src", "img-src", "connect-src"}


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (1100, "dark"), (480, "light")])
def test_axe_finds_nothing(browser: Any, width: int, scheme: str) -> None:
    with browser.new_context(viewport={"width": width, "height": 720}, color_scheme=scheme) as context:
        page = context.new_page()
        hosted(page, puzzle())
        item(page, 2).click()
        page.get_by_text("Facts and budget").click()
        page.get_by_role("button", name="Edit").click()
        assert faults(page) == []
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Help").click()
        assert faults(page) == []


def test_a_narrow_page_puts_the_details_below_and_scrolls_nowhere_sideways(page: Any, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 480, "height": 720})
    open_file(page, tmp_path, puzzle())
    item(page, 1).click()
    tree, side = (page.locator(each).bounding_box() for each in (".stage", ".side"))
    assert side["y"] >= tree["y"] + tree["height"] - 1
    assert tree["height"] > 200
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    wide = "[...document.getElementById('coat-viewer').shadowRoot.querySelectorAll('button, input')]"
    assert page.evaluate(f"{wide}.every((each) => each.getBoundingClientRect().right <= 480)")
    picture(page, "viewer-narrow")


def test_dark_is_dark_in_the_system_in_jupyterlab_and_in_vs_code(page: Any) -> None:
    hosted(page, puzzle())
    root = page.locator(".coat")

    def dark(setting: str) -> bool:
        page.evaluate(setting)
        settle(page)
        return "dark" in root.get_attribute("class")

    assert not dark("0")
    page.emulate_media(color_scheme="dark")
    assert dark("0")
    assert not dark("document.body.dataset.jpThemeLight = 'true'")
    assert dark("document.body.dataset.jpThemeLight = 'false'")
    assert not dark("delete document.body.dataset.jpThemeLight; document.body.dataset.vscodeThemeKind = 'vscode-light'")
    assert dark("document.body.dataset.vscodeThemeKind = 'vscode-high-contrast'")
    colours = page.evaluate(
        "[getComputedStyle(document.getElementById('place').shadowRoot.querySelector('.coat'))]"
        ".map((style) => [style.backgroundColor, style.color])[0]"
    )
    assert colours == ["rgb(20, 23, 28)", "rgb(236, 239, 243)"]
    item(page, 2).click()
    picture(page, "viewer-dark")


def test_a_very_deep_node_is_shown_and_moved_from_by_key(page: Any, tmp_path: Path) -> None:
    tree = Tree()
    for depth in range(1500):
        tree.add(depth, Step(f"step {depth + 1}"))
    open_file(page, tmp_path, view(tree))
    page.get_by_role("searchbox").fill("step 1400")
    page.get_by_role("searchbox").press("Enter")
    page.locator("[role=tree]").focus()
    assert (chosen(page), item(page, 1400).is_visible()) == ("node1400", True)
    page.keyboard.press("ArrowLeft")
    assert chosen(page) == "node1399"


def test_a_large_tree_shows_what_matters_and_the_rest_on_demand(page: Any, tmp_path: Path) -> None:
    seen = large(3000)
    open_file(page, tmp_path, seen)
    picture(page, "viewer-large")

    def elements() -> int:
        return int(
            page.evaluate("document.getElementById('coat-viewer').shadowRoot.querySelectorAll('.tree *').length")
        )

    page.get_by_role("button", name="Fit the whole tree").click()
    settle(page)
    assert elements() < 400
    shown = page.locator("[data-key^=node]").count()
    assert 40 <= shown <= 90
    assert all(item(page, node).count() for node in seen["best"])
    hidden = page.locator("[data-key^=more]").first
    parent = hidden.get_attribute("data-key").removeprefix("more")
    below = {node["id"] for node in seen["nodes"] if node["parent"] == int(parent)}
    hidden.dispatch_event("click")
    settle(page)
    assert all(item(page, node).count() for node in below)
    page.get_by_role("searchbox").fill("2999:")
    page.get_by_role("searchbox").press("Enter")
    assert chosen(page) == "node2999"
    assert item(page, 2999).is_visible()
    page.get_by_role("button", name="Go to the end of the best path").click()
    page.get_by_role("button", name="Fit the whole tree").click()
    settle(page)
    assert item(page, 2999).count() == 1
    for _ in range(40):
        page.locator("[data-key^=more]").last.dispatch_event("click")
    page.get_by_role("button", name="Fit the whole tree").click()
    settle(page)
    assert elements() < 900


def test_a_person_steers_and_the_commands_go_out(page: Any) -> None:
    hosted(page, puzzle())
    press = lambda name: page.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    for name in ("Step", "Resume", "Stop"):
        press(name)
    item(page, 2).click()
    for name in ("Prune", "Pin", "Lift the pin", "Edit…"):
        press(name)
    page.get_by_label("The step as it should be").fill("13 - 10 = 3")
    press("Send")
    press("Add a thought…")
    page.get_by_label("A thought below this step").fill("6 * 4 = 24")
    page.keyboard.press("Control+Enter")
    press("Forget fact 5")
    page.get_by_text("Facts and budget").click()
    page.get_by_label("A fact for later recalls").fill("Four times six is 24.")
    press("Add the fact")
    page.get_by_label("Tokens in all").fill("8000")
    page.get_by_label("Seconds in all").fill("")
    press("Set the budget")
    item(page, 1).click()
    press("Unpin")
    assert page.evaluate("sent") == [
        {"do": "step"},
        {"do": "resume"},
        {"do": "stop"},
        {"do": "prune", "node": 2},
        {"do": "pin", "node": 2},
        {"do": "unpin"},
        {"do": "edit", "node": 2, "text": "13 - 10 = 3"},
        {"do": "add", "node": 2, "text": "6 * 4 = 24"},
        {"do": "forget_fact", "fact": 5},
        {"do": "add_fact", "text": "Four times six is 24."},
        {"do": "budget", "tokens": 8000, "seconds": None},
        {"do": "unpin"},
    ]
    picture(page, "viewer-steering")


def test_the_root_cannot_be_pruned_and_nothing_is_added_below_an_answer(page: Any) -> None:
    hosted(page, puzzle())
    group = page.get_by_role("group", name="Steer the search")
    names = {}
    for node in (0, 3, 4):
        item(page, node).click()
        names[node] = group.get_by_role("button").all_inner_texts()
    assert names == {
        0: ["Lift the pin", "Add a thought…"],
        3: ["Prune", "Pin", "Edit…", "Lift the pin"],
        4: ["Lift the pin"],
    }


def test_a_live_search_grows_is_counted_and_ends(page: Any) -> None:
    seen = puzzle()
    hosted(page, seen | {"state": "running"})
    told = page.locator(".live")
    assert "running" in told.inner_text()
    assert "362 of 4,000 tokens" in told.inner_text()
    assert "best answer 1.00" in told.inner_text()
    new = {**seen["nodes"][2], "id": 9, "parent": 8, "step": {**seen["nodes"][2]["step"], "text": "news"}}
    again = {**seen["nodes"][8], "visits": 17, "value": 0.25}
    usage = {"generated": 700, "scored": 100}
    page.evaluate("(changes) => handle.update(changes)", {"nodes": [again, new], "usage": usage, "seconds": 9.0})
    api.expect(item(page, 9).locator(".words")).to_have_text("\u2068news\u2069")
    assert "0.25 ×17" in item(page, 8).text_content()
    assert "800 of 4,000 tokens" in told.inner_text()
    assert "9.0 of 60 seconds" in told.inner_text()
    page.evaluate("handle.reply({ error: 'node 0 is the problem itself; prune a step below it' })")
    assert page.get_by_role("alert").inner_text() == "node 0 is the problem itself; prune a step below it"
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("alert").count() == 0
    page.evaluate("handle.update({ state: 'done', result: { answer: '(10 - 4) * (13 - 9)', correct: true } })")
    api.expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    assert "(10 - 4) * (13 - 9) (right)" in page.locator(".side").inner_text()


def test_what_is_being_typed_survives_updates(page: Any) -> None:
    seen = puzzle()
    hosted(page, seen | {"state": "running"})
    item(page, 2).click()
    page.get_by_role("button", name="Edit").click()
    page.keyboard.type(" and more")
    page.evaluate("(node) => handle.update({ nodes: [node] })", {**seen["nodes"][2], "visits": 99})
    api.expect(item(page, 2).locator(".figures")).to_contain_text("×99")
    page.keyboard.type("!")
    assert page.locator("textarea").input_value() == "13 - 9 = 4 and more!"


def test_what_was_typed_is_kept_until_the_search_has_taken_it(page: Any) -> None:
    hosted(page, puzzle())
    item(page, 2).click()
    page.get_by_role("button", name="Add a thought").click()
    page.keyboard.type("1 + 1 = 3")
    page.keyboard.press("Control+Enter")
    page.evaluate("handle.reply({ error: 'that is no step here' })")
    assert page.locator("textarea").input_value() == "1 + 1 = 3"
    page.evaluate("handle.reply({ done: sent.at(-1) })")
    assert (page.locator("textarea").count(), page.get_by_role("alert").count()) == (0, 0)
    page.get_by_text("Facts and budget").click()
    page.locator(".fact-text").fill("Six is even.")
    page.keyboard.press("Enter")
    page.evaluate("handle.reply({ error: 'there is no memory' })")
    assert page.locator(".fact-text").input_value() == "Six is even."
    page.evaluate("handle.reply({ done: sent.at(-1) })")
    assert page.locator(".fact-text").input_value() == ""


def test_what_is_chosen_stays_where_it_is_while_the_tree_grows_around_it(page: Any) -> None:
    seen = puzzle()
    hosted(page, seen | {"state": "running"})
    item(page, 7).click()
    page.keyboard.press("+")
    settle(page)
    before = item(page, 7).locator(".mark").bounding_box()
    new = [{**seen["nodes"][2], "id": 9 + more, "parent": 1, "recalled": []} for more in range(6)]
    page.evaluate("(nodes) => handle.update({ nodes })", new)
    api.expect(item(page, 9)).to_have_count(1)
    after = item(page, 7).locator(".mark").bounding_box()
    assert after == pytest.approx(before, abs=0.6)


def test_a_widget_hears_updates_and_replies_and_lets_go_in_the_end(page: Any) -> None:
    page.set_content('<main id="place"></main>')
    page.evaluate(WIDGET, [script(), puzzle()])
    page.wait_for_selector("[role=treeitem]")
    assert page.locator(".coat").bounding_box()["height"] == 420
    page.get_by_role("button", name="Step", exact=True).click()
    assert page.evaluate("sent") == [{"do": "show"}, {"do": "step"}]
    page.evaluate("tell({ kind: 'update', changes: { state: 'running' } })")
    api.expect(page.get_by_role("button", name="Pause")).to_have_count(1)
    page.evaluate("tell({ kind: 'reply', error: 'no' })")
    assert page.get_by_role("alert").inner_text() == "no"
    assert page.evaluate("document.querySelector('[data-lm-suppress-shortcuts]').shadowRoot !== null")
    page.evaluate("end()")
    assert page.evaluate("listeners()") == 0
    assert page.locator("[role=tree]").count() == 0


def test_the_server_shows_the_same_viewer(browser: Any) -> None:
    server = make_server(lambda: to_html(puzzle()))
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"http://localhost:{server.server_port}/")
            item(page, 3).click()
            assert "6 * 4 = 24" in page.locator(".chosen").inner_text()
    finally:
        server.shutdown()
        server.server_close()
