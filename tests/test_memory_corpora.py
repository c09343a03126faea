import json

import pytest

from memory import AssociativeMemory, CorpusError, HashingEmbedder, corpora


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl_takes_its_text_title_and_source_from_the_usual_keys(tmp_path):
    lines = [
        {"text": "plain"},
        {"title": "Rome", "paragraph_text": " It lies on the Tiber. "},
        {"contents": "from somewhere", "source": "page 3"},
        {"title": "Paris", "text": "Paris: already titled", "source": "atlas"},
        {"text": "exported", "source": "", "id": 4, "added": 1.5},
    ]
    content = "\n\n".join(json.dumps(line) for line in lines) + "\n"
    assert list(corpora.read(written(tmp_path, "c.jsonl", content))) == [
        ("plain", "c.jsonl:1"),
        ("Rome: It lies on the Tiber.", "Rome"),
        ("from somewhere", "page 3"),
        ("Paris: already titled", "atlas"),
        ("exported", ""),
    ]


def test_jsonl_survives_windows_line_ends_a_byte_order_mark_and_line_separators(tmp_path):
    content = b'\xef\xbb\xbf{"text": "one\xe2\x80\xa8two"}\r\n{"text": "three"}'
    assert [text for text, _ in corpora.read(written(tmp_path, "C.JSONL", content))] == ["one\u2028two", "three"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "cut of', r"line 3: it is not JSON \(Unterminated string"),
        ('{"body": "x"}', "line 3: it has no text under text, paragraph_text, contents"),
        ('{"text": "  "}', "line 3: it has no text"),
        ('{"text": 5}', "line 3: it has no text"),
        ("[1, 2]", "line 3: it is not an object with a text"),
        ('{"text": "x", "title": 3}', "line 3: its title is not a text"),
        ("[" * 100_000, "line 3: it is nested too deeply"),
    ],
    ids=["cut off", "no text", "blank", "number", "list", "title", "deep"],
)
def test_a_broken_line_is_named_and_nothing_of_the_file_is_kept(tmp_path, line, message):
    path = written(tmp_path, "c.jsonl", f'{{"text": "good"}}\n\n{line}\n{{"text": "good too"}}\n')
    with AssociativeMemory(None, HashingEmbedder()) as mem:
        with pytest.raises(CorpusError, match=rf"c\.jsonl, {message}.*None of the file was kept"):
            mem.add(corpora.read(path))
        assert mem.count() == 0


def test_json_is_a_list_of_objects_or_texts(tmp_path):
    content = json.dumps([{"title": "Rome", "text": "On the Tiber."}, "a bare text"])
    pairs = list(corpora.read(written(tmp_path, "c.json", content)))
    assert pairs == [("Rome: On the Tiber.", "Rome"), ("a bare text", "c.json:2")]


def test_json_is_an_object_from_title_to_sentences(tmp_path):
    content = json.dumps({"Rome": ["On the Tiber.", " In Italy."], "Paris": "On the Seine."})
    pairs = list(corpora.read(written(tmp_path, "c.json", content)))
    assert pairs == [("Rome: On the Tiber. In Italy.", "Rome"), ("Paris: On the Seine.", "Paris")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"text": "good"},\n{"text" "bad"}]', r"line 3: it is not JSON"),
        ('[{"text": "good"}, {}]', "entry 2: it has no text"),
        ('{"Rome": [1]}', "entry 1: it has no text"),
        ("3", "it must hold a list of objects"),
    ],
)
def test_broken_json_is_named_by_its_place(tmp_path, content, message):
    with pytest.raises(CorpusError, match=rf"c\.json.*{message}"):
        list(corpora.read(written(tmp_path, "c.json", content)))


def test_markdown_is_split_on_headings_and_paragraphs_but_not_inside_code(tmp_path):
    content = """Before any heading.

# Rivers #
The Tiber flows
through Rome.

The Seine flows through Paris.
## Code
```python
# no heading

x = 1
```
~~~
left open

"""
    assert list(corpora.read(written(tmp_path, "f.md", content))) == [
        ("Before any heading.", "f.md"),
        ("Rivers: The Tiber flows\nthrough Rome.", "f.md#Rivers"),
        ("Rivers: The Seine flows through Paris.", "f.md#Rivers"),
        ("Code: ```python\n# no heading\n\nx = 1\n```\n~~~\nleft open", "f.md#Code"),
    ]


def test_text_is_split_on_blank_lines(tmp_path):
    content = "\n\nfirst\nparagraph\r\n \r\n\nsecond\n"
    pairs = list(corpora.read(written(tmp_path, "f.txt", content)))
    assert pairs == [("first\nparagraph", "f.txt"), ("second", "f.txt")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("f.png", b"", r"files ending in '\.png' cannot be read, only \.jsonl"),
        ("noend", b"", "files ending in 'nothing' cannot be read"),
        ("f.txt", b"good\n\nbad \xff byte", "line 3: it is not UTF-8"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    with pytest.raises(CorpusError, match=f"{name}.*{message}"):
        list(corpora.read(written(tmp_path, name, content)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"gone\.jsonl cannot be read: No such file"):
        list(corpora.read(tmp_path / "gone.jsonl"))
