"""The public files of the tasks, fetched once, when the user asks, into the user's cache folder."""

import errno
import hashlib
import re
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from coat.errors import InputError
from coat.offline import GO_ONLINE, is_local, is_offline

if TYPE_CHECKING:
    import httpx

PATTERN = "NAME"
SECONDS = 30.0
"""How long a server may be silent."""
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A table of `coat/assets/data.toml`, which says what the fields are."""

    url: str
    file: str
    licence: str
    sha256: str = ""


@lru_cache(maxsize=1)
def public_files() -> dict[str, PublicFile]:
    """All of them by the task's name."""
    text = (files("coat") / "assets" / "data.toml").read_text(encoding="utf-8")
    return {name: PublicFile(**table) for name, table in tomllib.loads(text).items()}


def public_file(task: str) -> PublicFile | None:
    """Where the problems of `task` are, None where no single file holds them.

    >>> public_file("bbh:snarks").file, public_file("qa")
    ('bbh-snarks.json', None)
    """
    known = public_files()
    kind, colon, name = task.partition(":")
    found = known.get(f"{kind}:{PATTERN}") if colon else None
    if found is None or not re.fullmatch(r"\w+", name):
        return known.get(task)
    return replace(found, url=found.url.replace(PATTERN, name), file=found.file.replace(PATTERN, name))


def download(task: str, source: str) -> Path:
    """The public file of `task` in the user's cache; one that is there already is not fetched again.

    `source` says where the task's data come from, for those that are in no single file.

    Raises:
        InputError: there is no such file, no network, no space, or the server does not give the file as it should be.
    """
    found = public_file(task)
    if found is None:
        raise InputError(
            f"the problems of {task!r} are in no file that can be fetched; get them from {source}, then --data"
        )
    target = folder() / found.file
    if target.is_file() and (not found.sha256 or _sha256(target) == found.sha256):
        return target
    if is_offline() and not is_local(found.url):
        raise InputError(f"{found.url} cannot be fetched offline; {GO_ONLINE}, or name a file with --data")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=found.file, suffix=".part", delete=False) as part:
            part.close()
            try:
                _fetch(found, Path(part.name))
                Path(part.name).replace(target)
            finally:
                Path(part.name).unlink(missing_ok=True)
    except OSError as error:
        full = "; there is no space left" if error.errno == errno.ENOSPC else f": {error.strerror}"
        raise InputError(f"cannot write {target}{full}") from error
    return target


def folder() -> Path:
    """Where fetched files lie."""
    import platformdirs

    return platformdirs.user_cache_path("coat") / "data"


def _fetch(found: PublicFile, part: Path) -> None:
    """The file's bytes into `part`; InputError where they do not come, or are others."""
    import httpx

    digest = hashlib.sha256()
    try:
        with (
            httpx.stream("GET", found.url, follow_redirects=True, timeout=SECONDS) as response,
            part.open("wb") as file,
        ):
            response.raise_for_status()
            for chunk in _watched(response.iter_bytes(CHUNK), response, found):
                digest.update(chunk)
                file.write(chunk)
    except httpx.HTTPStatusError as error:
        status = f"{error.response.status_code} {error.response.reason_phrase}".strip()
        raise InputError(f"{found.url} is not to be had: the server says {status}; name a file with --data") from error
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise InputError(f"{found.url} cannot be fetched: {why}; try again, or name a file with --data") from error
    if found.sha256 and digest.hexdigest() != found.sha256:
        raise InputError(f"{found.url} is not the file that coat knows (its SHA-256 differs); name a file with --data")


def _watched(chunks: Iterator[bytes], response: "httpx.Response", found: PublicFile) -> Iterator[bytes]:
    """The chunks as they come, with a progress bar on standard error, and the licence."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    size = response.headers.get("Content-Length", "")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task(f"{found.file} ({found.licence})", total=int(size) if size.isdigit() else None)
        for chunk in chunks:
            yield chunk
            bar.update(job, completed=response.num_bytes_downloaded)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
