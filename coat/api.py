"""Solving from Python: `solve` waits for the result, `start` lets you look on and stop."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from coat import auto, evaluators, loaded, runtime, strategies, tasks
from coat.association import Associations
from coat.errors import InputError
from coat.journal import Journal, JournalledModel
from coat.models import LanguageModel
from coat.models.catalog import HEAD, load, memory_of
from coat.models.known import known_models
from coat.result import Result
from coat.settings import Settings
from coat.solver import Solver
from memory import AssociativeMemory, SentenceTransformerEmbedder

Closable = TypeVar("Closable", Journal, LanguageModel, AssociativeMemory)
POLL = 0.1
"""Seconds between two looks at a future: a blocking wait would keep Ctrl-C out on Windows."""


class Solving:
    """A search at work: `tree`, `usage` and `hits` may be read at any time, `wait` gives the result."""

    def __init__(self, solver: Solver, resources: ExitStack) -> None:
        self._solver, self._resources = solver, resources
        self.problem, self.task = solver.problem, solver.task
        self.tree, self.usage, self.hits = solver.tree, solver.usage, solver.hits
        self.settings = solver.settings
        self._began = time.monotonic()
        self._future: Future[Result] = runtime.submit(solver.solve())

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def done(self) -> bool:
        """Whether the result is there, or the search failed."""
        return self._future.done()

    def stop(self) -> None:
        """End the search with the best answer so far."""
        runtime.loop().call_soon_threadsafe(self._solver.interrupt)

    def wait(self, timeout: float | None = None) -> Result:
        """The result; what the search loaded itself is closed then.

        Raises:
            TimeoutError: it is not there after `timeout` seconds.
            CoatError: what the search failed with.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._future.done():
            left = POLL if end is None else min(POLL, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"the search is still at work after {timeout} seconds")
            wait([self._future], left)
        self._resources.close()
        return self._future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._future.exception()
        self._resources.close()


def start(
    question: str | None = None,
    *,
    messages: Sequence[Mapping[str, str]] | None = None,
    task: str = "qa",
    model: str | LanguageModel | None = None,
    prm: str | LanguageModel | None = None,
    memory: str | Path | AssociativeMemory | None = None,
    journal: str | Path | Journal | None = None,
    run: int | None = None,
    tuned: str | Path | Mapping[str, Any] | None = None,
    model_options: dict[str, Any] | None = None,
    **knobs: Any,
) -> Solving:
    """Start a search and return at once; see `solve` for the arguments.

    Raises:
        InputError, ModelError: what was asked for is wrong, by name.
    """
    if (question is None) == (messages is None):
        raise InputError("give a question or messages; not both, not neither")
    question = question if question is not None else json.dumps({"messages": messages}, ensure_ascii=False)
    knobs = reading_of(prm) | knobs
    settings = make_settings(knobs)
    rules = tasks.get(task)
    problem = rules.read(question)
    strategies.fitting(settings.strategy, rules)
    options = model_options or {}
    stack = ExitStack()
    try:
        log = (
            journal
            if isinstance(journal, Journal)
            else _own(stack, Journal(None if journal is None else Path(journal)))
        )
        policy, judge = open_models(stack, rules.model if model is None else model, prm, options)
        knobs = {**strategies.get(settings.strategy).knobs, **rules.knobs.get(settings.strategy, {}), **knobs}
        rules = tasks.adapt(rules, policy, make_settings(knobs))
        settings = make_settings({**rules.knobs.get(settings.strategy, {}), **knobs})
        store = open_memory(stack, memory)
        config: dict[str, Any]
        config = {"question": question, "task": task, "settings": settings.as_dict(), "model_options": options}
        config |= {"model": policy.name, "fingerprint": policy.fingerprint}
        config |= {} if judge is None else {"prm": judge.name, "prm_fingerprint": judge.fingerprint}
        config |= {} if store is None else {"memory": str(store.path), "memory_state": store.revision}
        if settings.strategy == "auto" and run is None:
            table = auto.table_for(rules, policy, settings.evaluator, tuned)
            table = auto.with_knobs(table, rules, knobs.keys())
            config |= {"tuned": auto.with_question(table, lambda text: _embedded(stack, text), problem.question)}
        policy, judge = JournalledModel(policy, log), judge and JournalledModel(judge, log)
        evaluator = evaluators.build(settings.evaluator, rules, policy, judge, settings.reading)
        associations = None if store is None else Associations(store, settings.recall, settings.recall_threshold)
        config = config if run is None else _same_run(log, run, config)
        plan = auto.plan(config["tuned"], settings) if "tuned" in config else None
        logged = log.begin(config)
        return Solving(Solver(problem, rules, policy, evaluator, settings, logged, associations, plan), stack)
    except BaseException:
        stack.close()
        raise


def solve(
    question: str | None = None,
    *,
    messages: Sequence[Mapping[str, str]] | None = None,
    task: str = "qa",
    model: str | LanguageModel | None = None,
    prm: str | LanguageModel | None = None,
    memory: str | Path | AssociativeMemory | None = None,
    journal: str | Path | Journal | None = None,
    tuned: str | Path | Mapping[str, Any] | None = None,
    model_options: dict[str, Any] | None = None,
    **knobs: Any,
) -> Result:
    """Solve one problem and wait for the result.

    Args:
        question: The problem as its task reads it: a question, or the numbers of a puzzle.
        messages: Instead of `question`, a conversation whose last turn asks: each with `role` and `content`.
        task: A name from `coat tasks`.
        model: The policy: a path to a GGUF, `hf:OWNER/REPO/FILE`, a short name, `openai:URL`, or a loaded model, which
            stays open. None: the first installed one.
        prm: The judge of `evaluator="prm"`, named the same way.
        memory: A memory file, or an open memory, whose facts are recalled into the expansions.
        journal: Where replies and the run's log are kept, so that the same call replays; None keeps them nowhere.
        tuned: What `strategy="auto"` chooses by: a file of `coat tune`, or what one holds. None: the user's own for
            this task and model, or a prior.
        model_options: For loading: `cells`, `lanes`, `batch`, `threads`, `gpu_layers`, `cache_type`,
            `think`.
        **knobs: Fields of `coat.Settings`, such as `tokens=2000` or `strategy="greedy"`; the others are the task's.

    Raises:
        InputError, ModelError: what was asked for is wrong, by name.
        BackendError: the model failed while it worked.
        memory.AssociativeMemoryError: the memory file cannot be used.
    """
    solving = start(
        question,
        messages=messages,
        task=task,
        model=model,
        prm=prm,
        memory=memory,
        journal=journal,
        tuned=tuned,
        model_options=model_options,
        **knobs,
    )
    try:
        return solving.wait()
    except KeyboardInterrupt:
        solving.stop()
        return solving.wait()


def make_settings(knobs: dict[str, Any]) -> Settings:
    """`Settings` with `knobs`; InputError names a knob that there is not."""
    known = Settings.__dataclass_fields__
    unknown = [name for name in knobs if name not in known]
    if unknown:
        raise InputError(f"there is no setting {unknown[0]!r}; the settings are: {', '.join(known)}")
    return Settings(**knobs)


def _embedded(stack: ExitStack, text: str) -> Sequence[float]:
    embedder = SentenceTransformerEmbedder()
    stack.callback(embedder.close)
    return [float(each) for each in embedder.embed([text])[0]]


def reading_of(prm: str | LanguageModel | None) -> dict[str, str]:
    """How a judge is read that is known by its name, unless somebody says otherwise."""
    if isinstance(prm, str) and prm.endswith(HEAD):
        return {"reading": "qwen-prm"}
    known = known_models().get(prm) if isinstance(prm, str) else None
    return {"reading": known.reading} if known and known.reading else {}


def _own(stack: ExitStack, resource: Closable) -> Closable:
    stack.callback(resource.close)
    return resource


def open_models(
    stack: ExitStack, model: str | LanguageModel | None, prm: str | LanguageModel | None, options: dict[str, Any]
) -> tuple[LanguageModel, LanguageModel | None]:
    """The policy, which leaves room in memory for a judge that is loaded after it, and the judge."""
    if prm is None or prm == model:
        policy = _model(stack, model, options)
        return policy, None if prm is None else policy
    judging = {name: value for name, value in options.items() if name != "think"}
    reserve = memory_of(prm, **judging) if isinstance(prm, str) and loaded.find(prm, judging) is None else 0
    return _model(stack, model, options, reserve), _model(stack, prm, judging)


def _model(
    stack: ExitStack, model: str | LanguageModel | None, options: dict[str, Any], reserve: int = 0
) -> LanguageModel:
    if model is None or isinstance(model, str):
        return loaded.find(model, options) or _own(stack, load(model, reserve=reserve, **options))
    return model


def open_memory(stack: ExitStack, memory: str | Path | AssociativeMemory | None) -> AssociativeMemory | None:
    """The memory in a file, with the embedder that it was made with, closed with `stack`; one that is open stays open.

    Raises:
        InputError: there is no such file.
    """
    if memory is None or isinstance(memory, AssociativeMemory):
        return memory
    if not Path(memory).exists():
        raise InputError(f"there is no memory file {memory}; `coat memory add FILE --memory {memory}` makes one")
    return _own(stack, AssociativeMemory(Path(memory)))


def _same_run(journal: Journal, run: int, config: dict[str, Any]) -> dict[str, Any]:
    """The logged configuration of `run`, which must have been made with the same models."""
    logged = journal.config(run)
    for name in ("fingerprint", "prm_fingerprint"):
        if logged.get(name) != config.get(name):
            raise InputError(f"run {run} was made with another {logged['model']} file or library; it cannot go on")
    return logged
