"""What a person does to a search while it runs: pause it, prune, pin, edit and add thoughts, change facts and budget.

What is done is logged with the number of replies that the search had had; a replay does it again at the same place.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from coat import strategies
from coat.association import Associations
from coat.errors import IllegalStepError, InputError
from coat.journal import Run
from coat.models import Completion
from coat.paths import Paths
from coat.settings import Settings, is_kind
from coat.tasks import Notated
from coat.thoughts import said
from memory import AssociativeMemoryError
from search import Budget, Node, Step, steering

Edit = dict[str, Any]
"""What was done, as plain data: who did it (`by`), what (`do`), `at` after how many replies, `seconds`, and with what.

| do | with |
|---|---|
| prune, pin | node |
| edit | node, text, new: the id of the node that was made |
| add | node, its parent; text, new |
| unpin | |
| add_fact | text, fact: its id |
| forget_fact | fact |
| budget | tokens, limit_seconds: the new totals, None for no limit |
"""
PERSON = "person"
Reader = Callable[[Sequence[Step], Completion], Step]
"""(the steps before, what was written) -> the step, as the task reads it."""


class Gate:
    """Where a search waits for leave to have its next reply, while it is `paused`."""

    def __init__(self) -> None:
        self.paused = False
        self._open = asyncio.Event()
        self._open.set()

    def pause(self) -> None:
        """Let nothing more through."""
        self.paused = True
        self._open.clear()

    def resume(self) -> None:
        """Let everything through again."""
        self.paused = False
        self._open.set()

    def step(self) -> None:
        """Let one reply through, and no more."""
        self.paused = True
        self._open.set()

    async def wait(self) -> None:
        """Wait for leave."""
        await self._open.wait()
        if self.paused:
            self._open.clear()


class Steering:
    """What is done to one run, on its event loop: `edits` in their order, `seconds` the limit of its clock by now.

    `obeyed`: whether the strategy takes up what is done to its tree. `live`: what the log holds has been replayed.
    """

    def __init__(
        self,
        paths: Paths,
        read: Reader,
        run: Run,
        settings: Settings,
        budget: Budget,
        associations: Associations | None,
    ) -> None:
        self.gate, self.edits, self.seconds = Gate(), list[Edit](), settings.seconds
        self.live = asyncio.Event()
        self.obeyed = strategies.get(settings.strategy).steered
        self._tree, self._steps, self._read = paths.tree, paths.steps, read
        self._problem, self._task = paths.problem, paths.task
        self._run, self._budget = run, budget
        self._memory, self._strategy = associations, settings.strategy
        self._over = ""

    def end(self, stop: str) -> None:
        """Refuse whatever comes now: the search has ended."""
        self._over = stop
        self.live.set()

    def catch_up(self) -> None:
        """Do what the log says was done after as many replies as the search has had now."""
        for edit in self._run.due_edits():
            self._change(edit)
            self.edits.append(edit)

    async def do(self, do: str, by: str = PERSON, **what: Any) -> Edit:
        """Carry out one edit, and log it; what the journal holds of the run is replayed before.

        Raises:
            InputError: it cannot be done; nothing was.
        """
        await self.live.wait()
        self.catch_up()
        if self._over:
            raise InputError(
                f"the search has ended ({self._over}); start another, with the same journal to pay nothing twice"
            )
        if do not in DO:
            raise InputError(f"there is no edit {do!r}; there are: {', '.join(DO)}")
        edit: Edit = {"by": by, "do": do, **what}
        if do in ("add_fact", "forget_fact"):
            edit["fact"] = await self._change_facts(edit)
        else:
            self._check(edit)
        edit |= {"at": self._run.replies, "seconds": round(self._run.seconds, 3)}
        self._change(edit)
        self._run.edited(edit)
        self.edits.append(edit)
        return edit

    def _check(self, edit: Edit) -> None:
        """Raises InputError where the tree or the budget cannot be changed like that."""
        if edit["do"] == "budget":
            self._check_budget(edit)
        elif not self.obeyed:
            others = ", ".join(name for name, each in strategies.STRATEGIES.items() if each.steered)
            raise InputError(f"the strategy {self._strategy!r} cannot be steered; these can: {others}")
        elif "node" in edit:
            self._check_node(edit)

    def _check_budget(self, edit: Edit) -> None:
        for name, kind in (("tokens", int), ("limit_seconds", float)):
            value = edit[name]
            if value is not None and not (is_kind(value, kind) and math.isfinite(value) and value > 0):
                what = name.removeprefix("limit_")
                raise InputError(f"a budget is a number of {what} above 0, or None for no limit, not {value!r}")

    def _check_node(self, edit: Edit) -> None:
        do, node = edit["do"], edit["node"]
        if not is_kind(node, int) or not 0 <= node < len(self._tree):
            raise InputError(f"there is no node {node!r}; the tree has the nodes 0 to {len(self._tree) - 1}")
        if node == 0 and do in ("prune", "edit"):
            raise InputError(f"node 0 is the problem itself; {do} a step below it")
        if any(each.status == "dead" for each in self._tree.up(node)):
            raise InputError(f"node {node} lies in a closed branch, where nothing is searched any more")
        if do in ("pin", "add") and self._tree[node].status == "terminal":
            raise InputError(f"node {node} is an answer, and nothing comes after it")
        if do in ("edit", "add"):
            self._step(edit)

    def _step(self, edit: Edit) -> Step:
        """The step that a person writes, as the task reads it."""
        text, parent = edit["text"], self._above(edit)
        if not isinstance(text, str) or not text.strip():
            raise InputError("a thought needs a text")
        steps, text = self._steps(parent), text.strip()
        try:
            written = self._task.notated(self._problem, said(steps), text) if isinstance(self._task, Notated) else text
            step = self._read(steps, Completion(written, (), None, 0, "stop"))
        except IllegalStepError as error:
            raise InputError(f"{text!r} is no step here: {error}") from error
        for child in parent.children:
            if self._tree[child].step.text == step.text and self._tree[child].step.action == step.action:
                raise InputError(f"node {child} says that already")
        return step

    def _above(self, edit: Edit) -> Node:
        """The node below which an edit puts a thought."""
        node = self._tree[edit["node"]]
        return node if edit["do"] == "add" else self._tree[node.parent or 0]

    def _change(self, edit: Edit) -> None:
        """Change the tree or the budget as `edit` says, which was checked."""
        match edit["do"]:
            case "prune":
                steering.prune(self._tree, edit["node"])
            case "pin" | "unpin":
                steering.pin(self._tree, edit.get("node"))
            case "edit" | "add":
                step = replace(self._step(edit), author=edit["by"])
                edit["new"] = steering.add(self._tree, self._above(edit).id, step)
                if edit["do"] == "edit":
                    steering.prune(self._tree, edit["node"])
            case "budget":
                self._budget.tokens, self.seconds = edit["tokens"], edit["limit_seconds"]

    async def _change_facts(self, edit: Edit) -> int:
        """Add or forget a fact in the memory, for later recalls; its id."""
        if self._memory is None:
            raise InputError("the search has no memory; start it with one to change its facts")
        try:
            if edit["do"] == "forget_fact":
                await asyncio.to_thread(self._memory.forget, edit["fact"])
                return int(edit["fact"])
            return await asyncio.to_thread(self._memory.tell, edit["text"], edit["by"])
        except AssociativeMemoryError as error:
            raise InputError(str(error)) from error


DO = ("prune", "pin", "unpin", "edit", "add", "add_fact", "forget_fact", "budget")
"""What can be done."""
