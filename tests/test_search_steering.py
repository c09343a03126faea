"""Steering: what a person does to a tree between two replies, and where the search goes then, worked out by hand."""

import random
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Budget, Evaluate, Expand, Request, Search, Step, Tree, beam, best_first, dvts, mcts, steering

FOUR = {"": ["a b c d"], "a": ["aa ab"], "b": ["ba bb"], "c": ["ca"], "d": ["da"], "aa": ["aaa"], "z": ["za"]}
WORTH = {"a": 0.9, "b": 0.5, "c": 0.3, "d": 0.2, "aa": 0.8, "ab": 0.7, "ba": 0.4, "bb": 0.4, "z": 0.6}


def until(search: Search, answer: Any, replies: int) -> deque[Request]:
    """Give `search` its first `replies` replies; what is out then."""
    out = deque(next(search))
    for _ in range(replies):
        out.extend(search.send(answer(out.popleft())))
    return out


def go_on(search: Search, answer: Any, out: deque[Request], replies: int = 1000) -> None:
    """Give it more of them, or all to its end."""
    try:
        for _ in range(replies):
            out.extend(search.send(answer(out.popleft())))
    except StopIteration:
        assert not out


def node(tree: Tree, text: str) -> int:
    return next(each.id for each in tree.nodes if each.step.text == text)


def test_a_pruned_branch_is_searched_no_more(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = mcts(tree, simulations=4, width=4, exploration=0)
    out = until(search, answer, 2)
    assert out[0] == Expand(node(tree, "a"), 4)  # the best is under way
    steering.prune(tree, node(tree, "a"))
    go_on(search, answer, out)
    assert answer.expanded == ["", "a", "b", "ba"]
    assert {each.step.text for each in tree.nodes if each.status == "dead"} == {"a", "aa", "ab"}
    assert tree[node(tree, "aa")].judged is None  # what came late was not judged
    assert all(each.pending == 0 for each in tree.nodes)


def test_answers_below_a_pruned_branch_count_no_more(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b"], "a": ["=a"], "b": ["=b"]}, {"a": 0.9, "b": 0.1, "=a": 1.0})
    search = mcts(tree, simulations=6, width=2, exploration=0)
    out = until(search, answer, 4)
    assert [each.step.text for each in tree.terminals()] == ["=a"]
    steering.prune(tree, node(tree, "a"))
    assert tree.terminals() == []
    go_on(search, answer, out)
    assert [each.step.text for each in tree.terminals()] == ["=b"]


def test_where_everything_is_pruned_the_parent_is_expanded_once_more(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b", "c"], "c": ["ca"]})
    search = mcts(tree, simulations=4, width=2)
    out = until(search, answer, 2)
    go_on(search, answer, out, 1)  # the expansion of a child brought nothing; it is tried again
    for text in ("a", "b"):
        steering.prune(tree, node(tree, text))
    go_on(search, answer, out)
    assert "c" in {each.step.text for each in tree.nodes}
    assert answer.expanded.count("") == 2


def test_a_pin_keeps_the_search_below_it_until_there_is_nothing_left(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a d"], "d": ["da"], "da": ["daa"], "daa": ["=x"]}, {"a": 0.9, "d": 0.1})
    search = mcts(tree, simulations=5, width=2, exploration=0, retries=1)
    out = until(search, answer, 2)
    steering.pin(tree, node(tree, "d"))
    go_on(search, answer, out)
    assert answer.expanded[1:] == ["a", "d", "da", "daa"]  # the expansion of a was under way


def test_a_pin_that_is_lifted_lets_the_best_go_on(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a d"], "a": ["aa"], "d": ["da"]}, {"a": 0.9, "d": 0.1, "aa": 0.9})
    search = mcts(tree, simulations=4, width=2, exploration=0)
    out = until(search, answer, 2)
    steering.pin(tree, node(tree, "d"))
    go_on(search, answer, out, 2)
    steering.pin(tree, None)
    go_on(search, answer, out)
    assert answer.expanded == ["", "a", "d", "aa"]


def test_a_node_that_was_expanded_and_is_pinned_is_expanded_once_more(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b"], "a": ["=x", "=y"]}, {"a": 0.9, "b": 0.1})
    search = best_first(tree, simulations=3, width=2)
    out = until(search, answer, 4)
    go_on(search, answer, out)
    assert answer.expanded == ["", "a", "b"]
    steering.pin(tree, node(tree, "a"))
    search = mcts(tree, simulations=1, width=2)
    go_on(search, answer, deque(next(search)))
    assert answer.expanded[3:] == ["a"]


def test_an_added_thought_is_judged_and_gone_on_from(world: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b"], "z": ["=za"]}, {"a": 0.2, "b": 0.1, "z": 0.9})
    search = mcts(tree, simulations=3, width=2, exploration=0)
    out = until(search, answer, 2)
    added = steering.add(tree, 0, Step("z", author="person"))
    go_on(search, answer, out)
    assert Evaluate((added,)) in answer.asked
    assert answer.expanded == ["", "a", "z"]
    assert (tree[added].judged, tree[added].visits) == (0.9, 2)
    assert sum(tree[child].prior for child in tree[0].children) == pytest.approx(1)
    assert all(each.pending == 0 for each in tree.nodes)


def test_an_added_thought_is_judged_within_the_budget(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = mcts(tree, simulations=9, width=2, budget=Budget(tokens=4, cost=2))
    out = until(search, answer, 1)
    added = steering.add(tree, 0, Step("z", author="person"))
    go_on(search, answer, out)
    assert tree[added].judged is None
    assert Evaluate((added,)) not in answer.asked


def test_an_added_thought_that_is_pruned_at_once_is_not_judged(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = mcts(tree, simulations=2, width=2)
    out = until(search, answer, 1)
    added = steering.add(tree, 0, Step("z", author="person"))
    steering.prune(tree, added)
    go_on(search, answer, out)
    assert Evaluate((added,)) not in answer.asked


def test_beam_goes_on_with_what_was_added_and_without_what_was_pruned(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = beam(tree, keep=2, width=4, depth=2)
    out = until(search, answer, 1)
    steering.add(tree, 0, Step("z", author="person"))
    steering.prune(tree, node(tree, "a"))
    go_on(search, answer, out)
    assert answer.expanded == ["", "z", "b"]  # by value: z 0.6, b 0.5


def test_beam_goes_on_below_what_is_pinned(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = beam(tree, keep=2, width=4, depth=3)
    out = until(search, answer, 1)
    steering.pin(tree, node(tree, "d"))
    go_on(search, answer, out)
    assert answer.expanded == ["", "d", "da"]


def test_a_thought_added_deeper_down_joins_its_subtree(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = dvts(tree, n=4, width=2, depth=3)
    out = until(search, answer, 1)
    added = steering.add(tree, node(tree, "a"), Step("z", author="person"))
    go_on(search, answer, out)
    assert answer.expanded[:3] == ["", "a", "c"]  # a 0.9 is before z 0.6 in its subtree, c before d
    assert tree[added].judged == 0.6


def test_best_first_obeys_too(world: Any) -> None:
    tree = Tree()
    answer = world(tree, FOUR, WORTH)
    search = best_first(tree, simulations=5, width=4)
    out = until(search, answer, 1)
    steering.prune(tree, node(tree, "a"))
    steering.add(tree, 0, Step("z", author="person"))
    go_on(search, answer, out, 2)
    steering.pin(tree, node(tree, "c"))
    go_on(search, answer, out)
    assert answer.expanded == ["", "z", "c", "ca", "b"]


SEARCHES = {
    "mcts": lambda tree, budget: mcts(tree, simulations=20, width=3, parallel=3, depth=4, budget=budget),
    "beam": lambda tree, budget: beam(tree, keep=2, width=3, parallel=2, depth=4, lookahead=1, budget=budget),
    "dvts": lambda tree, budget: dvts(tree, n=6, width=2, parallel=2, depth=4, lookahead=1, budget=budget),
    "best_first": lambda tree, budget: best_first(tree, simulations=20, width=3, parallel=3, depth=4, budget=budget),
}


@pytest.mark.parametrize("name", SEARCHES)
@given(seed=st.integers(0, 2**32), tokens=st.integers(2, 120))
def test_whatever_is_done_to_the_tree_the_books_stay_in_order(
    wild: Any, meter: Any, name: str, seed: int, tokens: int
) -> None:
    tree, lot = Tree(), random.Random(seed)
    answer = meter(wild(tree, seed), tokens)
    search = SEARCHES[name](tree, Budget(tokens=tokens, cost=2))
    out, pruned = deque(next(search, ())), set[int]()
    try:
        while out:
            request = out.popleft()
            pruned |= meddle(tree, lot)
            out.extend(search.send(answer(request)))
            assert not {each.id for each in tree.nodes if each.status != "dead"} & pruned
            assert all(each.available >= 0 and each.pending >= 0 for each in tree.nodes)
            assert name != "mcts" or tree[0].available == left(tree)
    except StopIteration:
        assert not out
    assert all(each.pending == 0 for each in tree.nodes)


def meddle(tree: Tree, lot: random.Random) -> set[int]:
    """Do something to `tree` or nothing; everything that was pruned."""
    chosen = lot.randrange(len(tree))
    alive = tree[chosen].status == "open" and not any(each.status == "dead" for each in tree.up(chosen))
    match lot.randrange(6):
        case 0 if alive and chosen:
            steering.prune(tree, chosen)
        case 1 if alive:
            steering.add(tree, chosen, Step(f"added {len(tree)}", lot.choice(["think", "answer"]), author="person"))
        case 2 if alive:
            steering.pin(tree, chosen)
        case 3:
            steering.pin(tree, None)
        case _:
            pass
    return set(tree.pruned)


def left(tree: Tree) -> int:
    """How many expansions every node on an open path may still get, counted anew."""
    return sum(
        each.quota - each.expansions
        for each in tree.nodes
        if each.quota > each.expansions
        and (each.visits or each.parent is None)
        and each.depth < 4
        and each.status == "open"
        and not any(above.status == "dead" for above in tree.up(each.id))
    )
