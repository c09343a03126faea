"""Any server that completes text over the OpenAI protocol: llama-server, vLLM, and others.

The server's tokens are out of sight, so prompts and paths are texts, and the server recognises its control
tokens wherever they stand in a prompt: recalled text cannot be shielded from it as in the llama backend.
"""

import asyncio
import concurrent.futures
import email.utils
import ipaddress
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from coat.errors import BackendError, ContextError, InputError, ModelError, UnreadableScoreError
from coat.models import (
    Capabilities,
    Completion,
    Finish,
    Message,
    Prompt,
    SampleRequest,
    Sampling,
    Scope,
    ScoreRequest,
)
from coat.models.plain import find_stop, plain_chat, prompt_text
from coat.offline import GO_ONLINE, is_local, is_offline
from coat.usage import Usage

if TYPE_CHECKING:
    import httpx

PREFIX = "openai:"
DEFAULT_CONTEXT = 4096
RETRIED = (429, 502, 503, 504)
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
TOP = (20, 5)
"""How many top log-probabilities are asked for, in turn: what vLLM and OpenAI allow at most."""

_PROBE = "."
_OVERFLOW = re.compile(r"context.{0,20}(length|size|window)|exceed_context|maximum context", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, the JSON object (empty where there is none), the error in words."""

    status: int
    data: Mapping[str, Any]
    problem: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A sampled token with its natural log-probability and those of the likeliest tokens, by their texts."""

    logprob: float | None
    top: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """One continuation as the server reports it; `generated` and `prompt_tokens` are its counts of tokens."""

    text: str
    finish: str
    stop_reason: object
    listed: Sequence[Listed]
    generated: int
    prompt_tokens: int | None
    system: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server showed when it was asked first.

    `top` is how many log-probabilities it lists for a token (0: it cannot score), `base` its count of
    tokens for the probe, `system` its own fingerprint.
    """

    model: str
    context: int
    logprobs: bool
    top: int
    base: int
    system: str


class Server:
    """HTTP to one server: time-outs, retries, the key. It knows nothing of models.

    `timeout` is in seconds without a sign of the server; a request is tried `retries` times more when the
    connection fails or the server is busy (429, 502, 503, 504), after 0.5, 1, 2, ... seconds or as long as
    Retry-After asks, up to a minute. `sleep` does the waiting. The key is `api_key`, else
    COAT_OPENAI_API_KEY, else, for OpenAI's own servers only, OPENAI_API_KEY. Connections belong to the
    event loop that is running when they are made.

    Raises:
        ModelError: `url` is not one, or the key cannot be one.
        InputError: `timeout` is not above 0, or `retries` is below 0.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 120.0,
        retries: int = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if timeout <= 0 or retries < 0:
            raise InputError(f"a server needs a timeout above 0 s and retries of 0 or more, not {timeout}, {retries}")
        self.url = _checked(url)
        if is_offline() and not is_local(self.url):
            raise ModelError(f"{self.url} is not on this machine, and this process is offline: {GO_ONLINE}")
        self._key, self._timeout, self._retries, self._sleep = _key(api_key, url), timeout, retries, sleep
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Task[Answer]] = set()
        self._closed = False

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request; cancelling the call closes its connection.

        Raises:
            BackendError: nobody answers, in time or at all; the answer is no JSON; `close` was called.
        """
        if self._closed:
            raise self._gone()
        task = asyncio.create_task(self._try(method, path, body))
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._closed and caller is not None and not caller.cancelling():
                raise self._gone() from None
            raise
        finally:
            self._running.discard(task)

    async def release(self) -> None:
        """Close the connections of this event loop; the next request opens new ones."""
        for task in self._running:
            task.cancel()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Let running and later requests fail with BackendError; on another thread, wait for the sockets."""
        self._closed = True
        loop = self._loop
        if loop is not None and loop.is_running():
            done = asyncio.run_coroutine_threadsafe(self.release(), loop)
            if _running_loop() is not loop:
                concurrent.futures.wait([done], timeout=5.0)

    async def _try(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        import httpx

        tries, asked, problem = 0, 0.0, ""
        while tries <= self._retries and asked <= LONGEST_WAIT:
            if tries:
                await self._sleep(max(FIRST_WAIT * 2 ** (tries - 1), asked))
            tries += 1
            try:
                response = await self._connected().request(method, self.url + path, json=body)
            except (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError) as error:
                asked, problem = 0.0, f"cannot be reached ({_short(str(error)) or type(error).__name__})"
                continue
            except httpx.TimeoutException as error:
                raise BackendError(
                    f"{self.url} did not answer within {self._timeout:g} s; raise the time-out"
                ) from error
            except httpx.HTTPError as error:
                raise BackendError(f"{self.url}: the request failed: {_short(str(error))}") from error
            if response.status_code not in RETRIED:
                return self._read(response)
            asked = _retry_after(response.headers.get("retry-after", ""))
            problem = f"is busy: {response.status_code} {self._words(response)}".rstrip()
        wait = f" and asks to wait {asked:.0f} s" if asked > LONGEST_WAIT else ""
        raise BackendError(
            f"{self.url} {problem}{wait}; tried {tries} times: is the server running, and is the URL right?"
        )

    def _connected(self) -> "httpx.AsyncClient":
        import httpx

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                timeout=httpx.Timeout(self._timeout, pool=None),
                limits=httpx.Limits(max_connections=128, max_keepalive_connections=128),
                trust_env=not _is_loopback(self.url),
            )
        return self._client

    def _read(self, response: "httpx.Response") -> Answer:
        if not response.is_success:
            return Answer(response.status_code, {}, self._words(response))
        try:
            data = response.json()
        except ValueError as error:
            raise BackendError(
                f"{self.url} answered with something that is no JSON ({_short(response.text, 60)!r}); "
                "is it an OpenAI-compatible server, and does the URL end as it should (often /v1)?"
            ) from error
        return Answer(response.status_code, data if isinstance(data, dict) else {}, "")

    def _words(self, response: "httpx.Response") -> str:
        try:
            said = response.json()
        except ValueError:
            said = response.text
        if isinstance(said, dict):
            said = said.get("error") or said.get("detail") or said.get("message") or said
        if isinstance(said, dict):
            said = said.get("message") or said
        text = _short(str(said))
        return text.replace(self._key, "(key)") if self._key else text

    def _gone(self) -> BackendError:
        return BackendError(f"{self.url}: the model was closed; load it again")


class OpenAIModel(Scope):
    """A `LanguageModel` behind a server; make one with `connect`.

    Each sample is a request of its own, with its seed (the lower 31 bits of it), so that servers that
    cannot draw several do. `generated` is the server's count; without one, the number of tokens whose
    log-probability it lists. A completion's `logprob` sums what the server lists, which may leave out the
    stop string and the end token. Where the server does not say which of its stop conditions was met, the
    finish is "stop" if the request had stop strings and "eos" otherwise. `top_k` is no part of the
    protocol: it is sent unless it is 0.

    A score is one more token sampled, whose likeliest alternatives are read. `scored` grows by that token
    and by the suffix's tokens, which the server counts once for each suffix that is new
    (`usage.prompt_tokens` of a probe with and without it; this can be one off where the suffix merges with
    what stands before it). The probes sample one token each that is in no account.

    The fingerprint holds the URL, the model's name and the server's own fingerprint, where it gives one.
    """

    def __init__(self, server: Server, facts: Facts) -> None:
        self.name = f"{PREFIX}{server.url}#{facts.model}"
        self.note = ""
        self.fingerprint = f"{self.name}:{facts.system}"
        self.capabilities = Capabilities(
            context=facts.context, tokens=False, logprobs=facts.logprobs, candidates=facts.top > 0
        )
        self._server, self._facts = server, facts
        self._suffixes: dict[str, int] = {"": 0}

    @classmethod
    async def connect(cls, server: Server, model: str | None = None, *, context: int | None = None) -> Self:
        """Ask the server what it has and what it can do: /models, then completions of one token.

        Without `model` it is the only one that the server lists. `context` is in tokens, else what /models
        says, else 4096.

        Raises:
            ModelError: no such model, none or several to choose from, no text completion, a refused key, or a
                server that does not count its tokens.
            InputError: `context` is below 1.
            BackendError: as for `Server.send`.
        """
        if context is not None and context < 1:
            raise InputError(f"a context of {context} tokens holds nothing; give 1 or more")
        try:
            return cls(server, await _explore(server, model, context))
        finally:
            await server.release()

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The messages' texts, one under the other, since the server's template is out of sight."""
        return plain_chat(messages)

    def path(self, prompt: Prompt) -> str:
        """The prompt as one text."""
        return prompt_text(prompt, self.name)

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Send one request a seed, all at once.

        Raises:
            ModelError: the server refuses the request; the prompt holds token ids.
            ContextError: the server says that its context is too small.
            BackendError: as for `Server.send`; an error of the server's own; an answer that cannot be read.
        """
        prompt = self.path(request.prompt)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._sibling(prompt, seed, request.sampling, usage)) for seed in request.seeds
                ]
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        return [task.result() for task in tasks]

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """Read the candidates among the likeliest next tokens: a candidate is the exact text of a token.

        Raises:
            ModelError: the server cannot score, or as for `sample`.
            UnreadableScoreError: a candidate is not among the tokens that the server lists.
            ContextError, BackendError: as for `sample`.
        """
        top = self._facts.top
        if not top:
            raise ModelError(
                f"{self.name} cannot score: the server lists no top log-probabilities or counts no prompt "
                "tokens; use another evaluator or a local model"
            )
        suffix = self.path(request.suffix)
        tokens = await self._count(suffix)
        choice = await self._ask(_body(self.path(request.prompt) + suffix, 1, logprobs=top))
        usage.scored += tokens + choice.generated
        listed = choice.listed[0].top if choice.listed else {}
        missing = [candidate for candidate in request.candidates if candidate not in listed]
        if missing:
            raise UnreadableScoreError(
                f"{self.name}: unreadable score: {missing} are not among the {len(listed)} likeliest tokens, "
                f"which begin with {list(listed)[:5]}"
            )
        return [listed[candidate] for candidate in request.candidates]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._server.closed

    def close(self) -> None:
        """Close the connections; call it while the event loop still runs."""
        self._server.close()

    async def _sibling(self, prompt: str, seed: int, sampling: Sampling, usage: Usage) -> Completion:
        stop = [each for each in sampling.stop if each]
        body = _body(prompt, sampling.max_tokens, logprobs=int(self._facts.logprobs))
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": seed & 0x7FFFFFFF}
        body |= {"stop": stop} if stop else {}
        body |= {"top_k": sampling.top_k} if sampling.top_k else {}
        choice = await self._ask(body)
        usage.generated += choice.generated
        text, finish = _end(choice, stop, self.name)
        if (whole := sampling.whole(text)) is not None:
            text, finish = whole, "stop"
        return Completion(text, (), _sum(choice.listed), choice.generated, finish)

    async def _count(self, suffix: str) -> int:
        if suffix not in self._suffixes:
            choice = await self._ask(_body(_PROBE + suffix, 1))
            if choice.prompt_tokens is None:
                raise BackendError(f"{self.name}: the server stopped counting prompt tokens (usage.prompt_tokens)")
            self._suffixes[suffix] = max(choice.prompt_tokens - self._facts.base, 0)
        return self._suffixes[suffix]

    async def _ask(self, body: dict[str, Any]) -> Choice:
        answer = await self._server.send("POST", "/completions", {"model": self._facts.model} | body)
        if answer.status >= 300:
            _refuse(answer, self.name)
        return _choice(answer, self.name)


def connect(
    name: str,
    *,
    api_key: str | None = None,
    context: int | None = None,
    timeout: float = 120.0,
    retries: int = 4,
) -> OpenAIModel:
    """Connect to `openai:URL` or `openai:URL#MODEL`, whether or not this thread has an event loop running.

    The options are those of `Server` and `OpenAIModel.connect`.

    Raises:
        ModelError, BackendError: as for these two.
    """
    url, _, model = name.removeprefix(PREFIX).partition("#")
    server = Server(url, api_key=api_key, timeout=timeout, retries=retries)
    work = OpenAIModel.connect(server, model or None, context=context)
    if _running_loop() is None:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _explore(server: Server, model: str | None, context: int | None) -> Facts:
    answer = await server.send("GET", "/models")
    if answer.status in (401, 403):
        _refuse(answer, server.url)
    entries = answer.data.get("data")
    listed = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    known = {str(each.get("id")): each for each in listed}
    name = model or _only(server.url, list(known))
    choice, top = await _probe(server, name, list(known))
    prompt_tokens = choice.prompt_tokens
    return Facts(
        model=name,
        context=context or _context(known.get(name, {})),
        logprobs=_sum(choice.listed) is not None,
        top=top if prompt_tokens is not None else 0,
        base=prompt_tokens or 0,
        system=choice.system,
    )


async def _probe(server: Server, model: str, known: Sequence[str]) -> tuple[Choice, int]:
    """Complete one token with as many log-probabilities as the server agrees to, and count those it lists."""
    name = f"{PREFIX}{server.url}#{model}"
    for top in (*TOP, 0):
        answer = await server.send("POST", "/completions", {"model": model} | _body(_PROBE, 1, logprobs=top))
        if answer.status < 300 or answer.status in (401, 403, 404, 405):
            break
    if answer.status >= 300:
        _refuse(answer, name, known)
    choice = _choice(answer, name)
    return choice, len(choice.listed[0].top) if choice.listed else 0


def _body(prompt: str, max_tokens: int, *, logprobs: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0}
    return body | ({"logprobs": logprobs} if logprobs else {})


def _choice(answer: Answer, name: str) -> Choice:
    try:
        choice = answer.data["choices"][0]
        counts = answer.data.get("usage") or {}
        listed = _listed(choice.get("logprobs"))
        generated: Any = counts.get("completion_tokens", len(listed) or None)
        read = Choice(
            text=choice["text"],
            finish=choice["finish_reason"],
            stop_reason=choice.get("stop_reason", ...),
            listed=listed,
            generated=generated,
            prompt_tokens=counts.get("prompt_tokens"),
            system=str(answer.data.get("system_fingerprint") or ""),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise BackendError(
            f"{name}: the server's answer is no text completion ({type(error).__name__}: {error}); "
            "does the URL end as it should (often /v1)?"
        ) from error
    if not isinstance(read.text, str):
        raise BackendError(f"{name}: the server's completion has no text")
    if not isinstance(generated, int):
        raise ModelError(
            f"{name}: the server counts no tokens (usage.completion_tokens) and lists none (logprobs), so "
            "that its cost cannot be known; use a server that reports one of them"
        )
    return read


def _listed(logprobs: Any) -> list[Listed]:
    """The tokens listed, in the shape of text completion (vLLM, OpenAI) or of chat (llama-server)."""
    if not logprobs:
        return []
    if logprobs.get("content") is not None:
        return [
            Listed(
                token["logprob"],
                {each["token"]: float(each["logprob"]) for each in reversed(token.get("top_logprobs") or [])},
            )
            for token in logprobs["content"]
        ]
    values = logprobs.get("token_logprobs") or []
    tops = logprobs.get("top_logprobs") or [None] * len(values)
    return [
        Listed(value, {token: float(number) for token, number in (top or {}).items()})
        for value, top in zip(values, tops, strict=True)
    ]


def _sum(listed: Sequence[Listed]) -> float | None:
    values = [token.logprob for token in listed if token.logprob is not None]
    return sum(values) if values and len(values) == len(listed) else None


def _end(choice: Choice, stop: Sequence[str], name: str) -> tuple[str, Finish]:
    place = find_stop(choice.text, stop)
    if place is not None:
        return choice.text[: place[0]], "stop"
    if choice.finish == "length":
        return choice.text, "length"
    if choice.finish != "stop":
        raise BackendError(f"{name}: the server ended a completion with the unknown reason {choice.finish!r}")
    if choice.stop_reason is ...:
        return choice.text, "stop" if stop else "eos"
    return choice.text, "stop" if isinstance(choice.stop_reason, str) else "eos"


def _refuse(answer: Answer, name: str, known: Sequence[str] = ()) -> NoReturn:
    said = f"{answer.status} {answer.problem}".rstrip()
    if _OVERFLOW.search(answer.problem):
        raise ContextError(f"{name}: the request does not fit into the server's context: {said}")
    if answer.status >= 500:
        raise BackendError(f"{name}: the server failed: {said}")
    if answer.status in (401, 403):
        raise ModelError(f"{name}: the server refuses the key: {said}; set COAT_OPENAI_API_KEY to the right one")
    if answer.status in (404, 405):
        models = f"; it lists the models {_some(known)}" if known else ""
        raise ModelError(
            f"{name}: the server does not have this model, or no text completion (/completions), which is "
            f"needed to continue a half-written turn: {said}{models}"
        )
    raise ModelError(f"{name}: the server refuses the request: {said}")


def _only(url: str, known: Sequence[str]) -> str:
    if len(known) == 1:
        return known[0]
    have = f"has several models ({_some(known)})" if known else "lists no models"
    raise ModelError(f"{url} {have}: name one, as in {PREFIX}{url}#{known[0] if known else 'MODEL'}")


def _context(entry: Mapping[str, Any]) -> int:
    meta = entry.get("meta")
    places = [meta if isinstance(meta, dict) else {}, entry]
    for key in ("n_ctx", "max_model_len", "context_length", "n_ctx_train"):
        for place in places:
            if isinstance(place.get(key), int):
                return int(place[key])
    return DEFAULT_CONTEXT


def _checked(url: str) -> str:
    example = f"write {PREFIX}http://127.0.0.1:8080/v1 or {PREFIX}http://127.0.0.1:8080/v1#MODEL"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise ModelError(f"{url!r} is not the URL of a server; {example}")
    if parts.username is not None or parts.password is not None:
        raise ModelError("a server's URL must not hold a name or password; put the key into COAT_OPENAI_API_KEY")
    return url.rstrip("/")


def _key(given: str | None, url: str) -> str | None:
    key = given or os.environ.get("COAT_OPENAI_API_KEY")
    host = urlsplit(url).hostname or ""
    if not key and url.startswith("https://") and (host == "openai.com" or host.endswith(".openai.com")):
        key = os.environ.get("OPENAI_API_KEY")
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ModelError("the key for the server holds characters that no key has; set COAT_OPENAI_API_KEY again")
    return key or None


def _retry_after(value: str) -> float:
    """Seconds to wait as the header asks, by a number or a date; 0 where it holds neither."""
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    date = email.utils.parsedate_tz(value)
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else 0.0


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _short(text: str, length: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
