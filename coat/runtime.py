"""The event loop in a background thread, so that `solve` works in a script and in a notebook alike."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def loop() -> asyncio.AbstractEventLoop:
    """The loop; started at first use, ended with the process."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="coat-loop", daemon=True).start()
    return made


def submit(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run `work` on the loop; cancelling the future cancels the work."""
    return asyncio.run_coroutine_threadsafe(work, loop())
