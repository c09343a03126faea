"""What an OpenAI-compatible server answers: completions, log-probabilities, refusals."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from coat.errors import BackendError, ContextError, ModelError
from coat.models import Finish
from coat.models.openai.server import Answer
from coat.models.plain import find_stop

_OVERFLOW = re.compile(r"context.{0,20}(length|size|window)|exceed_context|maximum context", re.IGNORECASE)


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


def choice_of(answer: Answer, name: str) -> Choice:
    """The continuation in an answer.

    Raises:
        BackendError, ModelError: it cannot be read; the server does not count its tokens.
    """
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


def total(listed: Sequence[Listed]) -> float | None:
    """The sum of the log-probabilities; None where one is missing."""
    values = [token.logprob for token in listed if token.logprob is not None]
    return sum(values) if values and len(values) == len(listed) else None


def end_of(choice: Choice, stop: Sequence[str], name: str) -> tuple[str, Finish]:
    """The text of a completion, up to a stop string, and why it ended; BackendError where that is unknown."""
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


def refuse(answer: Answer, name: str, known: Sequence[str] = ()) -> NoReturn:
    """Raise what a refusal means: ContextError, BackendError or ModelError; `known` are the models there are."""
    said = f"{answer.status} {answer.problem}".rstrip()
    if _OVERFLOW.search(answer.problem):
        raise ContextError(f"{name}: the request does not fit into the server's context: {said}")
    if answer.status >= 500:
        raise BackendError(f"{name}: the server failed: {said}")
    if answer.status in (401, 403):
        raise ModelError(f"{name}: the server refuses the key: {said}; set COAT_OPENAI_API_KEY to the right one")
    if answer.status in (404, 405):
        models = f"; it lists the models {some(known)}" if known else ""
        raise ModelError(
            f"{name}: the server does not have this model, or no text completion (/completions), which is "
            f"needed to continue a half-written turn: {said}{models}"
        )
    raise ModelError(f"{name}: the server refuses the request: {said}")


def some(names: Sequence[str]) -> str:
    """The first of `names`, with commas between."""
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
