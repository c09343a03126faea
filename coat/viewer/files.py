"""Writing what was drawn, whole or not at all."""

from contextlib import suppress
from pathlib import Path

from coat.errors import InputError


def write(file: str | Path, content: str | bytes) -> None:
    """Write `content` to `file`, text as UTF-8; what was there stays where it cannot be written.

    Raises:
        InputError: the file cannot be written.
    """
    place = Path(file)
    part = place.with_name(place.name + ".part")
    try:
        part.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        part.replace(place)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise InputError(f"cannot write {place}: {error.strerror}; name another file") from error
