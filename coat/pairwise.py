"""Answers judged by each other: which of two is better, read from a model's logits in both orders."""

import asyncio
import math
from collections.abc import Sequence
from statistics import fmean

from coat import prompts
from coat.errors import ContextError
from coat.judging import Path, check_scores, plain_turn, share, single
from coat.models import LanguageModel, Message, Prompt, Text, Tokens
from coat.usage import Usage

NEAREST = 2
"""How far round the ring of answers asked about together each one meets others: all of them, where they are five."""
EDGE = 1e-6
"""How near a value may come to 0 and 1."""

Pair = tuple[int, int]


class Pairwise:
    """An answer's value is the mean probability that it is better than another: its Borda count, over a model's odds.

    Each answer meets those that are asked about with it, up to four, and the best answer so far. The model is shown the
    question and both answers as A and B, and once more in the other order; P("A") against P("B") of the next token is
    averaged over the two, so that a liking for one place cancels. Nothing is generated. Odds are moved so that the best
    answer so far keeps the value it had: later answers are worth more than it just where they do better. A path that is
    not finished meets nobody and is worth one half, and so is an answer with nobody to meet. Of a longer path the last
    step alone is shown.
    """

    name = "pairwise"

    def __init__(self, model: LanguageModel, *, own: bool) -> None:
        """`own`: `model` wrote the answers itself. Raises ModelError where it cannot score."""
        check_scores(model, self.name)
        self._model, self._own = model, own
        self._a, self._b = (single(model, (side, f" {side}"), self.name) for side in "AB")
        mark = "\u2985comparison\u2986"
        turn = plain_turn(model, [Message("user", mark)])
        at = turn.index(Text(mark))
        self._before, self._closing = turn[:at], (Text(prompts.BETTER), *turn[at + 1 :])
        self._frame = len(model.path((*map(Text, prompts.SIDES), *self._closing)))

    def cost(self, step_tokens: int) -> int:
        """For an answer of at most `step_tokens`: every meeting's second answer, and what each first one is read once.

        An answer meets two others at its own expense and the best so far, in both orders; the best is a first one, too.
        Where another model is the judge, an answer may be twice as long in its tokens.
        """
        readings, firsts = 2 * (NEAREST + 1), 2
        return (readings + firsts) * (self._frame + step_tokens * (1 if self._own else 2))

    async def evaluate(self, path: Path, usage: Usage) -> dict[str, float]:
        """The value of a path with nobody to meet."""
        return (await self.compare([path], None, usage))[0]

    async def compare(self, paths: Sequence[Path], best: Path | None, usage: Usage) -> list[dict[str, float]]:
        """See the class; a meeting of which an order cannot be read, or does not fit, is counted and left out."""
        answers = [path for path in paths if path.steps[-1].action == "answer"]
        field = [*answers, *([] if best is None else [best])]
        pairs = meetings(len(answers), best is not None)
        won: list[list[float]] = [[] for _ in field]
        for (first, second), odds in zip(pairs, await self._odds(field, pairs, usage), strict=True):
            if odds is not None:
                won[first].append(odds)
                won[second].append(1 - odds)
        shift = 0.0 if best is None or not won[-1] else _logit(best.parts[self.name]) - _logit(fmean(won[-1]))
        values = iter(
            {self.name: _moved(fmean(each), shift) if each else 0.5} if each or not pairs else {} for each in won
        )
        return [next(values) if path.steps[-1].action == "answer" else {self.name: 0.5} for path in paths]

    async def _odds(self, field: Sequence[Path], pairs: Sequence[Pair], usage: Usage) -> list[float | None]:
        """By pair, the probability that the first is the better one."""
        read, asked = set[int](), []
        for first, second in (order for pair in pairs for order in (pair, pair[::-1])):
            asked.append(self._first_wins(field[first], field[second], first in read, usage))
            if not _equal(field[first], field[second]):
                read.add(first)
        shares = await asyncio.gather(*asked)
        orders = zip(shares[::2], shares[1::2], strict=True)
        return [None if there is None or back is None else (there + 1 - back) / 2 for there, back in orders]

    async def _first_wins(self, first: Path, second: Path, known: bool, usage: Usage) -> float | None:
        """P("A") against P("B") with `first` as A; where it is `known` from another meeting it is not read again.

        Equal answers draw.
        """
        if _equal(first, second):
            return 0.5
        asked = Text(f"{prompts.COMPARE}{first.problem.question}")
        shown: Prompt = (Text(prompts.SIDES[0]), self._piece(first))
        after: Prompt = (Text(prompts.SIDES[1]), self._piece(second), *self._closing)
        prompt: Prompt = (*self._before, asked, *(shown if known else ()))
        try:
            return await share(self._model, prompt, after if known else (*shown, *after), self._a, self._b, usage)
        except ContextError:
            usage.unreadable += 1
            return None

    def _piece(self, path: Path) -> Text | Tokens:
        step = path.steps[-1]
        return (step.tokens if self._own and not step.model else ()) or Text(step.text)


def meetings(count: int, best: bool) -> list[Pair]:
    """Who meets whom of `count` answers in a ring, and of the `best` so far, whose place is after the last.

    >>> meetings(3, best=True), len(meetings(5, best=False)), len(meetings(9, best=False))
    ([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], 10, 18)
    """
    near = ((each, (each + way) % count) for each in range(count) for way in range(1, NEAREST + 1))
    ring = {(min(pair), max(pair)) for pair in near if pair[0] != pair[1]}
    return sorted(ring) + [(each, count) for each in range(count) if best]


def _equal(first: Path, second: Path) -> bool:
    return first.steps[-1].text == second.steps[-1].text


def _moved(share: float, shift: float) -> float:
    """`share` with `shift` added to its log-odds."""
    return 1 / (1 + math.exp(-_logit(share) - shift)) if shift else share


def _logit(share: float) -> float:
    clipped = min(max(share, EDGE), 1 - EDGE)
    return math.log(clipped / (1 - clipped))
