"""What a GGUF's header says: whole files, damaged ones, and those that are something else than a model that writes."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.kinds import LAYERS, WIDTH, write
from coat.errors import ModelError
from coat.models.header import Header, check_writes, read_header

F32, Q8_0, NEWEST = 0, 8, 9999


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def value(key: bytes, kind: int, content: bytes) -> bytes:
    return string(key) + struct.pack("<I", kind) + content


def tensor(shape: tuple[int, ...], kind: int = F32, offset: int = 0) -> bytes:
    return string(b"weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


VALUES = (
    value(b"general.architecture", 8, string(b"llama")),
    value(b"count", 4, struct.pack("<I", 7)),
    value(b"tokens", 9, struct.pack("<IQ", 8, 3) + string(b"a") + string(b"") + string(b"bc")),
    value(b"scores", 9, struct.pack("<IQ3f", 6, 3, 1.0, 2.0, 3.0)),
)


def gguf(
    *tensors: bytes, values: tuple[bytes, ...] = VALUES, data: int = 64, alignment: int = 32, version: int = 3
) -> bytes:
    header = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), len(values)) + b"".join(values + tensors)
    return header + bytes(-len(header) % alignment) + bytes(data)


@pytest.fixture
def check(tmp_path: Path) -> Callable[[bytes], Header]:
    def run(content: bytes) -> Header:
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        return read_header(path)

    return run


Check = Callable[[bytes], Header]


@pytest.mark.parametrize("version", [2, 3])
def test_a_whole_file_passes(check: Check, version: int) -> None:
    check(gguf(tensor((16,)), version=version))
    check(gguf(tensor((8, 2)), tensor((2,), offset=64), data=72))


def test_every_truncation_is_found(check: Check) -> None:
    whole = gguf(tensor((32, 2), Q8_0), data=68)
    check(whole)
    for length in range(len(whole)):
        with pytest.raises(ModelError, match=r"incomplete|empty|not a GGUF|damaged"):
            check(whole[:length])


def test_a_truncated_file_says_how_much_is_there_and_how_much_should_be(check: Check) -> None:
    whole = gguf(tensor((16,)))
    with pytest.raises(ModelError, match=rf"incomplete: it has {len(whole) - 1} bytes .* promises {len(whole)};"):
        check(whole[:-1])


def test_the_alignment_of_the_file_counts(check: Check) -> None:
    wide = (*VALUES, value(b"general.alignment", 4, struct.pack("<I", 1024)))
    whole = gguf(tensor((16,)), values=wide, alignment=1024)
    check(whole)
    with pytest.raises(ModelError, match="incomplete"):
        check(whole[:-1])
    odd = (value(b"general.alignment", 4, struct.pack("<I", 48)),)
    with pytest.raises(ModelError, match="aligns to 48 bytes"):
        check(gguf(tensor((16,)), values=odd))


def test_a_type_that_is_not_known_is_left_to_llama_cpp(check: Check) -> None:
    check(gguf(tensor((10**6,), NEWEST)))
    with pytest.raises(ModelError, match="incomplete"):
        check(gguf(tensor((10**6,), NEWEST, offset=10**6)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a zip", r"not a GGUF file \(it begins with b'PK"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"GGUF\x03\x00\x00\x00", "incomplete: it has 8 bytes and a header needs 24"),
        (gguf(tensor((16,)), version=1), "it has version 1"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 1, 1), "big-endian"),
        (gguf(), "holds no weights"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 0), "damaged: it counts 1152921504606846976 tensors"),
        (gguf(tensor((16,)), values=(value(b"odd", 77, b"1234"),)), "'odd' has the unknown type 77"),
        (
            gguf(tensor((16,)), values=(value(b"nested", 9, struct.pack("<IQ", 9, 1)),)),
            "'nested' is a list of the unknown type 9",
        ),
        (gguf(tensor((1, 1, 1, 1, 1))), "a tensor of 5 dimensions"),
        (gguf(tensor((2**40, 2**40))), "incomplete"),
        (gguf(tensor((16,)), values=(struct.pack("<Q", 2**64 - 1) + bytes(64),)), "its header goes on"),
        (gguf(tensor((16,)), values=(value(b"a", 9, struct.pack("<IQ", 8, 2**63) + bytes(64)),)), "goes on"),
        (gguf(tensor((16,)), values=(value(b"a", 9, struct.pack("<IQ", 4, 2**63) + bytes(64)),)), "goes on"),
        (
            gguf(tensor((16,)), values=(value(b"a", 9, struct.pack("<IQQ", 8, 2, 2**64 - 1) + bytes(64)),)),
            "goes on",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(check: Check, content: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check(content)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder; name a \.gguf file$"):
        read_header(tmp_path)
    (tmp_path / "tiny.gguf").touch()
    with pytest.raises(ModelError, match=r"is a folder; .* in it: tiny\.gguf"):
        read_header(tmp_path)
    with pytest.raises(ModelError, match=r"no file .*tinny\.gguf; did you mean .*tiny\.gguf"):
        read_header(tmp_path / "tinny.gguf")
    with pytest.raises(ModelError, match="check the path"):
        read_header(tmp_path / "nowhere" / "x.gguf")
    with pytest.raises(ModelError, match="not a regular file"):
        read_header(Path(os.devnull))
    for name in ("a\0b.gguf", "x" * 5000 + ".gguf"):
        with pytest.raises(ModelError, match="cannot be read"):
            read_header(tmp_path / name)


def test_a_file_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(tensor((16,))))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"model\.gguf cannot be read: Permission denied"):
        read_header(path)


def test_a_header_tells_what_the_model_is(tmp_path: Path) -> None:
    header = read_header(write("hybrid", tmp_path / "model.gguf"))
    assert (header.architecture, header.own("block_count"), header.own("nothing", 7)) == ("lfm2", LAYERS, 7)
    assert header.own("attention.head_count_kv") == (0, 4, 0, 4)
    assert header.metadata["tokenizer.chat_template"].startswith("{% for message")
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.bytes == (tmp_path / "model.gguf").stat().st_size
    assert 4 * header.parameters < header.bytes < 4 * header.parameters + 12_000
    assert header.parameters > LAYERS * 9 * WIDTH * WIDTH


def text(key: str, content: str) -> bytes:
    return value(key.encode(), 8, string(content.encode()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            (text("general.type", "adapter"), text("general.base_model.0.name", "Qwen3 8B")),
            r"is an adapter \(LoRA\) for Qwen3 8B and no model by itself",
        ),
        ((text("general.type", "mmproj"),), "is a vision projector"),
        ((text("general.architecture", "clip"),), "is a vision projector"),
        ((text("general.type", "imatrix"),), "statistics for quantising"),
        ((text("general.architecture", "nomic-bert"),), "is an embedding model and writes no text"),
        (
            (text("general.architecture", "gemma-embedding"), value(b"gemma-embedding.attention.causal", 7, b"\0")),
            "is an embedding model",
        ),
    ],
)
def test_what_is_no_model_that_writes_is_refused_by_name(tmp_path: Path, values: tuple[bytes], words: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(tensor((16,)), values=values))
    with pytest.raises(ModelError, match=words):
        check_writes(read_header(path))


def test_a_model_that_writes_is_not_refused(tmp_path: Path) -> None:
    check_writes(read_header(write("dense", tmp_path / "model.gguf")))


def parts(folder: Path, *numbers: int) -> list[Path]:
    """Parts of a model of three, of which the first holds no weights."""
    paths = []
    for number in numbers:
        path = folder / f"a-model-{number:05}-of-00003.gguf"
        split = value(b"split.count", 2, struct.pack("<H", 3))
        path.write_bytes(gguf(*([tensor((16,))] if number > 1 else []), values=(*VALUES, split)))
        paths.append(path)
    return paths


def test_a_model_in_parts_is_named_by_the_first_and_needs_all(tmp_path: Path) -> None:
    first, second = parts(tmp_path, 1, 2)
    with pytest.raises(ModelError, match=r"a-model-00003-of-00003\.gguf is missing beside it"):
        read_header(first)
    (third,) = parts(tmp_path, 3)
    assert read_header(first).parts == (first, second, third)
    with pytest.raises(ModelError, match=r"is part 2 of 3; name the first one: a-model-00001-of-00003\.gguf"):
        read_header(second)
    with pytest.raises(ModelError, match="one of 3 parts; give it back its name"):
        read_header(first.rename(tmp_path / "mine.gguf"))


SHAPE = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4, "attention.head_count_kv": 2}


def shaped(check: Check, changes: dict[str, bytes]) -> Header:
    """The header of a model of two layers, of which some values are something else."""
    numbers = {key: value(f"any.{key}".encode(), 4, struct.pack("<I", number)) for key, number in SHAPE.items()}
    held = {"general.architecture": text("general.architecture", "any")} | numbers | changes
    return check(gguf(tensor((16,)), values=tuple(held.values())))


def test_the_size_of_a_cell_is_worked_out_by_hand(check: Check) -> None:
    assert shaped(check, {}).cell_bytes == 2 * (2 + 2) * (16 + 16)
    long = value(b"any.attention.key_length", 4, struct.pack("<I", 32))
    assert shaped(check, {"long": long}).cell_bytes == 2 * (2 + 2) * (32 + 16)
    each = value(b"any.attention.head_count_kv", 9, struct.pack("<IQ2I", 4, 2, 0, 3))
    assert shaped(check, {"attention.head_count_kv": each}).cell_bytes == 2 * 3 * (16 + 16)


@pytest.mark.parametrize("key", SHAPE)
@pytest.mark.parametrize(
    "content",
    [
        (8, string(b"many")),
        (4, struct.pack("<I", 0)),
        (5, struct.pack("<i", -3)),
        (6, struct.pack("<f", 0.5)),
        (7, b"\1"),
        (9, struct.pack("<IQ", 4, 0)),
        (9, struct.pack("<IQ2I", 4, 2, 0, 0)),
    ],
)
def test_a_shape_that_makes_no_sense_is_unknown_and_breaks_nothing(
    check: Check, key: str, content: tuple[int, bytes]
) -> None:
    header = shaped(check, {key: value(f"any.{key}".encode(), *content)})
    assert header.cell_bytes is None or header.cell_bytes >= 0
    assert header.layers >= 0
    check_writes(header)


@pytest.mark.parametrize("content", [(8, string(b"three")), (10, struct.pack("<Q", 2**60)), (5, struct.pack("<i", -1))])
def test_parts_that_cannot_be_counted_are_damage(check: Check, content: tuple[int, bytes]) -> None:
    with pytest.raises(ModelError, match=r"is damaged: it counts .* parts"):
        check(gguf(tensor((16,)), values=(value(b"split.count", *content),)))


def test_nothing_long_is_read_where_a_text_claims_to_be(check: Check) -> None:
    long = (value(b"a", 8, string(b"x" * (2 << 20))),)
    assert len(check(gguf(tensor((16,)), values=long)).metadata["a"]) == 1 << 20
