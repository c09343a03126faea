"""Best of N: lines that grow side by side, each to its own end."""

from typing import Any

import pytest

from search import Budget, Evaluate, Expand, Tree, best_of_n


def test_every_line_grows_to_its_answer(world: Any, play: Any) -> None:
    tree = Tree()
    lines = {"": ["a b =c"], "a": ["=d"], "b": ["?e"], "?e": ["=f"]}
    rounds = play(best_of_n(tree, n=3, parallel=2), world(tree, lines, {"=c": 0.2, "=d": 0.9, "=f": 0.4}))
    # a is 1, b is 2, =c is 3, and so on in the order in which they come.
    assert rounds == [
        [Expand(0, 3)],
        [Evaluate((3,)), Expand(1, 1)],
        [Expand(2, 1)],
        [Evaluate((4,))],
        [Expand(5, 1)],
        [],
        [Evaluate((6,))],
    ]
    assert [tree[node].judged for node in (3, 4, 6)] == [0.2, 0.9, 0.4]
    assert [[each.step.text for each in tree.path(node.id)] for node in tree.terminals()] == [
        ["=c"],
        ["a", "=d"],
        ["b", "?e", "=f"],
    ]
    # Every answer is backed up along its own line: the root is their mean.
    assert (tree[0].visits, tree[0].value) == (3, pytest.approx(0.5))
    assert (tree[1].value, tree[2].value) == (0.9, 0.4)


def test_equal_lines_are_kept_apart(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a a a"], "a": ["=x", "=x", "=y"]}, {"=x": 1.0, "=y": 0.0})
    play(best_of_n(tree, n=3), answer)
    assert [node.step.text for node in tree.nodes] == ["", "a", "a", "a", "=x", "=x", "=y"]
    assert [node.parent for node in tree.terminals()] == [1, 2, 3]
    assert tree[0].value == pytest.approx(2 / 3)


def test_greedy_is_one_line_at_temperature_zero(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["=b"]})
    play(best_of_n(tree, n=1, temperature=0.0), answer)
    assert answer.asked == [Expand(0, 1, 0.0), Expand(1, 1, 0.0), Evaluate((2,))]


def test_a_line_ends_where_it_steps_back_or_gets_no_step(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a b c"], "a": ["<"], "b": [""], "c": ["=d"]})
    play(best_of_n(tree, n=3), answer)
    assert answer.expanded == ["", "a", "b", "c"]
    assert [node.judged for node in tree.nodes] == [None, None, None, None, None, 0.5]


def test_a_line_ends_at_the_last_level(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["b"], "b": ["c"], "c": ["=d"]})
    play(best_of_n(tree, n=1, depth=3), answer)
    assert answer.expanded == ["", "a", "b"]
    assert tree.depth == 3


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_no_more_is_out_than_parallel_allows(parallel: int, wild: Any, play: Any) -> None:
    tree, out, most = Tree(), 0, 0
    answer = wild(tree, seed=3)
    for asked in play(best_of_n(tree, n=8, parallel=parallel, depth=5), answer):
        out += len(asked)
        most = max(most, out)
        out -= 1
    assert most == parallel


def test_the_expansions_are_counted_and_their_facts_noted(world: Any) -> None:
    tree = Tree()
    search = best_of_n(tree, n=1)
    (request,) = next(search)
    reply = world(tree, {"": ["a"]})(request)
    search.send(type(reply)(reply.steps, recalled=(5, -2)))
    search.close()
    assert (tree[0].expansions, tree[0].recalled) == (1, (5, -2))


def test_for_a_vote_nobody_is_asked_what_the_answers_are_worth(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a =b"], "a": ["=c"]})
    play(best_of_n(tree, n=2, judged="nothing", budget=Budget(tokens=3, cost=1)), answer)
    assert answer.asked == [Expand(0, 2), Expand(1, 1)]
    assert [node.judged for node in tree.terminals()] == [None, None]


def test_self_backtracking_takes_the_wrong_lines_back_by_one_step_and_shares_n_new_ones(world: Any, play: Any) -> None:
    tree = Tree()
    # Of four lines one answers and three step back, b and c before aa does: √4 = 2 of these go on from a step before.
    lines = {"": ["a b c =d", "e e", "=f =h"], "a": ["aa"], "b": ["<"], "c": ["<"], "aa": ["<"], "e": ["=g"]}
    answer = world(tree, lines)
    play(best_of_n(tree, n=4, backtracks=1), answer)
    assert answer.expanded == ["", "a", "b", "c", "aa", "", "", "e", "e"]
    assert [request.width for request in answer.asked if isinstance(request, Expand)] == [4, 1, 1, 1, 1, 2, 2, 1, 1]
    assert [tree[node].step.text for node in tree[0].children] == ["a", "b", "c", "=d", "e", "e", "=f", "=h"]


@pytest.mark.parametrize("backtracks", [0, 1, 3])
def test_self_backtracking_ends_when_no_line_stepped_back_or_all_its_turns_are_over(
    backtracks: int, world: Any, play: Any
) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"] * 9, "a": ["<"] * 9})
    play(best_of_n(tree, n=1, backtracks=backtracks), answer)
    assert answer.expanded == ["", "a"] * (1 + backtracks)
    tree = Tree()
    answer = world(tree, {"": ["=a"] * 9})
    play(best_of_n(tree, n=1, backtracks=backtracks), answer)
    assert answer.expanded == [""]


def test_lines_that_are_decided_begin_one_by_one(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a", "b", "c", "d"], "a": ["=x"], "b": ["=x"], "c": ["=x"]})
    play(best_of_n(tree, n=4, decided=lambda tree: len(tree.terminals()) == 2, judged="nothing"), answer)
    assert answer.expanded == ["", "a", "", "b"]


def test_a_line_that_is_revised_goes_on_from_its_answer(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["=b"], "=b": ["c"], "c": ["=d"], "=d": ["=e"]}, {"=b": 0.2, "=e": 0.7})
    play(best_of_n(tree, n=1, revisions=2, depth=2), answer)
    assert [node.step.text for node in tree.path(5)] == ["a", "=b", "c", "=d", "=e"]
    assert [node.judged for node in tree.terminals()] == [0.2, 0.5, 0.7]
    assert answer.expanded == ["", "a", "=b", "c", "=d"]  # not =e: two revisions are what was asked for


def test_the_depth_is_that_of_one_attempt(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=a"], "=a": ["b"], "b": ["c"], "c": ["=d"]})
    play(best_of_n(tree, n=1, revisions=1, depth=2), answer)
    assert answer.expanded == ["", "=a", "b"]


def test_every_step_is_judged_where_that_is_asked_for(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["=b"]}, {"a": 0.3, "=b": 0.9})
    play(best_of_n(tree, n=1, judged="steps"), answer)
    assert [node.judged for node in tree.nodes] == [None, 0.3, 0.9]
    assert (tree[0].visits, tree[0].value) == (1, 0.9)


def test_a_line_that_steps_back_is_revised_too(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["a"], "a": ["<"], "<": ["=b"]})
    play(best_of_n(tree, n=1, revisions=1), answer)
    assert answer.expanded == ["", "a", "<"]
    assert len(tree.terminals()) == 1


def test_lines_that_find_no_room_begin_with_what_others_leave(world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=10, cost=4)
    answer = world(tree, {"": ["=a =b", "=c", "=d", "=e", "=f"]})
    play(best_of_n(tree, n=5, judged="nothing", budget=budget), answer)
    # Two fit at their worst; each takes one token, so that a third and more do after them.
    assert [request.width for request in answer.asked] == [2, 2, 1]
    assert [node.step.text for node in tree.terminals()] == ["=a", "=b", "=c", "=d"]
    assert budget.reserved == 0
