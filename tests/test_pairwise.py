"""The judge of two: win probabilities by hand, both orders, what is counted, and what a judgement may cost."""

import asyncio
import itertools
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat import prompts, tasks
from coat.errors import InputError, ModelError, UnreadableScoreError
from coat.evaluators import build
from coat.judging import Comparing, Path
from coat.models import Prompt, ScoreRequest, Text, Tokens
from coat.models.scripted import ScriptedModel
from coat.pairwise import Pairwise
from coat.usage import Usage
from search import Step

WRITING = tasks.get("writing")
SIDE_A, SIDE_B = prompts.SIDES
WORTH = {"good": 3.0, "fair": 2.0, "poor": 1.0}
"""What the judge below makes of answers: the first is better with probability w / (w + v)."""


def taste(first: str, second: str) -> float:
    """P("A") of a judge without a liking for a place."""
    return WORTH.get(first, 1.0) / (WORTH.get(first, 1.0) + WORTH.get(second, 1.0))


class Judge(ScriptedModel):
    """Says A with a probability that depends on both answers; "A" and "B" are one token each."""

    def __init__(self, opinion: Callable[[str, str], float] = taste, mass: float = 0.8, **options: object) -> None:
        super().__init__({}, scores=self._says, **options)  # type: ignore[arg-type]
        self.opinion, self.mass, self.asked = opinion, mass, list[ScoreRequest]()

    def _says(self, text: str, candidate: str) -> float:
        first, second = text.partition(SIDE_A)[2].partition(prompts.BETTER)[0].split(SIDE_B)
        odds = self.opinion(first, second)
        return self.mass * (odds if candidate == "A" else 1 - odds if candidate == "B" else 0.0)

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        self.asked.append(request)
        return await super().score(request, usage)

    def path(self, prompt: Prompt) -> Tokens | str:
        if len(prompt) == 1 and isinstance(prompt[0], Text) and prompt[0].text in (" A", " B"):
            return (0x10FFFF,)
        return super().path(prompt)


def answer(text: str, value: float | None = None) -> Path:
    """A whole answer as one step, which was worth `value` before."""
    parts = {} if value is None else {"pairwise": value}
    return Path(WRITING.read("Write."), (Step(text, "answer"),), (Text("not read"),), (), parts)


def values(judge: Judge, *texts: str, best: Path | None = None, usage: Usage | None = None) -> list[float | None]:
    paths = [answer(text) for text in texts]
    found = asyncio.run(Pairwise(judge, own=True).compare(paths, best, usage or Usage()))
    return [each.get("pairwise") for each in found]


def shown(request: ScoreRequest) -> str:
    return "".join(piece.text for piece in (*request.prompt, *request.suffix) if isinstance(piece, Text))


def test_a_value_is_the_mean_win_probability() -> None:
    # good beats fair with 3/5 and poor with 3/4, fair beats poor with 2/3.
    assert values(Judge(), "good", "fair", "poor") == [
        pytest.approx((3 / 5 + 3 / 4) / 2),
        pytest.approx((2 / 5 + 2 / 3) / 2),
        pytest.approx((1 / 4 + 1 / 3) / 2),
    ]


def test_the_judge_is_shown_both_answers_in_both_orders() -> None:
    judge = Judge()
    values(judge, "good", "poor")
    end = f"{prompts.BETTER}\n"
    assert [shown(each) for each in judge.asked] == [
        f"{prompts.COMPARE}Write.{SIDE_A}good{SIDE_B}poor{end}",
        f"{prompts.COMPARE}Write.{SIDE_A}poor{SIDE_B}good{end}",
    ]
    assert judge.asked[0].candidates == ("A", " A", "B", " B")


@pytest.mark.parametrize("bias", [-2.0, 0.7, 3.0])
def test_a_liking_for_a_place_cancels(bias: float) -> None:
    def biased(first: str, second: str) -> float:
        return 1 / (1 + math.exp(-bias)) if first == second or "same" in first + second else taste(first, second)

    assert values(Judge(biased), "same", "good") == [pytest.approx(0.5), pytest.approx(0.5)]
    always_first = Judge(lambda first, second: min(1.0, taste(first, second) + 0.2))
    # 0.95 and 0.45 in the two orders: (0.95 + 1 - 0.45) / 2.
    assert values(always_first, "good", "poor") == [pytest.approx(0.75), pytest.approx(0.25)]


def test_equal_texts_draw_and_are_not_read() -> None:
    judge = Judge()
    assert values(judge, "good", "good") == [0.5, 0.5]
    assert judge.asked == []


def test_who_has_nobody_to_meet_is_worth_one_half_and_so_is_what_is_not_finished() -> None:
    judge, usage = Judge(), Usage()
    pairwise = Pairwise(judge, own=True)
    assert asyncio.run(pairwise.evaluate(answer("good"), usage)) == {"pairwise": 0.5}
    thought = Path(WRITING.read("Write."), (Step("so", "think"),), ())
    found = asyncio.run(pairwise.compare([answer("good"), thought, answer("poor")], None, usage))
    assert found == [{"pairwise": pytest.approx(0.75)}, {"pairwise": 0.5}, {"pairwise": pytest.approx(0.25)}]


def test_five_meet_all_and_more_than_five_meet_four_each() -> None:
    for count, meetings in ((2, 1), (4, 6), (5, 10), (6, 12), (9, 18)):
        judge = Judge()
        values(judge, *map(str, range(count)))
        assert len(judge.asked) == 2 * meetings
    met = [shown(each).partition(SIDE_A)[2].partition(SIDE_B)[0] for each in judge.asked]
    assert {met.count(str(each)) for each in range(9)} == {4}


def test_the_best_so_far_is_met_by_all_and_keeps_its_value() -> None:
    judge = Judge()
    found = values(judge, "good", "poor", best=answer("fair", 0.5))
    # In this round good wins (3/4 + 3/5) / 2, fair (2/5 + 2/3) / 2 = 8/15: all odds are divided by 8/7.
    assert len(judge.asked) == 6
    odds = [share / (1 - share) * 7 / 8 for share in ((3 / 4 + 3 / 5) / 2, (1 / 4 + 1 / 3) / 2)]
    assert found == [pytest.approx(each / (1 + each)) for each in odds]


@given(st.lists(st.sampled_from(["good", "fair", "poor", "a", "b"]), min_size=1, max_size=7), st.floats(0, 1))
def test_only_who_does_better_than_the_best_so_far_is_worth_more(texts: list[str], value: float) -> None:
    best = answer("fair", value)
    for text, found in zip(texts, values(Judge(), *texts, best=best), strict=True):
        assert found is not None
        assert 0 <= found <= 1
        if len(texts) == 1 and 0.01 < value < 0.99:
            assert (found > value + 1e-9) == (WORTH.get(text, 1.0) > WORTH["fair"])


@pytest.mark.parametrize("silent", [("good", "poor"), ("poor", "good")])
def test_a_meeting_that_cannot_be_read_is_counted_and_left_out(silent: tuple[str, str]) -> None:
    class Shy(Judge):
        async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
            if silent == tuple(shown(request).partition(SIDE_A)[2].partition(prompts.BETTER)[0].split(SIDE_B)):
                raise UnreadableScoreError("neither is among the likeliest")
            return await super().score(request, usage)

    usage = Usage()
    assert values(Shy(), "good", "fair", "poor", usage=usage) == [
        pytest.approx(3 / 5),
        pytest.approx((2 / 5 + 2 / 3) / 2),
        pytest.approx(1 / 3),
    ]
    assert usage.unreadable == 1
    assert values(Judge(mass=1e-5), "good", "fair", usage=usage) == [None, None]
    assert usage.unreadable == 3
    assert values(Judge(context=300), "good", "poor" * 100, "fair", usage=usage)[1] is None
    assert usage.unreadable == 7


def test_what_is_read_is_counted_once() -> None:
    judge, usage = Judge(), Usage()
    values(judge, "one", "two", "six", usage=usage)
    end = len(prompts.BETTER) + 1
    # Six readings of a second answer and the question, and each of three first answers once.
    assert usage.scored == 6 * (len(SIDE_B) + 3 + end) + 3 * (len(SIDE_A) + 3)
    again = Usage()
    values(judge, "one", "one", "two", usage=again)
    assert again.scored == 4 * (len(SIDE_B) + 3 + end) + 3 * (len(SIDE_A) + 3)


@given(st.lists(st.text("ab?\n", min_size=1, max_size=30), min_size=1, max_size=9), st.booleans(), st.booleans())
def test_a_judgement_costs_no_more_than_it_said(texts: list[str], anchored: bool, own: bool) -> None:
    usage = Usage()
    pairwise = Pairwise(Judge(), own=own)
    best = answer("x" * max(map(len, texts)), 0.9) if anchored else None
    asyncio.run(pairwise.compare([answer(text) for text in texts], best, usage))
    assert usage.scored <= len(texts) * pairwise.cost(max(map(len, texts)))


def test_the_policys_own_tokens_are_read_as_they_were_written() -> None:
    def pieces(own: bool) -> list[object]:
        judge = Judge()
        steps = (Step("good", "answer", tuple(map(ord, "good"))), Step("poor", "answer", tuple(map(ord, "poor"))))
        paths = [Path(WRITING.read("Write."), (step,), ()) for step in steps]
        asyncio.run(Pairwise(judge, own=own).compare(paths, None, Usage()))
        return list(itertools.islice(judge.asked[0].suffix, 1, 4, 2))

    assert pieces(own=False) == [Text("good"), Text("poor")]
    assert pieces(own=True) == [tuple(map(ord, "good")), tuple(map(ord, "poor"))]


def test_it_is_named_in_a_spec_with_or_without_a_judge() -> None:
    policy, judge = Judge(name="policy"), Judge(name="judge")
    own, other = (build("pairwise", WRITING, policy, each, "self") for each in (None, judge))
    assert isinstance(own, Comparing)
    assert other.cost(100) - own.cost(100) == 800
    with pytest.raises(InputError, match="pairwise compares answers, and has no part in a mean"):
        build("pairwise,logprob", WRITING, policy, None, "self")
    with pytest.raises(ModelError, match="mute cannot score tokens, which the evaluator 'pairwise' needs"):
        build("pairwise", WRITING, ScriptedModel({}, name="mute"), None, "self")


@pytest.mark.parametrize("preset", ["rlhflow", "math-shepherd", "qwen-prm", "skywork"])
def test_a_prm_that_reads_an_answer_of_one_step_is_an_outcome_reward_model(preset: str) -> None:
    class Signs(ScriptedModel):
        asked: Sequence[str] = ()

        async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
            self.asked = [*self.asked, shown(request)]
            return await super().score(request, usage)

    judge = Signs({}, scores={"": {"+": 0.6, "-": 0.2}})
    orm = build("prm", WRITING, Judge(), judge, preset)
    assert asyncio.run(orm.evaluate(answer("A whole answer.\n\nOf two parts."), Usage())) == {
        "prm": pytest.approx(0.75)
    }
    (text,) = judge.asked
    assert "Write." in text
    assert "A whole answer.\n\nOf two parts." in text
