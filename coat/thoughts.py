"""Thoughts: what a reasoning model writes between its markers, before what it says.

The steps of a thought are nodes like any other, but no task reads them, and they count for no depth. A thought that the
model does not end is ended for it once it has cost its budget.
"""

from collections.abc import Sequence
from dataclasses import replace

from coat.errors import IllegalStepError
from coat.models import Prompt, Sampling, Text, Thinking
from search import Step

STEP_END = "\n\n"
"""What ends a step in a thought."""
STEP_TOKENS = 256
"""The most tokens of a step in a thought."""


def said(steps: Sequence[Step]) -> list[str]:
    """The texts of those of `steps` that lie in no thought, since the answer before the one that they may end in."""
    ends = [place for place, step in enumerate(steps[:-1], 1) if step.action == "answer"]
    return [step.text for step in steps[max(ends, default=0) :] if not step.thought]


def begun(steps: Sequence[Step]) -> list[str]:
    """What is `said` already of what goes on after `steps`: nothing after an answer, which is revised."""
    return [] if steps and steps[-1].action == "answer" else said(steps)


class Thoughts:
    """Where on a path a model thinks; with `markers` None it does nowhere."""

    def __init__(self, markers: Thinking | None, most: int, step_tokens: int | None) -> None:
        """The thoughts of a path may cost up to `most` tokens, one step of them `step_tokens`, None for the usual."""
        self.step_tokens = 0 if markers is None else min(most, step_tokens or STEP_TOKENS)
        self._markers, self._most = markers, most

    def open(self, steps: Sequence[Step]) -> bool:
        """Whether `steps` end in a thought that the model has not ended."""
        if self._markers is None:
            return False
        return steps[-1].thought and not steps[-1].text.endswith(self._markers.close) if steps else self._markers.opened

    def left(self, steps: Sequence[Step]) -> int:
        """Tokens that the thought in which `steps` end may still cost; 0 where they end in none."""
        spent = sum(step.generated for step in steps if step.thought)
        return max(0, self._most - spent) if self.open(steps) else 0

    def sampling(self, steps: Sequence[Step], plain: Sampling) -> Sampling:
        """How the step after `steps` is drawn, where outside of thoughts it would be `plain`."""
        if self._markers is None:
            return plain
        plain = replace(plain, until=(self._markers.close,))
        left = min(self.left(steps), self.step_tokens)
        return replace(plain, max_tokens=left, stop=(STEP_END,), complete=()) if left else plain

    def begins(self, text: str) -> bool:
        """Whether `text`, which was written outside of a thought, begins one."""
        return self._markers is not None and text.lstrip().startswith(self._markers.open.strip())

    def between(self, steps: Sequence[Step], plain: str) -> Prompt:
        """What stands between `steps` and the next, which outside of thoughts is `plain`; ends an unclosed thought."""
        if self._markers is None or not steps or not steps[-1].thought:
            return (Text(plain if steps else ""),)
        if not self.open(steps):
            return (Text(self._markers.after, control=True),)
        if steps[-1].text == self._markers.open.strip():
            return (Text(self._markers.open.removeprefix(steps[-1].text)),)
        return (Text(STEP_END),) if self.left(steps) else self.ending(steps)

    def bare(self, step: Step) -> Step:
        """`step` without markers, for who reads its text."""
        if self._markers is None or not step.thought:
            return step
        text = step.text.removeprefix(self._markers.open.strip()).removesuffix(self._markers.close).strip()
        return replace(step, text=text or step.text)

    def ending(self, steps: Sequence[Step]) -> Prompt:
        """What ends the thought in which `steps` end; nothing where they end in none."""
        return (self._markers.ending,) if self._markers is not None and self.open(steps) else ()


def check_thought(steps: Sequence[Step], text: str) -> str:
    """`text` as a step of a thought after `steps`.

    Raises:
        IllegalStepError: it says nothing, or nothing new.
    """
    step = text.strip()
    if not step or any(step == each.text for each in steps):
        raise IllegalStepError(f"{step!r} was thought before" if step else "the step says nothing")
    return step
