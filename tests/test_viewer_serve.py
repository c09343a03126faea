"""`coat view` in the browser: the page, who may ask for it, and what is said where it cannot be."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from coat import trace
from coat.errors import InputError
from coat.trace import Tree
from coat.viewer.data import view
from coat.viewer.html import to_html
from coat.viewer.serve import make_server, page_of
from search import Step

COAT = [sys.executable, "-m", "coat"]
HARSH = "</script><script>alert(1)</script> <!-- \u2028 \ud800 & é"


def grown() -> Tree:
    tree = Tree()
    tree.add(0, Step(HARSH))
    tree[0].value = float("nan")
    tree.about = {"question": HARSH}
    return tree


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "run.json"
    tree = Tree()
    tree.add(0, Step("6 * 4 = 24", "answer"))
    trace.save(made, {"question": "6 4", "result": {}, "recalled": {}, **tree.to_dict()})
    return made


def answered(server: ThreadingHTTPServer, method: str = "GET", path: str = "/", host: str | None = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host} if host is not None else {})
    answer = connection.getresponse()
    answer.text = answer.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return answer


@pytest.fixture
def server(file: Path) -> Iterator[ThreadingHTTPServer]:
    made = make_server(lambda: page_of(file))
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


class Page(HTMLParser):
    """The elements of a page, with the text in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)


def test_no_text_can_end_the_element_that_holds_the_data() -> None:
    text = to_html(view(grown()))
    scripts = [(found, "".join(texts)) for tag, found, texts in Page(text).found if tag == "script"]
    assert [found.get("type") for found, _ in scripts] == ["application/json", "module"]
    data = json.loads(scripts[0][1])
    assert (data["question"], data["nodes"][1]["step"]["text"]) == (HARSH, HARSH)
    assert data["nodes"][0]["value"] is None
    text.encode("ascii")


def test_the_policy_admits_nothing_but_the_viewer_itself() -> None:
    metas = [found for tag, found, _ in Page(to_html(view(grown()))).found if tag == "meta"]
    (policy,) = [found["content"] for found in metas if found.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/=]{44}'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'",
        policy or "",
    )


def test_the_page_is_served_and_nothing_else(server: ThreadingHTTPServer) -> None:
    page = answered(server)
    assert (page.status, page.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
    assert "6 * 4 = 24" in page.text
    assert page.getheader("Content-Security-Policy") == "frame-ancestors 'none'"
    assert page.getheader("Cache-Control") == "no-store"
    for path in ("/run.json", "/../run.json", "/index.html"):
        assert answered(server, path=path).status == 404
    assert answered(server, path="http://example.com/").status == 403
    assert answered(server, path="/?x=1").status == 200
    head = answered(server, "HEAD")
    assert (head.status, head.text) == (200, "")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert answered(server, method).status == 501


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", ""]
)
def test_another_name_for_this_machine_is_refused(server: ThreadingHTTPServer, host: str) -> None:
    answer = answered(server, host=host.format(port=server.server_port))
    assert answer.status == 403
    assert "6 * 4 = 24" not in answer.text


def test_both_names_of_this_machine_are_taken(server: ThreadingHTTPServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert answered(server, host=f"{host}:{server.server_port}").status == 200


def test_a_reload_shows_the_file_as_it_is_by_then(server: ThreadingHTTPServer, file: Path) -> None:
    text = file.read_text()
    file.write_text(text.replace("6 * 4 = 24", "4 * 6 = 24"))
    assert "4 * 6 = 24" in answered(server).text
    file.write_text(text[:100])
    cut = answered(server)
    assert (cut.status, cut.getheader("Content-Type")) == (500, "text/plain; charset=utf-8")
    assert "run.json is not a trace: it is not whole JSON" in cut.text


def test_a_port_that_cannot_be_had_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot serve on port {port}: .*; name another with --port"):
            make_server(str, port)
    with pytest.raises(InputError, match="a port is a number from 0 to 65535"):
        make_server(str, 70_000)


def coat(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COAT, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_writes_a_page_or_prints_it(file: Path) -> None:
    told = coat("view", "run.json", "--html", "page.html", folder=file.parent)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    page = (file.parent / "page.html").read_text()
    assert page == page_of(file)
    assert coat("view", "run.json", "--html", "-", folder=file.parent).stdout == page


def test_the_command_serves_until_it_is_interrupted(file: Path) -> None:
    child = subprocess.Popen(
        [*COAT, "view", "run.json", "--serve"],
        cwd=file.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", child.stdout.readline())
    assert address
    connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=10)
    connection.request("GET", "/")
    assert b"6 * 4 = 24" in connection.getresponse().read()
    connection.close()
    child.send_signal(signal.SIGINT)
    rest, wrong = child.communicate(timeout=20)
    assert (child.returncode, rest, wrong) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="BROWSER names a command as POSIX systems run it")
def test_open_shows_the_page_in_the_browser(file: Path) -> None:
    browser = file.parent / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$(dirname "$0")/opened"\n')
    browser.chmod(0o755)
    subprocess.run(
        [*COAT, "view", "run.json", "--html", "page.html", "--open"],
        cwd=file.parent,
        env={**os.environ, "BROWSER": f"{browser} %s"},
        timeout=60,
        check=True,
    )
    assert (file.parent / "opened").read_text().strip() == (file.parent / "page.html").resolve().as_uri()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{cut", "run.json is not a trace: it is not whole JSON"),
        ("[1]", "run.json is not a trace; `coat solve --trace FILE` writes one"),
        ('{"coat_trace": 2}', "is a trace of version 2; this coat reads version 1"),
        ({"best": [9]}, "damaged trace: 9 is no node of its best path"),
        ({"best": {}}, "damaged trace: its 'best' is missing or something else"),
        ({"edits": ["pruned"]}, "damaged trace: 'edits' holds"),
        ({"recalled": {"0": 5}}, "damaged trace: '0' holds '5' where a list of entries belongs"),
        ({"model": 7}, "damaged trace: its 'model' is missing or something else"),
    ],
)
def test_what_is_no_whole_trace_is_refused(file: Path, content: str | dict[str, Any], words: str) -> None:
    changed = content if isinstance(content, str) else json.dumps(json.loads(file.read_text()) | content)
    file.write_text(changed)
    with pytest.raises(InputError, match=re.escape(words)):
        page_of(file)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--html", "a.html", "--serve"], "choose one"),
        (["--html", "missing/a.html"], "cannot write missing/a.html: No such file or directory"),
        (["--html", "-", "--open"], "--open needs a file; name one"),
        (["--port", "8000"], "--port is for --serve"),
        (["--serve", "--port", "99999"], "cannot serve on port 99999: a port is a number from 0 to 65535"),
        ([], "its result lacks answer, correct, path"),
    ],
)
def test_the_command_says_in_a_sentence_what_is_wrong(file: Path, arguments: list[str], words: str) -> None:
    told = coat("view", "run.json", *arguments, folder=file.parent)
    assert (told.returncode, told.stdout) == (2, "")
    assert words in told.stderr
    assert "Traceback" not in told.stderr
