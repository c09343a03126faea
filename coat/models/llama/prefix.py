"""The prefix tree: which token paths lie in the KV cache, which sequence keeps each there, and the odds after it.

Pure bookkeeping, without llama.cpp. A `Span` is a run of tokens; the path to it is its ancestors' tokens and its own.
Only the leaves hold a sequence id: the cells of an interior span live on because a descendant's sequence holds them.
Spans of running requests are pinned by `users`; the others may be evicted, least recently used first, from the tail.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coat.models.llama.odds import Odds


class Span:
    """A run of `tokens` starting at position `start`; `ready` once all of them are decoded.

    A child's sequence is forked before its first token is decoded, so it always holds its ancestors' cells. `odds` are
    those of the next token after a position, where somebody drew from them: drawing there again needs no decode.
    """

    __slots__ = ("children", "odds", "parent", "ready", "sequence", "start", "tokens", "used", "users")

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
    """The resident paths; `cells` counts their distinct tokens, `pinned` those that running requests need.

    `clock` goes on with every use, and by whatever its owner adds.
    """

    def __init__(self) -> None:
        self.root = Span(None, (), 0, None)
        self.root.ready = True
        self.cells = 0
        self.pinned = 0
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

    def insert(self, path: Sequence[int], sequence: int) -> tuple[Span, bool]:
        """Make `path` resident, held by `sequence`: the span that ends it, and whether the tree took the sequence.

        The tree takes no sequence for what it holds already, or another request is just prefilling.
        """
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
        return None if found is None else (span, found)

    def holder(self, span: Span) -> int:
        """A sequence that holds every cell up to the end of `span`."""
        while span.sequence is None:
            span = next(iter(span.children.values()))
        return span.sequence

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

    def spare_sequence(self, span: Span) -> int | None:
        """Take the sequence of an idle interior `span` away: its descendants hold the cells. None where it has none."""
        if span.sequence is None or not span.children or span.users:
            return None
        sequence, span.sequence = span.sequence, None
        return sequence

    def evictable(self) -> Span | None:
        """The least recently used leaf that no request needs."""
        return min(self._idle(), key=lambda span: span.used, default=None)

    def stale(self, age: int) -> list[Span]:
        """The leaves that no request needs, and that were used no later than `age` ago."""
        return [span for span in self._idle() if span.used <= self.clock - age]

    def _idle(self) -> Iterator[Span]:
        return (span for span in self.spans() if not span.children and not span.users and span.parent is not None)

    def evict(self, leaf: Span) -> tuple[int, int]:
        """Remove `leaf`: its sequence, and the position from which the sequence is now to be cut off.

        A parent that nothing else holds inherits the sequence; else the cut is at 0 and the sequence is free.
        """
        parent, sequence = leaf.parent, leaf.sequence
        if parent is None or sequence is None:
            raise ValueError("only a leaf below the root can be evicted")
        del parent.children[leaf.tokens[0]]
        self.cells -= len(leaf.tokens)
        if parent.parent is not None and parent.sequence is None and not parent.children:
            parent.sequence = sequence
            return sequence, leaf.start
        return sequence, 0

    def spans(self) -> Iterator[Span]:
        """Every span, parents before children."""
        stack = [self.root]
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
