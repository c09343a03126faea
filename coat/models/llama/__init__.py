"""A GGUF in this process: the `LanguageModel` over llama.cpp that shares the KV cache between branches."""

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import llama_cpp

from coat.errors import ContextError, InputError, ModelError, OutOfMemoryError, no_such
from coat.models import (
    Capabilities,
    Completion,
    Notation,
    SampleRequest,
    ScoreRequest,
    Tokens,
)
from coat.models.catalog import file_hash
from coat.models.header import check_writes, read_header
from coat.models.llama.bindings import CACHE_TYPES, MAX_SEQUENCES, ContextOptions, Llama
from coat.models.llama.decoder import Decoder
from coat.models.llama.devices import room
from coat.models.llama.distinct import Drawn
from coat.models.llama.fit import describe, fitting
from coat.models.llama.reader import Reader
from coat.models.llama.work import Request
from coat.usage import Usage

__all__ = ["ContextOptions", "LlamaModel", "load_fitting"]


class LlamaModel(Reader):
    """A GGUF file behind continuous batching over a prefix tree; see `coat.models.llama.decoder`."""

    def __init__(
        self, path: Path, name: str | None = None, options: ContextOptions | None = None, note: str = ""
    ) -> None:
        """Load `path`. `note` is a sentence about how it is loaded, which results repeat.

        Raises:
            ModelError: the file is missing, truncated, no GGUF, or not a model that llama.cpp can search with.
            InputError: an option out of its range.
        """
        options = options or ContextOptions()
        _check(options)
        header = read_header(path)
        check_writes(header)
        self.path_of_file = path
        self.note = note
        self.name = name or path.stem
        llama = Llama(path, options)
        super().__init__(llama)
        self.threads = llama.threads
        context = min(options.cells, llama.trained_context)
        self.capabilities = Capabilities(
            context=context,
            tokens=True,
            logprobs=True,
            candidates=True,
            notation=_notation(llama),
            distinct=True,
            thinking=self.thinking,
        )
        hashes = "+".join(map(file_hash, header.parts))
        self.fingerprint = f"{hashes}:{options.cells}:{options.batch}:{options.cache_type}:{llama_cpp.__version__}"
        self._decoder = Decoder(llama)

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        """See `LanguageModel`; a continuation that would leave the context ends there, with finish "context"."""
        path, sampling = self.path(request.prompt), request.sampling
        left = self._left(path)
        limited = replace(sampling, max_tokens=min(sampling.max_tokens, left))
        drawn = Drawn(request.seen) if request.distinct else None
        penalised = frozenset[int]() if sampling.penalty is None else self._first_tokens(sampling.penalty.phrases)
        asked = Request(
            path,
            usage,
            seeds=request.seeds,
            sampling=limited,
            drawn=drawn,
            rules=request.rules,
            penalised=penalised,
        )
        future = self._decoder.submit(asked)
        completions: list[Completion] = await asyncio.wrap_future(future)
        usage.generated += sum(completion.generated for completion in completions)
        if left >= sampling.max_tokens:
            return completions
        return [replace(each, finish="context") if each.finish == "length" else each for each in completions]

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        """See `LanguageModel`; read from the logits, nothing is generated."""
        path = self.path(request.prompt)
        suffix = self.path((*request.prompt, *request.suffix))[len(path) :]
        self._left(path + suffix)
        candidates = tuple(self._candidate(text) for text in request.candidates)
        future = self._decoder.submit(Request(path, usage, suffix=suffix, candidates=candidates))
        scores: list[float] = await asyncio.wrap_future(future)
        usage.scored += len(suffix)
        return scores

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._decoder.closed

    def close(self) -> None:
        """See `LanguageModel`."""
        self._decoder.close()

    def _left(self, path: Tokens) -> int:
        """Tokens that may still follow `path`."""
        left = self.capabilities.context - len(path)
        if not path:
            raise InputError("the prompt is empty; give the model something to continue")
        if left < 1:
            raise ContextError(
                f"the path has {len(path)} tokens and the context of {self.name} holds {self.capabilities.context};"
                " shorten the question or the facts, or raise --context"
            )
        return left

    def _first_tokens(self, phrases: Sequence[str]) -> frozenset[int]:
        """The tokens that `phrases` begin with, at the start of a sentence and inside it."""
        spelled = {space + each for phrase in phrases for each in (phrase, phrase.capitalize()) for space in ("", " ")}
        return frozenset(ids[0] for text in spelled if (ids := self._tokenize(text, False)))

    def _candidate(self, text: str) -> int:
        ids = self._tokenize(text, True)
        if len(ids) != 1:
            raise ModelError(f"{text!r} is {len(ids)} tokens in {self.name}, and only a single token can be scored")
        return ids[0]


def load_fitting(path: Path, name: str, asked: ContextOptions, fixed: frozenset[str], reserve: int = 0) -> LlamaModel:
    """Load `path` as `asked`, or with as much of it as fits into memory; what is named in `fixed` stays as it is.

    `reserve` bytes of memory are left for another model.

    Raises:
        ModelError: as `LlamaModel`, or not even the least fits.
    """
    _check(asked)
    options = fitting(read_header(path), room(asked.gpu_layers), asked, fixed, reserve)
    for each in options[:-1]:
        try:
            return LlamaModel(path, name, each, describe(asked, each))
        except OutOfMemoryError:  # the estimate was too low: try less
            continue
    return LlamaModel(path, name, options[-1], describe(asked, options[-1]))


def _notation(llama: Llama) -> Notation | None:
    """The notation that the GGUF declares under `coat.notation`."""
    declared = {each.name: llama.metadata(f"coat.notation.{each.name}") for each in fields(Notation)}
    known = {name: value for name, value in declared.items() if value is not None}
    return Notation(**known) if len(known) == len(declared) else None


def _check(options: ContextOptions) -> None:
    if options.lanes < 1 or options.lanes > MAX_SEQUENCES // 4:
        raise InputError(f"lanes must be from 1 to {MAX_SEQUENCES // 4}, not {options.lanes}")
    if options.batch < options.lanes:
        raise InputError(f"a batch of {options.batch} rows has no room for {options.lanes} lanes")
    if options.cache_type not in CACHE_TYPES:
        raise no_such("cache type", "types", options.cache_type, CACHE_TYPES)
    if options.think not in (None, "on", "off", "auto"):
        raise InputError(f"think must be on, off or auto, not {options.think!r}")
    if options.cells < 64:
        raise InputError(f"a context of {options.cells} tokens is too small to search in; give at least 64")
