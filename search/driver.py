"""The driver: answers a search's requests out of order, and delivers the replies in the order of the requests."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from search.requests import Reply, Request, Search


async def drive(
    search: Search,
    perform: Callable[[Request], Awaitable[Reply]],
    deliver: Callable[[Request, Reply], bool] = lambda request, reply: False,
    permit: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Run `search` to its end, or until it is stopped; whether it came to its own end.

    `perform` answers one request; all that are out run beside each other. Replies are delivered in the order of their
    requests, so what the search does depends on no timing. A reply that has come waits for its `permit`: so a search is
    paused, which asks for nothing meanwhile. `deliver` is told of every reply just before the search is; a true answer
    stops the search after this reply. When the search stops, fails or is cancelled, so are the requests that are still
    out.
    """
    running: deque[tuple[Request, asyncio.Future[Any]]] = deque()
    try:
        requests = next(search)
        while True:
            running.extend((request, asyncio.ensure_future(perform(request))) for request in requests)
            request, task = running[0]
            reply = await task
            if permit is not None:
                await permit()
            running.popleft()
            stop = deliver(request, reply)
            requests = search.send(reply)
            if stop:
                return False
    except StopIteration:
        return True
    finally:
        search.close()
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)
