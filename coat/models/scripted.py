"""A model that follows a script: the fake that ships, for tests and demonstrations without weights.

Every character is one token (its id is the code point), so that token paths, budgets and stop strings can be
worked out by hand. The same request always gets the same reply.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from coat.errors import BackendError, ContextError, ModelError
from coat.models import (
    Capabilities,
    Completion,
    Finish,
    Message,
    Prompt,
    SampleRequest,
    Sampling,
    ScoreRequest,
    Text,
    Thinking,
    Tokens,
)
from coat.models.plain import find_stop, plain_chat, prompt_text
from coat.usage import Usage

Replies = Callable[[str, int, Sampling], str] | Mapping[str, Sequence[str]]
"""Prompt text, seed, parameters -> what is generated before the end; or a table as in `ScriptedModel`."""

Scores = Callable[[str, str], float] | Mapping[str, Mapping[str, float]]
"""Text, candidate -> probability in [0, 1]; or a table as in `ScriptedModel`."""


class ScriptedModel:
    """A deterministic `LanguageModel` in this process.

    `replies` is a function, or a table from an ending of the prompt to the siblings it can get: the longest
    key that the prompt ends with counts, and the sibling is `seed % len`. `scores` likewise: a function, or a
    table from an ending of the text to the probability of each candidate (any text may be a candidate).
    Without `scores` the model cannot score.

    `context` is in tokens. `tokens=False` plays a server: no token ids, and no `evaluated`, `unique` and
    `decodes`. `logprob` maps (prompt text, sampled text with its stop string) to the sum of the natural
    log-probabilities, default -1 for each token sampled; `logprobs=False` leaves it out. `delay` gives the
    seconds that a request takes, default none. After `fail_after` requests every further one fails with
    BackendError. `thinking` are the markers of its thoughts, which the script writes like any other text.

    Usage is that of an ideal engine whose prefix cache is empty when the account begins and never forgets:
    the last token sampled is not decoded, an end-of-generation token counts as generated, siblings are
    decoded together.

    The fingerprint is made of `name`, `context` and `tokens`: give another script another name.
    """

    def __init__(
        self,
        replies: Replies,
        *,
        scores: Scores | None = None,
        name: str = "scripted",
        context: int = 4096,
        tokens: bool = True,
        logprobs: bool = True,
        logprob: Callable[[str, str], float] | None = None,
        delay: Callable[[SampleRequest | ScoreRequest], float] | None = None,
        fail_after: int | None = None,
        thinking: Thinking | None = None,
    ) -> None:
        self.name, self.note = name, ""
        self.fingerprint = f"scripted:{name}:context={context}:tokens={tokens}"
        self.capabilities = Capabilities(
            context=context, tokens=tokens, logprobs=logprobs, candidates=scores is not None, thinking=thinking
        )
        self._replies, self._scores, self._logprob = replies, scores, logprob
        self._delay, self._fail_after = delay, fail_after
        self._requests = 0
        self._closed = False

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """The messages' texts, one under the other, and the marker that opens a thought, where it is opened.

        An assistant's message at the end is left open.
        """
        thinking = self.capabilities.thinking
        opening = (Text(thinking.open, control=True),) if thinking is not None and thinking.opened else ()
        return (*plain_chat(messages), *opening)

    def path(self, prompt: Prompt) -> Tokens | str:
        """The code points of the prompt's characters, or its text where `tokens=False`."""
        text = self._text(prompt)
        return tuple(map(ord, text)) if self.capabilities.tokens else text

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """Look up one reply a seed and cut it as the protocol says.

        Raises:
            ContextError: the prompt leaves no room for one token.
            ModelError: the script has no reply, or the prompt holds ids that are not code points.
            BackendError: the model is closed, or has answered `fail_after` requests.
        """
        prompt, sampling = self._text(request.prompt), request.sampling
        room = self.capabilities.context - len(prompt)
        if room < 1:
            raise ContextError(
                f"{self.name}: the prompt has {len(prompt)} tokens and the context holds "
                f"{self.capabilities.context}; shorten the prompt or raise the context"
            )
        await self._work(request)
        replies = [self._reply(prompt, seed, sampling) for seed in request.seeds]
        completions = [self._complete(prompt, reply, sampling, room) for reply in replies]
        for reply, completion in zip(replies, completions, strict=True):
            decoded = reply[: max(completion.generated - 1, 0)]
            self._need(prompt + decoded, usage)
            usage.generated += completion.generated
        if self.capabilities.tokens:
            usage.decodes += max((completion.generated for completion in completions), default=0)
        return completions

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """Look up each candidate's natural log-probability; `scored` grows by the suffix's tokens.

        Raises:
            ModelError: no `scores` were given, they lack a candidate, or one is not a probability.
            ContextError, BackendError: as for `sample`.
        """
        suffix = self._text(request.suffix)
        text = self._text(request.prompt) + suffix
        if len(text) > self.capabilities.context:
            raise ContextError(
                f"{self.name}: the judgement has {len(text)} tokens and the context holds "
                f"{self.capabilities.context}; shorten the path or raise the context"
            )
        await self._work(request)
        logs = [_log(self._probability(text, candidate), candidate) for candidate in request.candidates]
        self._need(text, usage)
        usage.scored += len(suffix)
        usage.decodes += int(self.capabilities.tokens)
        return logs

    def close(self) -> None:
        """Make running and later requests fail with BackendError."""
        self._closed = True

    async def _work(self, request: SampleRequest | ScoreRequest) -> None:
        number, self._requests = self._requests, self._requests + 1
        await asyncio.sleep(self._delay(request) if self._delay else 0)
        if self._closed:
            raise BackendError(f"{self.name}: the model was closed; load it again")
        if self._fail_after is not None and number >= self._fail_after:
            raise BackendError(f"{self.name}: the script ends after {self._fail_after} requests")

    def _text(self, prompt: Prompt) -> str:
        if self.capabilities.tokens:
            return "".join(piece.text if isinstance(piece, Text) else _decode(piece) for piece in prompt)
        return prompt_text(prompt, self.name)

    def _reply(self, prompt: str, seed: int, sampling: Sampling) -> str:
        if callable(self._replies):
            return self._replies(prompt, seed, sampling)
        siblings = self._replies[_longest_ending(prompt, self._replies, "reply")]
        if not siblings:
            raise ModelError(f"the script has an empty list of replies to {prompt[-60:]!r}; give at least one")
        return siblings[seed % len(siblings)]

    def _complete(self, prompt: str, reply: str, sampling: Sampling, room: int) -> Completion:
        limit = min(sampling.max_tokens, room)
        reply = sampling.whole(reply) or reply
        start, end = find_stop(reply, sampling.stop, sampling.until) or (len(reply), len(reply) + 1)
        finish: Finish = "stop" if end <= len(reply) else "eos"
        if end > limit:
            start = end = limit
            finish = "length" if sampling.max_tokens <= room else "context"
        text, logprob = reply[:start], None
        if self.capabilities.logprobs:
            logprob = self._logprob(prompt, reply[:end]) if self._logprob else -float(end)
        ids = tuple(map(ord, text)) if self.capabilities.tokens else ()
        return Completion(text, ids, logprob, end, finish)

    def _probability(self, text: str, candidate: str) -> float:
        if self._scores is None:
            raise ModelError(f"{self.name} cannot score; give the scripted model `scores`")
        if callable(self._scores):
            return self._scores(text, candidate)
        known = self._scores[_longest_ending(text, self._scores, "score")]
        if candidate not in known:
            raise ModelError(f"the script has no score for {candidate!r} after {text[-60:]!r}, only for {list(known)}")
        return known[candidate]

    def _need(self, text: str, usage: Usage) -> None:
        if self.capabilities.tokens:
            before = usage.unique
            usage.need([ord(character) for character in text])
            usage.evaluated += usage.unique - before


def _longest_ending(text: str, keys: Iterable[str], what: str) -> str:
    endings = [key for key in keys if text.endswith(key)]
    if not endings:
        raise ModelError(f"the script has no {what} for a text that ends with {text[-60:]!r}; add one, or the key ''")
    return max(endings, key=len)


def _decode(tokens: Tokens) -> str:
    if any(not 0 <= token <= 0x10FFFF for token in tokens):
        raise ModelError("the prompt holds token ids that are no code points: they are those of another model")
    return "".join(map(chr, tokens))


def _log(probability: float, candidate: str) -> float:
    if not 0.0 <= probability <= 1.0:
        raise ModelError(f"the script's score for {candidate!r} is {probability}; it must be a probability in [0, 1]")
    return math.log(probability) if probability else -math.inf
