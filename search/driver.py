"""The driver: answers a search's requests out of order, and delivers the replies in the order of the requests."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from search.requests import Reply, Request, Search

Perform = Callable[[Request], Awaitable[Reply]]
Admit = Callable[[Request, bool], Request | None]
Deliver = Callable[[Request, Reply], bool]


async def drive(search: Search, perform: Perform, admit: Admit, deliver: Deliver) -> bool:
    """Run `search` to its end, or until it is stopped; whether it came to its own end.

    `admit(request, alone)` decides in the order of the requests: it returns the request to perform (it may be made
    smaller), or None for "not now"; a None while nothing runs (`alone`) stops the search. `deliver(request, reply)` is
    told of every reply just before the search is; a true answer stops the search after this reply. Since replies
    arrive in the order of requests, what the search does depends on no timing. When this stops or is cancelled, so are
    the requests that still run.
    """
    waiting: deque[Request] = deque()
    running: deque[tuple[Request, asyncio.Future[Any]]] = deque()
    try:
        waiting.extend(next(search))
        while True:
            while waiting and (request := admit(waiting[0], not running)) is not None:
                waiting.popleft()
                running.append((request, asyncio.ensure_future(perform(request))))
            if not running:
                return not waiting
            request, task = running[0]
            reply = await task
            running.popleft()
            stop = deliver(request, reply)
            waiting.extend(search.send(reply))
            if stop:
                return False
    except StopIteration:
        return True
    finally:
        search.close()
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)
