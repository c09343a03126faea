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
_LISTS, _TABLE = ("ul", "ol", "menu", "dl"), ("table",)
_WHOLE = dict.fromkeys(("li", "dt", "dd"), _LISTS) | dict.fromkeys(("tr", "td", "th", "caption"), _TABLE)
"""The tags that are a part of one text, by what this text is."""
_MARKS = {"br": "\n", "li": "\n- ", "dt": "\n", "dd": "\n", "tr": "\n", "td": " | ", "th": " | "}
"""What a tag is in a text: items and rows have a line each."""
_BLOCKS = _HEADINGS | frozenset(_WORDS.split())


def read_html(path: Path) -> Passages:
    """One text a paragraph, list, table or block of code, under the heading (or page title) before it.

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
        page = bs4.BeautifulSoup(contents(path) or b" ", "html.parser")
    if page.contains_replacement_characters:
        raise fault(str(path), f"it is not in {page.original_encoding}; convert it to UTF-8")
    return page


def _paragraphs(page: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """The texts of the page in order, each with the block that it stands in."""
    for _, group in groupby(_strings(page), key=lambda each: id(each[0])):
        blocks, parts = zip(*group, strict=True)
        text = "".join(parts)
        if blocks[0].name == "pre":
            text = "```\n" + text.strip("\n") + "\n```" if text.strip() else ""
        else:
            lines = (" ".join(line.split()).removeprefix("| ") for line in text.split("\n"))
            text = "\n".join(line for line in lines if line not in ("", "-"))
        if text:
            yield blocks[0], text


def _strings(page: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """Every string with its block, and the marks that stand for tags."""
    from bs4.element import CData, NavigableString, Tag

    for node in page.descendants:
        mark = _MARKS.get(node.name) if isinstance(node, Tag) else None
        if mark is not None or type(node) in (NavigableString, CData):
            block = next(each for each in (node, *node.parents) if isinstance(each, Tag) and each.name in _BLOCKS)
            whole = block.find_parent(_WHOLE[block.name]) if block.name in _WHOLE else None
            text = mark or (str(node) if block.name == "pre" else str(node).replace("\n", " "))
            yield whole or block, text
