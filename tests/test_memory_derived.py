"""The words that are kept of facts, to find them by."""

import sqlite3

from memory import AssociativeMemory, HashingEmbedder, derived

EMBEDDER = HashingEmbedder(16)


def matches(path, query):
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (query,))]
    connection.close()
    return found


def test_scripts_without_spaces_are_kept_as_pairs():
    assert derived.segmented("Tokyo 東京都 is 城") == "Tokyo  東京 京都  is  城 "
    assert derived.segmented("ไทย") == " ไท ทย "
    assert derived.segmented("Zürich, 8001") == "Zürich, 8001"


def test_a_fact_is_found_by_its_words_until_it_is_forgotten(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as store:
        store.add(["The xylophone of Zürich.", "東京都の人口"])
        assert matches(path, "zurich") == [1]
        assert matches(path, '"京都"') == [2]
        store.forget(1)
        assert matches(path, "zurich") == []
        assert matches(path, '"京都"') == [2]
    assert b"xylophon" not in path.read_bytes()


def test_a_file_of_the_first_version_is_brought_to_the_second(tmp_path):
    path = tmp_path / "facts.db"
    with AssociativeMemory(path, EMBEDDER) as store:
        store.add(["The Tiber flows through Rome.", "The Seine flows through Paris."], source="atlas")
    connection = sqlite3.connect(path)
    for statement in (
        "DROP TABLE words",
        "DROP TABLE names",
        "DROP TABLE held",
        "DROP TRIGGER forgotten",
        "DROP TABLE new_vectors",
        "DROP INDEX facts_by_document",
        "ALTER TABLE facts DROP COLUMN document",
        "ALTER TABLE facts DROP COLUMN origin",
        "UPDATE meta SET value = '1' WHERE key = 'schema'",
    ):
        connection.execute(statement)
    connection.commit()
    connection.close()
    with AssociativeMemory(path, EMBEDDER) as store:
        assert matches(path, "tiber") == [1]
        assert store.add("The Po flows through Turin.") == [3]
        assert [fact.source for fact in store.list()] == ["atlas", "atlas", ""]
