"""The search benchmark grows the tree that its policy describes."""

from itertools import islice

from benchmarks.search import WIDTH, Grown, policy


def test_a_grown_tree_holds_the_steps_and_scores_of_its_policy() -> None:
    grown = Grown(7)
    grown.grow(40)
    written = [(node.step.text, node.judged) for node in grown.tree.nodes[1:]]
    assert written[:38] == list(islice(policy(7), 38))
    assert all(len(node.children) in (0, WIDTH) for node in grown.tree.nodes)


def test_levels_count_the_nodes_that_selection_looked_at() -> None:
    grown = Grown(7)
    grown.grow(40)
    expanded = [node for node in grown.tree.nodes if node.expansions]
    assert grown.levels >= sum(node.depth + 1 for node in expanded if node.children)
    assert grown.levels <= sum(node.depth + 1 for node in expanded)
