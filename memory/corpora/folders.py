"""Folders: the files in them that can be read, in an order that is always the same."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from memory.errors import CorpusError


def walk(folder: Path, kinds: Collection[str], passed: Counter[str]) -> Iterator[Path]:
    """The files below `folder` with a suffix of `kinds`, by name, those of a folder before those below it.

    Links are followed, into each folder once. What is passed over is counted in `passed`: "hidden" (files, and folders
    as one), "linked twice", "no file" (a broken link, a socket), or a file's suffix, if only "no suffix".

    Raises:
        CorpusError: A folder cannot be read.
    """
    seen = {_identity(folder)}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        files, folders = _listed(here, passed)
        for file in files:
            kind = file.suffix.casefold()
            if kind in kinds:
                yield file
            else:
                passed[kind or "no suffix"] += 1
        for below in reversed(folders):
            identity = _identity(below)
            if identity in seen:
                passed["linked twice"] += 1
            else:
                seen.add(identity)
                waiting.append(below)


def _listed(folder: Path, passed: Counter[str]) -> tuple[list[Path], list[Path]]:
    """The files and the folders in `folder`, by name."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - the order of Path differs between systems
    except OSError as error:
        raise CorpusError(f"{folder} cannot be read: {error.strerror or error}. Nothing was kept.") from error
    files, folders = [], []
    for name in names:
        path = folder / name
        if name.startswith("."):
            passed["hidden"] += 1
        elif path.is_dir():
            folders.append(path)
        elif path.is_file():
            files.append(path)
        else:
            passed["no file"] += 1
    return files, folders


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise CorpusError(f"{folder} cannot be read: {error.strerror or error}. Nothing was kept.") from error
    return status.st_dev, status.st_ino
