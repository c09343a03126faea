"""Writing a file in one step."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A temporary file beside `path` to write to, renamed at the end: the file is never seen in part.

    Raises:
        OSError: It cannot be written; what was there is unchanged, and nothing is left beside it.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to `path`, as `whole` does.

    Raises:
        OSError: It cannot be written.
    """
    with whole(path) as file:
        for part in parts:
            file.write(part)
