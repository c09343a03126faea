"""Files of problems: every format is read, and every fault is a sentence with file and line."""

import gzip
import json
import re
from pathlib import Path

import pytest

from coat import data, tasks
from coat.errors import InputError

RECORDS = [{"question": "Wie viele? 🐑", "answer": "#### 3"}, {"question": "How\u2028much?", "answer": "#### 4"}]
LINES = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS)
FILES = {
    "x.jsonl": LINES,
    "x.ndjson": LINES,
    "x.JSONL": LINES,
    "blank.jsonl": LINES.replace("\n", "\n\n \n"),
    "windows.jsonl": LINES.replace("\n", "\r\n"),
    "x.json": json.dumps(RECORDS, indent=1),
    "examples.json": json.dumps({"canary": "…", "examples": RECORDS}),
    "data.json": json.dumps({"version": 1, "data": RECORDS}),
    "names.json": json.dumps({"one": RECORDS[0], "two": RECORDS[1]}),
    "v1.0.json": json.dumps(RECORDS),
    "lines.json": LINES,
    "x.csv": "question,answer\n" + "".join(f'"{each["question"]}",{each["answer"]}\n' for each in RECORDS),
    "windows.csv": "question,answer\r\n" + "".join(f'"{each["question"]}",{each["answer"]}\r\n' for each in RECORDS),
}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, task: str = "gsm8k") -> str:
    """What is said of a file, whose name the sentence must hold."""
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        data.problems(tasks.get(task), path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "FILE")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_is_read(name: str, mark: str, packed: bool, tmp_path: Path) -> None:
    content = (mark + FILES[name]).encode()
    path = write(tmp_path, f"{name}.gz" if packed else name, gzip.compress(content, mtime=0) if packed else content)
    found = data.problems(tasks.get("gsm8k"), path)
    assert [(problem.question, problem.gold) for _, problem in found] == [
        ("Wie viele? 🐑", "3"),
        ("How\u2028much?", "4"),
    ]
    assert [tasks.get("gsm8k").read(text) for text, _ in found] == [problem for _, problem in found]


def test_a_field_of_a_table_may_hold_line_breaks_and_places_still_count_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", 'question,answer\n"How\nmany,\r\n""roughly""?",#### 3\n,#### 4\n')
    assert data.records(path)[0] == (f"{path}:4", {"question": 'How\nmany,\r\n"roughly"?', "answer": "#### 3"})
    assert refused(path).startswith("FILE:5: the question is empty")


def test_only_the_first_problems_are_read_where_a_limit_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "x.jsonl", LINES + '{"query": "?"}\n')
    assert len(data.problems(tasks.get("gsm8k"), path, 2)) == 2
    assert refused(path).startswith("FILE:3: ")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", LINES + '{"question": \n', r"FILE:3 is not JSON: .*"),
        ("x.jsonl", LINES + "\n[1]\n", r"FILE:4 is no object with names.*"),
        ("x.jsonl", "[" * 100_000, r"FILE:1 is not JSON: .*"),
        ("x.jsonl", '{"question": ' + "9" * 5000 + "}", r"FILE:1 is not JSON: .*"),
        ("x.jsonl", "", "FILE holds no problem"),
        ("x.jsonl", "\ufeff\n \n", "FILE holds no problem"),
        ("x.json", "", "FILE:1 is not JSON: .*"),
        ("x.json", '[{"question": "?"},\n {"question" "?"}]', "FILE:2 is not JSON: .*"),
        ("x.json", LINES + "{\n", "FILE:3 is not JSON: .*"),
        ("x.json", "3", "FILE holds no list of problems"),
        ("x.json", "[]", "FILE holds no problem"),
        ("x.json", "{}", "FILE holds no problem"),
        ("x.json", '{"examples": []}', "FILE holds no problem"),
        ("x.json", '{"examples": {"a": 1}}', "FILE holds no list of problems"),
        ("x.json", '[{"question": "?"}, "?"]', "FILE, problem 2 is no object with names.*"),
        ("x.csv", "", "FILE holds no problem"),
        ("x.csv", "question,answer\n", "FILE holds no problem"),
        (
            "x.csv",
            "question,answer\n?,3\n?\n",
            r"FILE:3 has not as many fields \(1\) as the first line has names \(2\)",
        ),
        ("x.csv", "question,answer\n?,3,4\n", r"FILE:2 has not as many fields \(3\) as the first line has names \(2\)"),
        ("x.csv", "question,question\n?,3\n", "FILE:1 has the name 'question' twice"),
        ("x.csv", "question,answer\n" + "x" * 140_000 + ",3\n", "FILE:2 is no CSV: .*"),
        ("x.txt", LINES, r"FILE is none of the files that hold problems: \.jsonl.*"),
        ("x", LINES, r"FILE is none of the files that hold problems: .*"),
        ("x.gz", gzip.compress(LINES.encode(), mtime=0), r"FILE is none of the files that hold problems: .*"),
        ("x.jsonl", b'{"question": "\xff"}', "FILE:1 is not UTF-8.*"),
        ("x.jsonl", b'{"question": "?"}\n{"question": "caf\xe9"}', "FILE:2 is not UTF-8.*"),
        ("x.jsonl", LINES.encode("utf-16"), "FILE:1 is not UTF-8.*"),
        ("x.jsonl.gz", LINES, "cannot read FILE: .*"),
        ("x.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-10], "cannot read FILE: .*"),
        ("x.jsonl.gz", b"", "FILE holds no problem"),
        ("x.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:20] + b"\0" * 40, "cannot read FILE: .*"),
    ],
)
def test_a_broken_file_is_a_sentence_with_its_place(name: str, content: str | bytes, says: str, tmp_path: Path) -> None:
    assert re.fullmatch(says, refused(write(tmp_path, name, content)))


def test_a_record_of_another_task_says_where_and_what_it_must_hold(tmp_path: Path) -> None:
    path = write(tmp_path, "x.jsonl", '{"question": "x?", "options": ["A)1"]}\n{"query": "x?"}\n')
    assert re.fullmatch('FILE:2: .*"question" and an "answer".*', refused(path))
    assert re.fullmatch('FILE:2: .*"options".*', refused(path, "aqua"))


def test_a_record_of_a_document_is_told_by_its_number(tmp_path: Path) -> None:
    path = write(tmp_path, "x.json", json.dumps([*RECORDS, {"query": "?"}]))
    assert refused(path).startswith("FILE, problem 3: ")


def test_a_file_that_is_not_there_or_a_folder_is_a_sentence(tmp_path: Path) -> None:
    assert re.fullmatch("cannot read FILE: .*[Nn]o such file.*", refused(tmp_path / "x.jsonl"))
    (tmp_path / "y.jsonl").mkdir()
    assert refused(tmp_path / "y.jsonl").startswith("cannot read FILE: ")


def test_a_record_of_llm_reasoners_holds_the_problem_beside_examples(tmp_path: Path) -> None:
    asked = {"question": "Cats are loud. Tom is a cat.", "query": "True or false: Tom is loud.", "answer": "True"}
    example = {"question": "Dogs are calm.", "query": "True or false: Dogs are calm.", "answer": "False"}
    path = write(tmp_path, "x.json", json.dumps({"example1": {"in_context_example0": example, "test_example": asked}}))
    [(_, problem)] = data.problems(tasks.get("prontoqa"), path)
    assert (problem.question, problem.gold) == ("Cats are loud. Tom is a cat. True or false: Tom is loud.", "True")
