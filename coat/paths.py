"""The prompts of a tree's nodes: what the model has read and written so far, and what it is told before it goes on.

What is appended stays: the prompt of a node begins with that of its parent, so that branches share what they decode.
"""

from coat import prompts
from coat.association import lines
from coat.judging import next_turn
from coat.models import LanguageModel, Prompt, Text
from coat.problem import Problem
from coat.result import answer_of
from coat.tasks import Task
from coat.thoughts import ENDS, STEP_END, Thoughts, begun
from coat.trace import Hits, Tree
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
        hits: Hits,
        number: int = 0,
    ) -> None:
        self._tree, self._problem, self._task, self._model = tree, problem, task, model
        self._thoughts, self._usage, self._hits, self._number = thoughts, usage, hits, number
        self._opened: dict[Way, Prompt] = {}

    def steps(self, node: Node) -> list[Step]:
        """The steps up to `node`."""
        return [each.step for each in self._tree.path(node.id)]

    def opened(self, node: Node) -> Prompt:
        """The prompt after which the steps below `node` are sampled."""
        here = (node.id, "", (), ())
        if here not in self._opened:
            steps = self.steps(node)
            thinking = self._thoughts.left(steps)
            self._usage.unclosed += self._thoughts.open(steps) and not thinking
            end = STEP_END if thinking else self._task.step_end[0]
            recalled = lines(self._hits.get(node.id, ()), end)
            self._usage.recalled += self._length(recalled)
            told = ("" if thinking else self._task.note(self._problem, begun(steps))) + recalled
            if steps and steps[-1].action in ENDS:
                told = self._again(end) + told
            prompt = (*self.closed(node), *self._thoughts.between(steps, self._task.step_end[0]), Text(told))
            self._opened[here] = tuple(piece for piece in prompt if not isinstance(piece, Text) or piece.text)
        return self._opened[here]

    def turned(self, request: Expand, move: prompts.Move) -> Prompt:
        """The prompt after which the user has asked for `move`; before anything was said, together with the problem."""
        here, node = way(request), self._tree[request.node]
        if here not in self._opened:
            about = (self._tree[each] for each in request.about)
            texts = (
                answer_of(self._tree, self._task, self._problem, each) if move.answers else each.step.text
                for each in about
            )
            turn = move.turn.format(*texts, *request.told)
            path = self.closed(node)
            if node.parent is None:
                last = max(at for at, piece in enumerate(path) if isinstance(piece, Text) and _says(piece))
                asked = Text(f"{path[last].text}\n\n{turn}")  # type: ignore[union-attr]
                self._opened[here] = (*path[:last], asked, *path[last + 1 :], *self._thoughts.ending([]))
            else:
                ending = self._thoughts.ending(self.steps(node))
                self._opened[here] = (*path, *ending, *next_turn(self._model, turn))
        return self._opened[here]

    def _again(self, end: str) -> str:
        """What the model is told before another attempt: the problem once more, where it knows nothing else."""
        if self._model.capabilities.notation is None:
            return prompts.REVISE + end
        return "".join(piece.text for piece in self._task.prompt(self._problem, self._model) if isinstance(piece, Text))

    def _length(self, text: str) -> int:
        """The tokens of a text, 0 where the model does not work on tokens."""
        if not text or not self._model.capabilities.tokens:
            return 0
        return len(self._model.path((Text(text),))) - len(self._model.path(()))

    def closed(self, node: Node) -> Prompt:
        """The prompt up to the end of the step at `node`."""
        if node.parent is None:
            return self._task.prompt(self._problem, self._model)
        step = node.step
        before = Expand(node.parent, 1, move=step.move, about=step.about, told=step.told)
        piece = self._thoughts.piece(self.steps(node)) if step.model == self._number else Text(step.text)
        return (*self.before(before), piece)

    def before(self, request: Expand) -> Prompt:
        """The prompt after which what is requested is sampled."""
        move = prompts.MOVES.get(request.move)
        return self.opened(self._tree[request.node]) if move is None else self.turned(request, move)


def way(request: Expand) -> Way:
    """How `request` goes on."""
    return request.node, request.move, request.about, request.told


def _says(piece: Text) -> bool:
    """Whether a piece of a prompt says something, and is no part of the template."""
    return bool(piece.text.strip()) and not piece.control
