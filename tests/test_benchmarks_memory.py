"""The benchmark of the memory, on a scale that takes no time."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.memory import __main__ as command
from benchmarks.memory import scale, texts, vectors


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "FILES", ("corpus.json", "questions.jsonl"))
    monkeypatch.setattr(vectors, "LEAST", 3)
    tail = "of a length that makes it count as a sentence."
    corpus = {"Rome": [f"The first sentence {tail} The second sentence {tail}", "Too short."]}
    (tmp_path / "corpus.json").write_text(json.dumps(corpus))
    lines = [{"question": f"The third sentence {tail}"}, {"question": f"The first sentence {tail}"}]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_sentences_are_distinct_and_neither_short_nor_long(data, monkeypatch):
    assert [text.split()[1] for text in vectors.sentences(data)] == ["first", "second", "third"]
    monkeypatch.setattr(vectors, "LEAST", 4)
    with pytest.raises(ValueError, match="3 sentences, which are fewer than 4"):
        vectors.sentences(data)


def test_jittered_vectors_are_unit_rows_as_far_from_their_base_as_stated():
    base = np.eye(2, 384, dtype=np.float32)
    made = vectors.jittered(base, 1_000, 0)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    cosines = (made @ base.T).max(axis=1)
    assert cosines.mean() == pytest.approx(1 / (1 + vectors.NOISE**2) ** 0.5, abs=0.01)
    assert (made == vectors.jittered(base, 1_000, 0)).all()


def test_recombined_texts_use_words_as_often_as_the_sentences_do():
    drawn = texts.Recombined(["the the the the the the the cat sat"], 0).draw(500)
    words = " ".join(text.rstrip(".") for text in drawn).split()
    assert set(words) == {"the", "cat", "sat"}
    assert words.count("the") / len(words) == pytest.approx(7 / 9, abs=0.02)
    assert {len(text.split()) for text in drawn} == set(range(texts.LENGTHS[0], texts.LENGTHS[1] + 1))


def test_the_figures_of_the_scale(tmp_path, monkeypatch):
    chance = np.random.default_rng(0)
    base = chance.standard_normal((300, 16), dtype=np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    words = [f"word{n} of sentence{n % 7}" for n in range(300)]
    monkeypatch.setattr(scale, "embeddings", lambda *_: (words, base))
    monkeypatch.setattr(scale, "add_efficiency", lambda _: 1.0)
    for name, value in (("SIZES", (50, 100, 1_000)), ("CHUNK", 50), ("RECALLS", 10), ("QUERIES", 20), ("TIMED", 5)):
        monkeypatch.setattr(scale, name, value)
    monkeypatch.setattr(scale, "HELD_OUT", 20)
    found = scale.measure(tmp_path, tmp_path, quick=True)
    assert found["recall_at_10"] == found["detail"]["recall_at_10_unseen"] == 1
    assert {"speedup_exact", "recall_growth", "bytes_per_fact", "add_efficiency"} < found.keys()
    assert list(found["detail"]["recall_ms"]) == [50, 100]


def test_the_command_merges_parts_and_says_what_is_wrong(tmp_path, monkeypatch):
    def run(*options):
        return CliRunner().invoke(command.app, ["--json", "--data", str(tmp_path), *options])

    monkeypatch.setattr(scale, "measure", lambda *_, quick: {"recall_growth": 1.0, "detail": {"quick": quick}})
    merged = run("--only", "scale", "--quick")
    assert json.loads(merged.stdout) == {"recall_growth": 1.0, "detail": {"scale": {"quick": True}}}
    assert run("--only", "speed").exit_code == 2
    assert "there is no part speed" in run("--only", "speed").stderr
    assert "there is no folder" in run("--data", str(tmp_path / "none")).stderr
