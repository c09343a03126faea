"""The prefix tree: which token paths lie in the KV cache, which sequence keeps each there, and the odds after it.

Pure bookkeeping, without llama.cpp. A `Span` is a run of tokens; the path to it is its ancestors' tokens and its own.
Only the leaves hold a sequence id: the cells of an interior span live on because a descendant's sequence holds them.
Spans of running requests are pinned by `users`; the others may be evicted, least recently used first, from the tail.
What is evicted may be parked: its cells lie in ordinary memory, and all that follows it does too. A resident span whose
children are all parked counts as a leaf.

A recurrent model has one state a sequence, which can be forked but not rolled back: there every span that was decoded
to its end keeps a sequence, interior ones too, as long as there are any; nothing is parked, and a path goes on from the
deepest such state.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coat.models.llama.odds import Odds


class Span:
    """A run of `tokens` starting at position `start`; `ready` once all of them are decoded; `parked` its saved cells.

    `lent` says that a running request works with its sequence.

    A child's sequence is forked before its first token is decoded, so it always holds its ancestors' cells. `odds` are
    those of the next token after a position, where somebody drew from them: drawing there again needs no decode.
    """

    __slots__ = (
        "children",
        "lent",
        "odds",
        "parent",
        "parked",
        "ready",
        "sequence",
        "start",
        "tokens",
        "used",
        "users",
    )

    def __init__(self, parent: "Span | None", tokens: Sequence[int], start: int, sequence: int | None) -> None:
        self.parent = parent
        self.tokens = list(tokens)
        self.start = start
        self.sequence = sequence
        self.children: dict[int, Span] = {}
        self.odds: dict[int, Odds] = {}
        self.users = 0
        self.used = 0
        self.ready = False
        self.lent = False
        self.parked: Any = None

    @property
    def leaf(self) -> bool:
        """Whether no child is resident."""
        return all(child.parked is not None for child in self.children.values())

    @property
    def held(self) -> bool:
        """Whether a sequence, a span that follows or a running request keeps it."""
        return self.sequence is not None or bool(self.children) or self.users > 0

    @property
    def end(self) -> int:
        """The position after the span's last token."""
        return self.start + len(self.tokens)

    def chain(self) -> Iterator["Span"]:
        """The span and its ancestors, the root last."""
        span: Span | None = self
        while span is not None:
            yield span
            span = span.parent


class PrefixTree:
    """The known paths; `cells` counts resident tokens, `pinned` those that running requests need, `parked` the rest.

    `clock` goes on with every use, and by whatever its owner adds.
    """

    def __init__(self, *, recurrent: bool = False) -> None:
        self.recurrent = recurrent
        self.root = Span(None, (), 0, None)
        self.root.ready = True
        self.cells = 0
        self.pinned = 0
        self.parked = 0
        self.clock = 0

    def match(self, path: Sequence[int], after: Span | None = None) -> tuple[Span, int]:
        """The deepest span on `path`, which begins at the root or `after` a span; how many of its tokens are there."""
        span, depth = after or self.root, 0
        while depth < len(path) and (child := span.children.get(path[depth])) is not None:
            common = _common(child.tokens, path, depth)
            span, depth = child, depth + common
            if common < len(child.tokens):
                break
        return span, depth

    def fork_point(self, span: Span, depth: int) -> tuple[Span, int]:
        """Where a path that has its first `depth` tokens in common with the one to `span` can be taken up."""
        if not self.recurrent:
            return span, depth
        return next((each, each.end) for each in span.chain() if each.end <= depth and self._forkable(each))

    def _forkable(self, span: Span) -> bool:
        return span.parent is None or (span.ready and span.sequence is not None)

    def adopt(self, span: Span, sequence: int) -> bool:
        """Let `span` have `sequence`, which is decoded to its very end, where it needs one to be forked there."""
        wanted = self.recurrent and span.sequence is None
        if wanted:
            span.sequence = sequence
        return wanted

    def insert(self, path: Sequence[int], sequence: int) -> tuple[Span, bool]:
        """Make `path` resident, held by `sequence`: the span that ends it, and whether the tree took the sequence.

        The tree takes no sequence for what it holds already, or another request is just prefilling. What is parked of
        the path is forgotten.
        """
        span, depth = self.match(path)
        if parked := [each for each in span.chain() if each.parked is not None]:
            self.forget(parked[-1])
            span, depth = self.match(path)
        if not span.ready:
            return span, False
        if depth < span.end:
            span = self._split(span, depth)
        if depth == len(path):
            return span, False
        leaf = Span(span, path[depth:], depth, sequence)
        self.clock += 1
        leaf.used = self.clock
        span.children[path[depth]] = leaf
        self.cells += len(leaf.tokens)
        return leaf, True

    def remember(self, span: Span, odds: "Mapping[int, Odds]") -> None:
        """Note the odds of the token after each position on the path to `span`."""
        for each in span.chain():
            each.odds.update((at, value) for at, value in odds.items() if each.start <= at < each.end)

    def odds(self, path: Sequence[int], after: Span | None = None) -> "tuple[Span, Odds] | None":
        """The odds of the token after `path`, and the span that ends it, where it is resident and they are known.

        The path begins at the root or `after` a span.
        """
        span, depth = self.match(path, after)
        start = after.end if after else 0
        found = span.odds.get(start + depth - 1) if depth == len(path) and span.ready else None
        if found is None or self.fork_point(span, start + depth) != (span, start + depth):
            return None
        return span, found

    def holder(self, span: Span) -> int:
        """A sequence that holds every cell up to the end of `span`, which is resident."""
        while span.sequence is None:
            span = next(child for child in span.children.values() if child.parked is None)
        return span.sequence

    def holders(self, span: Span) -> Iterator[int]:
        """All sequences that hold, or have held, the cells up to the end of `span`."""
        return (each.sequence for each in self.spans(span) if each.sequence is not None)

    def pin(self, span: Span) -> None:
        """Keep the path to `span` from eviction until it is released."""
        for each in span.chain():
            if not each.users:
                self.pinned += len(each.tokens)
            each.users += 1

    def release(self, span: Span) -> None:
        """Undo one `pin`, and mark the path as used now."""
        self.clock += 1
        for each in span.chain():
            each.users -= 1
            each.used = self.clock
            if not each.users:
                self.pinned -= len(each.tokens)
        self._prune(span)

    def spare_sequence(self, span: Span) -> int | None:
        """Take the sequence of an interior `span` away, whose cells its descendants hold; None where that cannot be."""
        if self.recurrent or span.sequence is None or span.leaf or span.lent:
            return None
        sequence, span.sequence = span.sequence, None
        return sequence

    def evictable(self, source: Span | None = None) -> Span | None:
        """The least recently used leaf that no request needs, or state that none works with; never `source`."""
        idle = (span for span in self._idle() if span is not source)
        return min(idle, key=lambda span: span.used, default=None)

    def stale(self, age: int) -> list[Span]:
        """The leaves that no request needs, and that were used no later than `age` ago."""
        return [span for span in self._idle() if span.used <= self.clock - age]

    def _idle(self) -> Iterator[Span]:
        held = (each for each in self.spans() if each.sequence is not None)
        if self.recurrent:
            return (each for each in held if not each.lent)
        return (each for each in held if each.leaf and not each.users)

    def evict(self, leaf: Span, saved: Any = None) -> tuple[int, int]:
        """Take `leaf` out of the cache: its sequence, and the position from which the sequence is now to be cut off.

        With its cells `saved` it is parked, else forgotten with all that is parked below it. A parent that nothing else
        holds inherits the sequence; else the cut is at 0 and the sequence is free. Of a recurrent model any state can
        go.
        """
        parent, sequence = leaf.parent, leaf.sequence
        if parent is None or sequence is None or not (leaf.leaf or self.recurrent):
            raise ValueError("only a resident leaf below the root can be evicted")
        leaf.sequence, leaf.parked = None, saved
        if self.recurrent:
            self._prune(leaf)
            return sequence, 0
        self.cells -= len(leaf.tokens)
        self.parked += len(leaf.tokens)
        if saved is None:
            self.forget(leaf)
        if parent.parent is not None and parent.sequence is None and parent.leaf:
            parent.sequence = sequence
            return sequence, leaf.start
        return sequence, 0

    def _prune(self, span: Span) -> None:
        """Remove the spans on the way to `span` that a recurrent model has no state of, nor of what follows."""
        while self.recurrent and span.parent is not None and not span.held:
            self.cells -= len(span.tokens)
            del span.parent.children[span.tokens[0]]
            span = span.parent

    def forget(self, span: Span) -> None:
        """Remove `span`, which is parked, and all that follows it."""
        assert span.parent is not None
        del span.parent.children[span.tokens[0]]
        self.parked -= sum(len(each.tokens) for each in self.spans(span))

    def oldest(self) -> Span | None:
        """The least recently used span that is parked, that nothing follows and nobody needs."""
        parked = (each for each in self.spans() if each.parked is not None and not each.children and not each.users)
        return min(parked, key=lambda span: span.used, default=None)

    def wake(self, spans: Sequence[Span], sequence: int) -> None:
        """Note that `spans`, which were parked and follow each other, are resident again, held by `sequence`."""
        self.clock += 1
        for span in spans:
            span.parked, span.used = None, self.clock
            self.cells += len(span.tokens)
            self.parked -= len(span.tokens)
        spans[-1].sequence = sequence

    def spans(self, below: Span | None = None) -> Iterator[Span]:
        """Every span, or one and what follows it, parents before children."""
        stack = [below or self.root]
        while stack:
            span = stack.pop()
            yield span
            stack.extend(span.children.values())

    def _split(self, span: Span, depth: int) -> Span:
        """Cut `span` at position `depth`; the new upper part is returned, `span` itself stays the lower part."""
        cut = depth - span.start
        upper = Span(span.parent, span.tokens[:cut], span.start, None)
        upper.users, upper.used, upper.ready = span.users, span.used, span.ready
        upper.odds = {at: odds for at, odds in span.odds.items() if at < depth}
        span.odds = {at: odds for at, odds in span.odds.items() if at >= depth}
        assert span.parent is not None
        span.parent.children[span.tokens[0]] = upper
        span.tokens, span.start, span.parent = span.tokens[cut:], depth, upper
        upper.children[span.tokens[0]] = span
        return upper


def _common(tokens: Sequence[int], path: Sequence[int], offset: int) -> int:
    """How many of `tokens` agree with `path` from `offset` on."""
    limit = min(len(tokens), len(path) - offset)
    if list(path[offset : offset + limit]) == tokens[:limit]:
        return limit
    return next(i for i in range(limit) if tokens[i] != path[offset + i])
