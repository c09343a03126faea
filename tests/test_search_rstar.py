"""rStar: which actions follow which, UCT, rewards by self-consistency, and mutual consistency."""

import asyncio
import random
from collections import Counter, defaultdict, deque
from typing import Any

import pytest

import coat
from coat import prompts, tasks
from coat.models import SampleRequest, Sampling
from coat.models.scripted import ScriptedModel
from coat.strategies import STRATEGIES
from coat.usage import Usage
from search import Action, Budget, Expand, Expansion, Reply, Request, Step, Tree, drive, rstar
from search.rstar import AFTER, Hunt, best_lines, cut, follow, offered, settle, share

A1, A2, A3, A4, A5 = "", "finish", "subquestion", "reanswer", "rephrase"


class Canned:
    """Replies by the text of a node and the move, a word a step, used up one by one; "=a" answers."""

    def __init__(self, tree: Tree, replies: dict[tuple[str, str], str]) -> None:
        self.tree, self.asked = tree, list[Request]()
        self.left = {name: deque(words.split()) for name, words in replies.items()}

    def __call__(self, request: Request) -> Reply:
        assert isinstance(request, Expand)
        self.asked.append(request)
        words = self.left.get((self.tree[request.node].step.text, request.move), deque())
        texts = [words.popleft() for _ in range(min(request.width, len(words)))]
        return Expansion(tuple(made(text, request.move) for text in texts), tokens=len(texts))


class Drawn:
    """Replies that depend on nothing but the node, the move and how often it was asked; each costs up to `dear`."""

    def __init__(self, tree: Tree, seed: int, dear: int = 5) -> None:
        self.tree, self.seed, self.dear, self.asked = tree, seed, dear, list[Expand]()
        self.times: Counter[tuple[int, str]] = Counter()

    def __call__(self, request: Request) -> Reply:
        assert isinstance(request, Expand)
        self.asked.append(request)
        self.times[request.node, request.move] += 1
        lot = random.Random(f"{self.seed} {request.node} {request.move} {self.times[request.node, request.move]}")
        signs = ["="] if request.move == A2 else ["", "", "=", "<"] if request.move == A1 else [""]
        words = [lot.choice(signs) + lot.choice("abc") for _ in range(lot.randint(0, request.width))]
        return Expansion(
            tuple(made(word, request.move) for word in words), tokens=lot.randint(0, self.dear * request.width)
        )


def made(word: str, move: str) -> Step:
    actions: dict[str, Action] = {"=": "answer", "<": "backtrack"}
    return Step(word, actions.get(word[0], "think"), generated=1, move=move)


def key_of(tree: Tree) -> Any:
    return lambda node: tree[node].step.text


def hunt_of(tree: Tree, depth: int = 5) -> Hunt:
    return Hunt(tree, key_of(tree), random.Random(0), depth, 1, 2, Budget(), defaultdict(set))


@pytest.mark.parametrize(
    ("moves", "actions"),
    [
        ((), {A1, A2, A3, A5}),
        ((A1,), {A1, A2, A3}),
        ((A3,), {A1, A2, A3, A4}),
        ((A3, A4), {A1, A2, A3}),
        ((A5,), {A1, A2, A3}),
        ((A1, A3, A4, A1), {A1, A2, A3}),
        ((A1, A1, A3, A4, A1), set()),  # the last level
    ],
)
def test_which_actions_follow_which(moves: tuple[str, ...], actions: set[str]) -> None:
    tree, node = Tree(), 0
    for move in moves:
        node = tree.add(node, Step("so", move=move))
    assert set(offered(tree, node, 5)) == actions


@pytest.mark.parametrize(("word", "move"), [("=a", A2), ("=a", A1), ("<", A1)])
def test_nothing_follows_an_answer_or_a_step_back(word: str, move: str) -> None:
    tree = Tree()
    assert offered(tree, tree.add(0, made(word, move)), 5) == ()


def test_all_actions_are_moves_that_the_strategy_names() -> None:
    named = set().union(*AFTER.values()) - {A1}
    assert named == set(STRATEGIES["rstar"].moves) <= set(prompts.MOVES)
    assert [name for name in named if prompts.MOVES[name].action == "answer"] == [A2]


@pytest.mark.parametrize(
    ("exploration", "visits", "followed"),
    [
        (2.0, (4, 1), 2),  # 0.5 + 2·sqrt(ln 5 / 4) = 1.77 against 0.4 + 2·sqrt(ln 5 / 1) = 2.94
        (0.0, (4, 1), 1),  # 0.5 against 0.4
        (2.0, (3, 2), 2),  # 0.5 + 2·sqrt(ln 5 / 3) = 1.96 against 0.4 + 2·sqrt(ln 5 / 2) = 2.19
        (0.2, (3, 2), 1),  # 0.65 against 0.58
        (0.0, (5, 0), 2),  # what was never visited comes first
    ],
)
def test_selection_is_uct(exploration: float, visits: tuple[int, int], followed: int) -> None:
    tree = Tree()
    for value, times in zip((0.5, 0.4), visits, strict=True):
        node = tree[tree.add(0, made("=a", A2))]
        node.value, node.visits = value, times
    tree[0].visits = 5
    hunt = hunt_of(tree)
    assert follow(hunt, exploration) == 0  # there are actions left to be tried
    hunt.tried[0].update(AFTER["root"])
    assert follow(hunt, exploration) == followed


@pytest.mark.parametrize(("parallel", "rounds"), [(1, [1, 1, 1, 1]), (3, [3, 1, 0, 0]), (4, [4, 0, 0, 0])])
def test_an_expansion_makes_one_child_for_each_action(parallel: int, rounds: list[int], play: Any) -> None:
    tree = Tree()
    answer = Canned(tree, {("", A1): "<", ("", A2): "=x", ("", A3): "<", ("", A5): "<"})
    asked = play(rstar(tree, key=key_of(tree), simulations=1, parallel=parallel, checks=1), answer)
    assert answer.asked[:4] == [Expand(0, 1, move=move) for move in (A1, A2, A3, A5)]
    assert [len(each) for each in asked[:4]] == rounds
    assert [node.step.move for node in tree.nodes[1:5]] == [A1, A2, A3, A5]


def test_a_roll_out_goes_on_by_one_action_at_a_time(play: Any) -> None:
    tree = Tree()
    answer = Canned(tree, {("", A5): "a", **{("a", move): "b" for move in (A1, A3)}, ("a", A2): "=b"})
    play(rstar(tree, key=key_of(tree), simulations=1, depth=2, checks=1), answer)
    after = [request for request in answer.asked[4:] if isinstance(request, Expand) and request.node == 1]
    assert len(after) == 1
    tree = Tree()
    answer = Canned(tree, {("", A5): "a", **{("a", move): "b" for move in (A1, A3)}, ("a", A2): "=b"})
    play(rstar(tree, key=key_of(tree), simulations=2, depth=2, checks=1), answer)
    again = [request.move for request in answer.asked[4:7] if isinstance(request, Expand) and request.node == 1]
    assert sorted(again) == sorted([A1, A2, A3])  # the second makes up for those that it lacks


def played(simulations: int, play: Any, check: str = "") -> tuple[Tree, Canned]:
    """A first answer x at once, and y after a sub-question; roll-out 1 ends in x with this seed."""
    tree, seed = Tree(), next(seed for seed in range(9) if random.Random(seed).choice([1, 2]) == 1)
    replies = {("", A2): "=x " + check, ("", A3): "q", ("q", A2): "=y " + check}
    answer = Canned(tree, replies)
    play(rstar(tree, key=key_of(tree), simulations=simulations, checks=2, seed=seed), answer)
    return tree, answer


@pytest.mark.parametrize(
    ("simulations", "visits", "root", "first"),
    [
        (1, {"=x": 1}, 1.0, 1.0),  # one answer of one
        (2, {"=x": 1, "q": 1, "=y": 1}, 0.75, 1.0),  # q was not visited; now each answer has a half
        (3, {"=x": 2, "q": 1, "=y": 1}, 2 / 3, 0.75),  # 1 against 0.5, both visited once
        (4, {"=x": 2, "q": 2, "=y": 2}, 0.625, 0.75),  # 0.75 + 2·sqrt(ln 3 / 2) = 2.23 against 0.5 + 2·sqrt(ln 3) = 2.6
    ],
)
def test_the_share_of_an_answer_is_backed_up(
    simulations: int, visits: dict[str, int], root: float, first: float, play: Any
) -> None:
    tree, _ = played(simulations, play)
    assert {node.step.text: node.visits for node in tree.nodes[1:] if node.visits} == visits
    assert (tree[0].visits, tree[0].value) == (simulations, pytest.approx(root))
    assert tree[1].value == pytest.approx(first)


def test_a_roll_out_without_an_answer_is_worth_nothing(play: Any) -> None:
    tree = Tree()
    answer = Canned(
        tree, {("", A5): "a", ("a", A1): "b", ("a", A2): "", ("a", A3): "b", ("b", A1): "c", ("b", A3): "c"}
    )
    play(rstar(tree, key=key_of(tree), simulations=3, depth=2), answer)
    assert (tree[0].visits, tree[0].value, tree.depth) == (3, 0.0, 2)
    assert not any(request.width > 1 for request in answer.asked if isinstance(request, Expand))  # nothing to check


def test_every_distinct_answer_is_completed_again_from_a_cut(play: Any) -> None:
    tree, answer = played(2, play, check="=x =w")
    checks = [request for request in answer.asked if isinstance(request, Expand) and request.width > 1]
    assert [(request.width, request.move) for request in checks] == [(2, A2), (2, A2)]
    assert checks[0].node == 0  # x has but one step
    assert checks[1].node in (0, 2)
    x, y = (node for node in tree.terminals() if node.id < 6 and node.parts)
    assert (x.judged, x.parts) == (0.25, {"consistency": 0.5, "agreement": 0.5})
    assert (y.judged, y.parts) == (0.0, {"consistency": 0.5, "agreement": 0.0})
    assert [node.judged for node in tree.terminals() if not node.parts] == [None] * (len(tree.terminals()) - 2)


@pytest.mark.parametrize(
    ("agreements", "worths"),
    [
        ([0.5, 1.0], [0.3, 0.4]),  # both are kept
        ([0.25, 0.75], [0.0, 0.3]),
        ([0.25, 0.125], [0.15, 0.05]),  # none is: all stay
        ([0.0, 0.0], [0.6, 0.4]),  # nobody agrees
        ([0.5], [0.3, 0.0]),  # the second was not checked
        ([], [0.6, 0.4]),
    ],
)
def test_who_is_kept_and_what_that_is_worth(agreements: list[float], worths: list[float]) -> None:
    tree = Tree()
    for word in ("=x", "=x", "=x", "=y", "=y"):
        tree.add(0, made(word, A2))
    share(tree, key_of(tree))
    assert [node.judged for node in tree.nodes] == [None, 0.6, 0.6, 0.6, 0.4, 0.4]
    lines = best_lines(tree, key_of(tree))
    assert lines == [1, 4]
    settle(tree, lines, agreements)
    assert [tree[line].judged for line in lines] == pytest.approx(worths)
    assert [tree[node].judged for node in (2, 3, 5)] == [None] * 3
    assert ["agreement" in tree[line].parts for line in lines] == [len(agreements) > 0, len(agreements) > 1]


def test_an_answer_is_checked_on_its_best_line() -> None:
    tree = Tree()
    for word, value, visits in (("=x", 0.2, 1), ("=y", 0.9, 1), ("=x", 0.4, 1), ("=x", 0.4, 2), ("=y", 0.9, 1)):
        node = tree[tree.add(0, made(word, A2))]
        node.value, node.visits = value, visits
    share(tree, key_of(tree))
    assert best_lines(tree, key_of(tree)) == [4, 2]


@pytest.mark.parametrize(("steps", "kept"), [(1, {0}), (2, {0, 1}), (5, {1, 2, 3}), (10, {2, 3, 4, 5, 6, 7})])
def test_a_trajectory_is_cut_between_a_fifth_and_four_fifths(steps: int, kept: set[int]) -> None:
    tree, node = Tree(), 0
    for _ in range(steps):
        node = tree.add(node, Step("so"))
    assert {cut(tree, node, random.Random(seed)) for seed in range(200)} == kept


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tokens", [None, 3, 40, 150, 400])
def test_the_tree_is_the_same_however_many_requests_are_out(seed: int, tokens: int | None, play: Any) -> None:
    trees = []
    for parallel in (1, 2, 5):
        tree, budget = Tree(), Budget(tokens, cost=5)
        search = rstar(tree, key=key_of(tree), parallel=parallel, depth=4, seed=seed, budget=budget)
        rounds, out = play(search, Drawn(tree, seed)), 0
        for asked in rounds:
            out += len(asked)
            assert out <= parallel
            out -= 1
        assert tree.depth <= 4
        assert budget.reserved == 0
        assert tokens is None or budget.spent <= tokens
        trees.append((tree.to_dict(), budget.spent, budget.refused))
    assert trees[0] == trees[1] == trees[2]


def test_the_tree_depends_on_no_timing_but_on_the_seed() -> None:
    def grown(seed: int, delays: int) -> dict[str, Any]:
        tree, lot = Tree(), random.Random(delays)
        answer = Drawn(tree, 3)

        async def perform(request: Request) -> Reply:
            reply = answer(request)
            for _ in range(lot.randint(0, 5)):
                await asyncio.sleep(0)
            return reply

        asyncio.run(drive(rstar(tree, key=key_of(tree), parallel=4, seed=seed), perform))
        return tree.to_dict()

    assert grown(0, 1) == grown(0, 2) == grown(0, 3)
    assert grown(0, 1) != grown(1, 1)


def test_roll_outs_leave_tokens_to_the_checks(play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=60, cost=5)
    answer = Drawn(tree, 1)
    play(rstar(tree, key=key_of(tree), simulations=99, checks=2, budget=budget), answer)
    widths = [request.width for request in answer.asked]
    assert budget.refused  # the roll-outs were
    assert widths.index(2) > 4
    assert any("agreement" in node.parts for node in tree.terminals())


def reply(prompt: str, seed: int, sampling: Sampling) -> str:
    """Paris by most ways, Rome by sub-questions; a completion of either says Paris."""
    if prompt.endswith("was asked for.\n"):
        return "So it is.\nAnswer: Rome" if "first of all" in prompt and seed % 4 == 0 else "It is.\nAnswer: Paris"
    if "sub-question" in prompt.rstrip().splitlines()[-1]:
        return f"first of all {seed}"
    return f"say {seed}\n"


def test_a_question_is_solved() -> None:
    prompts_seen = list[str]()

    class Witness(ScriptedModel):
        async def sample(self, request: SampleRequest, usage: Usage) -> Any:
            prompts_seen.append(self._text(request.prompt))
            return await super().sample(request, usage)

    result = coat.solve("Where?", model=Witness(reply), strategy="rstar", evaluator="logprob", tokens=None, n=3)
    assert result.answer == "Paris"
    assert result.usage.evaluations == result.usage.scored == 0
    judged = {node.step.text.splitlines()[-1]: node for node in result.tree.terminals() if node.judged is not None}
    assert set(judged) == {"Answer: Paris", "Answer: Rome"}
    paris = judged["Answer: Paris"]
    assert paris.judged == pytest.approx(paris.parts["consistency"] * paris.parts["agreement"])
    assert result.tree.depth <= 5
    assert {node.step.move for node in result.tree.nodes} == {A1, A2, A3, A4, A5}
    assert any(text.endswith(f"Where?\n\n{prompts.MOVES[A5].turn}\n") for text in prompts_seen)
    again = coat.solve(
        "Where?", model=Witness(reply), strategy="rstar", evaluator="logprob", tokens=None, n=3, parallel=1
    )
    assert again.tree.to_dict() == result.tree.to_dict()


@pytest.mark.parametrize("tokens", [300, 600, 1000])
def test_a_run_keeps_to_its_tokens(tokens: int) -> None:
    model = ScriptedModel(reply)
    result = coat.solve("Where?", model=model, strategy="rstar", evaluator="logprob", tokens=tokens)
    assert result.usage.spent <= tokens
    assert result.stop == "tokens"


def test_the_strategys_own_knobs_are_the_papers() -> None:
    assert STRATEGIES["rstar"].knobs == {"simulations": 16, "exploration": 2.0, "vote": "max"}
    assert STRATEGIES["rstar"].changed["depth"] == 5


@pytest.mark.parametrize("name", ["game24", "blocksworld", "humaneval"])
def test_a_task_that_checks_its_steps_is_refused(name: str) -> None:
    with pytest.raises(coat.InputError, match=f"'rstar' does not serve the task '{name}'"):
        coat.solve(tasks.get(name).sample, task=name, strategy="rstar", model=ScriptedModel({}))
