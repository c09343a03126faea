"""Thoughts: what a reasoning model writes between its markers, before what it says.

The steps of a thought are nodes like any other, but no task reads them, and they count for no depth. A thought that the
model does not end is ended for it once it has cost its budget.
"""

from collections.abc import Sequence
from dataclasses import replace

from coat.errors import IllegalStepError, InputError
from coat.models import Penalty, Prompt, Sampling, Text, Thinking, Tokens
from coat.settings import Settings
from search import Step

STEP_END = "\n\n"
"""What ends a step in a thought."""
STEP_TOKENS = 256
"""The most tokens of a step in a thought."""
ENDS = ("answer", "backtrack")
"""The actions that end an attempt, which revisions go on from."""
WAIT = "Wait"
"""What a thought goes on after that was ended too early."""


def said(steps: Sequence[Step]) -> list[str]:
    """The texts of those of `steps` that lie in no thought, since the attempt before the last.

    An attempt ends in an answer, or in a step back. What is said about an answer, by a move, is not said in it.
    """
    ends = [place for place, step in enumerate(steps[:-1], 1) if step.action in ENDS]
    return [step.text for step in steps[max(ends, default=0) :] if not (step.thought or _aside(step))]


def _aside(step: Step) -> bool:
    """Whether a step, which came by a move, is no part of an answer."""
    return bool(step.move) and step.action == "think"


def begun(steps: Sequence[Step]) -> list[str]:
    """What is `said` already of what goes on after `steps`: nothing after an attempt, which is revised."""
    return [] if steps and steps[-1].action in ENDS else said(steps)


class Thoughts:
    """Where on a path a model thinks, and for how long; with `markers` None it does nowhere.

    Budget forcing (arXiv 2501.19393): a thought ends at `max_think` tokens, and one that the model ends too early goes
    on after a "Wait". Switching penalty (arXiv 2501.18585): see `coat.Settings`.
    """

    def __init__(self, markers: Thinking | None, settings: Settings) -> None:
        """Raises InputError where the settings ask for what a model without thoughts cannot do."""
        forced = {"min-think": settings.min_think, "waits": settings.waits, "switch-penalty": settings.switch_penalty}
        if markers is None and (asked := [name for name, value in forced.items() if value]):
            raise InputError(f"the model declares no markers of thoughts; leave out --{asked[0]}")
        self.step_tokens = 0 if markers is None else min(settings.max_think, settings.step_tokens or STEP_TOKENS)
        self._markers = markers
        self.spend(settings)

    def spend(self, settings: Settings) -> None:
        """Let thoughts cost what `settings` say; a step of one still takes no more tokens than it did."""
        self._most, self._least = settings.max_think, settings.min_think
        self._waits = settings.waits if settings.waits is not None else 2 * bool(settings.min_think)
        self._alpha, self._window = settings.switch_penalty, settings.switch_window
        self._phrases = tuple(filter(None, map(str.strip, settings.switch_phrases.split(","))))

    def open(self, steps: Sequence[Step]) -> bool:
        """Whether `steps` end in a thought that has not ended."""
        if self._markers is None:
            return False
        if not steps:
            return self._markers.opened
        return steps[-1].thought and (not self._closes(steps[-1]) or self.waits(steps))

    def waits(self, steps: Sequence[Step]) -> bool:
        """Whether the model has just ended a thought that is to go on."""
        if not steps or not self._closes(steps[-1]):
            return False
        early = not self._least or _cost(steps) < self._least
        return early and sum(map(self._closes, steps[:-1])) < self._waits

    def _closes(self, step: Step) -> bool:
        return self._markers is not None and step.thought and step.text.endswith(self._markers.close)

    def left(self, steps: Sequence[Step]) -> int:
        """Tokens that the thought in which `steps` end may still cost; 0 where they end in none."""
        return max(0, self._most - _cost(steps)) if self.open(steps) else 0

    def sampling(self, steps: Sequence[Step], plain: Sampling) -> Sampling:
        """How the step after `steps` is drawn, where outside of thoughts it would be `plain`."""
        if self._markers is None:
            return plain
        plain = replace(plain, until=(self._markers.close,))
        left = min(self.left(steps), self.step_tokens)
        if not left:
            return plain
        window = self._window - _cost(steps[self._switch(steps) :])
        penalty = Penalty(self._alpha, self._phrases, window) if self._alpha and window > 0 else None
        return replace(plain, max_tokens=left, stop=(STEP_END,), complete=(), penalty=penalty)

    def _switch(self, steps: Sequence[Step]) -> int:
        """The place of the last of `steps` that begins with a phrase by which a thought is switched, else the first."""
        names = tuple(phrase.lower() for phrase in self._phrases)
        switches = [place for place, step in enumerate(steps) if step.text.lower().startswith(names)]
        return max(switches, default=0)

    def begins(self, text: str) -> bool:
        """Whether `text`, which was written outside of a thought, begins one."""
        return self._markers is not None and text.lstrip().startswith(self._markers.open.strip())

    def between(self, steps: Sequence[Step], plain: str) -> Prompt:
        """What stands between `steps` and the next, which outside of thoughts is `plain`; ends an unclosed thought."""
        if self._markers is None or not steps or not steps[-1].thought:
            return (Text(plain if steps else ""),)
        if self.waits(steps) and self.left(steps):
            return (Text(f"{STEP_END}{WAIT}"),)
        if not self.open(steps):
            return (Text(self._markers.after, control=True),)
        if steps[-1].text == self._markers.open.strip():
            return (Text(self._markers.open.removeprefix(steps[-1].text)),)
        return (Text(STEP_END),) if self.left(steps) else self.ending(steps)

    def piece(self, steps: Sequence[Step]) -> Text | Tokens:
        """The last of `steps` as a piece of a prompt, without the end of a thought that goes on."""
        step = steps[-1]
        return Text(self.bare(step).text) if self.waits(steps) else step.tokens or Text(step.text)

    def bare(self, step: Step) -> Step:
        """`step` without markers, for who reads its text."""
        if self._markers is None or not step.thought:
            return step
        text = step.text.removeprefix(self._markers.open.strip()).removesuffix(self._markers.close).strip()
        return replace(step, text=text or step.text)

    def ending(self, steps: Sequence[Step]) -> Prompt:
        """What ends the thought in which `steps` end; nothing where they end in none."""
        return (self._markers.ending,) if self._markers is not None and self.open(steps) else ()


def _cost(steps: Sequence[Step]) -> int:
    """The tokens of the thoughts among `steps`."""
    return sum(step.generated for step in steps if step.thought)


def check_thought(steps: Sequence[Step], text: str) -> str:
    """`text` as a step of a thought after `steps`.

    Raises:
        IllegalStepError: it says nothing, or nothing new.
    """
    step = text.strip()
    if not step or any(step == each.text for each in steps):
        raise IllegalStepError(f"{step!r} was thought before" if step else "the step says nothing")
    return step
