"""Vectors from a server that speaks the OpenAI protocol (`POST /embeddings`): llama-server, vLLM, TEI, Ollama, …"""

from __future__ import annotations

import email.utils
import ipaddress
import os
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memory.embedders import unit
from memory.errors import EmbedderError, InputError
from memory.scope import Scope

if TYPE_CHECKING:
    import httpx

    from memory.embedders import Vectors

PREFIX = "openai:"
BATCH = 64
"""Texts in one request."""
RETRIED = (429, 500, 502, 503, 504)
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try, twice as many before each further one; and the most that a server may ask for."""
KEYS = ("COAT_OPENAI_API_KEY", "OPENAI_API_KEY")
"""The variables that hold a key, the first that is set; the second goes to OpenAI's own servers only."""
OFFLINE = ("COAT_OFFLINE", "HF_HUB_OFFLINE")
"""Variables that forbid all servers but this machine's."""


class OpenAIEmbedder(Scope):
    """The embeddings of `model` from the server at `url`, such as http://127.0.0.1:8080/v1; normalised here.

    Without a `model` it is the only one that the server lists. A request is tried `retries` times more when the server
    cannot be reached or is busy (429, 5xx), after 0.5, 1, 2, … seconds or as long as Retry-After asks. `timeout` is in
    seconds without a sign of the server, `sleep` does the waiting. What is too long, the server cuts or refuses.

    Raises from here, and where it is marked so from `embed`, `name` and `dimension`:
        InputError: `url` is none, or holds a password.
        EmbedderError (also later): The server is not on this machine and this process is offline; cannot be reached;
            refuses the request or the key; lists no model or several; gives something that is no vector.
    """

    def __init__(
        self,
        url: str,
        model: str = "",
        *,
        timeout: float = 120.0,
        retries: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._model = _checked(url), model
        self._timeout, self._retries, self._sleep = timeout, retries, sleep
        self._lock = Lock()
        self._client: httpx.Client | None = None
        self._dimension: int | None = None

    @property
    def name(self) -> str:
        """`openai:URL#MODEL`; memories compare the model alone, since a server may move."""
        if not self._model:
            self._model = self._only_model()
        return f"{PREFIX}{self._url}#{self._model}"

    @property
    def dimension(self) -> int:
        """The length of a vector, read from the server's answer to a short text."""
        if self._dimension is None:
            self._dimension = int(self.embed(["dimension"]).shape[1])
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of `texts`: float32, shape (n, dimension), rows of length 1."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        rows = [row for n in range(0, len(texts), BATCH) for row in self._batch(texts[n : n + BATCH])]
        try:
            vectors = np.array(rows, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbedderError(f"{self.name} gave vectors of several lengths, or of no numbers.") from error
        return unit(vectors.reshape(len(rows), -1))

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client:
            client.close()

    def _batch(self, texts: Sequence[str]) -> list[Any]:
        model = self.name.partition("#")[2]
        answer = self._send("POST", "/embeddings", {"model": model, "input": list(texts), "encoding_format": "float"})
        try:
            found = {int(row["index"]): row["embedding"] for row in answer["data"]}
            return [found[number] for number in range(len(texts))]
        except (KeyError, TypeError, ValueError) as error:
            raise EmbedderError(f"{self._url} did not give {len(texts)} embeddings; is {model} an embedder?") from error

    def _only_model(self) -> str:
        listed = self._send("GET", "/models").get("data")
        names = [str(each.get("id")) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if len(names) != 1:
            has = f"has {len(names)} models ({', '.join(names[:5])})" if names else "lists no model"
            raise EmbedderError(f"{self._url} {has}; name one: {PREFIX}{self._url}#MODEL")
        return names[0]

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        import httpx

        asked, problem = 0.0, ""
        for tries in range(self._retries + 1):
            if tries:
                self._sleep(max(FIRST_WAIT * 2 ** (tries - 1), asked))
            try:
                response = self._connected().request(method, self._url + path, json=body)
            except httpx.TransportError as error:
                asked, problem = 0.0, f"cannot be reached ({error or type(error).__name__})"
                continue
            if response.status_code not in RETRIED:
                return self._read(response)
            asked, problem = _retry_after(response), f"is busy ({response.status_code} {_words(response)})"
            if asked > LONGEST_WAIT:
                problem += f" and asks to wait {asked:.0f} s"
                break
        raise EmbedderError(f"{self._url} {problem}; tried {tries + 1} times. Is the server running, the URL right?")

    def _connected(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                key = _key(self._url)
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                proxied = not _is_local(self._url)
                self._client = httpx.Client(headers=headers, timeout=self._timeout, trust_env=proxied)
            return self._client

    def _read(self, response: httpx.Response) -> Mapping[str, Any]:
        if not response.is_success:
            cure = f" Set {KEYS[0]} to the server's key." if response.status_code in (401, 403) else ""
            raise EmbedderError(f"{self._url} refused: {response.status_code} {_words(response)}.{cure}")
        try:
            data = response.json()
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise EmbedderError(f"{self._url} gave no JSON object; does the URL end as it should (often /v1)?")
        return data


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url!r} is no address of a server; write {PREFIX}http://HOST:PORT/v1#MODEL")
    if parts.username or parts.password:
        raise InputError(f"the address of {parts.hostname} holds a name or password; set {KEYS[0]} instead.")
    offline = any(os.environ.get(switch, "").casefold() not in ("", "0", "false", "no", "off") for switch in OFFLINE)
    if offline and not _is_local(url):
        raise EmbedderError(f"{url} is not on this machine, and this process is offline ({' or '.join(OFFLINE)}).")
    return url.rstrip("/")


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(url: str) -> str:
    host = urlsplit(url).hostname or ""
    own = url.startswith("https://") and (host == "openai.com" or host.endswith(".openai.com"))
    key = (os.environ.get(KEYS[0]) or (os.environ.get(KEYS[1]) if own else "") or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EmbedderError(f"the key for {host} holds characters that no key has; set {KEYS[0]} again.")
    return key


def _retry_after(response: httpx.Response) -> float:
    """The seconds that Retry-After asks for, as a number or as a date; 0 without one."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _words(response: httpx.Response) -> str:
    try:
        said = response.json()
    except ValueError:
        said = response.text
    if isinstance(said, dict):
        said = said.get("error") or said.get("detail") or said.get("message") or said
    if isinstance(said, dict):
        said = said.get("message") or said
    text, key = " ".join(str(said).split())[:200], response.request.headers.get("authorization", "")[7:]
    return text.replace(key, "(key)") if key else text
