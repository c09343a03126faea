"""Feedback and edit: what follows what, how many requests there are, and what they cost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Budget, Evaluate, Expand, Tree, feedback_edit

LINES = {
    "": ["=a =b"],
    "=a": ["x y"],
    "=b": ["z w"],
    "x": ["=ax =ax2"],
    "y": ["=ay =ay2"],
    "z": ["=bz =bz2"],
    "w": ["=bw =bw2"],
}


def test_every_draft_gets_feedbacks_and_every_feedback_edits(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, LINES, {"=a": 0.3, "=ay": 0.8})
    play(feedback_edit(tree, n=2, feedbacks=2, edits=2), answer)
    # =a 1, =b 2, x 3, y 4, =ax 5, =ax2 6, =ay 7, =ay2 8, z 9, w 10, and so on.
    assert answer.asked == [
        Expand(0, 2, move="draft"),
        Evaluate((1, 2)),
        Expand(1, 2, move="feedback"),
        Expand(3, 2, move="edit"),
        Evaluate((5, 6)),
        Expand(4, 2, move="edit"),
        Evaluate((7, 8)),
        Expand(2, 2, move="feedback"),
        Expand(9, 2, move="edit"),
        Evaluate((11, 12)),
        Expand(10, 2, move="edit"),
        Evaluate((13, 14)),
    ]
    answers = tree.terminals()
    assert len(answers) == 2 + 2 * 2 * 2
    assert all(node.judged is not None for node in answers)
    assert [tree[node].judged for node in (1, 7)] == [0.3, 0.8]
    assert [node.judged for node in tree.nodes if node.status == "open"] == [None] * 5


@pytest.mark.parametrize("parallel", [1, 3, 8])
def test_no_more_is_out_than_parallel_allows_and_all_find_the_same(parallel: int, world: Any, play: Any) -> None:
    tree, out, most = Tree(), 0, 0
    for asked in play(feedback_edit(tree, n=2, feedbacks=2, edits=2, parallel=parallel), world(tree, LINES)):
        out += len(asked)
        most = max(most, out)
        out -= 1
    assert most <= max(2, parallel)
    words = "=a =b x y z w =ax =ax2 =ay =ay2 =bz =bz2 =bw =bw2"
    assert sorted(node.step.text for node in tree.nodes[1:]) == sorted(words.split())


def test_a_draft_without_feedback_and_a_feedback_without_edit_end_there(world: Any, play: Any) -> None:
    tree = Tree()
    answer = world(tree, {"": ["=a =b"], "=b": ["z"]})
    play(feedback_edit(tree, n=2), answer)
    assert [each.move for each in answer.asked if isinstance(each, Expand)] == ["draft", "feedback", "feedback", "edit"]


def test_a_budget_that_ends_early_leaves_whole_drafts(world: Any, play: Any) -> None:
    tree, budget = Tree(), Budget(tokens=13, cost=2)
    play(feedback_edit(tree, n=2, budget=budget), world(tree, LINES))
    # Drafts take 4, feedbacks on the first 2, the edits by one of them 4: 3 are left, enough for one edit by the other.
    assert [node.step.text for node in tree.nodes[1:]] == ["=a", "=b", "x", "y", "=ax", "=ax2", "=ay"]
    assert (budget.spent, budget.reserved, budget.refused) == (12, 0, True)


@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(0, 400),
    dear=st.integers(1, 30),
    parallel=st.integers(1, 5),
    width=st.integers(1, 3),
)
def test_the_budget_is_never_exceeded(
    wild: Any, play: Any, meter: Any, seed: int, tokens: int, dear: int, parallel: int, width: int
) -> None:
    tree, budget = Tree(), Budget(tokens, cost=2 * dear)
    answer = meter(wild(tree, seed, dear), tokens)
    search = feedback_edit(tree, n=width, feedbacks=width, edits=width, parallel=parallel, budget=budget)
    play(search, answer)
    assert (budget.spent, budget.reserved) == (answer.taken, 0)
