"""What `coat play` keeps in the user's data folder: games that go on, and how others ended.

Each is one JSON file, written whole or not at all. A damaged one is renamed, so that nothing in it is lost.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from coat.errors import InputError
from coat.play.session import Session, from_dict

Read = TypeVar("Read")
VERSION = 1
SAVED, RECORDS = "saved.json", "records.json"
MOST = 6
"""Games that can be resumed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a game ended: won or lost, in how many seconds, with how much help; `at` is seconds since 1970."""

    game: str
    question: str
    level: str
    outcome: str
    seconds: float
    hints: int
    moves: int
    race: bool
    points: int
    at: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What the finished games of one kind come to; `fastest` is None where none was won."""

    played: int
    won: int
    lost: int
    hints: int
    points: int
    fastest: float | None
    streak: int
    longest: int


class Store:
    """The files in `folder`; `warnings` are sentences about what was damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []

    def saved(self) -> list[Session]:
        """The games that can be resumed, the last one saved first."""
        return self._read(SAVED, lambda entries: [from_dict(entry) for entry in entries])

    def save(self, session: Session) -> None:
        """Keep a game, in place of an earlier state of it; of more than `MOST` the oldest are left out.

        Raises:
            InputError: the folder cannot be written.
        """
        others = [each for each in self.saved() if not _same(each, session)]
        self._write(SAVED, [each.as_dict() for each in (session, *others)][:MOST])

    def drop(self, session: Session) -> None:
        """Keep a game no longer.

        Raises:
            InputError: the folder cannot be written.
        """
        saved = self.saved()
        if any(_same(each, session) for each in saved):
            self._write(SAVED, [each.as_dict() for each in saved if not _same(each, session)])

    def finished(self) -> list[Finished]:
        """The games that ended, the first one first."""
        return self._read(RECORDS, lambda entries: [_finished(entry) for entry in entries])

    def finish(self, session: Session) -> Finished:
        """Keep how a game ended.

        Raises:
            InputError: the folder cannot be written.
        """
        entry = Finished(
            session.game,
            session.question,
            session.level,
            session.outcome,
            round(session.seconds, 1),
            session.hints,
            len(session.moves),
            bool(session.race),
            session.points,
            round(time.time(), 1),
        )
        self._write(RECORDS, [asdict(each) for each in (*self.finished(), entry)])
        return entry

    def _read(self, name: str, parse: Callable[[list[Any]], list[Read]]) -> list[Read]:
        file = self.folder / name
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(data, dict) or not isinstance(data.get("games"), list):
                raise ValueError("it is not what coat play writes")
            if data.get("coat_play") == VERSION:
                return parse(data["games"])
            raise ValueError(f"it is of version {data.get('coat_play')!r}, and this coat reads {VERSION}")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}; look at its permissions") from error
        except (ValueError, TypeError, RecursionError) as error:
            self.warnings.append(f"{file} is damaged ({error}); it was set aside as {self._aside(file).name}")
            return []

    def _aside(self, file: Path) -> Path:
        """Rename a damaged file to a name that is free."""
        number = 1
        while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
            number += 1
        try:
            return file.rename(aside)
        except OSError as error:
            raise InputError(f"{file} is damaged and cannot be renamed: {error.strerror}") from error

    def _write(self, name: str, games: list[dict[str, Any]]) -> None:
        file = self.folder / name
        part = file.with_name(f"{name}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"coat_play": VERSION, "games": games}, ensure_ascii=False), encoding="utf-8")
            part.replace(file)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise InputError(f"cannot write {file}: {error.strerror}; nothing of the game is kept") from error


def summary(finished: Sequence[Finished]) -> Summary:
    """What `finished`, in the order in which they ended, come to."""
    won = [each for each in finished if each.outcome == "won"]
    streak = longest = 0
    for each in finished:
        streak = streak + 1 if each.outcome == "won" else 0
        longest = max(longest, streak)
    return Summary(
        len(finished),
        len(won),
        len(finished) - len(won),
        sum(each.hints for each in finished),
        sum(each.points for each in finished),
        min((each.seconds for each in won), default=None),
        streak,
        longest,
    )


def user_folder() -> Path:
    """Where the files of this user are."""
    from platformdirs import user_data_path

    return user_data_path("coat") / "play"


def _same(one: Session, other: Session) -> bool:
    """Whether both are states of one game."""
    return (one.game, one.question) == (other.game, other.question)


KINDS: dict[str, Any] = {
    **dict.fromkeys(("game", "question", "level", "outcome"), str),
    **dict.fromkeys(("hints", "moves", "points"), int),
    **dict.fromkeys(("seconds", "at"), int | float),
    "race": bool,
}


def _finished(entry: Any) -> Finished:
    """The record in `entry`; ValueError where it is none."""
    if not isinstance(entry, dict) or set(entry) != set(KINDS):
        raise ValueError("an entry has other names than a record has")
    if wrong := next((name for name, kind in KINDS.items() if not isinstance(entry[name], kind)), None):
        raise ValueError(f"{wrong!r} is {entry[wrong]!r}")
    return Finished(**entry)
