"""A game as it is played: its clock, its end, what is kept of it, and what the player is told; no screen."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from coat.errors import InputError
from coat.play.engine import Advice
from coat.play.session import Author, Session, clock, played, undone
from coat.play.store import Store, summary


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence for the player; `wrong` where something could not be done, or was lost."""

    sentence: str
    wrong: bool = False

    def __str__(self) -> str:
        """The sentence, with a mark where it is wrong."""
        return f"✗ {self.sentence}" if self.wrong else self.sentence


class Match:
    """`session` at every moment; `now` gives seconds that only grow. Every change is kept in `store`.

    A race that was broken off before is none any more, and may be run again.
    What forbids a move is raised, as IllegalStepError; what keeps the store from being written, as InputError.
    """

    def __init__(self, session: Session, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self.store, self._now = store, now
        session = replace(session, race="") if session.race == "on" else session
        self._session, self._since = session, None if session.outcome else now()
        self._over = bool(session.outcome)

    @property
    def session(self) -> Session:
        """The game, with the time that it has taken by now."""
        if self._since is None or self._over:
            return self._session
        return replace(self._session, seconds=self._session.seconds + self._now() - self._since)

    def go(self) -> None:
        """The clock goes on."""
        self._session, self._since = self.session, self._now()

    def halt(self) -> None:
        """The clock stands still."""
        self._session, self._since = self.session, None

    @property
    def running(self) -> bool:
        """Whether the clock goes."""
        return self._since is not None

    def play(self, text: str, author: Author = "person") -> Said:
        """Make the moves that `text` says."""
        return self._changed(played(self.session, text, author))

    def undo(self) -> Said:
        """Take the last move back."""
        return self._changed(undone(self.session))

    def give_up(self) -> Said:
        """Lose the game."""
        if self._over:
            return Said("The game is over. ctrl+n deals another.")
        return self._changed(replace(self.session, given_up=True))

    def hinted(self, advice: Advice) -> Said:
        """Count a hint."""
        self._changed(replace(self.session, hints=self.session.hints + 1))
        return Said(f"→ {advice.why}.")

    def race(self) -> Said:
        """The engine sets out.

        Raises:
            InputError: the game is over, is raced already, or cannot be won.
        """
        session = self.session
        if session.race or self._over or session.standing != "open" or not session.rules.task.verifies:
            raise InputError("a race is run once, in a game that can be won and goes on")
        self._changed(replace(session, race="on"))
        return Said("The race is on: the engine takes a look a second; its tree is on the right.")

    def raced(self, advice: Advice | None) -> Said:
        """The engine has come to an end."""
        if self._over:
            return Said("The game is over. ctrl+n deals another.")
        if advice is None or not advice.right:
            return Said("The engine gave up the race; take your time.")
        self._changed(replace(self.session, race="lost"))
        return Said(f"The engine was first: {'; '.join(advice.line)}. ctrl+n deals another.", wrong=True)

    def save(self) -> Said:
        """Keep the game as it is."""
        self._keep()
        return Said(f"Saved in {self.store.folder}; `coat play {self._session.game} --resume` goes on.")

    def leave(self) -> None:
        """The clock stands still, and the game is kept."""
        self.halt()
        self._keep()

    def _changed(self, session: Session) -> Said:
        """Take `session` for the game, keep it, and say how it stands."""
        self._session, self._since = session, self._now() if self.running else None
        if self._over:
            return Said(f"{len(session.moves)} moves; the game is over. ctrl+n deals another.")
        said = _standing(session)
        if session.outcome:
            self._over = True
            said = self._ended()
        self._keep()
        return said

    def _ended(self) -> Said:
        session = self._session
        took = f"{clock(session.seconds)}, {_counted(len(session.moves), 'move')}, {_counted(session.hints, 'hint')}"
        self.store.finish(session)
        if session.outcome == "lost":
            return Said(f"Lost after {took}. F3 shows how it goes on, ctrl+n deals another.", wrong=True)
        won = summary([each for each in self.store.finished() if each.game == session.game])
        return Said(f"✓ Solved in {took}: {session.points} points, streak {won.streak}. ctrl+n deals another.")

    def _keep(self) -> None:
        if self._over or self._session.standing == "answered":
            self.store.drop(self._session)
        elif self._session.moves or self._session.hints:
            self.store.save(self.session)


def _standing(session: Session) -> Said:
    if session.standing == "stuck":
        return Said("This is the end of the moves, and not the goal. ctrl+z takes a move back.", wrong=True)
    if session.standing == "answered":
        return Said("Answered; nothing here can check it. ctrl+n asks another question.")
    return Said(_counted(len(session.moves), "move") + " so far.")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
