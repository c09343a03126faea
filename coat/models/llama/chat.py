"""The GGUF's own chat template, rendered so that a message's text can never become a control token."""

import re
from collections.abc import Sequence
from typing import Self

from coat.errors import ModelError
from coat.models import Message, Prompt, Text
from coat.models.llama.bindings import Llama

MARK = re.compile("\u2985coat:(\\d+)\u2986")
"""Stands for a message's text while the template is rendered; what is between the marks is the template's own."""


class ChatTemplate:
    """A Jinja chat template with its opening and end tokens."""

    def __init__(self, template: str, opening: str, end: str) -> None:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._format = Jinja2ChatFormatter(template=template, eos_token=end, bos_token=opening)

    @classmethod
    def of(cls, llama: Llama) -> Self | None:
        """The template in the GGUF's metadata, None where there is none."""
        template = llama.metadata("tokenizer.chat_template")
        return None if template is None else cls(template, *llama.markers())

    def render(self, messages: Sequence[Message]) -> Prompt:
        """Control text and message texts as separate pieces; a last assistant's message is left open.

        Raises:
            ModelError: the template cannot render these messages.
        """
        turns, begun = list(messages), ""
        if turns and turns[-1].role == "assistant":
            begun = turns.pop().content
        marked = [{"role": turn.role, "content": f"\u2985coat:{i}\u2986"} for i, turn in enumerate(turns)]
        try:
            text = self._format(messages=marked).prompt
        except Exception as error:
            raise ModelError(f"the model's chat template cannot render this conversation: {error}") from error
        pieces: list[Text] = []
        for i, part in enumerate(MARK.split(text)):
            pieces.append(Text(turns[int(part)].content) if i % 2 else Text(part, control=True))
        pieces.append(Text(begun))
        return tuple(piece for piece in pieces if piece.text)
