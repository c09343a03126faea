"""The records as a text: what was won and lost, by game, and the last games."""

from collections.abc import Sequence

from coat.cli.show import printable
from coat.play.games import GAMES, get
from coat.play.session import clock
from coat.play.store import Finished, summary


def table(finished: Sequence[Finished]) -> str:
    """The records as a table."""
    head = ("", "played", "won", "lost", "fastest", "streak", "longest", "hints", "points")
    lines = [f"{head[0]:<20}" + "".join(f"{each:>8}" for each in head[1:])]
    for name in GAMES:
        won = summary([each for each in finished if each.game == name])
        fastest = "" if won.fastest is None else clock(won.fastest)
        cells = (won.played, won.won, won.lost, fastest, won.streak, won.longest, won.hints, won.points)
        if won.played:
            lines.append(f"{get(name).title:<20}" + "".join(f"{each:>8}" for each in cells))
    if len(lines) == 1:
        return "No game has ended yet.\n"
    return "\n".join([*lines, "", "The last games:", *map(_told, reversed(finished[-10:]))]) + "\n"


def _told(each: Finished) -> str:
    race = ", raced" if each.race else ""
    what = f"{get(each.game).title}, {each.level}{race}"
    return f"{each.outcome:<5} {what:<32} {clock(each.seconds):>8}  {printable(each.question[:40])}"
