"""Public files are fetched when the user asks, once, whole or not at all; against an HTTP server on this machine."""

import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import platformdirs
import pytest
from typer.testing import CliRunner

from coat import data, downloads
from coat.cli import measuring
from coat.downloads import PublicFile
from coat.errors import InputError

RECORDS = b'{"question": "How many?", "answer": "#### 3"}\n{"question": "How much?", "answer": "#### 4"}\n'


class Server:
    """What a path holds, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/test.jsonl": RECORDS}
        self.asked: list[str] = []
        self.short = 0
        self.url = ""


class Handler(BaseHTTPRequestHandler):
    server_of_test: Server

    def do_GET(self) -> None:
        server = self.server_of_test
        server.asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/test.jsonl")
            self.end_headers()
            return
        content = server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"") + server.short))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, whose test.jsonl is gsm8k's public file, and an empty cache."""
    found = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"server_of_test": found}))
    found.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    publish(monkeypatch, f"{found.url}/test.jsonl")
    yield found
    http.shutdown()
    http.server_close()
    thread.join()


def publish(monkeypatch: pytest.MonkeyPatch, url: str, sha256: str = "") -> None:
    """From now on this is gsm8k's public file."""
    monkeypatch.setattr(downloads, "public_files", lambda: {"gsm8k": PublicFile(url, "gsm8k.jsonl", "MIT", sha256)})


def left() -> list[str]:
    """The names of what lies in the cache."""
    return sorted(path.name for path in downloads.folder().glob("*"))


def test_a_file_is_fetched_once_with_a_progress_bar_on_standard_error(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = downloads.download("gsm8k", "somewhere")
    assert path.read_bytes() == RECORDS
    assert downloads.download("gsm8k", "somewhere") == path
    assert server.asked == ["/test.jsonl"]
    assert left() == ["gsm8k.jsonl"]
    assert capsys.readouterr().out == ""


def test_a_redirect_is_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, f"{server.url}/moved", hashlib.sha256(RECORDS).hexdigest())
    assert downloads.download("gsm8k", "").read_bytes() == RECORDS


def test_an_error_of_the_server_is_a_sentence_and_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, f"{server.url}/gone.jsonl")
    with pytest.raises(InputError, match=re.escape(f"{server.url}/gone.jsonl is not to be had: the server says 404")):
        downloads.download("gsm8k", "")
    assert left() == []


def test_a_file_that_breaks_off_is_not_kept(server: Server) -> None:
    server.short = 10
    with pytest.raises(InputError, match="cannot be fetched"):
        downloads.download("gsm8k", "")
    assert left() == []
    server.short = 0
    assert downloads.download("gsm8k", "").read_bytes() == RECORDS


def test_another_file_than_the_known_one_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    path = downloads.download("gsm8k", "")
    publish(monkeypatch, f"{server.url}/test.jsonl", "0" * 64)
    with pytest.raises(InputError, match="SHA-256 differs"):
        downloads.download("gsm8k", "")
    publish(monkeypatch, f"{server.url}/test.jsonl", hashlib.sha256(RECORDS).hexdigest())
    path.write_bytes(b"an older one")
    assert downloads.download("gsm8k", "").read_bytes() == RECORDS


def test_a_server_that_is_not_there_is_a_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, "http://127.0.0.1:1/test.jsonl")
    with pytest.raises(InputError, match=r"cannot be fetched: .*; try again, or name a file with --data"):
        downloads.download("gsm8k", "")


def test_offline_nothing_is_fetched_and_what_is_there_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    path = downloads.download("gsm8k", "")
    monkeypatch.setenv("COAT_OFFLINE", "1")
    publish(monkeypatch, "https://example.org/test.jsonl")
    assert downloads.download("gsm8k", "") == path
    path.unlink()
    with pytest.raises(InputError, match="cannot be fetched offline; leave out --offline"):
        downloads.download("gsm8k", "")


def test_a_folder_that_cannot_be_written_is_a_sentence(server: Server) -> None:
    downloads.folder().parent.mkdir(parents=True)
    downloads.folder().write_text("no folder", "utf-8")
    with pytest.raises(InputError, match="cannot write"):
        downloads.download("gsm8k", "")


def test_a_full_disk_is_a_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "_fetch", full)
    with pytest.raises(InputError, match="no space left"):
        downloads.download("gsm8k", "")
    assert left() == []


def test_a_task_without_a_single_file_says_where_its_data_are() -> None:
    with pytest.raises(InputError, match=r"in no file that can be fetched; get them from example\.org, then"):
        downloads.download("qa", "example.org")


def test_problems_come_from_the_file_that_is_fetched(server: Server) -> None:
    found = measuring.read_problems("gsm8k", None, 1, 0, download=True)
    assert [problem.gold for _, problem in found] == ["3"]


def test_without_a_file_both_ways_to_one_are_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name a file with --data \(from .*\) or fetch it with --download"):
        measuring.read_problems("gsm8k", None, None, 0)
    with pytest.raises(InputError, match="--data names a file and --download fetches one"):
        measuring.read_problems("gsm8k", tmp_path / "x.jsonl", None, 0, download=True)
    with pytest.raises(InputError, match=r"name a file with --data \(from [^)]*\)$"):
        measuring.read_problems("qa", None, None, 0)


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_the_commands_have_the_flag(command: str) -> None:
    from coat.cli import app

    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert "--download" in shown.output


def test_every_table_names_a_file_that_can_be_read() -> None:
    for name, found in downloads.public_files().items():
        suffixes = [suffix for suffix in Path(found.file).suffixes if suffix != ".gz"]
        assert suffixes[-1] in data.READERS, name
        assert found.url.startswith(("https://", "http://"))
        assert found.licence
        assert re.fullmatch("([0-9a-f]{64})?", found.sha256), name
    assert len({found.file for found in downloads.public_files().values()}) == len(downloads.public_files())


def test_a_kind_of_big_bench_hard_has_its_own_file() -> None:
    found = downloads.public_file("bbh:snarks")
    assert found is not None
    assert (found.file, found.url.rpartition("/")[2]) == ("bbh-snarks.json", "snarks.json")
    assert downloads.public_file("bbh:../../x") is None


def test_a_compressed_file_stays_as_it_is(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["/test.jsonl.gz"] = gzip.compress(RECORDS)
    table = {"gsm8k": PublicFile(f"{server.url}/test.jsonl.gz", "gsm8k.jsonl.gz", "MIT")}
    monkeypatch.setattr(downloads, "public_files", lambda: table)
    assert len(measuring.read_problems("gsm8k", None, None, 0, download=True)) == 2
