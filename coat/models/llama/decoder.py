"""The decoder: one owner thread that grows all requests of all searches in common batches.

A request is a path and what is wanted at its end: siblings to sample, or candidates to read. Its path is matched in the
prefix tree, forked from a resident sequence, and only the rest is prefilled. The first token of every sibling is drawn
from that one row; siblings with equal tokens share a lane until they differ; siblings that find no room wait. The odds
that tokens are drawn from are kept with the path: who comes by again, in a second expansion or along the same words,
draws without a decode. What is idle for a while is parked in ordinary memory, since every row attends to every cell,
and taken back when it is needed.

A request starts only when its worst case with one sibling at work fits beside those running,
and keeps that room until it ends, so a full cache cannot deadlock.
"""

import queue
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from coat.errors import BackendError, ContextError
from coat.models import Completion, Finish
from coat.models.llama.bindings import Llama
from coat.models.llama.cache import PathCache
from coat.models.llama.odds import Odds, knobs, read
from coat.models.llama.prefix import Span
from coat.models.llama.text import Transcript, cut_tokens
from coat.models.llama.work import Batch, Lane, Member, Request

NO_SLOT = 1
"""llama_decode's return code where the cache has no room for the batch; its state is then unchanged."""


class Decoder:
    """Owns a `Llama`. Only its thread touches it; `submit` and `close` may be called from anywhere."""

    def __init__(self, llama: Llama) -> None:
        self.llama = llama
        self.capacity = llama.options.cells
        self.lanes = llama.options.lanes
        self.most_running = (llama.sequences - self.lanes) // 2
        self._inbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._door = threading.Lock()
        self._reset()
        self._thread = threading.Thread(target=self._run, name="coat-llama", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> "Future[Any]":
        """Queue a request; cancelling its future frees its lanes before the next decode.

        Raises:
            ContextError: the request is larger than the whole cache.
            BackendError: the model is closed.
        """
        if len(request.path) + request.room > self.capacity:
            raise ContextError(
                f"a path of {len(request.path)} tokens with {request.room} to follow is larger than the cache of"
                f" {self.capacity}; give the model more context, or shorten the question"
            )
        with self._door:
            if self._closed.is_set():
                raise BackendError("the model is closed")
            self._inbox.put(request)
        return request.future

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def close(self) -> None:
        """Stop the thread, fail what is still running, and free the model."""
        with self._door:
            self._closed.set()
            self._inbox.put(None)
        self._thread.join()

    # The rest runs in the owner's thread.

    def _reset(self) -> None:
        self.cache = PathCache(self.llama)
        self.pending: deque[Request] = deque()
        self.running: list[Request] = []
        self.active: list[Lane] = []

    def _run(self) -> None:
        while not self._closed.is_set():
            self._receive(wait=not (self.running or self.pending))
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - whatever it was, those who wait must hear of it
                self._fail_all(error)
        self._receive(wait=False)
        self._fail_all(BackendError("the model was closed while it worked"))
        self.llama.close()

    def _receive(self, *, wait: bool) -> None:
        try:
            while True:
                if (request := self._inbox.get(block=wait)) is not None:
                    self.pending.append(request)
                wait = False
        except queue.Empty:
            return

    def _fail_all(self, error: Exception) -> None:
        followers = [follower for request in self.running for follower in request.followers]
        failed = list(dict.fromkeys([*self.running, *followers, *self.pending]))
        self._reset()
        self.llama.clear()
        for request in failed:
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(error)

    def _step(self) -> None:
        """Admit what fits, decode one batch, and hand its rows out."""
        self._drop_cancelled()
        self._admit()
        self._activate()
        batch = self._compose()
        if not batch.rows:
            return
        self._decode(batch)
        if not batch.readers:
            return
        logits = self.llama.logits(len(batch.readers))
        asked = [_request(reader) for _, reader in batch.readers]
        alike = asked[0].sampling if len({knobs(each.sampling) for each in asked}) == 1 else None
        odds = read(logits, max(each.choices for each in asked), alike)
        for (_, reader), row, each in zip(batch.readers, logits, odds, strict=True):
            if isinstance(reader, Lane):
                self._coast(self._advance(reader, each))
            elif reader.seeds:
                self._open(reader, each)
            elif reader.done < len(reader.target):
                self._reach(reader, each)
                self._step_aside(reader)
            else:
                self._read(reader, [float(row[token]) - each.normaliser for token in reader.candidates])

    def _drop_cancelled(self) -> None:
        for request in [request for request in self.running if request.future.cancelled()]:
            for lane in [lane for lane in self.active if lane.request is request]:
                self.active.remove(lane)
                self.cache.give_back(lane.sequence)
            self._end(request)

    # Admission.

    def _admit(self) -> None:
        """Start pending requests in their order; one whose path another request is just prefilling waits for it."""
        for request in list(self.pending):
            if len(self.running) >= self.most_running:
                break
            span, depth = self.cache.tree.match(request.path)
            if request.future.cancelled():
                self.pending.remove(request)
            elif (leader := next(filter(request.same_scores, self.running), None)) is not None:
                request.usage.need(request.target)
                leader.followers.append(request)
                self.pending.remove(request)
            elif span.ready and not self._fits(request, span, depth):
                break
            elif span.ready:
                self._start(request, span, depth)
                self.pending.remove(request)

    def _fits(self, request: Request, span: Span, depth: int) -> bool:
        pinned = next((each.end for each in span.chain() if each.users), 0)
        depth = self.cache.fork_point(span, depth)[1]
        return self._committed() + len(request.path) - min(pinned, depth) + request.room <= self.capacity

    def _committed(self) -> int:
        """Cells that running requests hold or may still take."""
        return self.cache.tree.pinned + self._reserved()

    def _reserved(self) -> int:
        """Cells beyond their paths that running requests may take."""
        return sum(max(1, request.working) * request.room + request.again for request in self.running)

    def _start(self, request: Request, span: Span, depth: int) -> None:
        """Fork what is known of the path, and pin the whole path in the tree; its end is decoded anew."""
        if not self.cache.wake(span, self._reserved()):
            span, depth = self.cache.tree.match(request.path)
        span, request.done = self.cache.fork_point(span, min(depth, len(request.target) - 1))
        self.cache.tree.pin(span)
        request.sequence = self.cache.take_sequence(span)
        self.cache.tree.release(span)
        if request.done:
            self.cache.share(span, request.sequence, request.done)
        request.span, taken = self.cache.tree.insert(request.path, request.sequence)
        request.private, request.span.lent = not taken, request.span.lent or taken
        lost = self.llama.window and request.private
        request.again = max(0, len(request.path) - 1 - request.done) if lost else 0
        self.cache.tree.pin(request.span)
        request.usage.need(request.target)
        self.running.append(request)
        known = self._known(request) if request.seeds else None
        if known and self.cache.share(known[0], request.sequence, len(request.path)):
            request.done = len(request.path)
            self._open(request, known[1])

    # One batch.

    def _activate(self) -> None:
        """Put waiting siblings to work, first come first served, as far as lanes and cells reach."""
        idle = self.lanes - sum(len(lane.members) for lane in self.active)
        for request in list(self.running):
            while request.waiting:
                spare = (self.capacity - self._committed()) // request.room
                count = min(len(request.waiting[0].members), idle, spare if request.working else spare + 1)
                if count < 1:
                    return
                idle -= count
                self._employ(request, count)

    def _employ(self, request: Request, count: int) -> None:
        """Give the first `count` siblings of the first waiting lane a sequence to work on."""
        waiting = request.waiting[0]
        lane = Lane(request, waiting.members[:count], waiting.tail, self.cache.take_sequence())
        del waiting.members[:count]
        if not waiting.members:
            request.waiting.popleft()
        self.llama.fork(request.sequence, lane.sequence, len(request.path))
        request.working += count
        self.active.append(lane)
        self._coast([lane])

    def _compose(self) -> Batch:
        """The next batch: the last token of every lane, then as much prefill as there is room for."""
        batch = Batch()
        for lane in self.active:
            batch.readers.append((len(batch.rows), lane))
            position = len(lane.request.path) + len(lane.tail) - 1
            batch.rows.append((lane.tail[-1], position, lane.sequence, True))
            batch.owners.append(lane.request)
        for request in self.running:
            if len(batch.readers) == self.llama.sequences:
                break
            target, goal = request.target, self._goal(request)
            end = min(goal, request.done + self.llama.options.batch - len(batch.rows))
            for position in range(request.done, end):
                batch.rows.append((target[position], position, request.sequence, position == goal - 1))
                batch.owners.append(request)
            if request.done < end == goal:
                batch.readers.append((len(batch.rows) - 1, request))
        return batch

    def _goal(self, request: Request) -> int:
        """Up to where `request` is decoded next: a recurrent state is kept at the path's end, before the suffix."""
        path = len(request.path)
        return path if self.llama.recurrent and request.done < path else len(request.target)

    def _decode(self, batch: Batch) -> None:
        """Decode `batch` and book its rows; where the cache has no room, evict idle paths, then halve the batch."""
        while code := self.llama.decode(batch.rows):
            if code != NO_SLOT:
                raise BackendError(f"llama_decode failed with code {code}; the cache was emptied")
            if self.cache.evict():
                continue
            if len(batch.rows) == 1:
                raise BackendError("the KV cache is full and nothing in it is idle; give the model more context")
            batch.halve()
        for (_, position, sequence, _), request in zip(batch.rows, batch.owners, strict=True):
            request.usage.evaluated += 1
            if sequence == request.sequence:
                request.done = position + 1
        for usage in {id(request.usage): request.usage for request in batch.owners}.values():
            usage.decodes += 1
        self.cache.tick(len(batch.rows))

    # What becomes of the rows.

    def _read(self, request: Request, scores: list[float]) -> None:
        """Answer a request for scores, whose suffix is decoded."""
        if not self.llama.recurrent:
            self.llama.cut(request.sequence, len(request.path))
        self.cache.keep(request.span)
        self._end(request, scores)

    def _known(self, request: Request, tail: Sequence[int] = ()) -> tuple[Span, Odds] | None:
        """The odds after the path of `request` and `tail`, where they are kept for as many tokens as it draws from."""
        known = self.cache.tree.odds(tail, request.span)
        return known if known and known[1].ids.size >= min(request.choices, self.llama.vocabulary) else None

    def _open(self, request: Request, odds: Odds) -> None:
        """The path of a request for siblings is decoded: draw everybody's first token after it."""
        self._reach(request, odds)
        request.odds = odds
        members = [
            Member(index, request.sampler(seed), Transcript(request.sampling))
            for index, seed in enumerate(request.seeds)
        ]
        groups = self._draw(request, members, odds)
        request.waiting.extend(Lane(request, group, [token]) for token, group in groups.items())
        self._settle(request)

    def _reach(self, request: Request, odds: Odds) -> None:
        """The path of `request` is decoded: keep it, and the odds after it."""
        self.cache.keep(request.span)
        self.cache.tree.remember(request.span, {len(request.path) - 1: odds})
        if request.private and self.cache.tree.adopt(request.span, request.sequence):
            request.private, request.span.lent = False, True

    def _step_aside(self, request: Request) -> None:
        """Leave the state at the end of the path where it is, and go on with the suffix in a sequence to be dropped."""
        if not request.private:
            sequence, request.sequence = request.sequence, self.cache.take_sequence()
            self.llama.fork(sequence, request.sequence, len(request.path))
            request.private, request.span.lent = True, False

    def _advance(self, lane: Lane, odds: Odds) -> list[Lane]:
        """Draw the next token of every sibling in `lane`; those who differ from the first get lanes of their own.

        The lanes that go on.
        """
        request, tail = lane.request, lane.tail
        lane.odds[len(request.path) + len(tail) - 1] = odds
        members, lane.members = lane.members, []
        groups = self._draw(request, members, odds)
        lanes = [lane]
        request.working -= len(members) - sum(map(len, groups.values()))
        for token, group in groups.items():
            if not lane.members:
                lane.members, lane.tail = group, [*tail, token]
                continue
            lanes.append(Lane(request, group, [*tail, token], self.cache.take_sequence(), dict(lane.odds)))
            self.llama.fork(lane.sequence, lanes[-1].sequence, len(request.path) + len(tail))
        self.active += lanes[1:]
        if lane.members:
            return lanes
        self._retire(lane)
        self._settle(request)
        return []

    def _coast(self, lanes: list[Lane]) -> None:
        """Draw on, without a decode, as long as a lane's tokens are known and their odds are kept."""
        while lanes:
            lane = lanes.pop()
            end = len(lane.request.path) + len(lane.tail)
            known = self._known(lane.request, lane.tail)
            if known is None or not self.cache.wake(known[0], self._reserved()):
                continue
            if self.cache.share(known[0], lane.sequence, end, end - 1):
                lanes += self._advance(lane, known[1])

    def _draw(self, request: Request, members: Sequence[Member], odds: Odds) -> dict[int, list[Member]]:
        """One token for each of `members`; those who go on, grouped by their token.

        Who finds nothing left here begins again after the path, in a lane of its own.
        """
        groups: dict[int, list[Member]] = {}
        for member in members:
            drawn = self._draw_one(request, member, odds)
            if drawn is not None:
                groups.setdefault(drawn, []).append(member)
                continue
            while member.index not in request.results:
                assert request.odds is not None, "siblings draw only once the path is decoded"
                if not member.begin_again(request.sampling):
                    request.results[member.index] = None
                elif (first := self._draw_one(request, member, request.odds)) is not None:
                    request.waiting.append(Lane(request, [member], [first]))
                    break
        return groups

    def _draw_one(self, request: Request, member: Member, odds: Odds) -> int | None:
        """The next token of `member`; None where it is complete, which is noted, or finds nothing left."""
        if (drawn := member.sampler.draw(odds)) is None:
            return None
        token, logprob = drawn
        member.logprob += logprob
        finish = self._observe(member, token, request)
        if finish is None:
            return token
        request.results[member.index] = self._completion(member, finish)
        return None

    def _observe(self, member: Member, token: int, request: Request) -> Finish | None:
        member.generated += 1
        if self.llama.is_end(token):
            return "eos"
        if member.transcript.add(token, self.llama.piece(token)):
            return "stop"
        if request.rules is not None and not request.rules.possible(member.transcript.text):
            return "rejected"
        return "length" if member.generated >= request.sampling.max_tokens else None

    def _completion(self, member: Member, finish: Finish) -> Completion:
        transcript = member.transcript
        tokens = cut_tokens(
            transcript.text, transcript.tokens, self.llama.piece, lambda text: self.llama.tokenize(text, False)
        )
        return Completion(transcript.text, tokens, member.logprob, member.generated, finish, member.sampler.complete())

    def _retire(self, lane: Lane) -> None:
        """A lane without siblings: its path becomes resident and idle."""
        path = (*lane.request.path, *lane.tail)
        lane.request.usage.need(path)
        self.active.remove(lane)
        leaf, taken = self.cache.tree.insert(path, lane.sequence)
        if taken or self.cache.tree.adopt(leaf, lane.sequence):
            self._share(lane, leaf)
            self.cache.keep(leaf)
            self.cache.tree.remember(leaf, lane.odds)
        else:
            self.cache.give_back(lane.sequence)

    def _share(self, lane: Lane, leaf: Span) -> None:
        """Free the cells of tokens between path and `leaf` that others decoded at the same time, and hold theirs."""
        start = len(lane.request.path) - 1
        if leaf.parent is None or self.llama.recurrent:
            return
        if self.cache.holder(leaf.parent, leaf.start, start, but=lane.sequence) is not None:
            self.llama.cut(lane.sequence, start, leaf.start)
            self.cache.share(leaf.parent, lane.sequence, leaf.start, start)

    def _settle(self, request: Request) -> None:
        """Answer a request whose siblings are all complete."""
        if len(request.results) == len(request.seeds):
            results = (request.results[index] for index in range(len(request.seeds)))
            self._end(request, [result for result in results if result is not None])

    def _end(self, request: Request, result: Any = None) -> None:
        """Take `request` out of the house, and answer it unless it was cancelled."""
        self.running.remove(request)
        self.cache.tree.release(request.span)
        if request.private:
            self.cache.give_back(request.sequence)
        else:
            request.span.lent = False
        if request.span.ready:
            self.cache.keep(request.span)
        else:
            self.cache.remove(request.span)
        if result is None:
            self.pending.extendleft(request.followers)
        for each in (request, *(request.followers if result is not None else ())):
            if each.future.set_running_or_notify_cancel():
                each.future.set_result(result)


def _request(reader: Lane | Request) -> Request:
    return reader.request if isinstance(reader, Lane) else reader
