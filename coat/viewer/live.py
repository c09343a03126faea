"""A search at work as a widget that grows, and that a person steers; needs anywidget."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from coat.errors import CoatError
from coat.result import Result
from coat.solving import Solving
from coat.viewer.changes import changes
from coat.viewer.commands import carry_out
from coat.viewer.data import complete, finite
from coat.viewer.widget import TreeWidget

INTERVAL = 0.1
"""Seconds between two looks at the search, at least."""
SHARE = 10.0
"""How many times as long as a look takes the next one is waited for, at least."""


class LiveTree(TreeWidget):
    """The tree of a search that may still be at work: `search` is the `Solving`, `result` waits for its result.

    Closing the widget or interrupting the kernel stops nothing: `search.stop()` and the widget's button do.
    """

    def __init__(self, search: Solving, by: str, **options: Any) -> None:
        self.search, self._by, self._handles = search, by, list[Any]()
        self._seen = search.snapshot()
        super().__init__(data=complete(self._seen), **options)
        self._commands = ThreadPoolExecutor(1, "coat-commands")
        self._looking = threading.Lock()
        self.on_msg(self._heard)
        self._follower = threading.Thread(target=self._follow, name="coat-watch", daemon=True)
        self._follower.start()

    @property
    def result(self) -> Result:
        """The result, once it is there and shown.

        Raises:
            CoatError: what the search failed with.
        """
        result = self.search.wait()
        self._follower.join()
        return result

    def _heard(self, _: Any, command: Any, buffers: Any) -> None:
        """A message from the browser; what takes time is not done on the kernel's own thread."""
        self._commands.submit(self._show if command == {"do": "show"} else self._carry_out, command)

    def _show(self, _: Any) -> None:
        """Send everything, to a view that is new."""
        with self._looking:
            self.send({"kind": "update", "changes": complete(self._seen)})

    def _carry_out(self, command: Any) -> None:
        try:
            carry_out(self.search, command, self._by)
        except CoatError as error:
            self.send({"kind": "reply", "error": str(error)})
        else:
            self._look()
            self.send({"kind": "reply", "done": command})

    def _look(self) -> None:
        """Send what changed since the last look."""
        with self._looking:
            now = self.search.snapshot()
            if found := changes(self._seen, now):
                self.send({"kind": "update", "changes": finite(found)})
            self._seen = now

    def _follow(self) -> None:
        while not self.search.done:
            began = time.monotonic()
            self._look()
            time.sleep(max(INTERVAL, SHARE * (time.monotonic() - began)))
        try:
            self.search.wait()
        except CoatError as error:
            self.send({"kind": "reply", "error": f"the search failed: {error}"})
        self._look()
        self.data = complete(self._seen)
        for handle in self._handles:
            handle.update(self._repr_mimebundle_(), raw=True)

    def _ipython_display_(self, **_: Any) -> None:
        """Show it, so that the picture beside it can be that of the last tree when the search has ended."""
        from IPython.display import display

        shown = display(self._repr_mimebundle_(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._handles.append(shown)
