"""From tokens to text: stop strings across tokens, characters across tokens, and tokens cut where a text ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coat.models import Sampling
from coat.models.llama.text import Transcript, cut_tokens


def read(*pieces: bytes, stop: tuple[str, ...] = (), complete: tuple[str, ...] = ()) -> Transcript:
    """A transcript of `pieces`, read up to the one that completes a stop string."""
    transcript = Transcript(Sampling(stop=stop, complete=complete))
    for token, piece in enumerate(pieces):
        if transcript.add(token, piece):
            break
    return transcript


def test_a_text_ends_after_what_belongs_to_it() -> None:
    transcript = Transcript(Sampling(stop=("\n\n",), until=("</t>",), blocks=True))
    assert [transcript.add(0, piece) for piece in (b"so", b"</", b"t> and\n\n")] == [False, False, True]
    assert transcript.text == "so</t>"
    transcript = Transcript(Sampling(stop=("\n\n",), until=("</t>",), blocks=True))
    assert transcript.add(0, b"so\n\n</t>")
    assert transcript.text == "so"
    transcript = Transcript(Sampling(stop=("\n\n",), until=("</t>",), blocks=True))
    assert transcript.add(0, b"```\n\n</t>")
    assert transcript.text == "```\n\n</t>"


def cut(text: str, *pieces: bytes) -> tuple[int | str, ...]:
    """`cut_tokens` over numbered pieces; what is tokenized anew is given as its letters."""
    return cut_tokens(text, range(len(pieces)), lambda token: pieces[token], list)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pieces", "stop", "text", "taken"),
    [
        ((b"one", b".", b" two", b".\n", b"three"), (".\n",), "one. two", 4),
        ((b"a", b"E", b"N", b"D", b"b"), ("END",), "a", 4),
        ((b"a", b"EN", b"EN", b"D"), ("END",), "aEN", 4),
        ((b"aENDbENDc",), ("END",), "a", 1),
        ((b"abc",), ("c", "b"), "a", 1),  # the one that begins first, whatever the order
        ((b"x", b"ab", b"c"), ("c", "abc"), "x", 3),  # both complete with the same token
        ((b"ab", b"c"), ("bcd",), "abc", 2),  # never completed
        ((b"ab", b"", b"c"), ("bc",), "a", 3),  # a control token between
        ((b"ab",), ("",), "ab", 1),  # an empty stop string stops nothing
        ((b"\xc3", b"\xa9!", b"x"), ("\u00e9",), "", 2),
    ],
)
def test_a_text_ends_before_its_stop_string(
    pieces: tuple[bytes, ...], stop: tuple[str, ...], text: str, taken: int
) -> None:
    transcript = read(*pieces, stop=stop)
    assert transcript.text == text
    assert transcript.tokens == list(range(taken))


def test_only_a_completed_stop_string_stops() -> None:
    assert read(b"ab", b"c", stop=("bc",)).stopped
    assert not read(b"ab", b"c", stop=("cd",)).stopped


def test_a_character_waits_for_its_last_byte() -> None:
    transcript = Transcript(Sampling())
    texts = []
    for byte in "€é".encode():
        transcript.add(byte, bytes([byte]))
        texts.append(transcript.text)
    assert texts == ["", "", "€", "€", "€é"]


def test_bytes_that_are_no_text_become_the_replacement_character() -> None:
    assert read(b"a", b"\xff", b"b").text == "a\ufffdb"
    assert read(b"\xe2\x82", b"a").text == "\ufffda"
    assert read(b"a\xe2").text == "a"  # perhaps there is more to come


@given(text=st.text(max_size=30), borders=st.lists(st.integers(1, 4), min_size=1), stop=st.text("ab\u00e9", max_size=3))
def test_borders_of_tokens_do_not_matter(text: str, borders: list[int], stop: str) -> None:
    data, pieces = text.encode(), []
    while data:
        size = borders[len(pieces) % len(borders)]
        pieces.append(data[:size])
        data = data[size:]
    expected = text.partition(stop)[0] if stop else text
    assert read(*pieces, stop=(stop,)).text == expected


@pytest.mark.parametrize(
    ("text", "pieces", "kept"),
    [
        ("one two", (b"one", b" two"), (0, 1)),
        ("one t", (b"one", b" two"), (0, " ", "t")),
        ("one", (b"one", b" two"), (0,)),
        ("", (b"one",), ()),
        ("one", (b"", b"one", b""), (0, 1)),  # a control token inside the text stays, one after it goes
        ("\u00e9", (b"\xc3", b"\xa9"), (0, 1)),
        ("a\u00e9", (b"a", b"\xc3", b"\xa9!"), (0, "\u00e9")),  # never half a character and the rest anew
        ("\u20ac", (b"\xe2", b"\x82", b"\xac!"), ("\u20ac",)),
        ("a\ufffdb", (b"a", b"\xff", b"b"), (0, "\ufffd", "b")),  # no tokens stand for what replaced bad bytes
        ("a", (b"a", b"\xc3"), (0,)),  # the beginning of a character that never came
    ],
)
def test_the_tokens_of_a_cut_text(text: str, pieces: tuple[bytes, ...], kept: tuple[int | str, ...]) -> None:
    assert cut(text, *pieces) == kept


@given(text=st.text(max_size=12), borders=st.lists(st.integers(1, 5), min_size=1), end=st.integers(0, 12))
def test_cut_tokens_are_exactly_the_text_and_begin_as_decoded(text: str, borders: list[int], end: int) -> None:
    data, pieces = text.encode(), []
    while data:
        size = borders[len(pieces) % len(borders)]
        pieces.append(data[:size])
        data = data[size:]
    kept = text[:end]
    tokens = cut(kept, *pieces)
    decoded = [token for token in tokens if isinstance(token, int)]
    rest = [token for token in tokens if isinstance(token, str)]
    assert tokens == (*decoded, *rest)
    assert decoded == list(range(len(decoded)))
    assert b"".join(pieces[token] for token in decoded) + "".join(rest).encode() == kept.encode()
    # What is tokenized anew begins at the last border of tokens inside the text that is one of characters too.
    ends = {len(kept[:count].encode()) for count in range(len(kept) + 1)}
    assert len(decoded) == max(count for count in range(len(pieces) + 1) if len(b"".join(pieces[:count])) in ends)


@given(st.lists(st.binary(min_size=1, max_size=3), max_size=12))
def test_any_bytes_are_cut_to_their_text(pieces: list[bytes]) -> None:
    transcript = read(*pieces)
    tokens = cut(transcript.text, *pieces)
    spelled = b"".join(token.encode() if isinstance(token, str) else pieces[token] for token in tokens)
    assert spelled == transcript.text.encode()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("So:\n\nmore", "So:"),
        ("```python\nx = 1\n\ny = 2\n```\n\nmore", "```python\nx = 1\n\ny = 2\n```"),
        ("$$\nx\n\ny\n$$\n\nmore", "$$\nx\n\ny\n$$"),
        ("\\[ x\n\ny \\]\n\nmore", "\\[ x\n\ny \\]"),
        ("\\begin{align}x\n\ny\\end{align}\n\nmore", "\\begin{align}x\n\ny\\end{align}"),
        ("```never closed\n\nmore", "```never closed\n\nmore"),
    ],
)
def test_a_block_is_not_cut_by_a_stop_string_inside_it(text: str, kept: str) -> None:
    transcript = Transcript(Sampling(stop=("\n\n",), blocks=True))
    for token, letter in enumerate(text):
        if transcript.add(token, letter.encode()):
            break
    assert transcript.text == kept
    assert transcript.stopped == (kept != text)


def test_a_text_that_is_whole_by_itself_ends_there_and_keeps_it() -> None:
    whole = read(b"~", b"3", stop=("\n",), complete=("~", "END"))
    assert (whole.text, whole.tokens, whole.stopped) == ("~", [0], True)
    cut_off = read(b"E", b"ND, and more", complete=("~", "END"))
    assert (cut_off.text, cut_off.tokens) == ("END", [0, 1])
    inside = read(b"3", b"~", b"\n", stop=("\n",), complete=("~",))
    assert inside.text == "3~"
