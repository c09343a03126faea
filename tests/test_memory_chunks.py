"""Sentences, and long texts in pieces that an embedder reads whole."""

import re
from itertools import pairwise

import pytest

from memory.corpora.chunking import CHUNK_TOKENS, OVERLAP_TOKENS, chunks, tokens
from memory.sentences import sentences

FILLER = "The quick brown fox jumps over the lazy dog. "


@pytest.mark.parametrize(
    "parts",
    [
        ["Pi is 3.14 or so. ", "E is 2.72!  ", "Why?\n", "Because."],
        ["Dr. Smith met Prof. J. K. Rowling, e.g. in St. Andrews. ", "Then he left."],
        ["See https://example.org/a.b?c=d.html. ", "It is there."],
        ['He said "Stop!" ', "She did (it was late.) ", "Done."],
        ["Am 3. Oktober, z.B. in Berlin. ", "Danach nicht."],
        ["It ends… ", "Or not."],
        ["It was approx. 5 m. wide, i.e. vs. the other."],
        ["東京は日本の首都です。", "人口は約1,400万人！", "「本当ですか？」", "はい。"],
        ["北京是中国的首都。 ", "人口超过两千万。"],
        ["यह एक वाक्य है। ", "यह दूसरा है।"],
        ["no end at all"],
        ["etc. and so on. ", "End."],
        [],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts):
    assert sentences("".join(parts)) == parts


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def covered(text, pieces):
    """Whether the pieces, with their overlaps, are the text from its beginning to its end."""
    end = 0
    for piece in pieces:
        start = next((n for n in range(end, -1, -1) if text.startswith(piece, n)), None)
        if start is None:
            return False
        end = max(end, start + len(piece))
        while text[end : end + 1].isspace():
            end += 1
    return end == len(text)


def test_a_short_text_is_one_chunk_as_it_is():
    assert list(chunks("One.  Two.\nThree.")) == ["One.  Two.\nThree."]
    assert list(chunks("")) == [""]


def numbered(sentence, count):
    return "".join(sentence.format(n) for n in range(count)).strip()


@pytest.mark.parametrize(
    "sentence",
    [
        "Sentence {} says that Dr. Who paid 3.14 pounds, e.g. for tea. ",
        "第{}句话说北京是中国的首都。",
        "{}番目の文は東京についてです！",
        "문장 {}은 서울에 대한 것입니다. ",
    ],
    ids=["English", "Chinese", "Japanese", "Korean"],
)
def test_a_long_text_is_cut_after_sentences_with_overlap(sentence):
    text = numbered(sentence, 100)
    pieces = list(chunks(text))
    assert len(pieces) > 3
    assert covered(text, pieces)
    end = sentence.strip()[-1]
    for piece, following in pairwise(pieces):
        assert piece.endswith(end)
        assert tokens(piece) <= CHUNK_TOKENS
        shared = [each for each in sentences(following) if plain(each) in plain(piece)]
        assert shared, "the next chunk begins with the end of this one"
        assert tokens("".join(shared)) <= OVERLAP_TOKENS


def test_the_title_counts():
    text = FILLER * 60
    title = "A title of quite a few words that takes its room from every chunk that stands under it"
    for piece in chunks(text, title):
        assert tokens(f"{title}: {piece}") <= CHUNK_TOKENS + 1
    assert all(tokens(piece) <= CHUNK_TOKENS // 2 for piece in chunks(text, "endless " * 500))


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1000,
        "x" * 10_000,
        "漢" * 3000,
        "한" * 3000,
        "a clause of some words, " * 200,
        "| a row | of a table | 3 |\n" * 200,
        "https://example.org/" + "path/" * 1000,
        "🧠" * 2000,
    ],
    ids=["words", "letters", "Chinese", "Korean", "clauses", "table", "address", "signs"],
)
def test_what_has_no_sentences_is_cut_all_the_same(text):
    text = text.strip()
    pieces = list(chunks(text))
    assert all(0 < tokens(piece) <= CHUNK_TOKENS for piece in pieces)
    assert covered(text, pieces)


def test_clauses_and_rows_are_cut_at_their_ends():
    assert all(piece.endswith(",") for piece in chunks(("a clause of some words, " * 200).strip()))
    assert all(piece.startswith("|") and piece.endswith("|") for piece in chunks("| a row | of 3 |\n" * 200))
    items = numbered("- item {} is about something\n", 100)
    assert all(piece.startswith("- ") for piece in chunks(items))


def test_addresses_and_numbers_are_whole():
    sentence = "See https://example.org/a/very/long/path.html?with=3.14 and 2,718.28 of it at any time now "
    pieces = list(chunks(sentence * 40))
    for piece in pieces:
        for word in piece.split():
            assert word in sentence.split()


def test_code_that_fits_is_never_split_and_other_code_after_lines():
    code = "```python\n" + "".join(f"x{n} = call({n}). Then(not)\n" for n in range(8)) + "```\n"
    pieces = list(chunks(FILLER * 18 + "\n" + code + FILLER * 18))
    assert sum(code.strip() in piece for piece in pieces) == 1
    assert sum("call(3)" in piece for piece in pieces) == 1
    long = "~~~\n" + "".join(f"x{n} = call({n}). Then(not)\n" for n in range(200)) + "~~~"
    lines = set(long.splitlines())
    assert all(set(piece.splitlines()) <= lines for piece in chunks(long))


def test_a_chunk_is_the_same_whatever_stands_elsewhere_in_the_file(tmp_path):
    from memory import corpora

    path = tmp_path / "f.md"
    long = numbered("Sentence {} of the paragraph that stays. ", 80)
    path.write_text(f"# Head\n\nfirst\n\n{long}\n")
    before = list(corpora.read(path))
    path.write_text(f"# Head\n\nfirst, changed\n\n{long}\n")
    after = list(corpora.read(path))
    assert len(before) > 4
    assert after[1:] == before[1:]
    assert all(text.startswith("Head: ") for text, _ in after)
    assert {source for _, source in after} == {"f.md#Head"}
