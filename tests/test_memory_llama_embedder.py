"""Vectors by llama.cpp, of the small model that ships."""

from pathlib import Path

import numpy as np
import pytest

from memory import EmbedderError
from memory.llama_embedder import LONGEST, LlamaEmbedder, fingerprint

PUZZLE = Path(__file__).parents[1] / "coat" / "assets" / "puzzle.gguf"


@pytest.fixture(scope="module")
def embedder():
    with LlamaEmbedder(PUZZLE) as made:
        yield made


def test_vectors_have_the_models_width_and_length_one(embedder):
    vectors = embedder.embed(["4 9 10 13", "10 - 4 = 6", "", "漢字 and <|im_end|>"])
    assert vectors.shape == (4, embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_a_text_has_one_vector_whatever_it_is_batched_with(embedder):
    texts = [f"{n} + {m} = {n + m}" for n in range(10) for m in range(7)]
    together = embedder.embed(texts)
    for n in (0, 33, 69):
        assert together[n] @ embedder.embed([texts[n]])[0] == pytest.approx(1, abs=1e-3)
    assert together[0] @ together[1] < 0.9999


def test_what_lies_beyond_the_longest_text_does_not_count(embedder):
    start = "1 + 2 = 3\n" * LONGEST
    one, other, short = embedder.embed([start + "9", start + "7 * 8", "1 + 2"])
    assert one @ other == pytest.approx(1, abs=1e-5)
    assert one @ short < 0.9999


def test_the_name_is_the_same_wherever_the_file_lies(tmp_path):
    copy = tmp_path / PUZZLE.name
    copy.write_bytes(PUZZLE.read_bytes())
    assert LlamaEmbedder(copy).name == LlamaEmbedder(PUZZLE).name == f"gguf:puzzle.gguf@{fingerprint(PUZZLE)}"
    assert LlamaEmbedder(copy).place == f"gguf:{copy}"


def test_the_fingerprint_sees_size_and_weights(tmp_path):
    data = bytearray(PUZZLE.read_bytes())
    found = {fingerprint(PUZZLE)}
    for change in (slice(100, 101), slice(len(data) // 3, len(data) // 2), slice(len(data) - 1, len(data))):
        other = data.copy()
        other[change] = bytes(255 - byte for byte in other[change])
        (tmp_path / "other.gguf").write_bytes(other)
        found.add(fingerprint(tmp_path / "other.gguf"))
    (tmp_path / "longer.gguf").write_bytes(data + b"0")
    assert len(found | {fingerprint(tmp_path / "longer.gguf")}) == 5


def test_files_that_are_no_model_are_named(tmp_path):
    with pytest.raises(EmbedderError, match=r"none\.gguf cannot be read: No such file"):
        LlamaEmbedder(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(EmbedderError, match=r"text\.gguf is no GGUF file"):
        LlamaEmbedder(tmp_path / "text.gguf")
    (tmp_path / "half.gguf").write_bytes(PUZZLE.read_bytes()[:5000])
    with pytest.raises(EmbedderError, match=r"llama\.cpp cannot load .*half\.gguf"):
        LlamaEmbedder(tmp_path / "half.gguf").embed(["a"])


def test_closed_it_loads_again_and_nothing_is_printed(capfd):
    embedder = LlamaEmbedder(PUZZLE)
    first = embedder.embed(["24"])
    embedder.close()
    embedder.close()
    assert embedder.embed(["24"]) @ first.T == pytest.approx(1, abs=1e-5)
    embedder.close()
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def encoder(tmp_path):
    """Writes a BERT of random weights and the words a, b and c, which declares how it pools."""
    gguf = pytest.importorskip("gguf")

    def write(pooling):
        path, rng, width = tmp_path / f"bert{pooling}.gguf", np.random.default_rng(0), 32
        writer = gguf.GGUFWriter(path, "bert")
        writer.add_context_length(8)
        writer.add_embedding_length(width)
        writer.add_feed_forward_length(width)
        writer.add_block_count(1)
        writer.add_head_count(2)
        writer.add_layer_norm_eps(1e-12)
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType(pooling))
        writer.add_tokenizer_model("bert")
        writer.add_token_list(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁a", "▁b", "▁c"])
        writer.add_token_types([3, 3, 3, 3, 1, 1, 1])
        writer.add_token_type_count(1)
        for add, number in zip(("pad", "unk", "bos", "sep"), range(4), strict=True):
            getattr(writer, f"add_{add}_token_id")(number)
        writer.add_eos_token_id(3)
        square = (width, width)
        shapes = {"token_embd": (7, width), "position_embd": (8, width), "token_types": (1, width)}
        shapes |= {f"blk.0.{name}": square for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
        shapes |= {f"blk.0.{name}": square for name in ("ffn_up", "ffn_down")}
        norms = ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm")
        for name, shape in shapes.items():
            writer.add_tensor(f"{name}.weight", rng.normal(0, 0.3, shape).astype(np.float32))
        for name in norms:
            writer.add_tensor(f"{name}.weight", np.ones(width, dtype=np.float32))
        for name in (*norms, *(name for name in shapes if name.startswith("blk"))):
            writer.add_tensor(f"{name}.bias", np.zeros(width, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


def test_an_encoder_is_pooled_as_it_declares_and_its_end_is_kept(encoder, capfd):
    mean, first, last = 1, 2, 3
    found = {}
    for pooling in (mean, first, last):
        with LlamaEmbedder(encoder(pooling)) as made:
            found[pooling] = made.embed(["a b c", "a a a a a a b", "a a a a a a c c c", "c b a"])
            assert made._loaded.tokens("a a a a a a a a a") == [2, 4, 4, 4, 4, 4, 4, 3]
    assert capfd.readouterr() == ("", "")
    for rows in found.values():
        assert rows[1] @ rows[2] == pytest.approx(1, abs=1e-5)
        assert rows[0] @ rows[3] < 0.9999
    assert found[mean][0] @ found[first][0] < 0.99
    assert found[first][0] @ found[last][0] < 0.99


def test_a_model_that_ranks_texts_is_refused(encoder):
    rank = 4
    with LlamaEmbedder(encoder(rank)) as made, pytest.raises(EmbedderError, match="ranks texts and has no vectors"):
        made.embed(["a"])
