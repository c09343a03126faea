"""The viewer as a notebook's widget; needs anywidget, and is imported where a widget is wanted."""

from typing import Any
from uuid import uuid4

from coat.errors import InputError
from coat.viewer.data import View
from coat.viewer.html import script
from coat.viewer.notebook import summary
from coat.viewer.svg import svg

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise InputError(
        "the widget needs anywidget, which is not installed: pip install 'coat-reasoning[notebook]', then restart the "
        "kernel; without it trees are shown as pictures"
    ) from error


class TreeWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A tree to look at: zoom, fold, search, and read a node. `data` is what is shown, `height` is in pixels."""

    _esm = script()
    data = traitlets.Dict().tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(560).tag(sync=True)

    @traitlets.default("key")
    def _key(self) -> str:
        """What tells the browser that two views are of one widget."""
        return uuid4().hex

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The widget, the picture where no kernel runs, and a few words where there is neither."""
        data: View = self.data
        model = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {
            "application/vnd.jupyter.widget-view+json": model,
            "image/svg+xml": svg(data),
            "text/plain": summary(data),
        }
