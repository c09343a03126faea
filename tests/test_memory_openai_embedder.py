"""Vectors from a server, against a real HTTP server on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import memory
from memory import AssociativeMemory, EmbedderError, HashingEmbedder
from memory.openai_embedder import OpenAIEmbedder

INNER = HashingEmbedder(8)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is printed."""

    def do_GET(self):
        self.answer(200, {"data": [{"id": each} for each in self.server.models]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.keys.append(self.headers["Authorization"])
        if self.server.answers:
            self.answer(*self.server.answers.pop(0))
            return
        rows = [{"index": n, "embedding": (3 * v).tolist()} for n, v in enumerate(INNER.embed(body["input"]))]
        self.answer(200, {"data": rows[::-1], "model": body["model"]})

    def answer(self, status, data, headers=()):
        payload = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in (("Content-Length", str(len(payload))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


@pytest.fixture
def server(monkeypatch):
    for name in ("COAT_OPENAI_API_KEY", "OPENAI_API_KEY", "COAT_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.models, made.answers, made.asked, made.keys = ["tiny"], [], [], []
    made.url = f"http://127.0.0.1:{made.server_port}/v1"
    made.waits = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def embedder(server):
    with OpenAIEmbedder(server.url, "tiny", sleep=server.waits.append) as made:
        yield made


def test_vectors_are_normalised_and_in_order_over_batches(server, embedder):
    texts = [f"text number {n}" for n in range(150)]
    assert np.allclose(embedder.embed(texts), INNER.embed(texts), atol=1e-6)
    assert [len(body["input"]) for body in server.asked] == [64, 64, 22]
    assert {body["model"] for body in server.asked} == {"tiny"}
    assert embedder.dimension == 8
    assert embedder.embed([]).shape == (0, 8)


def test_a_memory_is_opened_with_its_server(server, tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, f"openai:{server.url}") as mem:
        assert mem.embedder == f"openai:{server.url}#tiny"
        mem.add("a fact about rivers")
    with AssociativeMemory(path) as mem:
        assert mem.recall("a fact about rivers", threshold=0.9)
    moved = f"openai:http://localhost:{server.server_port}/v1#tiny"
    with AssociativeMemory(path, moved) as mem:
        mem.add("another")
    with AssociativeMemory(path) as mem:
        assert mem._facts.place() == moved


@pytest.mark.parametrize("models", [[], ["one", "two"]])
def test_a_model_is_named_where_there_is_not_one(server, models):
    server.models = models
    with OpenAIEmbedder(server.url) as embedder, pytest.raises(EmbedderError, match="name one: openai:http"):
        assert embedder.name


def test_a_busy_server_is_asked_again(server, embedder):
    server.answers = [(503, {"error": "loading"}), (429, {}, [("Retry-After", "7")]), (500, b"oops")]
    assert embedder.embed(["a"]).shape == (1, 8)
    assert server.waits == [0.5, 7.0, 2.0]


def test_a_server_that_stays_busy_or_asks_too_much_is_given_up(server, embedder):
    server.answers = [(503, {"error": {"message": "out of memory"}})] * 5
    with pytest.raises(EmbedderError, match=r"is busy \(503 out of memory\); tried 5 times"):
        embedder.embed(["a"])
    server.answers = [(429, {}, [("Retry-After", "3600")])]
    with pytest.raises(EmbedderError, match="asks to wait 3600 s; tried 1 times"):
        embedder.embed(["a"])


def test_nobody_there_is_said(server):
    with (
        OpenAIEmbedder("http://127.0.0.1:9/v1", "tiny", sleep=server.waits.append) as embedder,
        pytest.raises(EmbedderError, match=r"127\.0\.0\.1:9/v1 cannot be reached .*tried 5 times"),
    ):
        embedder.embed(["a"])
    assert server.waits == [0.5, 1, 2, 4]


def test_the_key_comes_from_the_environment_and_is_never_shown(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai-only")
    with OpenAIEmbedder(server.url, "tiny") as embedder:
        embedder.embed(["a"])
    monkeypatch.setenv("COAT_OPENAI_API_KEY", "secret-key")
    with OpenAIEmbedder(server.url, "tiny") as embedder:
        server.answers = [(401, {"error": {"message": "bad key secret-key"}})]
        with pytest.raises(EmbedderError, match=r"refused: 401 bad key \(key\)\. Set COAT_OPENAI_API_KEY"):
            embedder.embed(["a"])
    assert server.keys == [None, "Bearer secret-key"]
    with pytest.raises(memory.InputError, match="holds a name or password"):
        OpenAIEmbedder("http://me:secret@localhost/v1")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"<html>"), "gave no JSON object"),
        ((200, [1]), "gave no JSON object"),
        ((200, {"data": []}), "did not give 1 embeddings; is tiny an embedder"),
        ((200, {"data": [{"index": 0}]}), "did not give 1 embeddings"),
        ((200, {"data": [{"index": 0, "embedding": "x"}]}), "of no numbers"),
        ((404, {"detail": "no such model"}), "refused: 404 no such model"),
    ],
)
def test_an_answer_that_is_none_is_said(server, embedder, answer, message):
    server.answers = [answer]
    with pytest.raises(EmbedderError, match=message):
        embedder.embed(["a"])


def test_vectors_that_cannot_be_used_are_not_stored(server):
    with AssociativeMemory(None, f"openai:{server.url}#tiny") as mem:
        assert mem.recall("before the first fact") == []
        server.answers = [
            (200, {"data": [{"index": 0, "embedding": [1.0, 0.0]}]}),
            (200, b'{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}'),
        ]
        with pytest.raises(EmbedderError, match="length nan"):
            mem.add("a")
        assert mem.count() == 0


def test_offline_only_this_machine_is_asked(server, monkeypatch):
    monkeypatch.setenv("COAT_OFFLINE", "1")
    with pytest.raises(EmbedderError, match="is not on this machine, and this process is offline"):
        OpenAIEmbedder("https://api.example.org/v1", "m")
    with OpenAIEmbedder(server.url, "tiny") as embedder:
        assert embedder.embed(["a"]).shape == (1, 8)
