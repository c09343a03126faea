"""PDF: the text of its pages, by pypdf."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from memory.corpora.reading import Passage, Passages, contents, fault

if TYPE_CHECKING:
    from pypdf import PdfReader

_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad]\n(?=[a-zà-ÿ])")
_WRAP = re.compile(r"[ \t]*(?<!\n)\n(?!\n)[ \t]*")
_UNSPACED = re.compile(r"(?<=[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]) (?=[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef])")


def read_pdf(path: Path) -> Passages:
    """One text a page, or a paragraph where the file tells them apart, cited as "file.pdf, page 3".

    Lines are joined, and words that were parted at a line's end.

    Raises:
        CorpusError: The file is locked, broken, or holds no text.
    """
    empty = True
    for number, page in enumerate(_pages(path), start=1):
        for paragraph in re.split(r"\n\s*\n", page):
            text = unwrapped(paragraph)
            if text:
                empty = False
                yield Passage(text, f"{path.name}, page {number}")
    if empty:
        raise fault(str(path), "it holds no text, as a scan does; make the text with OCR first (ocrmypdf)")


def unwrapped(paragraph: str) -> str:
    """The lines of a paragraph as one.

    >>> unwrapped("an inter-\\nnational\\ntreaty")
    'an international treaty'
    """
    joined = _WRAP.sub(" ", _HYPHEN.sub("", paragraph))
    return _UNSPACED.sub("", " ".join(joined.split()))


def _pages(path: Path) -> list[str]:
    from io import BytesIO

    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    broken = (PyPdfError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
    data = BytesIO(contents(path))
    try:
        reader = PdfReader(data)
        if not _is_open(reader):
            raise fault(str(path), "it is locked with a password; save it without one")
        return [page.extract_text() for page in reader.pages]
    except DependencyError as error:
        raise fault(str(path), "it is locked in a way that cannot be read; save it without a password") from error
    except broken as error:  # pypdf trips over a malformed file in many ways
        raise fault(str(path), f"it is no PDF, or a broken one ({type(error).__name__}: {error})") from error


def _is_open(reader: PdfReader) -> bool:
    """Whether the text may be read; many files are locked with the empty password, which only forbids editing."""
    return not reader.is_encrypted or bool(reader.decrypt(""))
