"""Markdown and plain text: a paragraph is a text."""

from __future__ import annotations

import re
from pathlib import Path

from memory.corpora.reading import Passage, Passages, decoded

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read_markdown(path: Path) -> Passages:
    """One text a paragraph, under the heading it stands under; fenced code is never a paragraph's end.

    Raises:
        CorpusError: The file cannot be read.
    """
    heading, fence, lines = "", "", list[str]()
    for line in [*decoded(path).split("\n"), ""]:
        mark = _FENCE.match(line)
        title = _HEADING.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif title or not line.strip():
            yield from section(path, heading, "\n".join(lines))
            heading, lines = (title[1] if title else heading), []
            continue
        lines.append(line)
    yield from section(path, heading, "\n".join(lines))


def read_text(path: Path) -> Passages:
    """One text a paragraph: what stands between blank lines.

    Raises:
        CorpusError: The file cannot be read.
    """
    for paragraph in re.split(r"\n[ \t]*\n", decoded(path)):
        yield from section(path, "", paragraph)


def section(path: Path, heading: str, text: str) -> Passages:
    """The passage of a paragraph under `heading`, cited as "file#heading"; none if it is blank."""
    if text.strip():
        yield Passage(text.strip(), f"{path.name}#{heading}" if heading else path.name, heading)
