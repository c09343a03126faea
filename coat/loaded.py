"""Models that stay loaded from one notebook cell to the next: one for each file and options, until it is closed."""

import atexit
from typing import Any

from coat.models import LoadedModel
from coat.models.catalog import SERVER, model_files
from coat.models.catalog import load as load_anew

_open: dict[tuple[Any, ...], LoadedModel] = {}


def load(name: str | None = None, **options: Any) -> LoadedModel:
    """The model called `name`, loaded once: who asks again for the same file with the same options gets the same.

    It is closed by `close()`, by a `with` block, or when the interpreter ends; searches that name it use it too.
    `name` and `options` are those of `coat.models.catalog.load`.

    Raises:
        ModelError: the model is not there, is damaged, or cannot be used.
        InputError: an option that it does not take, or out of its range.
        BackendError: a server that does not answer.
    """
    model = find(name, options)
    if model is None:
        model = load_anew(name, **options)
        _open[_key(name, options)] = model
    return model


def find(name: str | None, options: dict[str, Any]) -> LoadedModel | None:
    """The model that `load` gave for the same, if it is still open."""
    for key in [key for key, model in _open.items() if model.closed]:
        del _open[key]
    return _open.get(_key(name, options)) if _open else None


def _key(name: str | None, options: dict[str, Any]) -> tuple[Any, ...]:
    if name is not None and name.startswith(SERVER):
        return (name, *sorted(options.items()))
    facts = ((path.resolve(), path.stat()) for path in model_files(name))
    return (*((path, each.st_size, each.st_mtime_ns) for path, each in facts), *sorted(options.items()))


@atexit.register
def _close_all() -> None:
    for model in _open.values():
        model.close()
