"""The driver: work in any order, replies in one order, and an end that leaves nothing running."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Expand, Expansion, Reply, Request, Search, Tree, drive, mcts


def script(*rounds: int, replies: list[Any] | None = None) -> Search:
    """A search that asks for `rounds[i]` things after its i-th reply, numbered from 0; `replies` keeps what it got."""
    number, out, tree = 0, 0, Tree()
    for count in rounds:
        reply = yield tuple(Expand(number + i, 1) for i in range(count))
        if replies is not None:
            replies.append(reply)
        number, out = number + count, out + count - 1
    for _ in range(out):
        reply = yield ()
        if replies is not None:
            replies.append(reply)
    return tree


def number(request: Request) -> int:
    assert isinstance(request, Expand)
    return request.node


def reply(request: Request) -> Expansion:
    return Expansion((), tokens=number(request))


def test_replies_come_in_the_order_of_their_requests() -> None:
    got: list[Expansion] = []
    finished = []

    async def run() -> bool:
        done = [asyncio.Event() for _ in range(4)]

        async def perform(request: Request) -> Reply:
            if number(request) < 3:
                await done[number(request) + 1].wait()  # every request waits for the one after it
            finished.append(number(request))
            done[number(request)].set()
            return reply(request)

        return await drive(script(4, replies=got), perform)

    assert asyncio.run(run()) is True
    assert finished == [3, 2, 1, 0]
    assert [each.tokens for each in got] == [0, 1, 2, 3]


def test_what_becomes_possible_runs_beside_what_is_out() -> None:
    async def run() -> bool:
        third = asyncio.Event()

        async def perform(request: Request) -> Reply:
            if number(request) == 1:
                await third.wait()
            if number(request) == 2:
                third.set()
            return reply(request)

        return await drive(script(2, 1), perform)

    assert asyncio.run(run()) is True


def grow(wild: Any, seed: int, parallel: int, perform: Callable[[Any, Request], Awaitable[Reply]]) -> Tree:
    tree = Tree()
    answer = wild(tree, seed)
    search = mcts(tree, simulations=15, width=3, parallel=parallel, depth=4)
    assert asyncio.run(drive(search, lambda request: perform(answer(request), request)))
    return tree


@given(
    seed=st.integers(0, 10**6), parallel=st.integers(1, 5), delays=st.lists(st.integers(0, 9), min_size=1, max_size=20)
)
def test_timing_never_changes_the_tree(wild: Any, seed: int, parallel: int, delays: list[int]) -> None:
    asked = iter(range(10**6))

    async def at_once(result: Reply, request: Request) -> Reply:
        return result

    async def late(result: Reply, request: Request) -> Reply:
        for _ in range(delays[next(asked) % len(delays)]):
            await asyncio.sleep(0)
        return result

    assert grow(wild, seed, parallel, late).nodes == grow(wild, seed, parallel, at_once).nodes


def test_deliver_is_told_of_every_reply_just_before_the_search() -> None:
    log: list[tuple[str, int]] = []

    def asking() -> Search:
        for i in range(2):
            got = yield (Expand(i, 1),)
            log.append(("search", got.tokens))
        return Tree()

    def deliver(request: Request, result: Reply) -> bool:
        assert result == reply(request)
        log.append(("deliver", result.tokens))
        return False

    async def perform(request: Request) -> Reply:
        return reply(request)

    assert asyncio.run(drive(asking(), perform, deliver)) is True
    assert log == [("deliver", 0), ("search", 0), ("deliver", 1), ("search", 1)]


async def hang(cancelled: list[int], request: Request) -> Reply:
    """Never answers; notes that it was cancelled."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append(number(request))
        raise
    raise AssertionError("nothing sets this event")


def test_a_true_answer_of_deliver_stops_after_this_reply() -> None:
    got: list[Any] = []
    cancelled: list[int] = []

    async def perform(request: Request) -> Reply:
        if number(request) >= 2:
            started.set()
            return await hang(cancelled, request)
        if number(request) == 1:
            await started.wait()
        return reply(request)

    started = asyncio.Event()

    async def run() -> bool:
        search = script(2, 2, 1, replies=got)
        ended = await drive(search, perform, lambda request, _: number(request) == 1)
        assert cancelled == [2, 3]  # they have ended when the driver has
        return ended

    assert asyncio.run(run()) is False
    assert [each.tokens for each in got] == [0, 1]


def test_a_failure_is_raised_and_cancels_the_others() -> None:
    cancelled: list[int] = []
    got: list[Any] = []

    async def perform(request: Request) -> Reply:
        if number(request) == 1:
            raise RuntimeError("the model is gone")
        return await hang(cancelled, request) if number(request) else reply(request)

    with pytest.raises(RuntimeError, match="the model is gone"):
        asyncio.run(drive(script(4, replies=got), perform))
    assert [each.tokens for each in got] == [0]
    assert cancelled == [2, 3]


def test_a_failure_before_anything_waits_is_raised_too() -> None:
    cancelled: list[int] = []

    def perform(request: Request) -> Awaitable[Reply]:
        if number(request) == 1:
            raise RuntimeError("refused at once")
        return hang(cancelled, request)

    with pytest.raises(RuntimeError, match="refused at once"):
        asyncio.run(drive(script(3), perform))


def test_a_failure_of_the_search_cancels_what_is_out() -> None:
    cancelled: list[int] = []

    async def perform(request: Request) -> Reply:
        if number(request):
            return await hang(cancelled, request)
        await asyncio.sleep(0)
        return reply(request)

    def failing() -> Search:
        yield (Expand(0, 1), Expand(1, 1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(drive(failing(), perform))
    assert cancelled == [1]


def test_being_cancelled_cancels_all_and_closes_the_search(world: Any) -> None:
    cancelled: list[int] = []
    tree = Tree()
    answer = world(tree, {"": ["a b"]})
    search = mcts(tree, simulations=3, width=2, parallel=2)

    async def run() -> None:
        async def perform(request: Request) -> Reply:
            if isinstance(request, Expand) and request.node == 2:
                both.set()
            return await hang(cancelled, request) if getattr(request, "node", 0) else answer(request)

        both = asyncio.Event()
        task = asyncio.create_task(drive(search, perform))
        await both.wait()
        assert [node.pending for node in tree.nodes] == [2, 1, 1]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert cancelled == [1, 2]
    assert [node.pending for node in tree.nodes] == [0, 0, 0]


def test_a_search_that_asks_for_nothing_ends_at_once() -> None:
    async def perform(request: Request) -> Reply:
        raise AssertionError("nothing was asked")

    assert asyncio.run(drive(script(), perform)) is True
