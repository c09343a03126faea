"""The evaluators: what a judge reads, what its logits are worth, and what a judgement may cost."""

import asyncio
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coat import prompts, tasks
from coat.errors import InputError, ModelError, UnreadableScoreError
from coat.evaluators import (
    READINGS,
    Evaluator,
    LogProbability,
    Path,
    Reading,
    TokenReading,
    Verifier,
    Weighted,
    association,
    build,
    combine,
)
from coat.models import Prompt, ScoreRequest, Text, Tokens
from coat.models.scripted import ScriptedModel
from coat.usage import Usage
from search import Step

GAME24, QA = tasks.get("game24"), tasks.get("qa")
PUZZLE = GAME24.read("1 4 6")
STEPS = (Step("4 * 1 = 4", "think", (), -2.0, 4), Step("4 * 6 = 24", "answer", (), -4.0, 2))
SIGNS = {"": {"+": 0.3, "-": 0.1}}


class Judge(ScriptedModel):
    """A scripted model for which each of `words` is one token; it remembers what it was asked to score."""

    def __init__(
        self, scores: Callable[[str, str], float] | dict[str, dict[str, float]], *words: str, **options: object
    ) -> None:
        super().__init__({}, scores=scores, **options)  # type: ignore[arg-type]
        self.words, self.asked = words, list[ScoreRequest]()

    def path(self, prompt: Prompt) -> Tokens | str:
        if len(prompt) == 1 and isinstance(prompt[0], Text) and prompt[0].text in self.words:
            return (0x10FFFF,)
        return super().path(prompt)

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        self.asked.append(request)
        return await super().score(request, usage)


class Mute(Judge):
    """A server that shows only the likeliest tokens, never those it is asked for."""

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        raise UnreadableScoreError("none of the candidates is among the likeliest")


def path_of(*steps: Step, question: str = "", prompt: str = "the policy's own path") -> Path:
    return Path(PUZZLE if not question else QA.read(question), steps, (Text(prompt),))


def judged(evaluator: Evaluator, path: Path, usage: Usage | None = None) -> dict[str, float]:
    return asyncio.run(evaluator.evaluate(path, usage or Usage()))


def asked_of(reading: Reading, steps: Sequence[Step], question: str = "") -> tuple[str, str]:
    """The prompt and the suffix that a judge reads."""
    judge = Judge(lambda text, candidate: 0.5, *reading.good, *reading.bad)
    judged(TokenReading("prm", judge, reading), path_of(*steps, question=question))
    (request,) = judge.asked
    return text_of(request.prompt), text_of(request.suffix)


def text_of(prompt: Prompt) -> str:
    return "".join(piece.text for piece in prompt if isinstance(piece, Text))


def test_the_model_is_asked_about_its_own_path() -> None:
    assert asked_of(READINGS["self"], STEPS) == ("the policy's own path", f"\n\n{prompts.JUDGE}\n")


def test_a_tag_continues_the_path_on_a_line_of_its_own() -> None:
    assert asked_of(Reading("tag", ("+",), ("-",), "ки"), STEPS) == ("the policy's own path\n", "ки")


def test_math_shepherd_reads_numbered_steps_with_a_tag_after_each() -> None:
    first, second = STEPS
    assert asked_of(READINGS["math-shepherd"], [first]) == ("1 4 6 ", "Step 1: 4 * 1 = 4 ки")
    assert asked_of(READINGS["math-shepherd"], [first, second]) == (
        "1 4 6 Step 1: 4 * 1 = 4 ки\n",
        "Step 2: 4 * 6 = 24 ки",
    )


def test_rlhflow_reads_each_step_as_a_turn_that_a_plus_answers() -> None:
    first, second = STEPS
    assert asked_of(READINGS["rlhflow"], [first]) == ("1 4 6", " 4 * 1 = 4\n")
    assert asked_of(READINGS["rlhflow"], [first, second]) == ("1 4 6 4 * 1 = 4\n", "+\n\n4 * 6 = 24\n")
    third = Step("so it is 24")
    assert asked_of(READINGS["rlhflow"], [first, second, third]) == (
        "1 4 6 4 * 1 = 4\n+\n\n4 * 6 = 24\n",
        "+\n\nso it is 24\n",
    )


def test_skywork_reads_question_and_steps_as_lines() -> None:
    first, second = STEPS
    assert asked_of(READINGS["skywork"], [first]) == ("<|endoftext|>1 4 6\n", "4 * 1 = 4\n")
    assert asked_of(READINGS["skywork"], [first, second]) == ("<|endoftext|>1 4 6\n4 * 1 = 4\n", "4 * 6 = 24\n")


TEXTS = st.text("ab 12+=?", min_size=1, max_size=24).filter(str.strip)


@given(st.lists(TEXTS, min_size=2, max_size=9), TEXTS, st.sampled_from(["math-shepherd", "rlhflow", "skywork"]))
def test_what_was_read_for_the_parent_is_how_the_childs_reading_begins(
    texts: list[str], question: str, preset: str
) -> None:
    steps = [Step(text) for text in texts]
    parent = "".join(asked_of(READINGS[preset], steps[:-1], question))
    prompt, suffix = asked_of(READINGS[preset], steps, question)
    assert (prompt + suffix).startswith(parent)
    assert prompt.startswith(parent)


@given(
    st.lists(TEXTS, min_size=1, max_size=9),
    st.text("why? ", min_size=1, max_size=400).filter(str.strip),
    st.sampled_from([*READINGS.values(), Reading("tag", ("+",), ("-",), "<judge>")]),
)
@example(["a"], "why? " * 80, READINGS["rlhflow"])
def test_a_judgement_costs_no_more_than_it_said(texts: list[str], question: str, reading: Reading) -> None:
    judge, usage = Judge(lambda text, candidate: 0.5, *reading.good, *reading.bad), Usage()
    evaluator = TokenReading("prm", judge, reading)
    judged(evaluator, path_of(*map(Step, texts), question=question), usage)
    assert 0 < usage.scored <= evaluator.cost(max(map(len, texts)))


def test_the_value_is_the_share_of_the_good_tokens() -> None:
    scores = {"": {"Yes": 0.3, " Yes": 0.1, "No": 0.2}}
    evaluator = TokenReading("self", Judge(scores, "Yes", " Yes", "No"), READINGS["self"])
    assert judged(evaluator, path_of(*STEPS)) == {"self": pytest.approx(0.4 / 0.6)}


@pytest.mark.parametrize("preset", ["math-shepherd", "rlhflow"])
@pytest.mark.parametrize(("good", "bad", "value"), [(0.3, 0.1, 0.75), (0.0, 0.5, 0.0), (0.5, 0.0, 1.0)])
def test_a_prm_is_read_from_its_signs(preset: str, good: float, bad: float, value: float) -> None:
    judge = Judge({"": {"+": good, "-": bad}})
    assert judged(TokenReading("prm", judge, READINGS[preset]), path_of(*STEPS)) == {"prm": pytest.approx(value)}


def test_spellings_that_are_not_one_token_are_left_out() -> None:
    judge = Judge(SIGNS)
    judged(TokenReading("prm", judge, READINGS["math-shepherd"]), path_of(*STEPS))
    assert judge.asked[0].candidates == ("+", "-")


def test_a_server_is_asked_for_the_first_spelling_of_each() -> None:
    judge = Judge({"": {"Yes": 0.2, "No": 0.6}}, tokens=False)
    assert judged(TokenReading("self", judge, READINGS["self"]), path_of(*STEPS)) == {"self": pytest.approx(0.25)}
    assert judge.asked[0].candidates == ("Yes", "No")


@pytest.mark.parametrize(("words", "missing"), [((), "Yes"), (("Yes",), "No")])
def test_a_judge_without_a_token_for_its_verdict_is_refused_by_name(words: tuple[str, ...], missing: str) -> None:
    with pytest.raises(ModelError, match=f"tiny has no single token for '{missing}', which the evaluator 'self'"):
        TokenReading("self", Judge(SIGNS, *words, name="tiny"), READINGS["self"])


def test_a_judge_that_cannot_score_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="tiny cannot score tokens, which the evaluator 'self' needs"):
        TokenReading("self", ScriptedModel({}, name="tiny"), READINGS["self"])


@pytest.mark.parametrize(
    "judge",
    [Judge({"": {"+": 4e-5, "-": 5e-5}}), Judge({"": {"+": 0.0, "-": 0.0}}), Mute(SIGNS)],
    ids=["unlikely", "impossible", "not shown"],
)
def test_a_judge_that_said_neither_is_counted_and_gives_no_value(judge: Judge) -> None:
    usage = Usage()
    assert judged(TokenReading("prm", judge, READINGS["math-shepherd"]), path_of(*STEPS), usage) == {}
    assert usage.unreadable == 1


def test_what_is_just_likely_enough_is_read() -> None:
    usage, judge = Usage(), Judge({"": {"+": 9e-5, "-": 3e-5}})
    values = judged(TokenReading("prm", judge, READINGS["math-shepherd"]), path_of(*STEPS), usage)
    assert values == {"prm": pytest.approx(0.75)}
    assert usage.unreadable == 0


def test_the_verifier_knows_right_from_wrong_and_unfinished() -> None:
    verifier = Verifier(GAME24)
    wrong = Step("4 + 6 = 10", "answer")
    assert judged(verifier, path_of(*STEPS)) == {"verifier": 1.0}
    assert judged(verifier, path_of(STEPS[0], wrong)) == {"verifier": 0.0}
    assert judged(verifier, path_of(STEPS[0])) == {"verifier": 0.5}
    assert verifier.cost(24) == 0


def test_the_policys_odds_are_the_geometric_mean_over_the_paths_tokens() -> None:
    odds = LogProbability()
    assert judged(odds, path_of(*STEPS)) == {"logprob": pytest.approx(math.exp(-6 / 6))}
    assert judged(odds, path_of(STEPS[0])) == {"logprob": pytest.approx(math.exp(-2 / 4))}
    assert odds.cost(24) == 0


def test_a_weighted_mean_names_its_parts() -> None:
    mean = Weighted(((Verifier(GAME24), 1.0), (LogProbability(), 3.0)))
    odds = math.exp(-0.5)
    assert judged(mean, path_of(STEPS[0])) == {
        "verifier": 0.5,
        "logprob": pytest.approx(odds),
        "weighted": pytest.approx((0.5 + 3 * odds) / 4),
    }


def test_a_part_that_cannot_be_read_is_left_out_of_the_mean() -> None:
    mute, usage = TokenReading("prm", Mute(SIGNS), READINGS["math-shepherd"]), Usage()
    mean = Weighted(((mute, 9.0), (Verifier(GAME24), 1.0)))
    assert judged(mean, path_of(*STEPS), usage) == {"verifier": 1.0, "weighted": 1.0}
    assert judged(Weighted(((mute, 1.0),)), path_of(*STEPS), usage) == {}
    assert usage.unreadable == 2


def test_a_mean_costs_what_its_parts_cost() -> None:
    prm = TokenReading("prm", Judge(SIGNS), READINGS["math-shepherd"])
    own = TokenReading("self", Judge(SIGNS, "Yes", "No"), READINGS["self"])
    mean = Weighted(((prm, 1.0), (own, 1.0), (Verifier(GAME24), 1.0)))
    assert mean.cost(24) == prm.cost(24) + own.cost(24)
    assert prm.cost(24) == len("Step 10: ки") + 2 * 24
    assert own.cost(24) == len(f".\n\n{prompts.JUDGE}\n")


def test_a_spec_names_one_evaluator_or_several_with_weights() -> None:
    policy = Judge(SIGNS, "Yes", "No")
    assert build("verifier", GAME24, policy, None, "math-shepherd") == Verifier(GAME24)
    mean = build("self:0.3, prm:0.2,logprob", QA, policy, Judge(SIGNS), "rlhflow")
    assert isinstance(mean, Weighted)
    assert [(part.name, weight) for part, weight in mean.parts] == [("self", 0.3), ("prm", 0.2), ("logprob", 1.0)]


@pytest.mark.parametrize(
    ("spec", "preset", "message"),
    [
        ("oracle", "math-shepherd", "no evaluator 'oracle'; the evaluators are: self, prm, verifier, logprob"),
        ("", "math-shepherd", "no evaluator ''"),
        ("self,", "math-shepherd", "no evaluator ''"),
        ("verifier", "math-shepherd", "the task 'qa' has no verifier"),
        ("prm", "math-shepherd", "needs a judge; name its model with --prm"),
        ("logprob", "math-shepherd", "policy gives no log-probabilities"),
        ("self:0", "math-shepherd", "weight '0' in 'self:0' is not a positive number"),
        ("self:much", "math-shepherd", "weight 'much'"),
        ("self:nan", "math-shepherd", "weight 'nan'"),
        ("self:-1,self:2", "math-shepherd", "weight '-1'"),
        ("self", "shepherd", "no reading 'shepherd'; the readings are: self, math-shepherd, rlhflow"),
    ],
)
def test_a_spec_that_cannot_be_met_is_refused_by_name(spec: str, preset: str, message: str) -> None:
    policy = Judge(SIGNS, "Yes", "No", name="policy", logprobs=False)
    with pytest.raises(InputError, match=message):
        build(spec, QA, policy, None, preset)


def test_another_model_is_not_asked_to_continue_the_policys_own_tokens() -> None:
    policy, judge = Judge(SIGNS, "Yes", "No", name="policy"), Judge(SIGNS, "Yes", "No", name="judge")
    with pytest.raises(InputError, match="judge judges only paths that it can read as its own"):
        build("prm", QA, policy, judge, "self")
    assert build("prm", QA, policy, Judge(SIGNS, "Yes", "No", name="policy"), "self").name == "prm"


def test_v_weighs_what_was_recalled_against_what_was_said() -> None:
    assert combine(0.5, 1.0, 0.1) == pytest.approx(0.6 / 1.1)
    assert combine(0.7, 1.0, 0.0) == 0.7
    assert (combine(1.0, 1.0, 0.3), combine(0.0, 0.0, 0.3)) == (1.0, 0.0)


def test_f_a_is_the_best_of_relevance_times_novelty() -> None:
    assert association([0.9, 0.6], [0.5, 0.8]) == pytest.approx(0.48)
    assert association([0.9, 0.6], [0.0, 0.0]) == 0.0
    assert association([], []) == 0.0
