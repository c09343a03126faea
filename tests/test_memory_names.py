"""The names that link facts."""

import sqlite3

import pytest

from memory import AssociativeMemory, HashingEmbedder, names


@pytest.mark.parametrize(
    ("text", "source", "title"),
    [
        ("Alice Munro: She was born in Wingham.", "Alice Munro", "Alice Munro"),
        ("She was born in Wingham.", "Alice Munro", "Alice Munro"),
        ("It is a town.", "atlas.md#Wingham, Ontario", "Wingham, Ontario"),
        ("It is a town.", "notes/atlas.md", ""),
        ("It is a town.", "atlas.jsonl:12", ""),
        ("It rained. He said: no.", "", ""),
    ],
)
def test_a_title_stands_before_the_text_or_is_its_source(text, source, title):
    assert names.split(text, source)[0] == title


def test_a_title_is_known_without_what_tells_it_from_others():
    assert names.titles("Lilu (mythology)") == ["lilu mythology", "lilu"]
    assert names.titles("Laie, Hawaii") == ["laie hawaii", "laie"]
    assert names.titles("") == []


def test_names_are_capitalised_runs_and_what_is_quoted():
    text = 'In Laie she met Carl Philipp Emanuel Bach, the Vicar of Wakefield, and wrote "a small song".'
    assert names.mentions(text) == ["a small song", "laie", "carl philipp emanuel bach", "vicar of wakefield"]


def test_a_first_word_may_have_its_capital_for_that_alone():
    assert names.mentions("Author Judith Viorst wrote. She left.") == ["author judith viorst", "judith viorst"]


def test_numbers_and_units_are_no_names():
    assert names.mentions("It has 12,000 people on 40 km, since 1998.") == []


def test_names_are_compared_without_case_accents_width_and_genitive():
    assert names.normalised("Zürich’s") == names.normalised("ZURICH") == names.normalised("ＺÜRICH") == "zurich"
    assert names.normalised("バス") != names.normalised("ハス")


def test_names_in_chinese_and_japanese():
    assert names.mentions("《红楼梦》是曹雪芹的小说。") == ["红楼梦", "曹雪芹", "小说"]
    assert names.mentions("夏目漱石はロンドンにいた。") == ["ロンドン", "夏目漱石"]
    assert "红楼梦" in names.asked("谁写了红楼梦?")


def test_all_runs_of_a_question_may_be_names_but_no_function_words():
    assert names.asked("Who met Ann Lee") == ["met", "ann", "lee", "who met", "met ann", "ann lee", *LONGER]


LONGER = ["who met ann", "met ann lee", "who met ann lee"]


def test_names_go_with_their_fact_without_a_trace(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, HashingEmbedder(16)) as mem:
        mem.add([("Xylophonia: It lies near Quixotia.", ""), ("He saw Quixotia.", "")])
        assert _rows(path) == [("quixotia", 1, 0), ("quixotia", 2, 0), ("xylophonia", 1, 1)]
        mem.forget(1)
        assert _rows(path) == [("quixotia", 2, 0)]
    assert b"xylophon" not in path.read_bytes().lower()


def _rows(path):
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, fact, title FROM names ORDER BY name, fact").fetchall()
    connection.close()
    return rows


def test_a_long_text_has_a_bounded_number_of_names():
    assert len(names.mentions(". ".join(f"they met Name{n}x" for n in range(1000)))) == names.MOST
