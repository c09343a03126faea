"""The solver: budgets that hold, every reason to stop, trees that no timing changes, and runs that replay."""

import asyncio
import hashlib
import itertools
import math
import random
import re
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coat
from coat import tasks
from coat.association import Associations
from coat.errors import BackendError, ContextError
from coat.journal import Journal
from coat.models import Completion, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.scripted import ScriptedModel
from coat.result import Result
from coat.usage import Usage
from memory import AssociativeMemory, HashingEmbedder

OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else Fraction(0),
}
LINE = {
    ": 1 1 4 6\n": ["1 * 1 = 1\n"],
    ": 4 6 1\n": ["4 * 1 = 4\n"],
    ": 6 4\n": ["6 * 4 = 24\n"],
}
"""A line to 24: 10, 10 and 11 tokens with the ends of their lines."""


def play(prompt: str, seed: int, sampling: Sampling) -> str:
    """A player who draws two of the numbers left, and sometimes errs or steps back."""
    lot = random.Random(seed)
    left = [Fraction(number) for number in re.findall(r"(?:umbers|Left): ([-\d/ ]+)\n", prompt)[-1].split()]
    if len(left) < 2 or lot.random() < 0.1:
        return "Backtrack\n"
    a, b = lot.sample(left, 2)
    sign = lot.choice("+-*/")
    return f"{a} {sign} {b} = {OPERATORS[sign](a, b) + (lot.random() < 0.1)}\n"


def uneven(salt: int) -> Callable[[SampleRequest | ScoreRequest], float]:
    """Delays of up to 4 ms, others for every request and salt."""
    return lambda request: hashlib.sha256(f"{salt}{request}".encode()).digest()[0] / 64_000


class Witness(ScriptedModel):
    """The player as a model; it remembers what was drawn from it, as (prompt, seed), and with which sampling."""

    def __init__(self, replies: Any = play, **options: Any) -> None:
        super().__init__(replies, **options)
        self.drawn, self.samplings = list[tuple[str, int]](), set[Sampling]()

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        completions = await super().sample(request, usage)
        self.drawn += [(self._text(request.prompt), seed) for seed in request.seeds]
        self.samplings.add(request.sampling)
        return completions


def solve(question: str = "4 9 10 13", model: ScriptedModel | None = None, **knobs: Any) -> Result:
    knobs = {"task": "game24", "evaluator": "verifier", "simulations": 40, **knobs}
    return coat.solve(question, model=model or ScriptedModel(play), **knobs)


def opening(task: str, question: str) -> int:
    """How many tokens the prompt has before the first step."""
    model, rules = ScriptedModel({}), tasks.get(task)
    return len(model.path(rules.prompt(rules.read(question), model)))


def deeper(request: SampleRequest | ScoreRequest) -> bool:
    """Whether the prompt holds a step."""
    return any(isinstance(piece, tuple) for piece in request.prompt)


def ends(request: SampleRequest | ScoreRequest, text: str) -> bool:
    """Whether the prompt's last piece ends with `text`."""
    piece = request.prompt[-1]
    return isinstance(piece, Text) and piece.text.endswith(text)


def judge(scores: Any = None, **options: Any) -> ScriptedModel:
    return ScriptedModel({}, scores=scores or {"": {"+": 0.3, "-": 0.1}}, name="judge", **options)


# A run that can be worked out by hand.


def test_a_line_is_followed_to_its_answer() -> None:
    result = solve("1 1 4 6", Witness(LINE), width=1)
    assert result.path == ["1 * 1 = 1", "4 * 1 = 4", "6 * 4 = 24"]
    assert (result.answer, result.correct, result.stop) == ("6 * (4 * (1 * 1)) = 24", True, "solved")
    assert (result.confidence, result.recalled, result.strategy, result.seed) == (1.0, [], "coat", 0)
    usage = result.usage
    assert (usage.generated, usage.scored, usage.expansions, usage.evaluations) == (31, 0, 3, 3)
    assert [(node.judged, node.value, node.visits) for node in result.tree.nodes] == [
        (None, pytest.approx(2 / 3), 3),
        (0.5, pytest.approx(2 / 3), 3),
        (0.5, 0.75, 2),
        (1.0, 1.0, 1),
    ]


def test_the_model_reads_the_puzzle_the_steps_and_what_is_left() -> None:
    witness, task = Witness(LINE), tasks.get("game24")
    solve("1 1 4 6", witness, width=1)
    problem = task.read("1 1 4 6")
    root = witness._text(task.prompt(problem, witness))
    first, second = "1 * 1 = 1", "4 * 1 = 4"
    one = f"{root}{first}\n{task.note(problem, [first])}"
    assert [prompt for prompt, _ in witness.drawn] == [
        root,
        one,
        f"{one}{second}\n{task.note(problem, [first, second])}",
    ]
    assert {(each.max_tokens, each.stop) for each in witness.samplings} == {(24, ("\n",))}


def test_illegal_steps_are_dropped_counted_and_paid_for() -> None:
    replies = LINE | {": 4 6 1\n": ["4 * 1 = 5\n"], ": 1 1 4 6\n": ["1 * 1 = 1\n"]}
    result = solve("1 1 4 6", ScriptedModel(replies), width=2, simulations=2)
    assert [node.step.text for node in result.tree.nodes] == ["", "1 * 1 = 1"]
    assert (result.usage.illegal, result.usage.generated, result.usage.expansions) == (2, 40, 2)
    assert (result.answer, result.correct, result.confidence, result.path) == (None, False, 0.0, ["1 * 1 = 1"])


def test_what_a_judge_says_is_the_value_and_is_paid_for() -> None:
    result = solve("1 1 4 6", ScriptedModel(LINE), width=1, evaluator="prm", prm=judge(), simulations=2)
    assert [(node.judged, node.parts) for node in result.tree.nodes[1:]] == [
        (pytest.approx(0.75), {"prm": pytest.approx(0.75)})
    ] * 2
    assert result.usage.scored == len("Step 1: 1 * 1 = 1 ки") + len("Step 2: 4 * 1 = 4 ки")


def test_a_judge_that_cannot_be_read_gives_zero_and_is_counted() -> None:
    mute = ScriptedModel({}, scores={"": {"+": 1e-9, "-": 1e-9}}, name="judge")
    result = solve("1 1 4 6", ScriptedModel(LINE), width=1, evaluator="prm", prm=mute, simulations=2)
    assert [node.judged for node in result.tree.nodes[1:]] == [0.0, 0.0]
    assert result.usage.unreadable == 2


# Budgets and the reasons to stop.


@settings(max_examples=25, deadline=None)
@given(
    tokens=st.integers(120, 1500),
    width=st.integers(1, 6),
    parallel=st.integers(1, 6),
    strategy=st.sampled_from(["coat", "best_of_n", "greedy"]),
    evaluator=st.sampled_from(["verifier", "prm", "prm:0.5,logprob"]),
    seed=st.integers(0, 9),
)
def test_the_token_budget_is_never_exceeded(tokens: int, evaluator: str, **knobs: Any) -> None:
    log = Journal(None)
    for reading in ("math-shepherd", "rlhflow", "math-shepherd"):
        result = solve(
            "4 9 10 14",
            tokens=tokens,
            evaluator=evaluator,
            reading=reading,
            prm=judge() if "prm" in evaluator else None,
            journal=log,
            simulations=10_000,
            **knobs,
        )
        usage = result.usage
        assert usage.generated + usage.scored + usage.replayed <= tokens
        assert result.stop in ("tokens", "exhausted", "solved")
    log.close()


def test_a_budget_that_holds_no_step_is_refused() -> None:
    with pytest.raises(coat.InputError, match=r"23 tokens are too few: one step with its judgement may take 24; raise"):
        solve(tokens=23)
    assert solve("1 1 1 1", tokens=24).usage.spent <= 24
    assert solve("1 1 1 1", tokens=23, step_tokens=20).usage.spent <= 23


def test_tokens_end_a_search() -> None:
    result = solve("1 1 1 1", tokens=500)
    assert result.stop == "tokens"
    assert 500 - 4 * 24 < result.usage.spent <= 500


@pytest.mark.parametrize("simulations", [1, 7])
def test_simulations_end_a_search(simulations: int) -> None:
    result = solve("1 1 1 1", simulations=simulations)
    assert (result.stop, result.usage.expansions) == ("simulations", simulations)


def test_a_search_that_finds_nothing_legal_is_exhausted() -> None:
    result = solve(model=ScriptedModel(lambda *_: "1 + 1 = 3\n"), simulations=10_000)
    assert (result.stop, result.answer, result.correct, len(result.tree)) == ("exhausted", None, False, 1)


@pytest.mark.parametrize(("accept", "stop"), [(0.36, "accepted"), (0.37, "simulations"), (None, "simulations")])
def test_an_answer_that_is_good_enough_is_accepted(accept: float | None, stop: str) -> None:
    model = ScriptedModel(lambda *_: "Answer: Rome\n")  # every token has log-probability -1: exp(-1) = 0.368
    result = solve("Where?", model, task="qa", evaluator="logprob", accept=accept, width=1, simulations=3)
    assert (result.stop, result.answer, result.correct) == (stop, "Rome", None)
    assert result.usage.expansions == (1 if accept == 0.36 else 3)


def test_the_clock_ends_a_search_that_hangs() -> None:
    stuck = ScriptedModel(play, delay=lambda request: 600.0 if deeper(request) else 0.0)
    result = solve(model=stuck, seconds=0.2)
    assert result.stop == "seconds"
    assert len(result.tree) > 1
    assert result.usage.seconds >= 0.2


def test_a_context_that_is_full_ends_a_search_with_what_there_is() -> None:
    root = opening("game24", "1 1 4 6")
    result = solve("1 1 4 6", ScriptedModel(LINE, context=root + 15), width=1)
    assert (result.stop, result.answer, result.path) == ("context", None, ["1 * 1 = 1"])
    with pytest.raises(ContextError, match=f"the prompt has {root} tokens and the context holds {root}"):
        solve("1 1 4 6", ScriptedModel(LINE, context=root))


def test_a_step_that_the_context_cut_is_no_step() -> None:
    model = ScriptedModel(lambda *_: "Answer: 42\n", context=opening("qa", "6 x 7?") + len("Answer: 4"))
    result = solve("6 x 7?", model, task="qa", evaluator="logprob")
    assert (result.answer, result.stop) == (None, "context")


def test_a_judge_whose_context_is_full_ends_a_search_with_what_there_is() -> None:
    model = ScriptedModel(LINE | {": 6 4\n": ["6 + 4 = 10\n"]})
    result = solve("1 1 4 6", model, width=1, evaluator="prm", prm=judge(context=40), simulations=10_000)
    assert (result.stop, result.correct) == ("context", False)
    assert [node.step.text for node in result.tree.nodes[1:3]] == ["1 * 1 = 1", "4 * 1 = 4"]


class Reluctant(ScriptedModel):
    """A model whose other requests take a while to be cancelled."""

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        try:
            return await super().sample(request, usage)
        except asyncio.CancelledError:
            await asyncio.sleep(0.4)
            raise


def test_a_solution_stays_one_when_the_clock_runs_out_while_the_rest_is_cancelled() -> None:
    steps = {": 1 4 6\n": ["1 * 4 = 4\n", "1 + 4 = 5\n"], ": 6 4\n": ["6 * 4 = 24\n"], "": ["6 * 5 = 31\n"]}
    times = itertools.count()  # the second request for the barren branch is out when the other branch solves
    model = Reluctant(steps, delay=lambda request: 600.0 if ends(request, ": 6 5\n") and next(times) else 0.0)
    prm = judge(lambda text, sign: 0.9 if (sign == "+") == ("1 * 4" in text) else 0.1)
    result = solve("1 4 6", model, seconds=0.3, parallel=2, evaluator="prm", prm=prm)
    assert (result.correct, result.stop) == (True, "solved")


@pytest.mark.parametrize("strategy", ["greedy", "coat"])
def test_an_answer_that_is_found_with_the_last_request_solves(strategy: str) -> None:
    result = solve("1 1 4 6", ScriptedModel(LINE), strategy=strategy, simulations=3, width=1)
    assert (result.correct, result.stop) == (True, "solved")


@pytest.mark.parametrize("strategy", ["greedy", "best_of_n"])
def test_lines_that_came_to_their_end_are_not_cut_off_by_simulations(strategy: str) -> None:
    model = ScriptedModel(lambda prompt, *_: "1 + 1 = 2\n" if prompt.endswith(": 1 1 1\n") else "1 - 2 = -1\n")
    assert solve("1 1 1", model, strategy=strategy, simulations=2, width=1).stop == "exhausted"


def test_greedy_is_one_line_at_temperature_zero() -> None:
    witness = Witness(LINE)
    result = solve("1 1 4 6", witness, strategy="greedy", width=5)
    assert (result.answer, result.correct, result.usage.generated) == ("6 * (4 * (1 * 1)) = 24", True, 31)
    assert {sampling.temperature for sampling in witness.samplings} == {0.0}
    assert [node.parent for node in result.tree.nodes] == [None, 0, 1, 2]


def test_best_of_n_grows_lines_apart_and_takes_the_answer_with_most_value() -> None:
    answers = ["Answer: Rome\n", "Answer: Paris, the city of light\n", "Answer: rome.\n"]
    model = ScriptedModel({"": answers}, logprob=lambda prompt, text: -len(text) * (0.4 if "city" in text else 1.0))
    result = solve("Where?", model, task="qa", strategy="best_of_n", evaluator="logprob", width=12)
    texts = [node.step.text for node in result.tree.nodes[1:]]
    assert len(texts) == 12
    votes = {
        "Rome": math.exp(-1.0) * sum("ome" in text for text in texts),
        "Paris, the city of light": math.exp(-0.4) * sum("Paris" in text for text in texts),
    }
    assert result.answer == max(votes, key=lambda answer: votes[answer])
    assert result.confidence == pytest.approx(max(votes.values()) / sum(votes.values()))


# What timing and seeds decide.


@pytest.mark.parametrize("parallel", [1, 3, 8])
@pytest.mark.parametrize("strategy", ["coat", "best_of_n"])
def test_no_timing_changes_the_tree(strategy: str, parallel: int) -> None:
    knobs = {"strategy": strategy, "parallel": parallel, "evaluator": "prm", "accept": 1.0, "simulations": 30}
    runs = [
        solve("4 9 10 14", ScriptedModel(play, delay=uneven(salt)), prm=judge(delay=uneven(salt)), **knobs)
        for salt in range(3)
    ]
    runs.append(solve("4 9 10 14", prm=judge(), **knobs))
    assert len(runs[0].tree) > 8
    assert all(run.tree.to_dict() == runs[0].tree.to_dict() for run in runs)
    assert len({(run.answer, run.stop, run.usage.spent, run.usage.unique) for run in runs}) == 1


def test_the_same_seed_gives_the_same_tree_and_another_seed_another() -> None:
    first, same, other = (solve(seed=seed) for seed in (3, 3, 4))
    assert first.tree.to_dict() == same.tree.to_dict()
    assert first.tree.to_dict() != other.tree.to_dict()


def test_no_two_samples_of_a_search_share_a_seed() -> None:
    witness = Witness(lambda *_: "4 + 9 = 13\n")
    solve(model=witness, simulations=6, width=3)
    seeds = [seed for _, seed in witness.drawn]
    assert len(set(seeds)) == len(seeds) > 9


# Replay.


def test_a_finished_run_replays_without_a_token() -> None:
    log, parts = Journal(None), ("answer", "correct", "confidence", "path", "stop", "run")
    knobs = {"evaluator": "prm:1,logprob:1", "accept": 1.0, "parallel": 1, "journal": log}
    first = solve(prm=judge(), **knobs)
    witness, silent = Witness(), judge(fail_after=0)
    again = solve(model=witness, prm=silent, **knobs)
    assert (witness.drawn, again.usage.generated, again.usage.scored) == ([], 0, 0)
    assert again.usage.replayed == first.usage.generated + first.usage.scored
    assert again.tree.to_dict() == first.tree.to_dict()
    assert [getattr(again, part) for part in parts] == [getattr(first, part) for part in parts]
    log.close()


def test_a_replay_does_not_ask_for_what_was_out_when_the_run_ended() -> None:
    for seed in (13, 18, 20):
        log, knobs = Journal(None), {"seed": seed, "parallel": 8, "simulations": 10_000}
        first = solve("1 1 4 6", ScriptedModel(play, delay=uneven(seed)), journal=log, **knobs)
        witness = Witness()
        again = solve("1 1 4 6", witness, journal=log, **knobs)
        assert (first.stop, again.stop) == ("solved", "solved")
        assert again.tree.to_dict() == first.tree.to_dict()
        assert (witness.drawn, again.usage.generated) == ([], 0)
        log.close()


def test_a_replay_recalls_nothing_for_what_was_out_when_the_run_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    recall, recalled = Associations.recall, list[str]()

    def noted(self: Associations, question: str, *rest: Any) -> list[dict[str, Any]]:
        recalled.append(question)
        time.sleep(0.01 if rest[0] else 0)  # so that some are still at work when the run ends
        return recall(self, question, *rest)

    monkeypatch.setattr(Associations, "recall", noted)
    for seed in range(8):
        log = Journal(None)
        with AssociativeMemory(None, HashingEmbedder()) as memory:
            memory.add("1 + 1 = 2")
            knobs = {"seed": seed, "parallel": 8, "simulations": 200, "memory": memory, "journal": log}
            first = solve("1 1 4 6", ScriptedModel(play, delay=uneven(seed)), **knobs)
            time.sleep(0.05)  # for what had begun
            recalled.clear()
            again = solve("1 1 4 6", Witness(fail_after=0), **knobs)
        assert (again.stop, again.tree.to_dict(), recalled) == (first.stop, first.tree.to_dict(), [])
        log.close()


@pytest.mark.parametrize("requests", [0, 1, 5, 14, 33])
def test_a_run_that_failed_anywhere_goes_on_as_if_it_had_not(requests: int) -> None:
    log, whole, first, second = Journal(None), Witness(), Witness(fail_after=requests), Witness()
    uninterrupted = solve(model=whole)
    with pytest.raises(BackendError, match=f"after {requests} requests"):
        solve(model=first, journal=log)
    result = solve(model=second, journal=log)
    assert result.tree.to_dict() == uninterrupted.tree.to_dict()
    assert (result.stop, result.answer) == (uninterrupted.stop, uninterrupted.answer)
    assert sorted(first.drawn + second.drawn) == sorted(whole.drawn)
    assert result.usage.generated + result.usage.replayed == uninterrupted.usage.generated
    assert (result.usage.replayed > 0) is (requests > 0)
    log.close()


def test_a_stop_by_the_clock_replays_the_same() -> None:
    log = Journal(None)
    stuck = Witness(delay=lambda request: 600.0 if deeper(request) else 0.0)
    first = solve(model=stuck, journal=log, seconds=0.2)
    again = solve(model=Witness(fail_after=0), journal=log, seconds=0.2)
    assert (first.stop, again.stop) == ("seconds", "seconds")
    assert len(first.tree) > 1
    assert again.tree.to_dict() == first.tree.to_dict()
    assert (again.usage.generated, again.answer) == (0, first.answer)
    log.close()
