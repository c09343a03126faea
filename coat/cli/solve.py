"""`coat solve` and `coat resume`: the tree grows on the screen, then the answer and what it cost."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coat.cli.options import (
    AsJson,
    JournalFile,
    Model,
    NoJournal,
    Offline,
    Verbose,
    given,
    loading,
    model_options,
    open_journal,
    takes,
)
from coat.errors import InputError

if TYPE_CHECKING:
    from coat.journal import Journal
    from coat.result import Result
    from coat.solving import Solving

REFRESH = 8
"""Pictures a second."""


Trace = Annotated[Path | None, typer.Option(help="Write the tree to this file, for `coat view`.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("solve")(solve)
    app.command("resume")(resume)


@takes(loaded=loading)
def solve(
    question: Annotated[str | None, typer.Argument(help="The problem, as its task reads it.")] = None,
    *,
    task: Annotated[str, typer.Option(help="The kind of problem; `coat tasks` lists them.")] = "qa",
    file: Annotated[Path | None, typer.Option(help="Read the problem from a line of this file.")] = None,
    line: Annotated[int, typer.Option(help="Which line of --file, from 1.")] = 1,
    messages: Annotated[Path | None, typer.Option(help="Read a conversation, a JSON list, from this file.")] = None,
    model: Model = None,
    strategy: Annotated[str, typer.Option(help="How to search; `coat strategies` lists them.")] = "coat",
    tuned: Annotated[Path | None, typer.Option(help="Of --strategy auto: what `coat tune --out` wrote.")] = None,
    evaluator: Annotated[
        str, typer.Option(help="self, prm, verifier, logprob, pairwise, or self:0.3,prm:0.7.")
    ] = "self",
    prm: Annotated[
        str | None, typer.Option(help="The judge of --evaluator prm or pairwise; with a head MODEL#HEAD.safetensors.")
    ] = None,
    reading: Annotated[
        str | None, typer.Option(help="Of the judge: math-shepherd, rlhflow, qwen-prm, skywork.")
    ] = None,
    memory: Annotated[Path | None, typer.Option(help="A memory file whose facts are recalled.")] = None,
    tokens: Annotated[int, typer.Option(help="The token budget, generated + scored.")] = 8192,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    simulations: Annotated[int, typer.Option(help="Stop after so many expansions.")] = 10_000,
    width: Annotated[int | None, typer.Option(help="Steps sampled in an expansion.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="Lines or samples of strategies that draw many.")] = None,
    vote: Annotated[str | None, typer.Option(help="How answers count: weighted, majority, max, chains.")] = None,
    aggregate: Annotated[str, typer.Option(help="A line's value from its steps': last, min, mean, product.")] = "last",
    adaptive: Annotated[bool, typer.Option("--adaptive", help="End a majority vote that is decided.")] = False,
    widening: Annotated[float | None, typer.Option(help="Power of its visits up to which a node is expanded.")] = None,
    certainty: Annotated[float | None, typer.Option(help="Probability above which a step back is taken.")] = None,
    keep: Annotated[int, typer.Option(help="States that a beam holds.")] = 4,
    lookahead: Annotated[int, typer.Option(help="Steps that beam and dvts look ahead.")] = 0,
    balance: Annotated[float | None, typer.Option(help="Temperature at which rebase and particles weigh.")] = None,
    posterior: Annotated[str, typer.Option(help="Of ab_mcts: gaussian or beta.")] = "gaussian",
    revisions: Annotated[int, typer.Option(help="How often `revise` revises an answer.")] = 3,
    backtracks: Annotated[int, typer.Option(help="How often self_backtracking takes steps back.")] = 1,
    rounds: Annotated[int, typer.Option(help="How often tpo asks for better answers.")] = 2,
    feedbacks: Annotated[int, typer.Option(help="Feedbacks on each draft of feedback_edit.")] = 2,
    edits: Annotated[int, typer.Option(help="Edits by each feedback of feedback_edit.")] = 2,
    parallel: Annotated[int, typer.Option(help="Requests that are out at once.")] = 4,
    seed: Annotated[int, typer.Option(help="Another seed, another search.")] = 0,
    temperature: Annotated[float | None, typer.Option(help="Of sampling; 0 is greedy; default: the task's.")] = None,
    style: Annotated[str | None, typer.Option(help="Of free steps: lines, free, draft; default: the model's.")] = None,
    step_end: Annotated[str | None, typer.Option(help="What ends a step: '\\n\\n', say; default: the task's.")] = None,
    step_tokens: Annotated[int | None, typer.Option(help="The most tokens of a step; default: the task's.")] = None,
    accept: Annotated[float | None, typer.Option(help="Stop at an answer of at least this value.")] = None,
    beta: Annotated[float, typer.Option(help="Weight of what was recalled in a step's value.")] = 0.1,
    brain: Annotated[str, typer.Option(help="Who associates: memory, model, both, none.")] = "memory",
    remember: Annotated[
        bool, typer.Option("--remember", help="Keep a verified answer and its steps as facts.")
    ] = False,
    recall: Annotated[int, typer.Option(help="Facts recalled for an expansion, at most.")] = 3,
    loaded: dict[str, Any],
    max_think: Annotated[int, typer.Option(help="Tokens after which a thought is ended.")] = 1024,
    min_think: Annotated[int, typer.Option(help="Tokens before which a thought that ends goes on.")] = 0,
    waits: Annotated[int | None, typer.Option(help="How often it goes on; default: twice with --min-think.")] = None,
    switch_penalty: Annotated[float, typer.Option(help="Off the logits of what switches a thought; 3, say.")] = 0.0,
    switch_window: Annotated[int, typer.Option(help="For so many tokens after a switch.")] = 600,
    verify: Annotated[bool, typer.Option(help="Let the task's verifier judge answers and end the search.")] = True,
    distinct: Annotated[bool, typer.Option(help="Draw siblings without replacement.")] = True,
    episodes: Annotated[bool, typer.Option(help="Enter no state that another branch has reached.")] = True,
    rules: Annotated[bool, typer.Option(help="Drop steps that break the task's rules.")] = True,
    offline: Offline = False,
    journal: JournalFile = None,
    no_journal: NoJournal = False,
    as_json: AsJson = False,
    trace: Trace = None,
    verbose: Verbose = False,
) -> None:
    """Solve one problem. Ctrl-C stops and prints the best answer so far."""
    call = {
        "question": _question(question, file, line, messages),
        "task": task,
        "model": model,
        "prm": prm,
        "memory": memory,
        "tuned": tuned,
        "model_options": model_options(loaded, model),
        "strategy": strategy,
        "evaluator": evaluator,
        "tokens": tokens,
        "seconds": seconds,
        "simulations": simulations,
        **given(width=width, widening=widening, certainty=certainty, reading=reading, vote=vote, style=style),
        "n": n,
        "aggregate": aggregate,
        "adaptive": adaptive,
        "keep": keep,
        "lookahead": lookahead,
        "balance": balance,
        "posterior": posterior,
        "revisions": revisions,
        "backtracks": backtracks,
        "rounds": rounds,
        "feedbacks": feedbacks,
        "edits": edits,
        "parallel": parallel,
        "seed": seed,
        "temperature": temperature,
        "step_end": None if step_end is None else step_end.replace("\\n", "\n").replace("\\t", "\t"),
        "step_tokens": step_tokens,
        "max_think": max_think,
        "min_think": min_think,
        "waits": waits,
        "switch_penalty": switch_penalty,
        "switch_window": switch_window,
        "accept": accept,
        "beta": beta,
        "brain": brain,
        "remember": remember,
        "recall": recall,
        "verify": verify,
        "distinct": distinct,
        "episodes": episodes,
        "rules": rules,
    }
    with closing(open_journal(journal, no_journal)) as log:
        _run(call, log, as_json, trace, verbose)


def resume(
    run: Annotated[int, typer.Argument(help="The run's number, from `coat runs`.")],
    *,
    offline: Offline = False,
    journal: JournalFile = None,
    as_json: AsJson = False,
    trace: Trace = None,
    verbose: Verbose = False,
) -> None:
    """Replay a run from the journal and go on with it."""
    with closing(open_journal(journal, False)) as log:
        config = log.config(run)
        call = {name: config[name] for name in ("question", "task", "model", "model_options")}
        call |= {"prm": config.get("prm"), "memory": config.get("memory"), "run": run} | config["settings"]
        _run(call, log, as_json, trace, verbose)


def _question(question: str | None, file: Path | None, line: int, messages: Path | None) -> str:
    if [question, file, messages].count(None) != 2:
        raise InputError("give the problem after the command, in quotes, or --file, or --messages: one of them")
    if question is not None:
        return question
    source = file or messages
    assert source is not None
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {source}: {error}") from error
    if messages is not None:
        try:
            return json.dumps({"messages": json.loads(text)}, ensure_ascii=False)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{messages} is not JSON: {error}") from error
    lines = text.splitlines()
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        raise InputError(f"{file} has {len(lines)} lines, and no problem on line {line}")
    return lines[line - 1]


def _run(call: dict[str, Any], journal: "Journal", as_json: bool, trace: Path | None, verbose: bool) -> None:
    from coat.api import start
    from coat.trace import save

    if verbose:
        _show_log()
    with start(**call, journal=journal) as solving:
        try:
            result = _watch(solving, live=not as_json and sys.stdout.isatty())
        except KeyboardInterrupt:
            solving.stop()
            result = solving.wait()
    if trace is not None:
        save(trace, solving.snapshot())
    if as_json:
        sys.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False) + "\n")
    else:
        _report(result)


def _watch(solving: "Solving", live: bool) -> "Result":
    """Wait for the result; with the tree growing on the screen where there is one."""
    if not live:
        return solving.wait()
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from coat.cli.show import tree_picture

    console = Console()

    def picture() -> Group:
        tree = tree_picture(solving.tree, solving.problem.question, max(4, console.height - 4))
        usage, limit = solving.usage, solving.settings.tokens
        budget = f" of {limit}" if limit else ""
        clock = f" of {solving.settings.seconds:g}" if solving.settings.seconds else ""
        status = f"{usage.spent}{budget} tokens  {usage.expansions} expansions  {usage.illegal} illegal  "
        return Group(tree, Text(f"{status}{solving.seconds:.0f}{clock} s  Ctrl-C stops", style="dim"))

    with Live(picture(), console=console, refresh_per_second=REFRESH, transient=True) as screen:
        while not solving.done:
            try:
                solving.wait(1 / REFRESH)
            except TimeoutError:
                screen.update(picture())
    return solving.wait()


def _report(result: "Result") -> None:
    from rich.console import Console

    from coat.cli.show import report, tree_picture

    console = Console()
    best = result.best[-1] if result.best else None
    console.print(tree_picture(result.tree, "", max(4, console.height - 12), best))
    console.print(report(result.as_dict()))


def _show_log() -> None:
    import logging

    logger = logging.getLogger("coat.llama")
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.DEBUG)
