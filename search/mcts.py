"""Monte Carlo tree search over reasoning steps, with stepping back as an action of its own.

The loop is CoAT's (arXiv 2502.02390): select, expand, evaluate, back up; association happens where an `Expand` is
answered. A simulation is one expansion and the evaluation of its children. From its issue to its delivery it counts as
visits of value 0 along its path (virtual loss), so that simulations running beside it go elsewhere.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from search.backup import Backup, mean
from search.budget import Budget
from search.requests import Evaluate, Evaluation, Expand, Expansion, Request, Search
from search.selection import Select, priors, puct
from search.tree import Node, Tree


def mcts(
    tree: Tree,
    *,
    simulations: int,
    width: int = 4,
    parallel: int = 1,
    exploration: float = 1.0,
    depth: int = 16,
    select: Select = puct,
    backup: Backup = mean,
    threshold: float = 0.5,
    retries: int = 16,
    patience: int = 64,
    widening: float = 0.0,
    certainty: float = 0.0,
    episodes: bool = True,
    distinct: bool = False,
    budget: Budget | None = None,
) -> Search:
    """Grow `tree` by at most `simulations` expansions of `width` steps each, `parallel` at a time, to `depth` steps.

    A step back, the model's own or because a branch is exhausted, closes the branch and re-opens for one more
    expansion the deepest ancestor whose judged value is above `threshold`. A node is exhausted when nothing below it
    can be expanded; one that brought nothing new, which counts as a visit of value 0, is tried `retries` times in a
    row. The root is tried as long as there is nothing else to do; after `patience` expansions of it in a row that
    brought nothing new the search ends.
    A node may be expanded again whenever its visits to the power of `widening` exceed its expansions (progressive
    widening, Couëtoux et al. 2011); 0 is never. A step back is taken where the model gave it more than `certainty`.
    With `distinct` the steps below a node are drawn without replacement. With `episodes` a step to a state that another
    branch has reached is not taken: what was found there holds here.
    """
    budget = budget or Budget()
    outstanding: deque[Simulation] = deque()
    fresh: list[Request] = []
    started = 0
    take_stock(tree, depth)
    try:
        while True:
            fresh += take_up_added(tree, budget, outstanding)
            while started < simulations and len(outstanding) < parallel and tree[0].available:
                granted = budget.reserve(width, alone=not outstanding)
                if not granted:
                    break
                node = follow(tree, exploration, select)
                outstanding.append(Simulation(node, Expand(node, granted, distinct=distinct), granted))
                fresh.append(outstanding[-1].request)
                started += 1
            if not outstanding:
                return tree
            reply = yield tuple(fresh)
            fresh.clear()
            simulation = outstanding.popleft()
            simulation.tokens += reply.tokens
            alive = not closed(tree, simulation.node)
            if isinstance(reply, Evaluation):
                judge(tree, simulation.children, reply)
                if alive:
                    credit(tree, simulation.children, backup)
                    offer(tree, simulation.children, depth)
            else:
                assert isinstance(reply, Expansion)
                simulation.children = grow(tree, simulation.node, reply, certainty=certainty, episodes=episodes)
                if alive and simulation.children and not refuted(tree, simulation.node):
                    simulation.request = Evaluate(tuple(simulation.children))
                    outstanding.append(simulation)
                    fresh.append(simulation.request)
                    continue
            lift(tree, [simulation.node])
            budget.settle(simulation.width, simulation.tokens)
            if alive:
                conclude(tree, simulation.node, depth, retries, backup, threshold)
            widen(tree, simulation.node, widening, retries)
            if not tree[0].available and not tree[0].pending and tree[0].barren < patience:
                reopen(tree, 0)
    finally:
        lift(tree, [each.node for each in outstanding])


def take_stock(tree: Tree, depth: int) -> None:
    """Count what may still be expanded in `tree`, which an earlier search may have grown; the root always may."""
    for node in tree.nodes:
        node.available = node.pending = 0
    known = [node for node in tree.nodes if (node.visits or node.parent is None) and not closed(tree, node.id)]
    offer(tree, [node.id for node in known for _ in range(node.expansions, node.quota)], depth)
    if not tree[0].available:
        reopen(tree, 0, extra=int(tree[0].expansions >= tree[0].quota))


@dataclass(slots=True)
class Simulation:
    """One expansion of `node` and the evaluation of its `children`: the request that is out, and what it took."""

    node: int
    request: Request
    width: int
    tokens: int = 0
    children: list[int] = field(default_factory=list)


def take_up_added(tree: Tree, budget: Budget, outstanding: deque[Simulation]) -> Iterator[Request]:
    """Ask what the nodes are worth that a person added, each as a simulation of its parent."""
    while tree.added and budget.reserve(1, alone=not outstanding):
        node = tree.added.pop(0)
        parent = tree[node].parent or 0
        for each in tree.up(parent):
            each.pending += 1
        outstanding.append(Simulation(parent, Evaluate((node,)), 1, children=[node]))
        yield outstanding[-1].request


def follow(tree: Tree, exploration: float, select: Select) -> int:
    """The node to expand next: from the root, to what is pinned, along the best scores; marked with virtual loss."""
    first = tree.pinned or 0
    if not tree[first].available or closed(tree, first):
        first = 0
    for above in tree.up(first)[1:]:
        above.pending += 1
        above.available -= 1
    nodes, node = tree.nodes, tree[first]
    while True:
        total = node.visits + node.pending
        node.pending += 1
        node.available -= 1
        if node.expansions < node.quota:
            node.expansions += 1
            return node.id
        parent, best = node, -math.inf
        for each in parent.children:
            child = nodes[each]
            if child.available:
                visits = child.visits + child.pending
                score = select(child.value * child.visits / visits, visits, child.prior, total, exploration)
                if score > best:
                    node, best = child, score
        assert node is not parent, "a node that counts expansions below it has a child to follow"


def grow(tree: Tree, node: int, expansion: Expansion, *, certainty: float = 0.0, episodes: bool = False) -> list[int]:
    """Add what is new among the steps; the ids of the children to be evaluated.

    A step that a sibling already holds is merged into it, with `episodes` also one to a state known anywhere. A step
    back is added as a closed node and not evaluated; one with a probability of no more than `certainty` is dropped.
    """
    known = {(tree[child].step.action, tree[child].step.text) for child in tree[node].children}
    tree[node].recalled += tuple(fact for fact in expansion.recalled if fact not in tree[node].recalled)
    added = []
    for step in expansion.steps:
        if (step.action, step.text) in known or (episodes and step.state and step.state in tree.states):
            continue
        if step.action == "backtrack" and math.exp(step.logprob or 0.0) <= certainty:
            continue
        known.add((step.action, step.text))
        child = tree.add(node, step)
        if tree[child].status != "dead":
            added.append(child)
    tree[node].barren = 0 if added else tree[node].barren + 1
    weigh_priors(tree, node)
    return added


def weigh_priors(tree: Tree, node: int) -> None:
    """The priors of the children of `node`: the softmax of the mean log-probabilities of their steps' tokens."""
    siblings = [tree[child] for child in tree[node].children]
    for sibling, prior in zip(siblings, priors([each.step.mean_logprob for each in siblings]), strict=True):
        sibling.prior = prior


def judge(tree: Tree, nodes: Sequence[int], evaluation: Evaluation) -> None:
    """Note what the evaluator said of `nodes`."""
    parts = evaluation.parts or ({},) * len(nodes)
    for node, value, part in zip(nodes, evaluation.values, parts, strict=True):
        tree[node].judged, tree[node].parts = value, part


def credit(tree: Tree, nodes: Sequence[int], backup: Backup) -> None:
    """Back up the judged values of those of `nodes` that are not closed."""
    for node in nodes:
        if tree[node].status != "dead":
            backup(tree, node, tree[node].judged or 0.0)


def offer(tree: Tree, nodes: Sequence[int], depth: int, *, extra: int = 0) -> None:
    """Let those of `nodes`, which lie in no closed branch, be expanded that are open and above the last level."""
    for node in nodes:
        if tree[node].status == "open" and tree[node].depth < depth:
            reopen(tree, node, extra=extra)


def conclude(tree: Tree, node: int, depth: int, retries: int, backup: Backup, threshold: float) -> None:
    """After an expansion of `node`, which lies in no closed branch: try it again, or step back.

    One that brought nothing new counts as a visit of value 0.
    """
    if worth_a_retry(tree, node, retries):
        offer(tree, [node], depth, extra=1)
    if tree[node].barren and not refuted(tree, node):
        backup(tree, node, 0.0)
    step_back(tree, node, backup, threshold)


def worth_a_retry(tree: Tree, node: int, retries: int) -> bool:
    """Whether nothing below `node` is left to do, but it brought something new in its last `retries` expansions."""
    each = tree[node]
    return node > 0 and each.barren < retries and not (each.available or each.pending or refuted(tree, node))


def widen(tree: Tree, node: int, widening: float, retries: int) -> None:
    """Allow another expansion of the nodes on the path to `node` that were visited often enough since their last."""
    for each in tree.up(node) if widening else ():
        enough = each.quota <= each.expansions < each.visits**widening
        if enough and each.barren < retries and not closed(tree, each.id) and not refuted(tree, each.id):
            reopen(tree, each.id)


def step_back(tree: Tree, node: int, backup: Backup, threshold: float) -> None:
    """Close the branch at `node` where the model stepped back or nothing is left to expand, and re-open an ancestor.

    Ancestors with nothing left are closed too, but stepping back ends at the first that is worth another expansion.
    """
    wrong, last = refuted(tree, node), None
    if not wrong and (tree[node].available or tree[node].pending):
        return
    for each in tree.up(node)[:-1]:
        if wrong and each.id == node:
            backup(tree, node, 0.0)
        elif each.available or each.pending or (wrong and (each.judged or 0.0) > threshold):
            break
        close(tree, each)
        last = each
    if last is None:
        return
    for each in tree.up(last.id)[1:]:
        if each.parent is None or (each.judged or 0.0) > threshold:
            reopen(tree, each.id)
            return


def reopen(tree: Tree, node: int, *, extra: int = 1) -> None:
    """Allow `node` one expansion more; a new node's first is within its quota, so that `extra` is 0."""
    tree[node].quota += extra
    for each in tree.up(node):
        each.available += 1


def close(tree: Tree, node: Node) -> None:
    """Take `node` and everything below it out of the search."""
    node.status = "dead"
    left = node.available
    for each in tree.up(node.id):
        each.available -= left


def refuted(tree: Tree, node: int) -> bool:
    """Whether the model stepped back from `node`; at the root there is no step to take back."""
    return node > 0 and any(tree[child].step.action == "backtrack" for child in tree[node].children)


def closed(tree: Tree, node: int) -> bool:
    """Whether `node` lies in a closed branch."""
    nodes, current = tree.nodes, tree[node]
    while current.status != "dead" and current.parent is not None:
        current = nodes[current.parent]
    return current.status == "dead"


def lift(tree: Tree, nodes: Sequence[int]) -> None:
    """Take one virtual loss off the path to each of `nodes`."""
    for node in nodes:
        for each in tree.up(node):
            each.pending -= 1
