"""A real model: the texts of a fresh context whatever runs beside them, and an account of every token."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from coat.errors import ModelError
from coat.models import Completion, LanguageModel, Message, Prompt, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.catalog import load
from coat.models.llama import LlamaModel
from coat.usage import Usage

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.usefixtures("at_rest")]

COUNTING = [
    "Count on.\n1, 2, 3, 4, 5, 6, 7,",
    "Count on.\n2, 4, 6, 8, 10,",
    "Count on.\n10, 20, 30, 40,",
    "Count on.\n1, 2, 3, 4, 5, 6, 7, 8, 9,",
    "Count on.\n20, 21, 22, 23, 24,",
    "Count on.\n5, 10, 15, 20,",
]


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    model = load("smollm2", cells=2048, lanes=8, threads=1)
    assert isinstance(model, LlamaModel)
    yield model
    model.close()


async def sample(
    model: LlamaModel, prompt: Prompt, *seeds: int, usage: Usage | None = None, **sampling: Any
) -> list[Completion]:
    return await model.sample(SampleRequest(prompt, seeds or (0,), Sampling(**sampling)), usage or Usage())


async def score(
    model: LlamaModel, prompt: Prompt, suffix: str, *candidates: str, usage: Usage | None = None
) -> list[float]:
    return await model.score(ScoreRequest(prompt, (Text(suffix),), candidates), usage or Usage())


def greedy(model: LlamaModel, text: str, count: int = 10, **options: Any) -> Completion:
    (completion,) = asyncio.run(sample(model, (Text(text),), max_tokens=count, temperature=0.0, **options))
    return completion


def test_it_is_a_language_model(model: LlamaModel) -> None:
    assert isinstance(model, LanguageModel)
    assert model.name == "smollm2"
    assert (model.capabilities.context, model.capabilities.tokens, model.capabilities.candidates) == (2048, True, True)


def test_greedy_texts_are_those_of_a_fresh_context(model: LlamaModel, fresh: Any) -> None:
    async def run() -> list[list[Completion]]:
        noise = [sample(model, (Text(f"{i} Once upon a time"),), *range(3), max_tokens=12) for i in range(4)]
        asked = [sample(model, (Text(text),), max_tokens=10, temperature=0.0) for text in COUNTING]
        return (await asyncio.gather(*noise, *asked))[len(noise) :]

    async def again() -> list[list[Completion]]:
        # Now the prompts are resident, and go on from inside what was decoded.
        shorter = [(Text(text), completions[0].tokens[:4]) for text, completions in zip(COUNTING, first, strict=True)]
        return await asyncio.gather(*(sample(model, path, max_tokens=12, temperature=0.0) for path in shorter))

    first = asyncio.run(run())
    assert first[0][0].text == " 8, 9, 10,"
    for text, (completion,) in zip(COUNTING, first, strict=True):
        assert len(completion.tokens) == 10
        assert fresh.agrees(model.path((Text(text),)), completion.tokens)
    for text, (completion,), (longer,) in zip(COUNTING, first, asyncio.run(again()), strict=True):
        assert fresh.agrees((*model.path((Text(text),)), *completion.tokens[:4]), longer.tokens)


def test_the_comparison_with_a_fresh_context_can_fail(model: LlamaModel, fresh: Any) -> None:
    path = model.path((Text(COUNTING[0]),))
    right = [token for token, _ in fresh.text(path, 5)]
    assert fresh.agrees(path, right)
    assert not fresh.agrees(path, [*right[:3], right[3] + 1, right[4]])


@pytest.mark.parametrize(
    ("stop", "text", "generated"),
    # " 8, 9, 10," is drawn as the tokens " ", "8", ",", " ", "9", ",", " ", "1", "0", ","
    [((",",), " 8", 3), ((", 1",), " 8, 9", 8), ((" 9, 10",), " 8,", 9), (("x", "8", "9"), " ", 2)],
)
def test_a_text_ends_before_its_stop_string(
    stop: tuple[str, ...], text: str, generated: int, model: LlamaModel
) -> None:
    completion = greedy(model, COUNTING[0], 20, stop=stop)
    assert (completion.text, completion.generated, completion.finish) == (text, generated, "stop")
    assert b"".join(map(model._decoder.llama.piece, completion.tokens)).decode() == text


def test_without_a_stop_it_ends_after_max_tokens(model: LlamaModel) -> None:
    usage = Usage()
    completion = greedy(model, COUNTING[0], 5, usage=usage)
    assert (completion.text, completion.generated, completion.finish) == (" 8, 9", 5, "length")
    assert usage.generated == 5


def test_the_model_can_end_its_turn(model: LlamaModel) -> None:
    prompt = model.chat([Message("user", "What is 2+2?")])
    (completion,) = asyncio.run(sample(model, prompt, max_tokens=60, temperature=0.0))
    assert completion.finish == "eos"
    assert "4" in completion.text
    assert "<|im_end|>" not in completion.text
    assert completion.generated == len(completion.tokens) + 1


def test_a_texts_log_probability_is_the_sum_of_its_tokens_scores(model: LlamaModel) -> None:
    completion = greedy(model, COUNTING[0], 6)
    prompt: Prompt = (Text(COUNTING[0]),)
    total = 0.0
    for at, token in enumerate(completion.tokens):
        piece = model._decoder.llama.piece(token).decode()
        path = (*prompt, completion.tokens[:at]) if at else prompt
        (each,) = asyncio.run(score(model, path, "", piece))
        total += each
    assert completion.logprob == pytest.approx(total, abs=0.05)
    assert -1 < total < 0


def test_scores_are_log_probabilities_of_the_next_token(model: LlamaModel, fresh: Any) -> None:
    usage = Usage()
    prompt = (Text("Count on.\n1, 2, 3, 4,"),)
    right, wrong = asyncio.run(score(model, prompt, " 5, 6, ", "7", "3", usage=usage))
    assert -0.5 < right < 0
    assert wrong < right - 3
    assert usage.scored == len(model.path((Text(" 5, 6, "),)))
    assert (usage.generated, usage.spent) == (0, usage.scored)


def test_a_scores_suffix_leaves_nothing_behind(model: LlamaModel, fresh: Any) -> None:
    text = "Suffixes vanish. 1, 2, 3, 4, 5,"
    path = model.path((Text(text),))
    asyncio.run(score(model, (Text(text),), " 100, 200,", " "))
    span, depth = model._decoder.cache.tree.match((*path, *model.path((Text(" 100, 200,"),))))
    assert (depth, span.end) == (len(path), len(path))
    assert fresh.agrees(path, greedy(model, text).tokens)


def test_a_candidate_must_be_one_token(model: LlamaModel) -> None:
    with pytest.raises(ModelError, match="'no way at all' is 4 tokens in smollm2"):
        asyncio.run(score(model, (Text("x"),), "", "no way at all"))


def test_identical_siblings_are_evaluated_once(model: LlamaModel) -> None:
    usage = Usage()
    prompt = (Text("Nobody has asked this before: 5, 10, 15,"),)
    texts = asyncio.run(sample(model, prompt, 1, 2, 3, 4, usage=usage, max_tokens=6, temperature=0.0))
    assert [each.tokens for each in texts] == [texts[0].tokens] * 4
    assert usage.generated == 24
    # The last token of a text is drawn, not decoded.
    assert usage.evaluated == usage.unique == len(model.path(prompt)) + 5


def test_siblings_with_equal_seeds_are_equal_and_others_differ(model: LlamaModel) -> None:
    prompt = (Text("Once upon a time"),)
    one, same, other = asyncio.run(sample(model, prompt, 7, 7, 8, max_tokens=16, temperature=1.0))
    assert one.text == same.text != other.text
    (alone,) = asyncio.run(sample(model, prompt, 7, max_tokens=16, temperature=1.0))
    assert alone == one


def test_every_row_is_evaluated_once_over_a_mixed_workload(model: LlamaModel) -> None:
    usage = Usage()

    async def expand(path: Prompt, *seeds: int) -> list[Prompt]:
        children = await sample(model, path, *seeds, usage=usage, max_tokens=8)
        assert len({child.text for child in children}) == len(seeds)
        for child in children:
            await score(model, (*path, child.piece), " (right?)", " Yes", " No", usage=usage)
        return [(*path, child.piece, Text("\n")) for child in children]

    async def grow() -> None:
        root = (Text("Here is a riddle that nobody knows.\n"),)
        children = await expand(root, 1, 2, 3)
        for path in children:
            await expand(path, 4, 5)
        before = usage.evaluated
        again = await sample(model, root, 1, 2, 3, usage=usage, max_tokens=8)
        assert usage.evaluated == before, "the same seeds at the same place need no decode"
        assert [(*root, each.piece, Text("\n")) for each in again] == children

    asyncio.run(grow())
    assert usage.evaluated == usage.unique > 100
    assert 0 < usage.decodes < usage.evaluated


def test_sixteen_searches_side_by_side_all_finish(model: LlamaModel) -> None:
    async def search(number: int, usage: Usage) -> Sequence[Completion]:
        path: Prompt = (Text(f"Search {number}:"),)
        children: list[Completion] = []
        for _ in range(3):
            children = await sample(model, path, 1, 2, 3, usage=usage, max_tokens=6)
            (value,) = await score(model, (*path, children[0].piece), "\nGood?", " yes", usage=usage)
            assert value < 0
            path = (*path, children[number % 3].piece)
        return children

    async def run() -> list[Sequence[Completion]]:
        return await asyncio.gather(*(search(number, usage) for number, usage in enumerate(usages)))

    usages = [Usage() for _ in range(16)]
    assert [len(children) for children in asyncio.run(run())] == [3] * 16
    for usage in usages:
        assert usage.generated <= 3 * 3 * 6
        assert usage.evaluated >= usage.unique - 8  # "Search 1" is the beginning of "Search 10"
        assert usage.evaluated <= 1.1 * usage.unique
