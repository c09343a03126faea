"""The prompts of a tree's nodes: what the model has read and written so far, and what it is told before it goes on.

What is appended stays: the prompt of a node begins with that of its parent, so that branches share what they decode.
"""

from coat import prompts
from coat.association import lines
from coat.judging import next_turn
from coat.models import LanguageModel, Prompt, Text
from coat.problem import Problem
from coat.result import answer_of
from coat.tasks import Notated, Task
from coat.thoughts import ENDS, STEP_END, Thoughts, begun, said
from coat.trace import Hit, Tree
from coat.usage import Usage
from search import Expand, Node, Step

Way = tuple[int, str, tuple[int, ...], tuple[str, ...]]
"""How a path goes on: after which node, by which move, about which nodes, and what else it is told."""


class Paths:
    """The prompts of one run for one of its models, which is the `number`-th; `hits` is what was recalled by node.

    What is told by the memory, and thoughts that had to be ended, are booked on `usage`.
    """

    def __init__(
        self,
        tree: Tree,
        problem: Problem,
        task: Task,
        model: LanguageModel,
        thoughts: Thoughts,
        usage: Usage,
        hits: dict[int, list[Hit]],
        number: int = 0,
    ) -> None:
        self.tree, self.problem, self.task, self.model = tree, problem, task, model
        self.thoughts, self.usage, self.hits, self._number = thoughts, usage, hits, number
        self._opened: dict[Way, Prompt] = {}

    def steps(self, node: Node) -> list[Step]:
        """The steps up to `node`."""
        return [each.step for each in self.tree.path(node.id)]

    def opened(self, node: Node) -> Prompt:
        """The prompt after which the steps below `node` are sampled."""
        here = (node.id, "", (), ())
        if here not in self._opened:
            steps = self.steps(node)
            thinking = self.thoughts.left(steps)
            self.usage.unclosed += self.thoughts.open(steps) and not thinking
            end = STEP_END if thinking else self.task.step_end[0]
            recalled = lines(self.hits.get(node.id, ()), end)
            self.usage.recalled += self._length(recalled)
            told = ("" if thinking else self.task.note(self.problem, begun(steps))) + recalled
            if steps and steps[-1].action in ENDS:
                told = self._again(end) + told
            prompt = (*self.closed(node), *self.thoughts.between(steps, self.task.step_end[0]), Text(told))
            self._opened[here] = tuple(piece for piece in prompt if not isinstance(piece, Text) or piece.text)
        return self._opened[here]

    def turned(self, request: Expand, move: prompts.Move) -> Prompt:
        """The prompt after which the user has asked for `move`; before anything was said, together with the problem."""
        here, node = way(request), self.tree[request.node]
        if here not in self._opened:
            about = (self.tree[each] for each in request.about)
            texts = (
                answer_of(self.tree, self.task, self.problem, each) if move.answers else each.step.text
                for each in about
            )
            turn = move.turn.format(*texts, *request.told)
            path = self.closed(node)
            if node.parent is None:
                last = max(at for at, piece in enumerate(path) if isinstance(piece, Text) and _says(piece))
                asked = Text(f"{path[last].text}\n\n{turn}")  # type: ignore[union-attr]
                self._opened[here] = (*path[:last], asked, *path[last + 1 :], *self.thoughts.ending([]))
            else:
                ending = self.thoughts.ending(self.steps(node))
                self._opened[here] = (*path, *ending, *next_turn(self.model, turn))
        return self._opened[here]

    def _again(self, end: str) -> str:
        """What the model is told before another attempt: the problem once more, where it knows nothing else."""
        if self.model.capabilities.notation is None:
            return prompts.REVISE + end
        return "".join(piece.text for piece in self.task.prompt(self.problem, self.model) if isinstance(piece, Text))

    def _length(self, text: str) -> int:
        """The tokens of a text, 0 where the model does not work on tokens."""
        if not text or not self.model.capabilities.tokens:
            return 0
        return len(self.model.path((Text(text),))) - len(self.model.path(()))

    def closed(self, node: Node) -> Prompt:
        """The prompt up to the end of the step at `node`."""
        if node.parent is None:
            return self.task.prompt(self.problem, self.model)
        step = node.step
        before = Expand(node.parent, 1, move=step.move, about=step.about, told=step.told)
        piece = self.thoughts.piece(self.steps(node)) if step.model == self._number else Text(step.text)
        if isinstance(piece, Text) and isinstance(self.task, Notated):
            path = said(self.steps(self.tree[node.parent]))
            piece = Text(self.task.notated(self.problem, path, piece.text))
        return (*self.before(before), piece)

    def before(self, request: Expand) -> Prompt:
        """The prompt after which what is requested is sampled."""
        move = prompts.MOVES.get(request.move)
        return self.opened(self.tree[request.node]) if move is None else self.turned(request, move)


def way(request: Expand) -> Way:
    """How `request` goes on."""
    return request.node, request.move, request.about, request.told


def _says(piece: Text) -> bool:
    """Whether a piece of a prompt says something, and is no part of the template."""
    return bool(piece.text.strip()) and not piece.control
