"""coat: a reasoning engine for one machine.

A local language model proposes steps, a tree search decides where the next token is spent, a judge says what each step
is worth, and an associative memory supplies facts.

    import coat
    result = coat.solve("1 1 4 6", task="game24")
    print(result.answer, result.path, result.usage)
"""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coat.api import solve, start
    from coat.errors import BackendError, CoatError, ContextError, InputError, ModelError
    from coat.loaded import load
    from coat.problem import Problem
    from coat.result import Result
    from coat.settings import Settings
    from coat.solving import Solving
    from coat.trace import Tree
    from coat.usage import Usage
    from coat.viewer.watch import watch

__version__ = "0.1.0"

_HOME = {
    "coat.api": ("solve", "start"),
    "coat.errors": ("BackendError", "CoatError", "ContextError", "InputError", "ModelError"),
    "coat.loaded": ("load",),
    "coat.problem": ("Problem",),
    "coat.result": ("Result",),
    "coat.settings": ("Settings",),
    "coat.solving": ("Solving",),
    "coat.trace": ("Tree",),
    "coat.usage": ("Usage",),
    "coat.viewer.watch": ("watch",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "BackendError",
    "CoatError",
    "ContextError",
    "InputError",
    "ModelError",
    "Problem",
    "Result",
    "Settings",
    "Solving",
    "Tree",
    "Usage",
    "load",
    "solve",
    "start",
    "watch",
]


def _refuse_strangers() -> None:
    """The wheel carries `search` and `memory` under these names: refuse to work with somebody else's."""
    home = Path(__file__).resolve().parent.parent
    for name in ("search", "memory"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found != home / name / "__init__.py":
            raise ImportError(
                f"coat needs its own package {name!r} beside it, and Python finds {found or 'none'} first: remove or "
                f"rename that one, or put {home} before it on sys.path."
            )


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'coat' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE[name]), name)


_refuse_strangers()
