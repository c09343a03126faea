"""The CoAT step: how a search's requests are answered with a model, an evaluator and a memory.

Expand: recall facts for the question and the path, append them to the path as data, sample the next steps, drop what
the task forbids. Evaluate: the task's verifier for answers, the evaluator for the rest, and F_a for what was recalled.
Execute: the task runs the programs.
"""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any

from coat import auto, prompts, strategies
from coat.association import Associations
from coat.brain import Brain
from coat.errors import ContextError, IllegalStepError, InputError
from coat.journal import Run
from coat.judging import Evaluator
from coat.models import JOINED, Completion, Draw, LanguageModel, Rules, SampleRequest, Sampling
from coat.paths import Paths, Way, way
from coat.problem import Problem
from coat.result import Result, Stop, answer_of, check, choose, recalled_on
from coat.settings import Settings
from coat.steering import Edit, Steering
from coat.tasks import Programs, Task
from coat.thoughts import Thoughts, begun, check_thought, said
from coat.trace import Hit, Tree
from coat.usage import Usage
from coat.verdicts import Verdicts
from search import (
    Budget,
    Evaluate,
    Evaluation,
    Execute,
    Execution,
    Expand,
    Expansion,
    Node,
    Reply,
    Request,
    Step,
    drive,
)


class Solver:
    """One run: its tree and usage may be read while it works, by anybody; `solve` is awaited once."""

    def __init__(
        self,
        problem: Problem,
        task: Task,
        model: LanguageModel,
        evaluator: Evaluator,
        settings: Settings,
        run: Run,
        associations: Associations | None = None,
        plan: auto.Plan | None = None,
        others: Sequence[LanguageModel] = (),
    ) -> None:
        self.problem, self.task, self.settings = problem, task, settings
        self.tree, self.usage = Tree(), Usage()
        self.hits: dict[int, list[Hit]] = {}
        self.stop: Stop | None = None
        self._plan, self._strategy = plan, settings.strategy
        self._chosen: list[str] = []
        self._models, self._run = (model, *others), run
        self._step_tokens = settings.step_tokens or task.step_tokens
        most = max(settings.max_think, plan.max_think if plan else 0)
        self._thoughts = Thoughts(model.capabilities.thinking, replace(settings, max_think=most))
        self._thoughts.spend(settings)
        known = (self._thoughts, self.usage, self.hits)
        paths = (Paths(self.tree, problem, task, each, *known, number) for number, each in enumerate(self._models))
        self._path_of = tuple(paths)
        self._paths = self._path_of[0]
        self._brain = Brain(self._paths, settings, run, associations)
        self._verdicts = Verdicts(self._paths, evaluator, self._brain, settings)
        moves = (prompts.MOVES[name].most(settings.step_tokens) for name in strategies.get(settings.strategy).moves)
        longest = max(self._step_tokens, self._thoughts.step_tokens, *moves)
        self._budget = Budget(settings.tokens, longest + evaluator.cost(longest) + self._brain.cost)
        if settings.tokens is not None and settings.tokens < self._budget.cost:
            raise InputError(
                f"{settings.tokens} tokens are too few: one step with its judgement may take {self._budget.cost};"
                " raise --tokens, or shorten steps with --step-tokens"
            )
        self.steering = Steering(self._paths, self._read, run, settings, self._budget, associations)
        self._recalled: dict[int, asyncio.Future[list[Hit]]] = {}
        self._drawn: dict[int, int] = {}
        self._seen: dict[tuple[int, Way], tuple[Draw, ...]] = {}
        self._draws: dict[int, tuple[Draw, ...]] = {}
        self._context_full = False
        self._work: asyncio.Task[Any] | None = None
        self._interrupted = False
        self._issued = 0
        self._live = asyncio.Event()

    @property
    def seconds(self) -> float:
        """Seconds of work, earlier sittings included, pauses not."""
        return self.usage.seconds or self._run.seconds

    @property
    def replies(self) -> int:
        """How many replies the search has had."""
        return self._run.replies

    @property
    def tokens(self) -> int | None:
        """The token budget by now."""
        return self._budget.tokens

    @property
    def model_name(self) -> str:
        """The names of the models."""
        return JOINED.join(each.name for each in self._models)

    def interrupt(self) -> None:
        """End the search with the best answer so far; to be called on its event loop."""
        self._interrupted = True
        if self._work is not None:
            self._work.cancel()

    async def solve(self) -> Result:
        """Search until there is an answer or a budget ends; being cancelled ends it with the best answer so far.

        Raises:
            ContextError: the problem itself does not fit into the model's context.
            CoatError: whatever else the model or the memory says.
        """
        depth = self.task.depth(self.problem)
        known = (self.tree, self.settings, depth, self._budget, self._key)
        search = (
            strategies.make(*known, models=len(self._models))
            if self._plan is None
            else auto.make(*known, self._plan, self._take)
        )
        self._work = asyncio.current_task()
        if self._interrupted:
            self.stop = "interrupted"
        elif self._run.stopped_here:
            self.stop = "seconds"
        try:
            async with asyncio.timeout(None) as self._timeout:
                self._wind_clock()
                if self.stop is None and await drive(search, self._perform, self._deliver, self._permit):
                    self.stop = self.stop or self._own_end()
        except TimeoutError:
            self.stop = self.stop or "seconds"
        except asyncio.CancelledError:
            self.stop = self.stop or "interrupted"
        finally:
            self.steering.end(self.stop or "exhausted")
            for recall in self._recalled.values():
                recall.cancel()
        self.usage.seconds = self._run.seconds
        node, answer, confidence = choose(self.tree, self.task, self.problem, self.settings)
        kept = None
        if self.settings.remember and answer is not None:
            kept = await self._brain.remember(node, answer)
        result = self._result(node, answer, confidence, kept)
        self._run.end(result.stop, result.as_dict())
        return result

    def _wind_clock(self) -> None:
        """Once everything logged is replayed: let new requests start, and the clock interrupt those that take long."""
        if self._run.replaying:
            return
        self.steering.live.set()
        if self.stop is None:
            self._live.set()
        if self.steering.seconds is not None:
            left = self.steering.seconds - self._run.seconds
            self._timeout.reschedule(asyncio.get_running_loop().time() + left)

    async def _permit(self) -> None:
        """Wait for leave to deliver the next reply; while somebody pauses the search, its clock stands still.

        What is replayed needs no leave.
        """
        self.steering.catch_up()
        if self.steering.gate.paused and not self._run.replaying:
            self._timeout.reschedule(None)
            with self._run.held():
                await self.steering.gate.wait()
        self._wind_clock()

    async def steer(self, do: str, by: str, **what: Any) -> Edit:
        """Do something to the search between two replies; see `coat.steering`.

        Raises:
            InputError: it cannot be done; nothing was.
        """
        edit = await self.steering.do(do, by, **what)
        if do == "budget" and not self.steering.gate.paused:
            self._wind_clock()
        return edit

    def _own_end(self) -> Stop:
        """Why a search that ended by itself did."""
        if self._budget.refused:
            return "tokens"
        if self._context_full or self._verdicts.context_full:
            return "context"
        return "simulations" if self.tree[0].available else "exhausted"

    def _deliver(self, request: Request, reply: Reply) -> bool:
        """Log a reply just before the search has it; whether the run is to stop here."""
        seconds = self._run.delivered()
        if self._run.stopped_here or seconds >= (self.steering.seconds or seconds + 1):
            self.stop = "seconds"
        if isinstance(request, Expand) and isinstance(reply, Expansion):
            drawn = (request.model, way(request))
            self._seen[drawn] = self._seen.get(drawn, ()) + self._draws.pop(id(request), ())
            last = self.tree[request.node]
            if last.parent is not None and any(map(self._takes_back, reply.steps)):
                self._brain.observe(last, last.judged or 0.0, False)
        if isinstance(request, Evaluate) and isinstance(reply, Evaluation):
            for node, value, parts in zip(request.nodes, reply.values, reply.parts, strict=True):
                self._note(self.tree[node], value, parts)
        self._wind_clock()
        return self.stop is not None

    def _note(self, node: Node, value: float, parts: dict[str, float]) -> None:
        """Keep an answer that was verified for the other branches, and stop at one that is right or good enough."""
        answers = node.step.action == "answer"
        verdict = bool(parts["verifier"]) if answers and self.settings.verify and "verifier" in parts else None
        if verdict:
            self.stop = "solved"
        elif answers and self.settings.accept is not None and value >= self.settings.accept:
            self.stop = "accepted"
        if verdict is not None:
            self._brain.observe(node, value, verdict)

    def _takes_back(self, step: Step) -> bool:
        """Whether `step` is a step back that a search takes."""
        return step.action == "backtrack" and math.exp(step.logprob or 0.0) > self.settings.certainty

    def _take(self, settings: Settings, why: str) -> None:
        """Go on with what `auto` chose."""
        self.settings = settings
        self._thoughts.spend(settings)
        self._chosen.append(why)

    def _key(self, node: int) -> str:
        """What equal answers have in common with the one at `node`."""
        return self.task.key(answer_of(self.tree, self.task, self.problem, self.tree[node]))

    def _result(self, node: Node, answer: str | None, confidence: float, kept: int | None) -> Result:
        """What was found; `kept` facts of it were remembered, None where that was not asked for."""
        return Result(
            answer=answer,
            correct=check(self.tree, self.task, self.problem, node, answer),
            confidence=confidence,
            path=[each.step.text for each in self.tree.path(node.id)],
            recalled=recalled_on(self.tree, node, self.hits),
            stop=self.stop or "exhausted",
            strategy=self._strategy,
            model=self.model_name,
            seed=self.settings.seed,
            usage=self.usage,
            tree=self.tree,
            remarks=[
                *self.task.remarks(self.problem),
                *filter(None, (each.note for each in self._models)),
                *self._chosen,
                *([] if kept is None else [f"{kept} facts were remembered"]),
            ],
            run=self._run.id,
            best=tuple(each.id for each in self.tree.path(node.id)),
        )

    def _perform(self, request: Request) -> Awaitable[Reply]:
        """Answer a request. What depends on the order of requests, seeds and episodes, is settled before it waits.

        In a replay, what was out when the earlier sitting ended waits until everything before it is delivered.
        """
        logged = self._issued < self._run.logged
        self._issued += 1
        seeds: tuple[int, ...] = ()
        seen: tuple[Draw, ...] = ()
        first = False
        best = self._verdicts.best() if isinstance(request, Evaluate) else None
        if isinstance(request, Expand):
            node = self.tree[request.node]
            seeds = self._seeds(node.id, request.width)
            seen = self._seen.get((request.model, way(request)), ())
            if first := node.id not in self._recalled:
                self._recalled[node.id] = asyncio.ensure_future(self._recall(node, logged))
        return self._answer(request, seeds, seen, best, logged, first)

    async def _answer(
        self,
        request: Request,
        seeds: tuple[int, ...],
        seen: tuple[Draw, ...],
        best: Node | None,
        logged: bool,
        first: bool,
    ) -> Reply:
        await self._turn(logged)
        if isinstance(request, Expand):
            expansion = await self._expand(request, seeds, seen)
            associated = self._brain.paid.get(request.node, 0) if first else 0
            return replace(expansion, tokens=expansion.tokens + associated)
        if isinstance(request, Evaluate):
            return await self._verdicts.evaluate(request, best)
        return await self._execute(request)

    async def _turn(self, logged: bool) -> None:
        if not logged:
            await self._live.wait()

    # Expand.

    async def _expand(self, request: Expand, seeds: tuple[int, ...], seen: tuple[Draw, ...]) -> Expansion:
        node = self.tree[request.node]
        steps = self._paths.steps(node)
        hits = await self._recalled[node.id]
        account = self.usage.fork()
        move = prompts.MOVES.get(request.move)
        model, prompt = self._models[request.model], self._path_of[request.model].before(request)
        sampling = Sampling(
            max_tokens=self._step_tokens,
            stop=self.task.step_end,
            blocks=True,
            complete=self.task.step_complete,
            temperature=self._temperature(request),
            top_k=self.settings.top_k,
            top_p=self.settings.top_p,
        )
        sampling = (
            self._thoughts.sampling(steps, sampling)
            if move is None
            else replace(sampling, max_tokens=move.most(self.settings.step_tokens), stop=(), complete=())
        )
        ids = tuple(hit["id"] for hit in hits if hit["id"])
        account.expansions += 1
        try:
            distinct = request.distinct and model.capabilities.distinct
            rules = self._rules(steps) if move is None else None
            asked = SampleRequest(prompt, seeds, sampling, distinct, seen if distinct else (), rules)
            completions = await model.sample(asked, account)
            self._draws[id(request)] = tuple(each.draw for each in completions if each.draw)
        except ContextError:
            if node.parent is None:
                raise
            self._context_full = True
            return Expansion((), ids)
        finally:
            self.usage.add(account)
        found = []
        for completion in completions:
            if completion.finish == "context":
                self._context_full = True
                continue
            try:
                step = self._read(steps, completion) if move is None else _moved(request, move, completion)
                found.append(replace(step, model=request.model))
            except IllegalStepError:
                self.usage.illegal += 1
        return Expansion(tuple(found), ids, account.spent)

    def _read(self, steps: Sequence[Step], completion: Completion) -> Step:
        """What the model wrote after `steps`, as the next; IllegalStepError where the rules forbid it."""
        cost = (completion.tokens, completion.logprob, completion.generated)
        if self._thoughts.left(steps) or self._thoughts.begins(completion.text):
            return Step(check_thought(steps, completion.text), "think", *cost, thought=True)
        path = begun(steps)
        action, text = self.task.parse(self.problem, path, completion.text, completion.finish == "eos")
        state = self.task.state(self.problem, [*path, text]) if action in ("think", "recall") else ""
        return Step(text, action, *cost, state)

    def _rules(self, steps: Sequence[Step]) -> Rules | None:
        """The task's rules for what follows `steps`, by which it ends as soon as it breaks one; a thought has none."""
        free = not self.settings.rules or self._thoughts.left(steps)
        possible = None if free else self.task.possible(self.problem, begun(steps))
        return None if possible is None else Rules(self.task.name, possible)

    def _temperature(self, request: Expand) -> float:
        asked = (request.temperature, self.settings.temperature, self.task.temperature)
        return next(each for each in asked if each is not None)

    def _seeds(self, node: int, width: int) -> tuple[int, ...]:
        """Seeds for the next samples at `node`: a hash of the search's seed, the node, and which sample it is."""
        first = self._drawn.get(node, 0)
        self._drawn[node] = first + width
        names = (f"{self.settings.seed}:{node}:{n}".encode() for n in range(first, first + width))
        return tuple(int.from_bytes(hashlib.sha256(name).digest()[:4]) for name in names)

    def _recall(self, node: Node, logged: bool) -> Awaitable[list[Hit]]:
        """What goes with the expansion of `node`; once a node, so that the path to its children stays one."""
        return self._associate(node, self._brain.episodes, logged)

    async def _associate(self, node: Node, episodes: int, logged: bool) -> list[Hit]:
        await self._turn(logged)
        return await self._brain.associate(node, episodes)

    # Execute.

    async def _execute(self, request: Execute) -> Execution:
        """What the programs do, one after another, so that none slows another down; in a replay, what they did."""
        done = self._run.executed(request.nodes, request.inputs)
        if done is None:
            task, calls = self.task, list[str]()
            assert isinstance(task, Programs)
            if request.inputs is not None:
                calls = task.calls(self.problem, self.tree[request.inputs].step.text)
            outputs = []
            for path in [said(self._paths.steps(self.tree[node])) for node in request.nodes]:
                if request.inputs is None:
                    outputs.append([await asyncio.to_thread(task.failure, self.problem, path)])
                else:
                    outputs.append(await asyncio.to_thread(task.outputs, self.problem, path, calls))
            done = {"calls": calls, "outputs": outputs}
            self._run.execute(request.nodes, request.inputs, done)
        return Execution(tuple(map(tuple, done["outputs"])), tuple(done["calls"]))


def _moved(request: Expand, move: prompts.Move, completion: Completion) -> Step:
    """What came by a move; IllegalStepError where nothing did."""
    text = completion.text.strip()
    if not text or move.reads(text) is None:
        raise IllegalStepError("the step says nothing, or not what was asked for")
    cost = (completion.tokens, completion.logprob, completion.generated)
    return Step(text, move.action, *cost, move=request.move, about=request.about, told=request.told)
