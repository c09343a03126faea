"""HTML, PDF and folders."""

from collections import Counter

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from memory import CorpusError, corpora

PAGE = """<!DOCTYPE html><html><head><title>Bridges of Europe</title><style>p { color: red }</style></head><body>
<nav><a href="/">Home</a></nav><header role="banner">Logo</header>
<p>There are many
  bridges &amp; fords.</p>
<h1>Prague <small>(city)</small></h1>
<p>The <b>Charles</b> Bridge<br>is old.<script>evil()</script></p><p>unclosed
<ul><li>one<li>two <i>x</i></ul>
<div>loose <p>inner</p> tail</div>
<h2>Figures</h2>
<table><tr><th>Name</th><th>Year</th></tr><tr><td>Charles</td><td>1402</td></tr></table>
<pre>a = 1

b  = 2
</pre>
<p hidden>not seen</p><noscript>no</noscript><!-- a comment --><aside>by the way</aside>
<footer>(c)</footer></body></html>"""


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_html_is_what_a_reader_reads_under_its_headings(tmp_path):
    head = "p.html#Bridges of Europe"
    assert list(corpora.read(written(tmp_path, "p.html", PAGE))) == [
        ("Bridges of Europe: There are many bridges & fords.", head),
        ("Prague (city): The Charles Bridge\nis old.", "p.html#Prague (city)"),
        ("Prague (city): unclosed", "p.html#Prague (city)"),
        ("Prague (city): - one\n- two x", "p.html#Prague (city)"),
        ("Prague (city): loose", "p.html#Prague (city)"),
        ("Prague (city): inner", "p.html#Prague (city)"),
        ("Prague (city): tail", "p.html#Prague (city)"),
        ("Figures: Name | Year\nCharles | 1402", "p.html#Figures"),
        ("Figures: ```\na = 1\n\nb  = 2\n```", "p.html#Figures"),
    ]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"just text", ["just text"]),
        (b"", []),
        (b"<p>", []),
        ('<meta charset="iso-8859-1"><p>Zürich'.encode("latin-1"), ["Zürich"]),
        ("<p>東京 – Zürich".encode(), ["東京 – Zürich"]),
        ("\ufeff<p>mark".encode("utf-16-le"), ["mark"]),
        (b"<div>" * 3000 + b"deep" + b"</div>" * 3000, ["deep"]),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>x</p></body></html>', ["x"]),
        (b"page.html", ["page.html"]),
    ],
    ids=["bare", "empty", "nothing", "latin 1", "utf-8", "utf-16", "deep", "xhtml", "a name"],
)
def test_html_of_every_kind_is_read(tmp_path, content, texts):
    assert [text for text, _ in corpora.read(written(tmp_path, "p.htm", content))] == texts


def pdf(path, *pages, password=None):
    """Write a PDF with a text on each page, its lines as they are."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject(f"/{key}"): NameObject(f"/{value}")
            for key, value in (("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Helvetica"))
        }
    )
    for text in pages:
        page = writer.add_blank_page(612, 792)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        lines = " ".join(f"({line}) Tj T*" for line in text.split("\n"))
        stream.set_data(f"BT /F1 12 Tf 14 TL 72 720 Td {lines} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password is not None:
        writer.encrypt(password, "owner", algorithm="RC4-128")
    with path.open("wb") as file:
        writer.write(file)
    return path


def test_pdf_is_its_pages_with_lines_joined(tmp_path):
    path = pdf(tmp_path / "f.pdf", "The Tiber flows\nthrough Rome, an inter-\nnational city.", "", "Page three.")
    assert list(corpora.read(path)) == [
        ("The Tiber flows through Rome, an international city.", "f.pdf, page 1"),
        ("Page three.", "f.pdf, page 3"),
    ]


def test_a_pdf_that_only_forbids_changes_is_read(tmp_path):
    assert list(corpora.read(pdf(tmp_path / "f.pdf", "Open.", password=""))) == [("Open.", "f.pdf, page 1")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: pdf(path, "Secret.", password="sesame"), "locked with a password"),
        (lambda path: pdf(path, "", ""), "holds no text, as a scan does.*OCR"),
        (lambda path: path.write_bytes(b"%PDF-1.7\nnothing"), "no PDF, or a broken one"),
        (lambda path: path.write_bytes(b""), "no PDF, or a broken one"),
        (lambda path: path.write_bytes(pdf(path, "Text. " * 50).read_bytes()[:400]), "no PDF, or a broken one"),
    ],
    ids=["locked", "scan", "garbage", "empty", "cut off"],
)
def test_a_pdf_that_cannot_be_read_is_a_sentence(tmp_path, make, message):
    path = tmp_path / "f.pdf"
    make(path)
    with pytest.raises(CorpusError, match=rf"f\.pdf: .*{message}.*None of the file was kept"):
        list(corpora.read(path))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "notes"
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / ".git").mkdir()
    for name in ("b.md", "a.txt", "sub/c.txt", "sub/deeper/d.TXT", ".hidden.md", ".git/e.md", "x.png", "y.PNG", "none"):
        (root / name).write_text(f"from {name}")
    (root / "sub" / "loop").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "broken.txt").symlink_to("nowhere.txt")
    return root


def test_a_folder_is_its_files_in_order_and_says_what_it_passed_over(folder):
    passed = Counter()
    documents = list(corpora.documents(folder, passed))
    assert [document.name for document in documents] == [
        f"{folder}/{name}" for name in ("a.txt", "b.md", "sub/c.txt", "sub/deeper/d.TXT")
    ]
    assert [list(document.pairs) for document in documents][:2] == [[("from a.txt", "a.txt")], [("from b.md", "b.md")]]
    assert passed == {"hidden": 2, ".png": 2, "no suffix": 1, "no file": 2, "linked twice": 1}
    assert len(list(corpora.read(folder))) == 4


def test_a_document_is_the_same_from_wherever_it_is_added(folder, monkeypatch):
    names = [document.name for document in corpora.documents(folder)]
    monkeypatch.chdir(folder / "sub")
    assert [document.name for document in corpora.documents("..")] == names
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert [document.name for document in corpora.documents(link)] == names
    (single,) = corpora.documents("c.txt")
    assert single.name in names


def test_a_fault_in_a_folder_names_the_file(folder):
    (folder / "sub" / "bad.jsonl").write_text("{")
    with pytest.raises(CorpusError, match=r"sub/bad\.jsonl, line 1: it is not JSON"):
        list(corpora.read(folder))


def test_lines_are_texts_or_objects():
    lines = ["plain one\n", "\n", '{"text": "an object", "title": "T"}\n', '{"text": "bare"}', "last"]
    assert list(corpora.in_chunks(corpora.read_lines(lines, "stdin"))) == [
        ("plain one", "stdin"),
        ("T: an object", "T"),
        ("bare", "stdin:4"),
        ("last", "stdin"),
    ]
    named = [source for _, source in corpora.in_chunks(corpora.read_lines(lines, "stdin", "me"))]
    assert named == ["me", "T", "me", "me"]
    with pytest.raises(CorpusError, match="stdin, line 1: it is not JSON"):
        list(corpora.read_lines(["{"], "stdin"))
