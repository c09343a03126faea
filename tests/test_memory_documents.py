"""Files as documents: what changed is added and forgotten, what did not keeps its id and vector."""

import pytest

from memory import AssociativeMemory, CorpusError, Entry, HashingEmbedder, InputError, corpora


class Counting(HashingEmbedder):
    """The hashing embedder, with the texts that it was asked for."""

    def __init__(self):
        super().__init__(32)
        self.asked = []

    def embed(self, texts):
        self.asked += texts
        return super().embed(texts)


@pytest.fixture
def embedder():
    return Counting()


@pytest.fixture
def mem(tmp_path, embedder):
    with AssociativeMemory(tmp_path / "facts.db", embedder) as opened:
        yield opened


def texts(mem, **conditions):
    return [fact.text for fact in mem.list(**conditions)]


def vectors(mem):
    with mem._facts.database.transaction(write=False) as sql:
        return dict(sql.execute("SELECT id, vector FROM facts").fetchall())


def test_readding_a_changed_file_changes_only_what_changed(mem, embedder, tmp_path):
    path = tmp_path / "f.md"
    path.write_text("# A\n\none\n\ntwo\n\n# B\n\nthree\n")
    first = mem.update(corpora.documents(path))
    assert (first.ids, first.added, first.gone, first.kept) == ([1, 2, 3], 3, 0, 0)
    mem.recall("one")
    mem.save()
    before = vectors(mem)
    embedder.asked.clear()
    path.write_text("# A\n\none\n\ntwo and a half\n\n# B\n\nthree\n\nfour\n")
    again = mem.update(corpora.documents(path))
    assert (again.ids, again.added, again.gone, again.kept) == ([1, 4, 3, 5], 2, 1, 2)
    assert embedder.asked == ["A: two and a half", "B: four"]
    assert {number: vectors(mem)[number] for number in (1, 3)} == {number: before[number] for number in (1, 3)}
    assert {fact.document for fact in mem.list()} == {path.as_posix()}
    assert not (tmp_path / "facts.db.faiss").exists()
    on_disk = b"".join(file.read_bytes() for file in tmp_path.glob("facts.db*"))
    assert before[2] not in on_disk
    assert mem.verify() == []


def test_an_unchanged_file_changes_nothing(mem, tmp_path):
    path = tmp_path / "f.txt"
    path.write_text("one\n\ntwo\n\none\n")
    mem.update(corpora.documents(path))
    revision = mem.revision
    update = mem.update(corpora.documents(path))
    assert (update.added, update.gone, update.kept) == (0, 0, 2)
    assert mem.revision == revision


def test_a_fault_in_one_of_several_files_changes_nothing(mem, tmp_path):
    good, bad = tmp_path / "a.txt", tmp_path / "b.jsonl"
    good.write_text("one")
    bad.write_text('{"text": "fine"}')
    mem.update(corpora.documents(good))
    good.write_text("changed")
    bad.write_text("{")
    with pytest.raises(CorpusError, match=r"b\.jsonl"):
        mem.update([*corpora.documents(good), *corpora.documents(bad)])
    assert texts(mem) == ["one"]


def test_a_fact_that_two_documents_hold_stays_while_one_does(mem):
    mem.add([("shared", "s"), ("only a", "s")], document="/a")
    (shared, _) = mem.add([("shared", "s"), ("only b", "s")], document="/b")
    assert mem.held_by(shared) == ["/a", "/b"]
    assert mem.documents() == {"/a": 2, "/b": 2}
    assert texts(mem, document="/b") == ["shared", "only b"]
    assert mem.forget(document="/a") == 1
    assert texts(mem) == ["shared", "only b"]
    assert mem.held_by(shared) == ["/b"]
    mem.add(["new"], document="/b")
    assert texts(mem) == ["new"]
    assert mem.verify() == []


def test_the_second_holder_may_go_first(mem):
    mem.add("shared", document="/a")
    mem.add("shared", document="/b")
    mem.add("shared", document="/c")
    assert mem.forget(document="/b") == 0
    assert mem.held_by(1) == ["/a", "/c"]
    assert mem.forget(document="/a") == 0
    assert mem.forget(document="/c") == 1
    assert mem.count() == 0


@pytest.mark.parametrize("order", ["alone first", "document first"])
def test_a_fact_that_was_added_by_itself_outlasts_its_document(mem, order):
    if order == "alone first":
        mem.add("shared")
        mem.add("shared", document="/a")
    else:
        mem.add("shared", document="/a")
        mem.add("shared")
    assert mem.forget(document="/a") == 0
    assert mem.held_by(1) == [""]
    assert mem.documents() == {}
    assert mem.forget(1) == 1


def test_a_fact_that_moves_to_another_file_keeps_its_id(mem):
    mem.update([corpora.Document("/n/a", [("moves", "s"), ("stays", "s")])])
    update = mem.update([corpora.Document("/n/a", [("stays", "s")]), corpora.Document("/n/b", [("moves", "s")])])
    assert (update.ids, update.added, update.gone) == ([2, 1], 0, 0)
    assert mem.held_by(1) == ["/n/b"]


def test_a_file_that_was_emptied_is_forgotten(mem):
    mem.add(["one", "two"], document="/a")
    assert mem.update([corpora.Document("/a", [])]).gone == 2
    assert mem.count() == 0


def test_documents_that_are_gone_and_facts_by_themselves_go_into_one_update(mem):
    mem.add("old", document="/n/old")
    update = mem.update([corpora.Document("/n/new", [("new", "")])], facts=["alone"], gone=["/n/old"])
    assert (update.added, update.gone) == (2, 1)
    assert mem.documents() == {"/n/new": 1}
    assert sorted(texts(mem)) == ["alone", "new"]


def test_forgetting_by_hand_forgets_whatever_holds_it(mem):
    mem.add("shared", source="s", document="/a")
    mem.add("shared", source="s", document="/b")
    assert mem.forget(source="s") == 1
    assert mem.documents() == {}
    with mem._facts.database.transaction(write=False) as sql:
        assert sql.execute("SELECT count(*) FROM held").fetchone() == (0,)


def test_a_folder_stands_for_the_documents_in_it(mem):
    for name in ("/n/a", "/n/sub/b", "/n.txt", "/nn", "/n0"):
        mem.add(f"in {name}", document=name)
    assert mem.documents("/n") == {"/n/a": 1, "/n/sub/b": 1}
    assert mem.documents("/n/") == {"/n/a": 1, "/n/sub/b": 1}
    assert texts(mem, document="/n/sub") == ["in /n/sub/b"]
    assert len(mem.documents("/")) == 5
    assert mem.forget(document="/n") == 2
    assert len(mem.documents()) == 3


def test_facts_are_listed_by_condition_and_page(mem):
    mem.add([Entry(f"fact {n}", "even" if n % 2 == 0 else "odd", added=float(n)) for n in range(10)])
    assert texts(mem, source="odd", before=5.0) == ["fact 1", "fact 3"]
    assert texts(mem, limit=3, offset=8) == ["fact 8", "fact 9"]
    assert texts(mem, source="even", limit=2, offset=1) == ["fact 2", "fact 4"]
    assert mem.forget(before=3.0) == 3
    assert mem.forget(source="odd", before=6.0) == 2
    assert texts(mem) == ["fact 4", "fact 6", "fact 7", "fact 8", "fact 9"]


def test_an_entry_says_all_of_a_fact_and_replaces_nothing(mem):
    mem.add("before", document="/a")
    (number,) = mem.add([Entry("a text", "a source", "/a", '{"run": 7}', 12.5)])
    (fact,) = mem.get([number])
    assert (fact.source, fact.document, fact.origin, fact.added) == ("a source", "/a", '{"run": 7}', 12.5)
    assert mem.count() == 2


@pytest.mark.parametrize("arguments", [{"ids": 1, "document": "/a"}, {"source": "s", "document": "/a"}])
def test_forget_wants_one_kind_of_choice(mem, arguments):
    with pytest.raises(InputError, match=r"either ids or a source .* or a document"):
        mem.forget(**arguments)


def test_half_a_character_in_a_document_is_refused(mem):
    with pytest.raises(InputError, match="the document of text 1 of 1 is not valid Unicode"):
        mem.add("fine", document="/\udcff")
