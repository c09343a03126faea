"""The benchmark of the memory, on a scale that takes no time."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.memory import __main__ as command
from benchmarks.memory import association, knobs, scale, texts, vectors, weighing
from memory import AssociativeMemory, HashingEmbedder
from search import Step, Tree


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


ROME, PARIS, BREAD = "Rome: Rome lies on the Tiber.", "Paris: Paris lies on the Seine.", "Bread: Bread is baked."


def test_the_grid_counts_what_was_asked_for_and_what_was_not():
    question = association.Question("On what river lies the capital?", (ROME, PARIS), (ROME, PARIS))
    with AssociativeMemory(None, HashingEmbedder()) as mem:
        mem.add([ROME, PARIS, BREAD])
        found = knobs.grid(mem, [question], (1, 3), (-1.0, 0.9))
        assert sorted(fact.text for fact in mem.list()) == sorted([ROME, PARIS, BREAD]), "the memory is as it was"
    everything, nothing = {"threshold": -1.0, "silent": 0}, {"threshold": 0.9, "silent": 1}
    none = {"found": 0, "told": 0, "beside": 0, "precision": 0}
    assert found["direct"] == [
        {"k": 1, "found": 0.5, "told": 1, "beside": 0, "precision": 1} | everything,
        {"k": 3, "found": 1, "told": 3, "beside": 1, "precision": 0.6667} | everything,
        {"k": 1} | none | nothing,
        {"k": 3} | none | nothing,
    ]
    others = [(row["k"], row["found"], row["told"]) for row in found["stepwise"] if row["threshold"] == -1]
    assert others == [(1, 1, 1), (3, 1, 2)], "the passage on the path is not told again"


def test_the_passages_of_a_question_are_those_that_support_and_all(tmp_path):
    corpus = {"Rome": [" It lies on the Tiber."], "Paris": ["It lies", " on the Seine."]}
    entry = {"question": "q", "supporting_facts": [["Paris", 1], ["Paris", 9]], "context": [*corpus.items()]}
    (tmp_path / association.CORPUS).write_text(json.dumps(corpus))
    (tmp_path / association.QUESTIONS).write_text(json.dumps([entry]))
    _, (question,) = association.read(tmp_path)
    paris, rome = "Paris: It lies on the Seine.", "Rome: It lies on the Tiber."
    assert (question.support, question.context) == ((paris,), (rome, paris))
    (steps,) = weighing.sentences(tmp_path)
    assert steps == ("q", (("on the Seine.",),), ("It lies on the Tiber.",))


def test_f_a_ranks_what_a_recalled_fact_says_above_what_none_says():
    steps = weighing.Steps(
        "What flows by Rome?", (("Rome lies on the Tiber.",), ("Paris lies on the Seine.",)), ("Milk boils.",)
    )
    with AssociativeMemory(None, HashingEmbedder()) as mem:
        mem.add([ROME, PARIS, BREAD])
        found = weighing.ranking(mem, [steps])
    assert found["first"]["fa"] == found["second"]["fa"] == 1
    assert (found["first"]["questions"], found["second"]["questions"]) == (1, 2)
    assert "told" not in found["first"]


def test_where_f_a_changed_the_best_child_is_counted():
    tree = Tree()
    for parent, generated, associated, judged in (
        (0, 0.9, 0.1, 0.5),
        (0, 0.8, 0.9, 0.85),
        (1, 0.5, 0.5, 0.5),
        (2, 0.5, 0.1, 0.3),
        (2, 0.6, 0.1, 0.35),
    ):
        node = tree[tree.add(parent, Step("x"))]
        node.parts, node.judged = {"F_g": generated, "F_a": associated}, judged
    nodes = [tree[n] for n in range(len(tree))]
    assert weighing.changes(nodes) == [True, False], "the only child of a node is its best by any measure"
    assert weighing.changes([node for node in nodes if node.id != 2]) == [False]


def test_outcomes_are_summed_by_beta():
    rows = [
        {"0": weighing.Outcome(1.0, 0.5, 2, (False, False)), "1": weighing.Outcome(0.0, 1.0, 10, (True, False))},
        {"0": weighing.Outcome(0.0, 0.5, 4, ()), "1": weighing.Outcome(0.0, 0.0, 20, (True,))},
    ]
    found = weighing.summed(rows)
    assert found["0"] == {"f1": 0.5, "gap": [0, 0, 0], "found": 0.5, "words": 3, "changed": 0, "expansions": 2}
    assert (found["1"]["gap"][0], found["1"]["words"], found["1"]["changed"]) == (-0.5, 15, 0.6667)
