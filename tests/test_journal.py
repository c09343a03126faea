"""The journal: replies that replay identically, runs that are the same run, and files that cannot be used."""

import asyncio
import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coat.errors import BackendError, InputError, UnreadableScoreError
from coat.journal import Journal, JournalledModel
from coat.models import Completion, LanguageModel, SampleRequest, Sampling, ScoreRequest, Text
from coat.models.scripted import ScriptedModel
from coat.usage import Usage

LETTERS = {"": ["alpha", "bêta", "", "delta\nmore"]}
SCORES = {"": {"+": 0.25, "-": 0.0}}
PROMPT = (Text("Greek: "), (97, 98))
LINE = Sampling(stop=("\n",))


class Recording(ScriptedModel):
    """A scripted model that remembers which seeds it was asked for, and how often it scored."""

    def __init__(self, name: str = "scripted", *, tokens: bool = True, logprobs: bool = True) -> None:
        super().__init__(LETTERS, scores=SCORES, name=name, tokens=tokens, logprobs=logprobs)
        self.seeds, self.judgements = list[tuple[int, ...]](), 0

    async def sample(self, request: SampleRequest, usage: Usage) -> list[Completion]:
        self.seeds.append(request.seeds)
        return await super().sample(request, usage)

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        self.judgements += 1
        return await super().score(request, usage)


class Mute(Recording):
    """A server that reads the judgement and then does not show the candidates."""

    async def score(self, request: ScoreRequest, usage: Usage) -> list[float]:
        await super().score(request, usage)
        raise UnreadableScoreError("not among the likeliest")


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 0.0


def sample(model: LanguageModel, *seeds: int, sampling: Sampling = LINE) -> tuple[list[Completion], Usage]:
    usage = Usage()
    return asyncio.run(model.sample(SampleRequest(PROMPT, seeds, sampling), usage)), usage


def score(model: LanguageModel, prompt: str = "path", suffix: str = " ok?") -> tuple[list[float], Usage]:
    usage = Usage()
    return asyncio.run(model.score(ScoreRequest((Text(prompt),), (Text(suffix),), ("+", "-")), usage)), usage


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    made = Journal(file)
    yield made
    made.close()


@pytest.mark.parametrize("logprobs", [True, False])
def test_a_reply_comes_back_as_it_was_after_the_file_was_closed(file: Path, logprobs: bool) -> None:
    first, again = Recording(logprobs=logprobs), Recording(logprobs=logprobs)
    journal = Journal(file)
    replies, usage = sample(JournalledModel(first, journal), 0, 1, 2, 3)
    journal.close()
    journal = Journal(file)
    replayed, later = sample(JournalledModel(again, journal), 0, 1, 2, 3)
    journal.close()
    assert replayed == replies
    assert [reply.text for reply in replayed] == ["alpha", "bêta", "", "delta"]
    assert again.seeds == []
    assert usage.generated == 6 + 5 + 1 + 6
    assert later == Usage(replayed=usage.generated, unique=usage.unique, unique_of=usage.unique_of)


def test_only_the_siblings_that_are_missing_are_sampled(journal: Journal) -> None:
    recording = Recording()
    model = JournalledModel(recording, journal)
    sample(model, 0, 2)
    replies, usage = sample(model, 3, 2, 1, 0, 3)
    assert [reply.text for reply in replies] == ["delta", "", "bêta", "alpha", "delta"]
    assert recording.seeds == [(0, 2), (3, 1)]
    assert (usage.generated, usage.replayed) == (6 + 5, 1 + 6)


def test_what_is_not_the_same_request_is_asked_again(journal: Journal) -> None:
    recording = Recording()
    model = JournalledModel(recording, journal)
    others = [Sampling(stop=("a",)), Sampling(max_tokens=3), Sampling(temperature=0.1), Sampling(top_k=1), LINE]
    for sampling in others:
        sample(model, 0, sampling=sampling)
    sample(JournalledModel(recording, journal), 0)
    asyncio.run(model.sample(SampleRequest((Text("Latin: "),), (0,), LINE), Usage()))
    assert len(recording.seeds) == len(others) + 1


def test_a_place_is_its_tokens_however_the_prompt_is_cut_into_pieces(journal: Journal) -> None:
    recording = Recording()
    model = JournalledModel(recording, journal)
    sample(model, 0)
    asyncio.run(model.sample(SampleRequest((Text("Greek"), Text(": ab")), (0,), LINE), Usage()))
    assert recording.seeds == [(0,)]


def test_another_model_gets_none_of_the_replies(journal: Journal) -> None:
    sample(JournalledModel(Recording("one"), journal), 0)
    for other in (Recording("two"), Recording("one", tokens=False)):
        request = SampleRequest((Text("Greek: ab"),), (0,), LINE)
        asyncio.run(JournalledModel(other, journal).sample(request, Usage()))
        assert other.seeds == [(0,)]


def test_a_score_replays_even_where_it_is_impossible(journal: Journal) -> None:
    recording = Recording()
    model = JournalledModel(recording, journal)
    first, usage = score(model)
    again, later = score(model)
    assert first == again == [math.log(0.25), -math.inf]
    assert (usage.scored, later) == (4, Usage(replayed=4, unique=usage.unique, unique_of=usage.unique_of))
    assert recording.judgements == 1


def test_the_same_text_read_for_another_part_of_it_counts_for_itself(journal: Journal) -> None:
    model = JournalledModel(Recording(), journal)
    score(model, "path", " ok?")
    assert score(model, "path ok", "?")[1].scored == 1


def test_a_judge_that_could_not_be_read_is_not_asked_again(journal: Journal) -> None:
    mute = Mute()
    model, usages = JournalledModel(mute, journal), [Usage(), Usage()]
    for usage in usages:
        request = ScoreRequest((Text("path"),), (Text(" ok?"),), ("+", "-"))
        with pytest.raises(UnreadableScoreError, match="not among the likeliest"):
            asyncio.run(model.score(request, usage))
    assert mute.judgements == 1
    assert (usages[0].scored, usages[1].scored, usages[1].replayed) == (4, 0, 4)


def test_a_request_that_failed_leaves_nothing(journal: Journal) -> None:
    failing = JournalledModel(ScriptedModel(LETTERS, scores=SCORES, fail_after=0), journal)
    with pytest.raises(BackendError):
        sample(failing, 0)
    with pytest.raises(BackendError):
        score(failing)
    works = Recording()
    sample(JournalledModel(works, journal), 0)
    score(JournalledModel(works, journal))
    assert (works.seeds, works.judgements) == ([(0,)], 1)


def test_a_reply_is_on_the_disk_before_it_is_handed_on(file: Path, journal: Journal) -> None:
    sample(JournalledModel(Recording(), journal), 0)
    looking, recording = Journal(file), Recording()
    assert sample(JournalledModel(recording, looking), 0)[1].replayed == 6
    looking.close()
    assert recording.seeds == []


def test_replies_are_written_all_or_none(file: Path, journal: Journal) -> None:
    journal.keep([(b"there", "already")])
    journal._db.execute("PRAGMA max_page_count = 12")  # a disk that is nearly full
    with pytest.raises(InputError, match="as a journal: database or disk is full; name another file"):
        journal.keep([(b"small", "fits"), (b"large", "x" * 100_000)])
    assert (journal.reply(b"small"), journal.reply(b"large"), journal.reply(b"there")) == (None, None, "already")
    journal.keep([(b"small", "fits")])
    assert journal.reply(b"small") == "fits"


def test_the_first_reply_under_a_key_stays(journal: Journal) -> None:
    journal.keep([(b"key", [1, "ü"]), (b"key", 2)])
    journal.keep([(b"key", 3)])
    assert journal.reply(b"key") == [1, "ü"]


PROCESS = """
import asyncio, sys
from pathlib import Path
from coat.journal import Journal, JournalledModel
from coat.models import SampleRequest, Text
from coat.models.scripted import ScriptedModel
from coat.usage import Usage

sys.stdin.readline()
journal = Journal(Path(sys.argv[1]))
model = JournalledModel(ScriptedModel(lambda prompt, seed, sampling: f"{prompt}{seed}"), journal)
run = journal.begin({"seed": sys.argv[2]})
for n in range(60):
    for text in ("shared", sys.argv[2]):
        asyncio.run(model.sample(SampleRequest((Text(f"{text} {n} "),), (1, 2)), Usage()))
    run.delivered()
run.end("exhausted", {})
journal.close()
"""


def test_several_processes_make_and_write_one_file(file: Path) -> None:
    names, command = ["a", "b", "c", "d"], [sys.executable, "-c", PROCESS, str(file)]
    writers = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for name in names]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.communicate()[1] for writer in writers] == [b""] * len(names)
    journal = Journal(file)
    assert sorted((run.config["seed"], run.stop) for run in journal.runs()) == [(n, "exhausted") for n in names]
    for name in [*names, "shared"]:
        silent = ScriptedModel({})  # has no reply of its own to anything
        request = SampleRequest((Text(f"{name} 59 "),), (1, 2))
        replies = asyncio.run(JournalledModel(silent, journal).sample(request, Usage()))
        assert [reply.text for reply in replies] == [f"{name} 59 1", f"{name} 59 2"]
    journal.close()


def test_the_same_configuration_is_the_same_run(file: Path) -> None:
    journal = Journal(file)
    first = journal.begin({"seed": 0, "question": "why?"})
    journal.close()
    journal = Journal(file)
    assert journal.begin({"question": "why?", "seed": 0}).id == first.id
    other = journal.begin({"question": "why?", "seed": 1})
    assert other.id != first.id
    other.end("solved", {"answer": "so"})
    records = [(run.id, run.config["seed"], run.stop, run.result) for run in journal.runs()]
    assert records == [(first.id, 0, None, None), (other.id, 1, "solved", {"answer": "so"})]
    assert journal.config(other.id) == {"question": "why?", "seed": 1}
    with pytest.raises(InputError, match=r"no run 99 in .*journal\.db; `coat runs` lists them"):
        journal.config(99)
    journal.close()


def test_a_run_finds_its_recalls_and_its_clock_again(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("coat.journal.time", clock)
    hits = [{"id": 3, "text": "Rome lies on the Tiber.", "source": "atlas", "score": 0.5, "kind": "fact"}]
    run = journal.begin({})
    assert not run.replaying
    run.recalled(0, hits)
    clock.now += 2
    assert run.delivered() == 2.0
    run.recalled(4, [])
    clock.now += 3
    assert run.delivered() == 5.0

    clock.now += 1000  # a kill, and a night
    again = journal.begin({})
    assert (again.recall(0), again.recall(4), again.recall(5)) == (hits, [], None)
    assert again.replaying
    assert again.delivered() == 2.0
    assert again.replaying
    assert again.delivered() == 5.0
    assert not again.replaying
    clock.now += 4
    assert again.seconds == 9.0
    assert again.delivered() == 9.0
    last = journal.begin({})
    assert [last.delivered() for _ in range(3)] == [2.0, 5.0, 9.0]


@pytest.mark.parametrize(("stop", "here"), [("seconds", True), ("interrupted", False), ("solved", False)])
def test_only_the_clocks_stop_is_repeated(journal: Journal, stop: str, here: bool) -> None:
    run = journal.begin({})
    run.delivered()
    run.end(stop, {})
    again = journal.begin({})
    assert not again.stopped_here
    again.delivered()
    assert again.stopped_here is here


def test_without_a_file_a_journal_lives_in_this_process() -> None:
    journal, recording = Journal(None), Recording()
    sample(JournalledModel(recording, journal), 0)
    sample(JournalledModel(recording, journal), 0)
    assert recording.seeds == [(0,)]
    other = Journal(None)
    assert other.runs() == []
    journal.close()
    other.close()


def change(file: Path, *statements: str) -> None:
    db = sqlite3.connect(file)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b"not sqlite at all" * 100), "file is not a database"),
        (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "malformed"),
        (lambda file: change(file, "PRAGMA user_version = 2"), "version 2, this coat writes 1"),
        (lambda file: (file.unlink(), change(file, "CREATE TABLE cookies (name)")), "not a journal of coat"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(
    file: Path, spoil: Callable[[Path], object], message: str
) -> None:
    fill(file)
    spoil(file)
    before = file.read_bytes()
    with pytest.raises(InputError, match=rf"cannot use .*journal\.db as a journal: .*{message}.*--no-journal"):
        Journal(file)
    assert file.read_bytes() == before


def fill(file: Path) -> None:
    journal = Journal(file)
    journal.keep([(f"key {n}".encode() * 40, "x" * 500) for n in range(400)])
    journal.begin({"seed": 0}).delivered()
    journal.close()


def test_damage_inside_the_file_is_a_sentence_wherever_it_is_met(file: Path) -> None:
    fill(file)
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xee" * len(data[8192:])
    file.write_bytes(data)
    journal = Journal(file)
    for use in (
        lambda: journal.reply(b"key 7" * 40),
        lambda: journal.keep([(b"key 7" * 40, "y")]),
        lambda: journal.begin({"seed": 1}),
        lambda: journal.runs(),
        lambda: journal.config(1),
    ):
        with pytest.raises(InputError, match=r"cannot use .* as a journal: .*malformed"):
            use()
    journal.close()


def test_a_reply_that_is_not_json_is_a_sentence(file: Path, journal: Journal) -> None:
    journal.keep([(b"key", "body")])
    change(file, "UPDATE replies SET body = '\"bod'")
    with pytest.raises(InputError, match="as a journal: Unterminated string"):
        journal.reply(b"key")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file" / "journal.db", tmp_path):
        with pytest.raises(InputError, match=r"cannot use .* as a journal: .*; name another file with --journal"):
            Journal(place)


def test_a_read_only_file_shows_its_runs_and_takes_no_new_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(file)
    connect = sqlite3.connect

    def read_only(path: Path, **options: object) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr("coat.journal.sqlite3.connect", read_only)
    journal = Journal(file)
    assert [run.config for run in journal.runs()] == [{"seed": 0}]
    with pytest.raises(InputError, match="as a journal: attempt to write a readonly database; name another file"):
        journal.begin({"seed": 1})
    journal.close()
