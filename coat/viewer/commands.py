"""What a person asks of a search from the viewer."""

import json
from typing import TYPE_CHECKING, Any

from coat.errors import InputError, shown

if TYPE_CHECKING:
    from coat.solving import Solving


def carry_out(search: "Solving", command: Any, by: str) -> None:
    """Do `command`, as plain data: `do`, and what that needs; `by` is who asked.

    Raises:
        InputError: it is no command, or it cannot be done; the search goes on as it was.
    """
    match command:
        case {"do": "pause"}:
            search.pause()
        case {"do": "resume"}:
            search.resume()
        case {"do": "step"}:
            search.step(wait=False)
        case {"do": "stop"}:
            search.stop()
        case _:
            _steer(search, command, by)


def _steer(search: "Solving", command: Any, by: str) -> None:
    match command:
        case {"do": "prune", "node": node}:
            search.prune(node, by=by)
        case {"do": "pin", "node": node}:
            search.pin(node, by=by)
        case {"do": "unpin"}:
            search.pin(None, by=by)
        case {"do": "edit", "node": node, "text": text}:
            search.edit(node, text, by=by)
        case {"do": "add", "node": node, "text": text}:
            search.add(node, text, by=by)
        case {"do": "add_fact", "text": text}:
            search.add_fact(text, by=by)
        case {"do": "forget_fact", "fact": fact}:
            search.forget_fact(fact, by=by)
        case {"do": "budget", "tokens": tokens, "seconds": seconds}:
            search.budget(tokens=tokens, seconds=seconds, by=by)
        case _:
            raise InputError(f"{shown(json.dumps(command, default=str))} is no command to a search")
