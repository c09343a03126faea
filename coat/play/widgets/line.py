"""The line to type in."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import Input


class Line(Input):
    """Hands on what was typed at enter, and is empty then.

    Enter is taken in turn with the other keys, so that who types ahead, or pastes, gets line after line.
    """

    DEFAULT_CSS = """
    Line { border: none; height: 1; padding: 0 1; background: $boost; }
    Line:focus { border: none; }
    """

    @dataclass
    class Entered(Message):
        """A line was typed that is not blank."""

        text: str

    async def _on_key(self, event: events.Key) -> None:
        """Take enter, and leave every other key to the input."""
        if event.key != "enter":
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        text, self.value = self.value.strip(), ""
        if text:
            self.post_message(self.Entered(text))
