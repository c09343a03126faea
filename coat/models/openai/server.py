"""HTTP to one OpenAI-compatible server: time-outs, retries, the key."""

import asyncio
import concurrent.futures
import email.utils
import ipaddress
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from coat.errors import BackendError, InputError, ModelError
from coat.offline import GO_ONLINE, is_local, is_offline

if TYPE_CHECKING:
    import httpx

PREFIX = "openai:"
RETRIED = (429, 502, 503, 504)
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, the JSON object (empty where there is none), the error in words."""

    status: int
    data: Mapping[str, Any]
    problem: str


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
            if running_loop() is not loop:
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


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if any."""
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
