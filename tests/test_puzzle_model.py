"""The puzzle model that comes with coat, asked through the engine."""

from collections.abc import Iterator

import pytest

import coat
from coat.errors import InputError
from coat.models import LanguageModel, Notation
from coat.models.catalog import load, resolve


@pytest.fixture(scope="module")
def puzzle() -> Iterator[LanguageModel]:
    model = load("puzzle", cells=2048)
    yield model
    model.close()


def test_the_file_is_the_one_that_the_catalog_knows_and_is_small() -> None:
    source = resolve("puzzle")
    assert (source.name, source.kind) == ("puzzle", "package")
    assert source.path.stat().st_size <= 12e6


def test_it_declares_its_notation(puzzle: LanguageModel) -> None:
    assert puzzle.capabilities.notation == Notation("puzzle", "?", "+", "-", "~")
    with pytest.raises(InputError, match="was trained on puzzles and knows nothing else"):
        coat.solve("Who was first on the moon?", model=puzzle)


@pytest.mark.parametrize("question", ["4 9 10 13", "2 3 4 6", "1 2 4 7", "4 5 6 10"])
def test_it_solves_games_of_24_that_it_has_never_seen(question: str, puzzle: LanguageModel) -> None:
    result = coat.solve(question, task="game24", model=puzzle)
    assert (result.correct, result.stop) == (True, "solved")
    assert result.usage.spent <= 8192
    assert result.usage.evaluated <= 1.1 * result.usage.unique


def test_it_is_the_default_for_puzzles() -> None:
    assert coat.solve("3 7 25 = 46", task="countdown", tokens=300).model == "puzzle"


def test_a_puzzle_outside_of_its_training_gets_an_honest_try(puzzle: LanguageModel) -> None:
    result = coat.solve("1 2 3 4 5 6 7 = 20", task="countdown", model=puzzle, tokens=500)
    assert result.remarks[0].startswith("the puzzle model was trained on 3 to 5 numbers")
    assert result.usage.spent <= 500


def test_the_same_search_with_and_without_a_journal_gives_distinct_steps(puzzle: LanguageModel) -> None:
    result = coat.solve("1 2 3 5", task="game24", model=puzzle, tokens=1500, verify=False)
    for node in result.tree.nodes:
        texts = [result.tree[child].step.text for child in node.children]
        assert len(set(texts)) == len(texts)
    states = [node.step.state for node in result.tree.nodes if node.step.state]
    assert len(set(states)) == len(states)
