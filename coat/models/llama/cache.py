"""The KV cache as paths: which of them are resident, which are parked outside, and which sequence id holds each.

Every row attends to every cell, and to save a few cells and take them back costs about as much as a few rows' attention
to them; so what is idle for a while is parked in ordinary memory.
"""

from collections.abc import Sequence
from itertools import takewhile

from coat.errors import BackendError
from coat.models.llama.bindings import Llama
from coat.models.llama.prefix import PrefixTree, Span

PARK_AFTER = 64
"""Rows after which an idle path is parked.

To save it and take it back took SmolLM2 as long as about 50 rows' attention to it.
"""


class PathCache:
    """The prefix tree of what a `Llama` holds, and the calls that keep both in step; it belongs to the owner thread.

    `reserved` are, in what follows, the cells that running requests may still take beyond their paths.
    """

    def __init__(self, llama: Llama) -> None:
        self.llama = llama
        self.capacity = llama.options.cells
        self.tree = PrefixTree(recurrent=llama.recurrent)
        self.free = list(range(llama.sequences))  # llama.cpp has one more, which nobody holds for long
        self._next_look = 0

    def take_sequence(self, source: Span | None = None) -> int:
        """A free sequence id, if need be by evicting what is idle, but for `source`, from which it is to be forked.

        `most_running` sees to it that there is one.
        """
        while not self.free:
            if not self.evict(source):
                raise BackendError("llama.cpp's sequence ids are used up")
        return self.free.pop()

    def give_back(self, sequence: int) -> None:
        """Let `sequence` go, with the cells that nobody else holds."""
        self.llama.cut(sequence, 0)
        self.free.append(sequence)

    def share(self, span: Span, sequence: int, end: int, start: int = 0) -> bool:
        """Let `sequence` hold the cells of the path to `span` from position `start` up to `end`; False: they are gone.

        Where the model is recurrent it gets the state at `end`, instead of its own.
        """
        if self.tree.recurrent:
            self.llama.cut(sequence, 0)
            start = 0
        holder = self.holder(span, end, start, but=sequence)
        if holder is not None:
            self.llama.fork(holder, sequence, end, start)
        return holder is not None

    def holder(self, span: Span, end: int, start: int = 0, *, but: int = -1) -> int | None:
        """A sequence other than `but` with the cells of the path to `span` that what goes on at `end` attends to.

        None where there is none: of layers with a sliding window llama.cpp gives away cells that only one sequence
        holds and whose end does not see them any more, though a path that ends earlier would.
        """
        if not self.llama.window:
            return self.tree.holder(span)
        needed = max(start, end - self.llama.window, 0)
        there = (each for each in self.tree.holders(span) if each != but)
        return next((each for each in there if 0 <= self.llama.first(each) <= needed), None)

    def fork_point(self, span: Span, depth: int) -> tuple[Span, int]:
        """Where a path that has its first `depth` tokens in common with the one to `span` can be taken up."""
        span, depth = self.tree.fork_point(span, depth)
        while self.llama.window and depth and span.parent is not None and self.holder(span, depth) is None:
            span, depth = span.parent, span.start
        return span, depth

    def evict(self, source: Span | None = None) -> bool:
        """Make room by what was not used for longest, but for `source`; whether there was anything idle."""
        leaf = self.tree.evictable(source)
        if leaf is not None:
            self.remove(leaf)
        return leaf is not None

    def remove(self, leaf: Span) -> None:
        """Take an idle leaf out of the cache, and park it if that can be; the oldest that is parked may have to go."""
        saved = self.llama.save(self.tree.holder(leaf), leaf.start, leaf.end) if self._parkable(leaf) else None
        sequence, start = self.tree.evict(leaf, saved)
        if start:
            self.llama.cut(sequence, start)
        else:
            self.give_back(sequence)
        while self.tree.parked > self.capacity and (oldest := self.tree.oldest()):
            self.tree.forget(oldest)

    def _parkable(self, leaf: Span) -> bool:
        """Whether llama.cpp saves the whole of `leaf`: where layers have a sliding window, no more than that."""
        if not leaf.ready or self.tree.recurrent or not self.llama.window:
            return leaf.ready and not self.tree.recurrent
        whole = 0 <= self.llama.first(self.tree.holder(leaf)) <= leaf.start
        return whole and len(leaf.tokens) <= self.llama.window

    def tick(self, rows: int) -> None:
        """Note that `rows` were decoded, and park what has been idle for a while.

        What cannot be parked goes when the rows since have paid as much attention to it as decoding it again would
        take. Whether somebody comes back is unknown; who lets go then spends at most twice the least (the ski-rental
        rule). A recurrent model pays no attention to idle paths.
        """
        self.tree.clock += rows
        if self.tree.recurrent or self.tree.clock < self._next_look:
            return
        self._next_look = self.tree.clock + PARK_AFTER
        for leaf in self.tree.stale(PARK_AFTER):
            if self._parkable(leaf) or leaf.used <= self.tree.clock - self.llama.patience:
                self.remove(leaf)

    def wake(self, span: Span, reserved: int) -> bool:
        """Take what is parked of the path to `span` into the cache again; False where there is no room: forget it."""
        if span.parked is None:  # what follows a parked span is parked too, so its ancestors are resident
            return True
        parked = [each for each in span.chain() if each.parked is not None][::-1]
        self.tree.pin(span)
        woken = self._load(parked, reserved)
        self.tree.release(span)
        if woken:
            self.keep(parked[woken - 1])
        if woken < len(parked):
            self.tree.forget(parked[woken])
        return woken == len(parked)

    def _load(self, parked: Sequence[Span], reserved: int) -> int:
        """Put parked spans, each of which follows the one before, into the cache; how many found room."""
        while not self.free and self.evict():
            pass
        if not self.free:
            return 0
        sequence, first = self.free.pop(), parked[0]
        if first.start and first.parent is not None and not self.share(first.parent, sequence, first.start):
            self.give_back(sequence)
            return 0
        loaded = list(takewhile(lambda span: self._put_back(span, sequence, reserved), parked))
        if loaded:
            self.tree.wake(loaded, sequence)
        else:
            self.give_back(sequence)
        return len(loaded)

    def _put_back(self, span: Span, sequence: int, reserved: int) -> bool:
        """Let `sequence` hold the saved cells of `span`; what is idle may have to go for it."""
        while self.tree.cells + reserved + len(span.tokens) > self.capacity:
            if not self.evict():
                return False
        return self.llama.load(span.parked, sequence, span.start, span.end)

    def keep(self, span: Span) -> None:
        """Mark a path as decoded; interior spans then no longer need sequences of their own."""
        for each in span.chain():
            each.ready = True
            if (sequence := self.tree.spare_sequence(each)) is not None:
                self.give_back(sequence)
