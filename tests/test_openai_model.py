"""The model behind a server, against a real HTTP server on this machine."""

import asyncio
import contextlib
import email.utils
import json
import math
import select
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from coat.errors import BackendError, CoatError, ContextError, InputError, ModelError, UnreadableScoreError
from coat.models import Completion, LanguageModel, Message, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.openai import OpenAIModel, connect
from coat.models.openai.server import LONGEST_WAIT, Server
from coat.usage import Usage

Reply = tuple[int, dict[str, Any] | bytes]
Body = dict[str, Any]


class Fake:
    """A server whose completions are a function of the request's body; each character is a token."""

    def __init__(self) -> None:
        self.models: Reply = (200, {"data": [{"id": "tiny", "meta": {"n_ctx": 512, "n_ctx_train": 2048}}]})
        self.complete: Callable[[Body], Reply] = completion
        self.headers: dict[str, str] = {}
        self.asked: list[Body] = []
        self.keys: set[str | None] = set()
        self.arrived = threading.Event()
        self.gone = threading.Event()
        self.leave = threading.Event()
        self.url = ""

    @property
    def samples(self) -> list[Body]:
        return [body for body in self.asked if body["prompt"] != "."]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def do_GET(self) -> None:
        self.fake.keys.add(self.headers["Authorization"])
        self._answer(*(self.fake.models if self.path == "/v1/models" else (404, {})))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.asked.append(body)
        if body.get("prompt") == "wait":
            self._wait()
            return
        if body.get("prompt") == "drop":
            self.close_connection = True
            return
        self._answer(*(self.fake.complete(body) if self.path == "/v1/completions" else (404, {})))

    def _wait(self) -> None:
        self.close_connection = True
        self.fake.arrived.set()
        while not self.fake.leave.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.01)
            if readable and not self.connection.recv(1):
                self.fake.gone.set()
                return

    def _answer(self, status: int, data: dict[str, Any] | bytes) -> None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **self.fake.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def completion(body: Body, text: str | None = None, finish: str = "stop", **choice: Any) -> Reply:
    """What a good server says: reply " yes" unless told, stop strings honoured, legacy log-probabilities."""
    text = f" yes{body.get('seed', '')}"[: body["max_tokens"]] if text is None else text
    for stop in body.get("stop", []):
        text = text.partition(stop)[0]
    choice = {"text": text, "finish_reason": finish, "logprobs": None} | choice
    if top := min(body.get("logprobs", 0), 3):
        likeliest = {" yes": -0.5, " no": -1.5, " ": -2.5}
        choice["logprobs"] = {
            "tokens": list(text),
            "token_logprobs": [-0.5] * len(text),
            "top_logprobs": [dict(list(likeliest.items())[:top])] * len(text),
        }
    usage = {"prompt_tokens": 1 + len(body["prompt"]), "completion_tokens": len(text)}
    return 200, {"choices": [choice], "usage": usage, "system_fingerprint": "build-7"}


def failing(*statuses: int) -> Callable[[Body], Reply]:
    """Answers of these statuses, then good ones."""
    left = list(statuses)

    def complete(body: Body) -> Reply:
        if body["prompt"] == "." or not left:
            return completion(body)
        return left.pop(0), {"error": {"message": "later, please"}}

    return complete


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.leave.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COAT_OPENAI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class Naps:
    """A sleep that only writes down how long it was to take."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def use(
    fake: Fake,
    work: Callable[[OpenAIModel], Awaitable[Any]],
    *,
    model: str | None = None,
    context: int | None = None,
    **options: Any,
) -> Any:
    """Connect, do the work and close, on one event loop."""

    defaults: dict[str, Any] = {"sleep": Naps(), "timeout": 10.0}

    async def run() -> Any:
        server = Server(fake.url, **(defaults | options))
        opened = await OpenAIModel.connect(server, model, context=context)
        try:
            return await work(opened)
        finally:
            await asyncio.to_thread(opened.close)

    return asyncio.run(run())


def sample(fake: Fake, prompt: str = "x", *seeds: int, usage: Usage | None = None, **options: Any) -> list[Completion]:
    sampling = options.pop("sampling", Sampling())
    request = SampleRequest((Text(prompt),), seeds or (1,), sampling)
    replies: list[Completion] = use(fake, lambda model: model.sample(request, usage or Usage()), **options)
    return replies


def score(fake: Fake, *candidates: str, usage: Usage | None = None, suffix: str = " ok?") -> list[float]:
    request = ScoreRequest((Text("2 + 2 = 4"),), (Text(suffix),), candidates)
    scores: list[float] = use(fake, lambda model: model.score(request, usage or Usage()))
    return scores


async def itself(model: OpenAIModel) -> OpenAIModel:
    return model


def test_connecting_finds_out_what_the_server_can_do(fake: Fake) -> None:
    model = use(fake, itself)
    assert isinstance(model, LanguageModel)
    assert model.name == f"openai:{fake.url}#tiny"
    assert model.fingerprint == f"openai:{fake.url}#tiny:build-7"
    can = model.capabilities
    assert (can.context, can.tokens, can.logprobs, can.candidates) == (512, False, True, True)


def test_a_name_connects_with_or_without_a_running_loop(fake: Fake) -> None:
    async def inside() -> OpenAIModel:
        return connect(f"openai:{fake.url}#tiny")

    outside = connect(f"openai:{fake.url}/", retries=0)
    assert asyncio.run(inside()).name == outside.name == f"openai:{fake.url}#tiny"


def test_the_context_is_the_one_given_or_listed(fake: Fake) -> None:
    assert use(fake, itself, context=99).capabilities.context == 99
    fake.models = 200, {"data": [{"id": "tiny", "max_model_len": 777}]}
    assert use(fake, itself).capabilities.context == 777
    fake.models = 200, {"data": [{"id": "tiny"}]}
    assert use(fake, itself).capabilities.context == 4096


def test_a_sample_says_what_was_generated_and_how_likely_it_was(fake: Fake) -> None:
    usage = Usage()
    (reply,) = sample(fake, "2 + 2 =", usage=usage)
    assert reply == Completion(" yes1", (), -2.5, 5, "eos")
    assert usage == Usage(generated=5)
    assert fake.samples == [
        {
            "model": "tiny",
            "prompt": "2 + 2 =",
            "max_tokens": 64,
            "temperature": 0.8,
            "top_p": 0.95,
            "top_k": 40,
            "seed": 1,
            "logprobs": 1,
        }
    ]


def test_siblings_are_asked_for_at_once_and_come_in_the_order_of_their_seeds(fake: Fake) -> None:
    barrier = threading.Barrier(3, timeout=10)

    def together(body: Body) -> Reply:
        if body["prompt"] != ".":
            barrier.wait()
        return completion(body)

    fake.complete = together
    usage = Usage()
    replies = sample(fake, "x", 7, 5, 2**40 + 6, usage=usage)
    assert [reply.text for reply in replies] == [" yes7", " yes5", " yes6"]
    assert usage.generated == 15


def test_the_prompt_goes_out_as_one_text_and_top_k_zero_not_at_all(fake: Fake) -> None:
    request = SampleRequest((Text("<s>", control=True), Text("hi")), (0,), Sampling(top_k=0))
    use(fake, lambda model: model.sample(request, Usage()))
    (body,) = fake.samples
    assert body["prompt"] == "<s>hi"
    assert "top_k" not in body
    assert "stop" not in body


@pytest.mark.parametrize("honoured", [True, False])
def test_stop_strings_are_sent_and_checked_again(fake: Fake, honoured: bool) -> None:
    def reply(body: Body) -> Reply:
        return completion(body if honoured else body | {"stop": []}, "a step\nand more")

    fake.complete = reply
    (answer,) = sample(fake, sampling=Sampling(stop=("\n", "")))
    assert (answer.text, answer.finish) == ("a step", "stop")
    assert answer.generated == (6 if honoured else 15)
    assert fake.samples[0]["stop"] == ["\n"]


@pytest.mark.parametrize(
    ("choice", "stop", "finish"),
    [
        ({"finish": "length"}, ("\n",), "length"),
        ({"finish": "stop"}, ("\n",), "stop"),
        ({"finish": "stop"}, (), "eos"),
        ({"finish": "stop", "stop_reason": None}, ("\n",), "eos"),
        ({"finish": "stop", "stop_reason": "\n"}, ("\n",), "stop"),
    ],
)
def test_the_finish_is_as_exact_as_the_server_is(
    fake: Fake, choice: dict[str, Any], stop: tuple[str, ...], finish: str
) -> None:
    fake.complete = lambda body: completion(body, "ab", **choice)
    assert sample(fake, sampling=Sampling(stop=stop))[0].finish == finish


def test_an_unknown_finish_is_an_error(fake: Fake) -> None:
    fake.complete = lambda body: completion(body, "ab", finish="content_filter")
    with pytest.raises(BackendError, match="unknown reason 'content_filter'"):
        sample(fake)


def test_log_probabilities_in_the_shape_of_chat(fake: Fake) -> None:
    top = [{"token": " yes", "logprob": -0.25}, {"token": " no", "logprob": -2.0}]
    content = [{"token": " yes", "logprob": -0.25, "top_logprobs": top}]
    fake.complete = lambda body: completion(body | {"logprobs": 0}, " yes", logprobs={"content": content})
    assert use(fake, itself).capabilities.candidates
    assert sample(fake)[0].logprob == -0.25
    assert score(fake, " no", " yes") == [-2.0, -0.25]


def test_a_server_without_log_probabilities_says_so(fake: Fake) -> None:
    fake.complete = lambda body: completion(body | {"logprobs": 0})
    can = use(fake, itself).capabilities
    assert (can.logprobs, can.candidates) == (False, False)
    assert sample(fake)[0].logprob is None
    with pytest.raises(ModelError, match="cannot score"):
        score(fake, " yes")


def test_a_server_that_refuses_log_probabilities_is_used_without(fake: Fake) -> None:
    fake.complete = lambda body: (400, {"error": "no logprobs"}) if "logprobs" in body else completion(body)
    assert not use(fake, itself).capabilities.logprobs
    assert sample(fake)[0].text == " yes1"


def test_a_server_that_allows_fewer_log_probabilities_is_asked_for_fewer(fake: Fake) -> None:
    fake.complete = lambda body: (422, {}) if body.get("logprobs", 0) > 5 else completion(body)
    assert score(fake, " no") == [-1.5]


def test_tokens_are_counted_by_log_probabilities_where_there_is_no_usage(fake: Fake) -> None:
    def uncounted(body: Body) -> Reply:
        status, data = completion(body)
        assert isinstance(data, dict)
        return status, {key: value for key, value in data.items() if key != "usage"}

    fake.complete = uncounted
    usage = Usage()
    assert sample(fake, usage=usage)[0].generated == usage.generated == 5
    assert not use(fake, itself).capabilities.candidates


def test_a_server_that_counts_no_tokens_is_refused(fake: Fake) -> None:
    fake.complete = lambda body: (200, {"choices": [{"text": "a", "finish_reason": "stop"}]})
    with pytest.raises(ModelError, match="its cost cannot be known"):
        sample(fake)


def test_a_score_reads_the_likeliest_tokens_and_counts_its_suffix(fake: Fake) -> None:
    usage = Usage()
    request = ScoreRequest((Text("2 + 2 = 4"),), (Text(" ok?"),), (" no", " yes"))

    async def twice(model: OpenAIModel) -> list[list[float]]:
        return [await model.score(request, usage) for _ in range(2)]

    assert use(fake, twice) == [[-1.5, -0.5]] * 2
    assert usage == Usage(scored=2 * (len(" ok?") + 1))
    assert [body["prompt"] for body in fake.samples] == [". ok?", "2 + 2 = 4 ok?", "2 + 2 = 4 ok?"]


def test_without_a_suffix_a_score_is_the_one_token(fake: Fake) -> None:
    usage = Usage()
    score(fake, " yes", usage=usage, suffix="")
    assert usage == Usage(scored=1)


def test_a_candidate_that_is_not_listed_is_unreadable_and_still_paid_for(fake: Fake) -> None:
    usage = Usage()
    with pytest.raises(UnreadableScoreError, match=r"unreadable score: \['maybe'\].* 3 likeliest"):
        score(fake, " yes", "maybe", usage=usage)
    assert usage.scored == 5


def test_a_list_that_ends_early_is_unreadable(fake: Fake) -> None:
    fake.complete = lambda body: completion(body, " " if body["prompt"].startswith(".") else "")
    with pytest.raises(UnreadableScoreError, match="0 likeliest"):
        score(fake, " yes")


def test_a_busy_server_is_asked_again_after_longer_and_longer(fake: Fake) -> None:
    fake.complete = failing(503, 502, 504, 429)
    naps = Naps()
    assert sample(fake, sleep=naps)[0].text == " yes1"
    assert naps.seconds == [0.5, 1.0, 2.0, 4.0]


def test_it_waits_as_long_as_the_server_asks(fake: Fake) -> None:
    fake.complete, fake.headers = failing(429), {"Retry-After": "7"}
    naps = Naps()
    sample(fake, sleep=naps)
    assert naps.seconds == [7.0]


def test_it_waits_until_the_date_that_the_server_names(fake: Fake) -> None:
    fake.complete, fake.headers = failing(429), {"Retry-After": email.utils.formatdate(time.time() + 30)}
    naps = Naps()
    sample(fake, sleep=naps)
    assert 0.5 < naps.seconds[0] <= LONGEST_WAIT


def test_it_does_not_wait_for_an_hour(fake: Fake) -> None:
    fake.complete, fake.headers = failing(429), {"Retry-After": "3600"}
    naps = Naps()
    with pytest.raises(BackendError, match="asks to wait 3600 s; tried 1 times"):
        sample(fake, sleep=naps)
    assert naps.seconds == []


def test_it_gives_up_after_the_retries(fake: Fake) -> None:
    fake.complete = failing(*[503] * 9)
    with pytest.raises(BackendError, match=r"is busy: 503 later, please; tried 3 times"):
        sample(fake, retries=2)
    assert len(fake.samples) == 3


def test_an_error_of_the_servers_own_is_told_at_once(fake: Fake) -> None:
    fake.complete = failing(500)
    with pytest.raises(BackendError, match="the server failed: 500 later, please"):
        sample(fake)
    assert len(fake.samples) == 1


def test_one_failure_among_siblings_fails_them_and_keeps_the_account(fake: Fake) -> None:
    usage, left = Usage(), [400, 503]

    def complete(body: Body) -> Reply:
        return (left.pop(), {}) if body.get("seed") == 2 else completion(body)

    async def until_the_other_is_done(seconds: float) -> None:
        while not usage.generated:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)

    fake.complete = complete
    with pytest.raises(ModelError, match="400"):
        sample(fake, "x", 1, 2, usage=usage, sleep=until_the_other_is_done)
    assert usage.generated == 5


def test_a_refused_request_says_what_the_server_said(fake: Fake) -> None:
    fake.complete = lambda body: (400, {"detail": "bad " * 1000}) if body["prompt"] != "." else completion(body)
    with pytest.raises(ModelError, match="refuses the request: 400 bad bad") as caught:
        sample(fake)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "message",
    [
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "Requested tokens (600) exceed context window of 512",
    ],
)
def test_a_full_context_is_recognised(fake: Fake, message: str) -> None:
    refused: Reply = 400, {"error": {"message": message}}
    fake.complete = lambda body: refused if body["prompt"] != "." else completion(body)
    with pytest.raises(ContextError, match="does not fit"):
        sample(fake)


def test_a_server_without_text_completion_is_refused(fake: Fake) -> None:
    fake.complete = lambda body: (404, {"error": {"message": "Not Found"}})
    with pytest.raises(ModelError, match=r"no text completion \(/completions\).* 404 Not Found; .* models tiny"):
        sample(fake)


def test_a_page_that_is_no_json_is_refused(fake: Fake) -> None:
    fake.complete = lambda body: (200, b"<html>hello</html>")
    with pytest.raises(BackendError, match=r"no JSON \('<html>hello</html>'\)"):
        sample(fake)


@pytest.mark.parametrize("data", [{}, {"choices": []}, {"choices": [{"finish_reason": "stop"}]}, {"choices": 3}])
def test_json_that_is_no_completion_is_refused(fake: Fake, data: dict[str, Any]) -> None:
    fake.complete = lambda body: (200, data)
    with pytest.raises(BackendError, match="no text completion"):
        sample(fake)


def test_a_completion_without_text_is_refused(fake: Fake) -> None:
    fake.complete = lambda body: (200, {"choices": [{"text": None, "finish_reason": "stop"}]})
    with pytest.raises(BackendError, match="has no text"):
        sample(fake)


def test_the_model_must_be_named_where_there_are_several(fake: Fake) -> None:
    fake.models = 200, {"data": [{"id": "a"}, {"id": "b"}]}
    with pytest.raises(ModelError, match=r"several models \(a, b\): name one, as in openai:http.*#a"):
        sample(fake)
    assert use(fake, itself, model="b").name.endswith("#b")
    fake.models = 404, {}
    with pytest.raises(ModelError, match=r"lists no models: name one, as in openai:http.*#MODEL"):
        sample(fake)
    assert use(fake, itself, model="c").name.endswith("#c")


def test_the_key_is_sent_and_never_shown(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COAT_OPENAI_API_KEY", " sk-secret\n")
    fake.complete = lambda body: (401, {"error": {"message": "Incorrect key sk-secret"}})
    with pytest.raises(ModelError, match="refuses the key: 401 Incorrect key") as caught:
        sample(fake)
    assert fake.keys == {"Bearer sk-secret"}
    assert "sk-secret" not in str(caught.value)
    fake.models = 403, {}
    with pytest.raises(ModelError, match="COAT_OPENAI_API_KEY"):
        sample(fake, api_key="other")
    assert "Bearer other" in fake.keys


def test_the_key_of_openai_goes_to_nobody_else(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    sample(fake)
    assert fake.keys == {None}


def test_a_slow_server_is_given_up(fake: Fake) -> None:
    with pytest.raises(BackendError, match=r"did not answer within 0.05 s"):
        use(fake, lambda model: model.sample(SampleRequest((Text("wait"),), (0,)), Usage()), timeout=0.05)
    assert len(fake.samples) == 1


def test_a_dropped_connection_is_tried_again(fake: Fake) -> None:
    with pytest.raises(BackendError, match=r"cannot be reached .*; tried 3 times"):
        sample(fake, "drop", retries=2)
    assert len(fake.samples) == 3


def test_a_refused_connection_names_the_server(fake: Fake) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fake.url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    naps = Naps()
    with pytest.raises(BackendError, match=r"127.0.0.1:\d+/v1 cannot be reached .*; tried 2 times: is the server"):
        sample(fake, sleep=naps, retries=1)
    assert naps.seconds == [0.5]


def test_cancelling_closes_the_connection(fake: Fake) -> None:
    async def cancel(model: OpenAIModel) -> bool:
        task = asyncio.create_task(model.sample(SampleRequest((Text("wait"),), (0,)), Usage()))
        assert await asyncio.to_thread(fake.arrived.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(fake.gone.wait, 10)

    assert use(fake, cancel)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_closing_fails_what_runs_and_what_comes(fake: Fake, elsewhere: bool) -> None:
    async def close(model: OpenAIModel) -> None:
        request = SampleRequest((Text("wait"),), (0,))
        task = asyncio.create_task(model.sample(request, Usage()))
        assert await asyncio.to_thread(fake.arrived.wait, 10)
        if elsewhere:
            await asyncio.to_thread(model.close)
        else:
            model.close()
        for work in (task, model.sample(request, Usage())):
            with pytest.raises(BackendError, match="was closed"):
                await work

    use(fake, close)


def test_a_model_can_move_to_another_loop(fake: Fake) -> None:
    model = connect(f"openai:{fake.url}")
    request = SampleRequest((Text("x"),), (3,))

    async def once() -> str:
        (reply,) = await model.sample(request, Usage())
        await model._server.release()
        return reply.text

    assert [asyncio.run(once()), asyncio.run(once())] == [" yes3", " yes3"]
    model.close()


def test_token_ids_of_another_model_are_refused(fake: Fake) -> None:
    with pytest.raises(ModelError, match="works on text"):
        use(fake, lambda model: model.sample(SampleRequest(((1, 2),), (0,)), Usage()))


def test_a_conversation_is_its_texts_one_under_the_other(fake: Fake) -> None:
    model = use(fake, itself)
    prompt = model.chat([Message("user", "2 + 2?"), Message("assistant", "It is")])
    assert model.path(prompt) == "2 + 2?\nIt is"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://[/v1",
        "http://h/v1?a=b",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match=r"is not the URL of a server; write openai:http://127"):
        connect(f"openai:{url}")


def test_bad_options_are_refused() -> None:
    with pytest.raises(ModelError, match="must not hold a name or password"):
        Server("http://me:secret@host/v1")
    with pytest.raises(ModelError, match="characters that no key has"):
        Server("http://host/v1", api_key="schlüssel")
    for options in ({"timeout": 0.0}, {"retries": -1}):
        with pytest.raises(InputError, match="timeout above 0 s"):
            Server("http://host/v1", **options)
    with pytest.raises(InputError, match="a context of 0 tokens"):
        connect("openai:http://host/v1", context=0)


def test_scores_are_log_probabilities(fake: Fake) -> None:
    assert sum(map(math.exp, score(fake, " yes", " no"))) < 1.0


def test_every_error_is_ours(fake: Fake) -> None:
    for status in (300, 400, 401, 404, 405, 418, 500, 501):
        fake.complete = lambda body, status=status: (status, {})  # type: ignore[misc]
        with contextlib.suppress(CoatError):
            sample(fake, retries=0)
            pytest.fail(f"{status} was no error")
