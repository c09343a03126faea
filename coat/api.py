"""Solving from Python: `solve` waits for the result, `start` lets you look on and stop."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from coat import auto, evaluators, loaded, strategies, tasks
from coat.association import Associations
from coat.errors import InputError
from coat.journal import Journal, JournalledModel
from coat.models import JOINED, LanguageModel
from coat.models.catalog import HEAD, load, memory_of
from coat.models.known import known_models
from coat.result import Result
from coat.settings import Settings
from coat.solver import Solver
from coat.solving import Solving
from coat.tasks import Task
from memory import AssociativeMemory, SentenceTransformerEmbedder

Closable = TypeVar("Closable", Journal, LanguageModel, AssociativeMemory)
Models = str | LanguageModel | Sequence[str | LanguageModel] | None
"""A model, or several that work together: their names joined by "+", or a sequence."""


def start(
    question: str | None = None,
    *,
    messages: Sequence[Mapping[str, str]] | None = None,
    task: str | Task = "qa",
    model: Models = None,
    prm: str | LanguageModel | None = None,
    memory: str | Path | AssociativeMemory | None = None,
    journal: str | Path | Journal | None = None,
    run: int | None = None,
    tuned: str | Path | Mapping[str, Any] | None = None,
    model_options: dict[str, Any] | None = None,
    paused: bool = False,
    **knobs: Any,
) -> Solving:
    """Start a search and return at once; see `solve` for the arguments. `paused`: it waits for `step` or `resume`.

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
    if settings.remember and memory is None:
        raise InputError("there is no memory to remember in; name one")
    names = several(rules.model if model is None else model)
    strategies.fitting(settings.strategy, rules, len(names))
    options = model_options or {}
    stack = ExitStack()
    try:
        log = (
            journal
            if isinstance(journal, Journal)
            else _own(stack, Journal(None if journal is None else Path(journal)))
        )
        (policy, *others), judge = open_models(stack, names, prm, options)
        knobs = {**strategies.get(settings.strategy).knobs, **rules.knobs.get(settings.strategy, {}), **knobs}
        rules = tasks.adapt(rules, policy, make_settings(knobs))
        settings = make_settings({**rules.knobs.get(settings.strategy, {}), **knobs})
        store = open_memory(stack, memory)
        config: dict[str, Any]
        config = {
            "question": question,
            "task": tasks.title(task),
            "settings": settings.as_dict(),
            "model_options": options,
        }
        config |= _told_apart_by([policy, *others], judge, store)
        if store is None and settings.brain in ("model", "both"):
            store = _own(stack, AssociativeMemory(None))
        if settings.strategy == "auto" and run is None:
            table = auto.table_for(rules, policy, settings.evaluator, tuned)
            table = auto.with_knobs(table, rules, knobs.keys())
            config |= {"tuned": auto.with_question(table, lambda text: _embedded(stack, text), problem.question)}
        policy, judge = JournalledModel(policy, log), judge and JournalledModel(judge, log)
        others = [JournalledModel(each, log) for each in others]
        evaluator = evaluators.build(settings.evaluator, rules, policy, judge, settings.reading)
        associations = None if store is None else Associations(store, settings.recall, settings.recall_threshold)
        config = config if run is None else _same_run(log, run, config)
        plan = auto.plan(config["tuned"], settings) if "tuned" in config else None
        logged = log.begin(config)
        solver = Solver(problem, rules, policy, evaluator, settings, logged, associations, plan, others)
        return Solving(solver, stack, paused)
    except BaseException:
        stack.close()
        raise


def solve(
    question: str | None = None,
    *,
    messages: Sequence[Mapping[str, str]] | None = None,
    task: str | Task = "qa",
    model: Models = None,
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
        task: A name from `coat tasks`, or an object that fits `coat.tasks.Task`.
        model: The policy: a path to a GGUF, `hf:OWNER/REPO/FILE`, a short name, `openai:URL`, or a loaded model, which
            stays open. Several, for a strategy that uses several, as a sequence or with "+" between their names; the
            first is the policy that judges, unless there is a judge. None: the first installed one.
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


def several(models: Models) -> list[str | LanguageModel | None]:
    """The models one by one; a name is taken apart at its "+" unless it is a file's.

    Raises:
        InputError: there is none.
    """
    if isinstance(models, str):
        found: list[Any] = [models] if Path(models).exists() else [each.strip() for each in models.split(JOINED)]
    else:
        found = list(models) if isinstance(models, Sequence) else [models]
    if not found or "" in found:
        raise InputError(f"{models!r} names no model, or ends with none; write a name, or several with + between")
    return found


def open_models(
    stack: ExitStack,
    models: Sequence[str | LanguageModel | None],
    prm: str | LanguageModel | None,
    options: dict[str, Any],
) -> tuple[list[LanguageModel], LanguageModel | None]:
    """The models, each of which leaves room in memory for those that are loaded after it, and the judge.

    A name that comes again is the same model.

    Raises:
        InputError, ModelError: what was asked for is wrong; models that work together do not read the same notation,
            or think before they answer.
    """
    judging = {name: value for name, value in options.items() if name != "think"}
    asked = [(each, options) for each in models] + ([] if prm is None else [(prm, judging)])
    opened: list[LanguageModel] = []
    for place, (each, with_options) in enumerate(asked):
        known = [model for (other, _), model in zip(asked, opened, strict=False) if other == each]
        later = dict.fromkeys(other for other, _ in asked[place + 1 :] if isinstance(other, str) and other != each)
        reserve = sum(memory_of(other, **judging) for other in later if loaded.find(other, judging) is None)
        opened += known[:1] or [_model(stack, each, with_options, reserve)]
    together = opened[: len(models)]
    if len(together) > 1:
        _check_together(together)
    return together, None if prm is None else opened[-1]


def _check_together(models: Sequence[LanguageModel]) -> None:
    for each in models:
        if each.capabilities.thinking is not None and each.capabilities.thinking.opened:
            raise InputError(f"{each.name} thinks before it answers; models that work together do not: leave out think")
        if each.capabilities.notation != models[0].capabilities.notation:
            raise InputError(f"{each.name} and {models[0].name} write in other notations; they cannot work together")


def _model(
    stack: ExitStack, model: str | LanguageModel | None, options: dict[str, Any], reserve: int = 0
) -> LanguageModel:
    if model is None or isinstance(model, str):
        return loaded.find(model, options) or _own(stack, load(model, reserve=reserve, **options))
    return model


def open_memory(stack: ExitStack, memory: str | Path | AssociativeMemory | None) -> AssociativeMemory | None:
    """The memory in a file, with the embedder that it was made with, closed with `stack`; one that is open stays open.

    Raises:
        InputError: there is no such file, or nothing in it.
    """
    if memory is None or isinstance(memory, AssociativeMemory):
        return memory
    made = f"`coat memory add FILE --memory {memory}` makes one"
    if not Path(memory).exists():
        raise InputError(f"there is no memory file {memory}; {made}")
    if Path(memory).is_file() and not Path(memory).stat().st_size:
        raise InputError(f"{memory} is empty, 0 bytes, and no memory; {made}")
    return _own(stack, AssociativeMemory(Path(memory)))


def _told_apart_by(
    models: Sequence[LanguageModel], judge: LanguageModel | None, store: AssociativeMemory | None
) -> dict[str, Any]:
    """The part of a run's configuration that says which models and which facts it was made with."""
    found: dict[str, Any]
    found = {"model": JOINED.join(each.name for each in models), "fingerprint": models[0].fingerprint}
    found |= {"other_fingerprints": [each.fingerprint for each in models[1:]]} if len(models) > 1 else {}
    found |= {} if judge is None else {"prm": judge.name, "prm_fingerprint": judge.fingerprint}
    return found | ({} if store is None else {"memory": str(store.path), "memory_state": store.revision})


def _same_run(journal: Journal, run: int, config: dict[str, Any]) -> dict[str, Any]:
    """The logged configuration of `run`, which must have been made with the same models."""
    logged = journal.config(run)
    for name in ("fingerprint", "other_fingerprints", "prm_fingerprint"):
        if logged.get(name) != config.get(name):
            raise InputError(f"run {run} was made with another {logged['model']} file or library; it cannot go on")
    return logged
