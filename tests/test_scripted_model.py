"""The scripted model: what it draws, where it cuts, what it counts, how it fails."""

import asyncio
import math

import pytest

from coat.errors import BackendError, ContextError, InputError, ModelError
from coat.models import Completion, LanguageModel, Message, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.plain import find_stop
from coat.models.scripted import ScriptedModel
from coat.usage import Usage

ABC = {"": ["alpha", "beta", "gamma"], "2 + 2 =": [" 4\n5", " 5"]}
YES = {"": {"yes": 0.25, "no": 0.75}, "4?": {"yes": 1.0, "no": 0.0}}


def sample(
    model: ScriptedModel, prompt: str, *seeds: int, usage: Usage | None = None, **sampling: object
) -> list[Completion]:
    request = SampleRequest((Text(prompt),), seeds or (0,), Sampling(**sampling))  # type: ignore[arg-type]
    return asyncio.run(model.sample(request, usage or Usage()))


def score(model: ScriptedModel, prompt: str, suffix: str = "", usage: Usage | None = None) -> list[float]:
    request = ScoreRequest((Text(prompt),), (Text(suffix),), ("yes", "no"))
    return asyncio.run(model.score(request, usage or Usage()))


def test_it_is_a_language_model() -> None:
    model = ScriptedModel(ABC)
    assert isinstance(model, LanguageModel)
    assert model.capabilities.tokens
    assert not model.capabilities.candidates


def test_seeds_pick_siblings_in_their_order() -> None:
    replies = sample(ScriptedModel(ABC), "x", 4, 0, 2)
    assert [reply.text for reply in replies] == ["beta", "alpha", "gamma"]


def test_the_longest_ending_of_the_prompt_decides() -> None:
    assert sample(ScriptedModel(ABC), "so 2 + 2 =")[0].text == " 4\n5"


def test_a_function_gets_prompt_seed_and_parameters() -> None:
    model = ScriptedModel(lambda prompt, seed, sampling: f"{prompt}{seed}{sampling.temperature}")
    assert sample(model, "p", 7, temperature=0.5)[0].text == "p70.5"


def test_an_end_is_one_more_token() -> None:
    assert sample(ScriptedModel(ABC), "x", 1) == [
        Completion("beta", tuple(map(ord, "beta")), -5.0, 5, "eos"),
    ]


def test_a_stop_string_is_cut_off_and_counted() -> None:
    (reply,) = sample(ScriptedModel(ABC), "2 + 2 =", stop=("\n",))
    assert reply == Completion(" 4", (32, 52), -3.0, 3, "stop")


def test_a_stop_string_at_the_last_token_still_stops() -> None:
    (reply,) = sample(ScriptedModel(ABC), "2 + 2 =", stop=("\n",), max_tokens=3)
    assert (reply.text, reply.finish) == (" 4", "stop")


def test_a_stop_string_that_is_not_complete_in_time_stays() -> None:
    (reply,) = sample(ScriptedModel(ABC), "x", stop=("ha",), max_tokens=4)
    assert (reply.text, reply.generated, reply.finish) == ("alph", 4, "length")


def test_the_context_cuts() -> None:
    (reply,) = sample(ScriptedModel(ABC, context=5), "xy", 2)
    assert (reply.text, reply.generated, reply.finish) == ("gam", 3, "context")


@pytest.mark.parametrize(
    ("text", "stop", "place"),
    [("a\n\nb", ("\n\n", "\n"), (1, 2)), ("abc", ("bc", "c"), (1, 3)), ("abc", ("", "d"), None)],
)
def test_the_stop_string_that_is_complete_first_wins(
    text: str, stop: tuple[str, ...], place: tuple[int, int] | None
) -> None:
    assert find_stop(text, stop) == place


def test_log_probabilities_can_be_given_or_left_out() -> None:
    given = ScriptedModel(ABC, logprob=lambda prompt, sampled: -0.5 * len(prompt + sampled))
    assert sample(given, "x")[0].logprob == -3.0
    without = ScriptedModel(ABC, logprobs=False)
    assert sample(without, "x")[0].logprob is None
    assert not without.capabilities.logprobs


def test_a_token_path_goes_back_in() -> None:
    model = ScriptedModel({"": ["no"], "xalpha": ["yes"], "x": ["alpha"]})
    (reply,) = sample(model, "x")
    prompt = (Text("x"), reply.piece)
    assert model.path(prompt) == tuple(map(ord, "xalpha"))
    assert asyncio.run(model.sample(SampleRequest(prompt, (0,)), Usage()))[0].text == "yes"


def test_usage_is_that_of_a_perfect_cache() -> None:
    model, usage = ScriptedModel({"": ["ab", "ac"]}), Usage()
    sample(model, "xy", 0, 1, usage=usage)  # rows x y a b, and c; the end's token is not decoded
    assert (usage.generated, usage.unique, usage.evaluated, usage.decodes) == (6, 5, 5, 3)
    sample(model, "xya", 0, max_tokens=2, usage=usage)  # the second a is new, the b after it is not decoded
    assert (usage.generated, usage.unique, usage.evaluated, usage.decodes) == (8, 6, 6, 5)


def test_a_score_counts_its_suffix_only() -> None:
    model, usage = ScriptedModel(ABC, scores=YES), Usage()
    assert score(model, "path", "ok?", usage) == [math.log(0.25), math.log(0.75)]
    assert (usage.scored, usage.generated, usage.evaluated, usage.decodes) == (3, 0, 7, 1)
    assert score(model, "2 + 2 = 4", "?") == [0.0, -math.inf]


def test_scores_from_a_function() -> None:
    model = ScriptedModel(ABC, scores=lambda text, candidate: 1.0 if text + candidate == "a?yes" else 0.0)
    assert score(model, "a", "?") == [0.0, -math.inf]


def test_as_a_server_it_has_no_ids_and_decodes_nothing_here() -> None:
    model, usage = ScriptedModel(ABC, scores=YES, tokens=False), Usage()
    (reply,) = sample(model, "x", usage=usage)
    score(model, "x", "?", usage)
    assert (reply.tokens, reply.piece, model.path((Text("x"), reply.piece))) == ((), Text("alpha"), "xalpha")
    assert usage == Usage(generated=6, scored=1)
    with pytest.raises(ModelError, match="works on text"):
        asyncio.run(model.sample(SampleRequest(((1, 2),), (0,)), usage))


def test_replies_can_finish_out_of_order() -> None:
    order: list[str] = []
    model = ScriptedModel(ABC, delay=lambda request: 0.01 if request.prompt == (Text("slow"),) else 0.0)

    async def one(prompt: str) -> None:
        await model.sample(SampleRequest((Text(prompt),), (0,)), Usage())
        order.append(prompt)

    async def both() -> None:
        await asyncio.gather(one("slow"), one("quick"))

    asyncio.run(both())
    assert order == ["quick", "slow"]


def test_a_cancelled_request_costs_nothing() -> None:
    model, usage = ScriptedModel(ABC, delay=lambda request: 60.0), Usage()

    async def cancel() -> None:
        task = asyncio.create_task(model.sample(SampleRequest((Text("x"),), (0,)), usage))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert usage == Usage()


def test_it_fails_on_schedule_and_when_closed() -> None:
    model = ScriptedModel(ABC, scores=YES, fail_after=2)
    sample(model, "x")
    score(model, "x")
    with pytest.raises(BackendError, match="after 2 requests"):
        sample(model, "x")
    model.close()
    model.close()
    with pytest.raises(BackendError, match="closed"):
        score(model, "x")


def test_what_can_never_fit_is_refused() -> None:
    model = ScriptedModel(ABC, scores=YES, context=4)
    with pytest.raises(ContextError, match="4 tokens and the context holds 4"):
        sample(model, "long")
    with pytest.raises(ContextError, match="5 tokens"):
        score(model, "long", "?")


def test_a_script_that_does_not_know_says_so() -> None:
    with pytest.raises(ModelError, match=r"no reply .* 'x'"):
        sample(ScriptedModel({"y": ["z"]}), "x")
    with pytest.raises(ModelError, match="empty list"):
        sample(ScriptedModel({"x": []}), "x")
    with pytest.raises(ModelError, match="cannot score"):
        score(ScriptedModel(ABC), "x")
    with pytest.raises(ModelError, match="no score for 'yes'"):
        score(ScriptedModel(ABC, scores={"": {"+": 1.0}}), "x")
    with pytest.raises(ModelError, match=r"probability in \[0, 1\]"):
        score(ScriptedModel(ABC, scores=lambda text, candidate: 2.0), "x")
    with pytest.raises(ModelError, match="another model"):
        asyncio.run(ScriptedModel(ABC).sample(SampleRequest(((-1,),), (0,)), Usage()))


def test_a_conversation_is_its_texts_one_under_the_other() -> None:
    model = ScriptedModel(ABC)
    messages = [Message("system", "Add."), Message("user", "2 + 2")]
    assert model.path(model.chat(messages)) == tuple(map(ord, "Add.\n2 + 2\n"))
    assert model.path(model.chat([*messages, Message("assistant", "It is")])) == tuple(map(ord, "Add.\n2 + 2\nIt is"))
    with pytest.raises(InputError, match="at least one message"):
        model.chat([])


def test_the_fingerprint_tells_scripts_apart() -> None:
    prints = {ScriptedModel(ABC, name=name).fingerprint for name in ("a", "b", "a")}
    prints.add(ScriptedModel(ABC, name="a", context=8).fingerprint)
    assert len(prints) == 3
