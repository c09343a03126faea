"""The tree of a search: an append-only list of nodes, plain data that any algorithm may grow."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

Action = Literal["think", "recall", "backtrack", "answer"]
Status = Literal["open", "terminal", "dead"]

STATUS: dict[Action, Status] = {"think": "open", "recall": "open", "backtrack": "dead", "answer": "terminal"}
"""The status that a step's action gives to its new node."""


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of reasoning.

    `tokens` are the model's ids (empty where it gives none); `logprob` is the sum of their natural log-probabilities,
    None where unknown; `generated` counts the tokens it cost. `state` is what paths share that have the same future,
    empty where that is unknown. `thought`: it lies in a reasoning model's thought, and counts for no depth. `move`,
    `about`, `told` and `model` are those of the request that it came by. `author` wrote it; empty is the model.
    """

    text: str
    action: Action = "think"
    tokens: tuple[int, ...] = ()
    logprob: float | None = None
    generated: int = 0
    state: str = ""
    thought: bool = False
    move: str = ""
    about: tuple[int, ...] = ()
    told: tuple[str, ...] = ()
    model: int = 0
    author: str = ""

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of a token; 0 where it is unknown."""
        return 0.0 if self.logprob is None else self.logprob / max(1, self.generated)


@dataclass(slots=True)
class Node:
    """A step in the tree.

    `value` is the mean (or what the backup makes) of the values backed up through the node, `visits` their number;
    `judged` is what the evaluator itself said of the path that ends here, None until it has. `pending` counts requests
    issued below and not yet delivered (virtual loss); `quota` is how often the node may be expanded, `expansions` how
    often it was, `available` how many expansions are left at or below it, and `barren` how many in a row
    brought nothing new. `parts` are the components of `judged` by name, `recalled` the ids of the facts recalled for
    its expansion.
    """

    id: int
    parent: int | None
    step: Step
    depth: int
    prior: float = 1.0
    visits: int = 0
    value: float = 0.0
    judged: float | None = None
    status: Status = "open"
    pending: int = 0
    quota: int = 1
    expansions: int = 0
    available: int = 0
    barren: int = 0
    children: list[int] = field(default_factory=list)
    recalled: tuple[int, ...] = ()
    parts: dict[str, float] = field(default_factory=dict)


class Tree:
    """Nodes by id; node 0 is the root, an empty step, and a parent's id is below its child's.

    `states` are those of all its steps. What a person did to it (`search.steering`): `added` are nodes that the search
    has not taken up yet, `pruned` those in branches that are closed for good, and `pinned` is the node below which
    alone it is to search, if any.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = [Node(0, None, Step(""), 0)]
        self.states: set[str] = set()
        self.added: list[int] = []
        self.pruned: set[int] = set()
        self.pinned: int | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, node: int) -> Node:
        return self.nodes[node]

    def add(self, parent: int, step: Step) -> int:
        """Append a child of `parent`; its id. Below what is pruned it is too."""
        depth = self.nodes[parent].depth + (not step.thought)
        node = Node(len(self.nodes), parent, step, depth, status=STATUS[step.action])
        if parent in self.pruned:
            self.pruned.add(node.id)
            node.status = "dead"
        self.nodes.append(node)
        self.states.add(step.state)
        self.nodes[parent].children.append(node.id)
        return node.id

    def up(self, node: int) -> list[Node]:
        """The node and its ancestors, the root last."""
        nodes, current = self.nodes, self.nodes[node]
        chain = [current]
        while current.parent is not None:
            current = nodes[current.parent]
            chain.append(current)
        return chain

    def path(self, node: int) -> list[Node]:
        """The nodes from below the root to `node`."""
        return self.up(node)[-2::-1]

    def within(self, node: int, top: int | None) -> bool:
        """Whether `node` is `top` or lies below it; everything lies below None."""
        return top is None or any(each.id == top for each in self.up(node))

    def terminals(self) -> list[Node]:
        """The nodes that end a line of reasoning with an answer."""
        return [node for node in self.nodes if node.status == "terminal"]

    @property
    def depth(self) -> int:
        """The depth of the deepest node; the root's is 0."""
        return max(node.depth for node in self.nodes)

    @property
    def backtracks(self) -> int:
        """How often stepping back was an action."""
        return sum(node.step.action == "backtrack" for node in self.nodes)

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON-ready data; `from_dict` reads it back."""
        return {"nodes": [_node_dict(node) for node in self.nodes]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The tree that `to_dict` wrote.

        Raises:
            ValueError: the data is no tree.
        """
        tree = cls()
        try:
            tree.nodes = [_node_from(entry) for entry in data["nodes"]]
            for number in range(len(tree)):
                _check(tree, number)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a tree: {error!r}") from error
        if not tree.nodes:
            raise ValueError("not a tree: it has no root")
        for node in tree.nodes[1:]:
            tree.nodes[node.parent].children.append(node.id)  # type: ignore[index]
            tree.states.add(node.step.state)
        return tree


SAVED = (
    "id",
    "parent",
    "depth",
    "prior",
    "visits",
    "value",
    "judged",
    "status",
    "expansions",
    "quota",
    "parts",
)


def _node_dict(node: Node) -> dict[str, Any]:
    step = node.step
    return {name: getattr(node, name) for name in SAVED} | {
        "recalled": list(node.recalled),
        "step": {"text": step.text, "action": step.action, "tokens": list(step.tokens)}
        | {"logprob": step.logprob, "generated": step.generated, "state": step.state, "thought": step.thought}
        | {"move": step.move, "about": list(step.about), "told": list(step.told), "model": step.model}
        | {"author": step.author},
    }


def _node_from(entry: dict[str, Any]) -> Node:
    given = entry["step"]
    lists = {name: tuple(given.get(name, ())) for name in ("about", "told")}
    step = Step(**{**given, "tokens": tuple(given["tokens"]), **lists})
    return Node(step=step, recalled=tuple(entry["recalled"]), **{name: entry[name] for name in SAVED})


def _check(tree: Tree, number: int) -> None:
    node = tree[number]
    if node.id != number or (node.parent is None if number else node.parent is not None):
        raise ValueError("not a tree: ids must count from 0, and the root alone has no parent")
    if node.parent is not None and not 0 <= node.parent < number:
        raise ValueError(f"not a tree: node {number} must have a parent with a lower id, not {node.parent}")
    if node.depth != (0 if node.parent is None else tree[node.parent].depth + (not node.step.thought)):
        raise ValueError(f"not a tree: node {number} cannot have depth {node.depth}")
    if node.status not in STATUS.values() or node.step.action not in STATUS:
        raise ValueError(f"not a tree: node {number} has status {node.status!r} and action {node.step.action!r}")
    numbers = (node.prior, node.visits, node.value, node.judged or 0.0, *node.parts.values())
    if not isinstance(node.step.text, str) or not all(isinstance(each, int | float) for each in numbers):
        raise ValueError(f"not a tree: node {number} needs a text for its step, and numbers for its values")
