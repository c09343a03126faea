"""Any server that completes text over the OpenAI protocol: llama-server, vLLM, and others.

The server's tokens are out of sight, so prompts and paths are texts, and the server recognises its control
tokens wherever they stand in a prompt: recalled text cannot be shielded from it as in the llama backend.
"""

import asyncio
import concurrent.futures
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from coat.errors import BackendError, InputError, ModelError, UnreadableScoreError
from coat.models import Capabilities, Completion, Message, Prompt, SampleRequest, Sampling, Scope, ScoreRequest
from coat.models.openai.replies import Choice, choice_of, end_of, refuse, some, total
from coat.models.openai.server import PREFIX, Server, running_loop
from coat.models.plain import plain_chat, prompt_text
from coat.usage import Usage

DEFAULT_CONTEXT = 4096
TOP = (20, 5)
"""How many top log-probabilities are asked for, in turn: what vLLM and OpenAI allow at most."""

_PROBE = "."


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
        text, finish = end_of(choice, stop, self.name)
        if (whole := sampling.whole(text)) is not None:
            text, finish = whole, "stop"
        return Completion(text, (), total(choice.listed), choice.generated, finish)

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
            refuse(answer, self.name)
        return choice_of(answer, self.name)


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
    if running_loop() is None:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _explore(server: Server, model: str | None, context: int | None) -> Facts:
    answer = await server.send("GET", "/models")
    if answer.status in (401, 403):
        refuse(answer, server.url)
    entries = answer.data.get("data")
    listed = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    known = {str(each.get("id")): each for each in listed}
    name = model or _only(server.url, list(known))
    choice, top = await _probe(server, name, list(known))
    prompt_tokens = choice.prompt_tokens
    return Facts(
        model=name,
        context=context or _context(known.get(name, {})),
        logprobs=total(choice.listed) is not None,
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
        refuse(answer, name, known)
    choice = choice_of(answer, name)
    return choice, len(choice.listed[0].top) if choice.listed else 0


def _body(prompt: str, max_tokens: int, *, logprobs: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0}
    return body | ({"logprobs": logprobs} if logprobs else {})


def _only(url: str, known: Sequence[str]) -> str:
    if len(known) == 1:
        return known[0]
    have = f"has several models ({some(known)})" if known else "lists no models"
    raise ModelError(f"{url} {have}: name one, as in {PREFIX}{url}#{known[0] if known else 'MODEL'}")


def _context(entry: Mapping[str, Any]) -> int:
    meta = entry.get("meta")
    places = [meta if isinstance(meta, dict) else {}, entry]
    for key in ("n_ctx", "max_model_len", "context_length", "n_ctx_train"):
        for place in places:
            if isinstance(place.get(key), int):
                return int(place[key])
    return DEFAULT_CONTEXT
