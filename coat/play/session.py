"""One game at one moment, as plain data: the puzzle, the moves, the help, the clock; and what a move makes of it."""

import random
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal, get_args

from coat.errors import CoatError, IllegalStepError
from coat.play import games
from coat.play.difficulty import deal
from coat.play.game import Game
from coat.problem import Problem

Author = Literal["person", "engine"]
Race = Literal["", "on", "lost"]
Standing = Literal["open", "solved", "answered", "stuck"]
OWN = "own"
"""The level of a puzzle that a person typed."""
POINTS = {"easy": 100, "medium": 200, "hard": 300, OWN: 100}
HINT, LEAST = 25, 25
"""Points that a hint costs, and the fewest that a solved puzzle gives."""

KINDS: dict[str, Any] = {
    **dict.fromkeys(("seed", "hints", "undone"), int),
    **dict.fromkeys(("moves", "authors"), list | tuple),
    "effort": int | float | None,
    "seconds": int | float,
    "given_up": bool,
}
"""What a saved game holds under each name; a text under every other."""


@dataclass(frozen=True, slots=True)
class Session:
    """A game that is played: `moves` are steps of the task, `authors` who made each.

    `level` and `effort` are those that it was dealt by, `OWN` and None of a typed one; `seconds` on its clock; `hints`
    and `undone` count; `race`: the engine is searching too, or was first; `given_up`: the person ended it.
    """

    game: str
    question: str
    level: str = OWN
    effort: float | None = None
    seed: int = 0
    moves: tuple[str, ...] = ()
    authors: tuple[Author, ...] = ()
    hints: int = 0
    undone: int = 0
    seconds: float = 0.0
    race: Race = ""
    given_up: bool = False

    @property
    def rules(self) -> Game:
        """The game."""
        return _opened(self.game, self.question)[0]

    @property
    def problem(self) -> Problem:
        """The puzzle as the task reads it."""
        return _opened(self.game, self.question)[1]

    @property
    def standing(self) -> Standing:
        """Whether it is solved, answered where nothing can check that, at an end that is none, or open."""
        task, path = self.rules.task, self.moves
        if not path or task.parse(self.problem, path[:-1], path[-1])[0] != "answer":
            return "open"
        right = task.verify(self.problem, path)
        return "answered" if right is None else "solved" if right else "stuck"

    @property
    def outcome(self) -> str:
        """Won, lost, or empty where it is neither; a game that the engine moved in is not won."""
        if self.race == "lost" or self.given_up:
            return "lost"
        if self.standing != "solved":
            return ""
        return "lost" if "engine" in self.authors else "won"

    @property
    def points(self) -> int:
        """What it counts: by level, less for every hint, twice where the engine raced; nothing where it is not won."""
        if self.outcome != "won":
            return 0
        return max(LEAST, POINTS[self.level] - HINT * self.hints) * (2 if self.race else 1)

    def as_dict(self) -> dict[str, Any]:
        """All of it by name, JSON-ready."""
        return asdict(self)


def new(game: str, question: str, level: str = OWN, effort: float | None = None, seed: int = 0) -> Session:
    """A game before its first move.

    Raises:
        InputError: there is no such game, or `question` states none of its puzzles.
    """
    rules = games.get(game)
    rules.task.read(question)
    return Session(game, question, level, effort, seed)


def dealt(game: str, level: str, seed: int | None = None) -> Session:
    """A game of a dealt puzzle; without a seed another one every time.

    Raises:
        InputError: there is no such level, or no puzzle is dealt for the game.
    """
    seed = fresh_seed() if seed is None else seed
    puzzle = deal(game, level, seed)
    return new(game, puzzle.question, puzzle.level, puzzle.effort, seed)


def fresh_seed() -> int:
    """A seed that was hardly used before."""
    return random.SystemRandom().randrange(10**6)


def played(session: Session, text: str, author: Author = "person") -> Session:
    """After the moves that `text` says, all or none of them.

    Raises:
        IllegalStepError: it is no move, or the rules forbid it; the game is as it was.
    """
    if session.standing in ("solved", "answered"):
        raise IllegalStepError("the game is over; undo takes the last move back")
    moves = list(session.moves)
    for step in session.rules.steps(session.problem, moves, text):
        action, move = session.rules.task.parse(session.problem, moves, step)
        if action == "backtrack":
            raise IllegalStepError(f"{text!r} is no move; undo takes the last move back")
        moves.append(move)
    made = len(moves) - len(session.moves)
    return replace(session, moves=tuple(moves), authors=session.authors + (author,) * made)


def undone(session: Session) -> Session:
    """Before the last move.

    Raises:
        IllegalStepError: no move was made.
    """
    if not session.moves:
        raise IllegalStepError("there is no move to take back")
    return replace(session, moves=session.moves[:-1], authors=session.authors[:-1], undone=session.undone + 1)


def from_dict(data: Any) -> Session:
    """The game that `as_dict` wrote, all moves checked again.

    Raises:
        ValueError: it is no such game.
    """
    if not isinstance(data, dict) or set(data) != {each.name for each in fields(Session)}:
        raise ValueError("it has other names than a game has")
    if wrong := next((name for name in data if not isinstance(data[name], KINDS.get(name, str))), None):
        raise ValueError(f"{wrong!r} is {data[wrong]!r}")
    session = Session(**{**data, "moves": tuple(data["moves"]), "authors": tuple(data["authors"])})
    known = all(isinstance(move, str) for move in session.moves)
    known &= (
        set(session.authors) <= set(get_args(Author)) and session.race in get_args(Race) and session.level in POINTS
    )
    if not known or len(session.moves) != len(session.authors):
        raise ValueError("its authors, its race or its level are none that there are")
    try:
        for place, move in enumerate(session.moves):
            session.rules.task.parse(session.problem, session.moves[:place], move)
    except CoatError as error:
        raise ValueError(f"it cannot be played: {error}") from error
    return session


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> clock(5.9), clock(83), clock(3723)
    ('0:05', '1:23', '1:02:03')
    """
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@lru_cache(maxsize=16)
def _opened(game: str, question: str) -> tuple[Game, Problem]:
    rules = games.get(game)
    return rules, rules.task.read(question)
