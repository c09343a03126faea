"""Monte Carlo tree search on tiny trees: what is asked for, and every visit and value, worked out by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Evaluate, Expand, Step, Tree, maximum, mcts, mean, puct, uct
from search.backup import Backup
from search.selection import Select

TWO = {"": ["a@0.6 b@0.3"], "a": ["aa@0.5 =ab@0.5"], "b": ["ba@0.5 bb@0.5"]}
WORTH = {"a": 0.4, "b": 0.7, "aa": 0.9, "=ab": 0.2, "ba": 0.1, "bb": 0.3}


def test_three_simulations_by_hand(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, TWO, WORTH)
    rounds = play(mcts(tree, simulations=3, width=2), answer)
    # Simulation 1 expands the root: priors 2/3 and 1/3, values 0.4 and 0.7.
    # 2: a scores 0.4 + 2/3 · √2 / 2 = 0.871, b scores 0.7 + 1/3 · √2 / 2 = 0.936: b.
    # 3: b is now worth (0.7 + 0.1 + 0.3) / 3; a scores 0.4 + 2/3 · √4 / 2 = 1.067, b 0.367 + 1/3 · 2 / 4 = 0.533: a.
    assert rounds == [
        [Expand(0, 2)],
        [Evaluate((1, 2))],
        [Expand(2, 2)],
        [Evaluate((3, 4))],
        [Expand(1, 2)],
        [Evaluate((5, 6))],
    ]
    assert [node.step.text for node in tree.nodes] == ["", "a", "b", "ba", "bb", "aa", "=ab"]
    assert [node.visits for node in tree.nodes] == [6, 3, 3, 1, 1, 1, 1]
    # The root: (0.4 + 0.7 + 0.1 + 0.3 + 0.9 + 0.2) / 6; a: (0.4 + 0.9 + 0.2) / 3; b: (0.7 + 0.1 + 0.3) / 3.
    assert [node.value for node in tree.nodes] == pytest.approx([2.6 / 6, 0.5, 1.1 / 3, 0.1, 0.3, 0.9, 0.2])
    assert [node.prior for node in tree.nodes] == pytest.approx([1, 2 / 3, 1 / 3, 0.5, 0.5, 0.5, 0.5])
    assert [node.judged for node in tree.nodes] == [None, 0.4, 0.7, 0.1, 0.3, 0.9, 0.2]


@pytest.mark.parametrize(
    ("select", "second"),
    # puct: a 0.4 + 0.9 · √2 / 2 = 1.04, b 0.5 + 0.1 · √2 / 2 = 0.57. uct: both get √ln 2, so that 0.5 wins.
    [(puct, "a"), (uct, "b")],
)
def test_the_formula_chooses_the_child(select: Select, second: str, world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a@0.9 b@0.1"]}, {"a": 0.4, "b": 0.5})
    play(mcts(tree, simulations=2, width=2, select=select), answer)
    assert answer.expanded == ["", second]


@pytest.mark.parametrize(
    ("backup", "third", "root"),
    # Without exploration: a is first worth 0.6, then the mean of 0.6 and 0.1, or the best of both, against b's 0.5.
    # The third expansion brings nothing, which counts as a visit of value 0.
    [(mean, "b", (0.6 + 0.5 + 0.1 + 0.0) / 4), (maximum, "aa", 0.6)],
)
def test_the_backup_decides_where_to_go_on(backup: Backup, third: str, root: float, world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b"], "a": ["aa"]}, {"a": 0.6, "b": 0.5, "aa": 0.1})
    play(mcts(tree, simulations=3, width=2, exploration=0, backup=backup), answer)
    assert answer.expanded == ["", "a", third]
    assert tree[0].value == pytest.approx(root)


def branching() -> Tree:
    """A root with branches a (0.6, prior 0.5) and b (0.13, prior 0.9), each expanded once and with open children."""
    tree = Tree()
    for parent, text, value in ((0, "a", 0.6), (0, "b", 0.13), (1, "aa", 0.6), (1, "ab", 0.6), (2, "ba", 0.13)):
        node = tree[tree.add(parent, Step(text))]
        node.judged = value
        mean(tree, node.id, value)
    mean(tree, 2, 0.13)
    tree[1].prior, tree[2].prior = 0.5, 0.9
    for node in tree.nodes[:3]:
        node.expansions = 1
    return tree


def test_virtual_loss_sends_the_next_simulation_elsewhere() -> None:
    tree = branching()
    search = mcts(tree, simulations=2, parallel=2, width=1)
    # Both branches have 3 visits. a scores 0.6 + 0.5 · √6 / 4 = 0.906, b 0.13 + 0.9 · √6 / 4 = 0.681: into a. While
    # that is out, a counts as 0.45 over 4 visits and the root has 7: a 0.45 + 0.5 · √7 / 5 = 0.715, b 0.725: into b.
    assert next(search) == (Expand(3, 1), Expand(5, 1))
    assert [node.pending for node in tree.nodes] == [2, 1, 1, 1, 0, 1]
    search.close()
    assert [node.pending for node in tree.nodes] == [0] * 6


def test_virtual_loss_spans_the_evaluation_too(world: Any) -> None:
    tree = Tree()
    answer = world(tree, TWO, WORTH)
    search = mcts(tree, simulations=2, width=2)
    search.send(answer(next(search)[0]))
    assert tree[0].pending == 1
    (second,) = search.send(answer(Evaluate((1, 2))))
    assert (second, tree[0].pending, tree[2].pending) == (Expand(2, 2), 1, 1)
    search.close()
    assert [node.pending for node in tree.nodes] == [0, 0, 0]


def test_no_more_is_out_than_parallel_allows(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b c d e"], **{each: [f"{each}{each}"] for each in "abcde"}})
    rounds = play(mcts(tree, simulations=6, width=5, parallel=3), answer)
    assert [len(each) for each in rounds[:4]] == [1, 1, 3, 1]
    assert answer.expanded == ["", "a", "b", "c", "d", "e"]


def test_siblings_with_equal_steps_are_one(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a@0.2 a@0.9 =b@0.2", "a@0.7 =c@0.6"]}, {"a": 0.1})
    play(mcts(tree, simulations=1, width=3), answer)
    assert [node.step.text for node in tree.nodes] == ["", "a", "=b"]
    assert [node.prior for node in tree.nodes] == pytest.approx([1, 0.5, 0.5])
    play(mcts(tree, simulations=2, width=3, retries=1), answer)  # a brings nothing, which opens the root again
    assert answer.expanded == ["", "a", ""]
    assert [node.step.text for node in tree.nodes] == ["", "a", "=b", "=c"]
    assert [node.prior for node in tree.nodes] == pytest.approx([1, 0.2, 0.2, 0.6])


def test_an_answer_and_a_thought_in_the_same_words_are_two(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {})
    search = mcts(tree, simulations=1)
    (request,) = next(search)
    assert search.send(type(answer(request))((Step("x"), Step("x", "answer")))) == (Evaluate((1, 2)),)


def test_an_answer_is_never_expanded(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=a b", "=c"], "b": ["=d"]}, {"=a": 1.0, "b": 0.1})
    play(mcts(tree, simulations=9, width=2, patience=2, retries=0), answer)
    assert answer.expanded == ["", "b", "", "", ""]
    assert [node.step.text for node in tree.terminals()] == ["=a", "=d", "=c"]


def test_a_step_at_the_last_level_is_judged_and_not_expanded(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["aa"], "aa": ["aaa"]})
    play(mcts(tree, simulations=9, depth=2, patience=1, retries=0), answer)
    assert answer.expanded == ["", "a", ""]
    assert (tree.depth, tree[2].judged) == (2, 0.5)


@pytest.mark.parametrize("simulations", [0, 1, 2, 5])
def test_there_are_no_more_expansions_than_simulations(simulations: int, world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b"], "a": ["aa ab"], "b": ["ba bb"], "aa": ["c"], "ab": ["d"], "ba": ["e"]})
    play(mcts(tree, simulations=simulations, width=2, parallel=4), answer)
    assert len(answer.expanded) == sum(node.expansions for node in tree.nodes) == simulations


@pytest.mark.parametrize(("lines", "expanded"), [([], 3), (["=a"], 4), (["=a", "", "", "=b", "=b"], 7)])
def test_the_search_ends_when_the_root_brings_nothing_new(
    lines: list[str], expanded: int, world: Any, play: Any
) -> None:
    tree = Tree()
    answer = world(tree, {"": lines})
    play(mcts(tree, simulations=50, patience=3), answer)
    assert answer.expanded == [""] * expanded


def test_a_node_that_brought_nothing_is_tried_again(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["", "", "aa"], "aa": [""]}, {"a": 0.9})
    play(mcts(tree, simulations=8, retries=3), answer)
    assert answer.expanded == ["", "a", "a", "a", "aa", "aa", "aa", ""]
    assert [node.status for node in tree.nodes] == ["open", "dead", "dead"]


def test_a_node_is_not_tried_again_while_there_is_something_below_it(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b c", "b"], "b": ["<"]}, {"a": 0.9, "b": 0.8, "c": 0.1})
    play(mcts(tree, simulations=5, width=2, exploration=0, retries=3), answer)
    assert answer.expanded == ["", "a", "b", "a", "c"]


def test_what_was_recalled_is_noted_once_at_the_node(world: Any) -> None:
    tree = Tree()
    search = mcts(tree, simulations=2)
    (request,) = next(search)
    expansion = type(world(tree, {})(request))
    search.send(expansion((Step("x", "answer"),), recalled=(4, 7)))
    search.send(world(tree, {})(Evaluate((1,))))
    with pytest.raises(StopIteration):
        search.send(expansion((), recalled=(7, 9)))
    assert tree[0].recalled == (4, 7, 9)


def test_a_grown_tree_can_be_searched_on(world: Any, play: Any) -> None:
    once, twice = Tree(), Tree()
    play(mcts(once, simulations=3, width=2), world(once, TWO, WORTH))
    answer = world(twice, TWO, WORTH)
    for _ in range(3):
        play(mcts(twice, simulations=1, width=2), answer)
    assert twice.nodes == once.nodes
    again = Tree.from_dict(once.to_dict())
    answer = world(again, {"aa": ["=x"]})
    play(mcts(again, simulations=1), answer)
    assert answer.expanded == ["aa"]


@given(seed=st.integers(0, 10**6), parallel=st.integers(1, 6), simulations=st.integers(1, 40))
def test_any_search_leaves_its_books_in_order(wild: Any, play: Any, seed: int, parallel: int, simulations: int) -> None:
    tree = Tree()
    answer = wild(tree, seed)
    play(mcts(tree, simulations=simulations, width=3, parallel=parallel, depth=4), answer)
    for node in tree.nodes:
        below = [tree[child] for child in node.children]
        backed_up = node.visits - sum(child.visits for child in below)
        wrong = node.id > 0 and any(child.step.action == "backtrack" for child in below)
        # A node backs up its own judgement and, if it was refuted, a 0; in a closed branch neither. An expansion that
        # brought nothing new backs up a 0 as well.
        own = [] if node.judged is None or not node.visits else [node.judged, 0.0][: 1 + wrong]
        assert len(own) - wrong <= backed_up <= len(own) + node.expansions
        total = sum(child.value * child.visits for child in below) + sum(own)
        assert node.value * node.visits == pytest.approx(total)
        assert node.pending == 0
        assert node.available >= 0
        assert node.expansions <= node.quota
        assert not node.expansions or (node.step.action in ("think", "recall") and node.depth < 4)
    assert len(answer.expanded) <= simulations


def test_a_branch_whose_answers_are_all_in_is_sampled_again_before_it_closes(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["=b", "=c", "=c", "=b"]}, {"a": 0.9})
    play(mcts(tree, simulations=5, width=1, retries=2, patience=1), answer)
    assert answer.expanded == ["", "a", "a", "a", "a"]  # two answers, then twice nothing new
    assert [node.status for node in tree.nodes] == ["open", "dead", "terminal", "terminal"]


@pytest.mark.parametrize("episodes", [True, False])
def test_a_state_that_another_branch_has_reached_is_not_entered_twice(episodes: bool, world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a#1 b#2"], "a": ["c#3"], "b": ["d#3 e#4"], "c": ["=f"], "d": ["=g"], "e": ["=h"]}
    answer = world(tree, lines)
    play(mcts(tree, simulations=40, width=2, episodes=episodes), answer)
    found = {node.step.text for node in tree.nodes}
    assert ({"d", "=g"} <= found) is not episodes
    assert {"c", "e", "=f", "=h"} <= found


def test_steps_of_unknown_state_are_never_taken_for_each_other(world: Any, play: Any) -> None:
    tree = Tree()
    play(mcts(tree, simulations=3, width=2), world(tree, {"": ["a b"], "a": ["c"], "b": ["d"]}))
    assert {node.step.text for node in tree.nodes} == {"", "a", "b", "c", "d"}
