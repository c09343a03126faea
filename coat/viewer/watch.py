"""`coat.watch`: a search that is seen while it works, and steered."""

from typing import TYPE_CHECKING, Any

from coat.api import start
from coat.errors import InputError
from coat.solving import Solving
from coat.steering import PERSON

if TYPE_CHECKING:
    from coat.viewer.live import LiveTree


def watch(problem: str | Solving | None = None, *, by: str = PERSON, height: int = 560, **options: Any) -> "LiveTree":
    """A widget of a search while it works: its tree, its cost, and buttons that pause, step, stop and steer it.

    Args:
        problem: What `coat.start` takes, with all its `options`, such as `task="game24"` or `paused=True`; or a search
            that is at work already.
        by: Who is said to have done what is done in the widget.
        height: Of the widget, in pixels.

    Raises:
        InputError, ModelError: what was asked for is wrong, by name; anywidget is not installed.
    """
    from coat.viewer.live import LiveTree

    if isinstance(problem, Solving) and options:
        raise InputError(f"the search is at work already, and takes no {next(iter(options))}; give it to coat.start")
    search = problem if isinstance(problem, Solving) else start(problem, **options)
    return LiveTree(search, by, height=height)
