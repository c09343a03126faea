"""HTML: what a reader of the page reads, without scripts, styles and navigation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from memory.corpora.prose import section
from memory.corpora.reading import Passages, contents, fault

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

LEFT_OUT = (
    "head, script, style, noscript, template, svg, math, nav, footer, aside, form, button, select, dialog, iframe, "
    "object, [hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=contentinfo], [role=search]"
)
"""What is no part of a page's text, as a CSS selector."""
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_WORDS = (
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure header hgroup hr "
    "html legend li main menu ol p pre section summary table tbody td tfoot th thead tr ul [document]"
)
_BLOCKS = _HEADINGS | frozenset(_WORDS.split())


def read_html(path: Path) -> Passages:
    """One text a paragraph, list item, table row or block of code, under the heading (or page title) before it.

    Raises:
        CorpusError: The file cannot be read, or its bytes are not in the encoding that it names.
    """
    page = _parsed(path)
    heading = " ".join(page.title.get_text().split()) if page.title else ""
    for unwanted in page.select(LEFT_OUT):
        unwanted.decompose()
    for block, text in _paragraphs(page):
        if block.name in _HEADINGS:
            heading = text
        else:
            yield from section(path, heading, text)


def _parsed(path: Path) -> BeautifulSoup:
    import bs4

    with warnings.catch_warnings():
        for category in (bs4.MarkupResemblesLocatorWarning, bs4.XMLParsedAsHTMLWarning):
            warnings.simplefilter("ignore", category)
        page = bs4.BeautifulSoup(contents(path), "html.parser")
    if page.contains_replacement_characters:
        raise fault(str(path), f"it is not in {page.original_encoding}; convert it to UTF-8")
    return page


def _paragraphs(page: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """The texts of the page in order, each with the block that it stands in directly."""
    for _, group in groupby(_strings(page), key=lambda each: id(each[0])):
        blocks, parts = zip(*group, strict=True)
        text = "".join(parts)
        if blocks[0].name == "pre":
            text = f"```\n{text.strip(chr(10))}\n```" if text.strip() else ""
        else:
            text = "\n".join(" ".join(line.split()) for line in text.split("\n")).strip(" \n|")
        if text:
            yield blocks[0], text


def _strings(page: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """Every string with its block: the nearest ancestor that begins a line; the cells of a row share the row."""
    from bs4.element import CData, NavigableString, Tag

    for node in page.descendants:
        block = next((parent for parent in node.parents if parent.name in _BLOCKS), None)
        if block is None:
            continue
        if isinstance(node, Tag):
            if node.name == "br":
                yield block, "\n"
            elif node.name in ("td", "th") and (row := node.find_parent("tr")):
                yield row, " | "
        elif type(node) in (NavigableString, CData):
            row = block.find_parent("tr") if block.name in ("td", "th") else None
            yield row or block, str(node) if block.name == "pre" else str(node).replace("\n", " ")
