"""The GGUF's own chat template, rendered so that a message's text can never become a control token."""

import re
from collections.abc import Sequence
from typing import Self

from coat.errors import ModelError
from coat.models import Message, Prompt, Text
from coat.models.llama.bindings import Llama

SWITCHES = ("enable_thinking", "thinking")
"""What templates call the switch by which a model thinks before it answers."""

THINK = {"on": True, "off": False}
MARK = re.compile("\u2985coat:(\\d+)\u2986")
"""Stands for a message's text while the template is rendered; what is between the marks is the template's own."""


class ChatTemplate:
    """A Jinja chat template with its opening and end tokens.

    `switch` is its variable for thinking before an answer, empty where it has none.
    """

    def __init__(self, template: str, opening: str, end: str, think: str | None = None) -> None:
        """`think` is "on", "off", "auto" (as the template does by itself) or None: off where there is a switch.

        Raises:
            ModelError: `template` is no Jinja, or has no switch where one is to be set.
        """
        from jinja2 import TemplateError
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        try:
            self._format = Jinja2ChatFormatter(template=template, eos_token=end, bos_token=opening)
            self.switch = find_switch(template)
        except TemplateError as error:
            raise ModelError(
                f"the chat template in the model's file is damaged ({error}); use another conversion of the model"
            ) from error
        if think in THINK and not self.switch:
            raise ModelError(f"the model's chat template has no switch for thinking; leave out --think {think}")
        self._variables = {self.switch: THINK[think or "off"]} if self.switch and think != "auto" else {}

    @classmethod
    def of(cls, llama: Llama) -> Self | None:
        """The template in the GGUF's metadata, None where there is none."""
        template = llama.metadata("tokenizer.chat_template")
        if template is None and llama.options.think in THINK:
            raise ModelError("the model has no chat template, and so no switch for thinking; leave out --think")
        return None if template is None else cls(template, *llama.markers(), llama.options.think)

    def render(self, messages: Sequence[Message]) -> Prompt:
        """Control text and message texts as separate pieces; a last assistant's message is left open.

        Where the template has no system role, what the system says comes before what the user says.

        Raises:
            ModelError: the template cannot render these messages.
        """
        turns, begun = list(messages), ""
        if turns and turns[-1].role == "assistant":
            begun = turns.pop().content
        try:
            pieces = self._pieces(turns)
        except ModelError:
            if (folded := _without_system(turns)) == turns:
                raise
            pieces = self._pieces(folded)
        return tuple(piece for piece in (*pieces, Text(begun)) if piece.text)

    def _pieces(self, turns: Sequence[Message]) -> list[Text]:
        """The rendered turns; ModelError where the template fails, or leaves one out."""
        marked = [{"role": turn.role, "content": f"\u2985coat:{i}\u2986"} for i, turn in enumerate(turns)]
        try:
            text = self._format(messages=marked, **self._variables).prompt
        except Exception as error:  # a template may raise anything
            raise ModelError(f"the model's chat template cannot render this conversation: {error}") from error
        parts = MARK.split(text)
        left_out = [turn.role for i, turn in enumerate(turns) if str(i) not in parts[1::2]]
        if left_out:
            raise ModelError(f"the model's chat template leaves out what the {left_out[0]} says")
        return [Text(turns[int(part)].content) if i % 2 else Text(part, control=True) for i, part in enumerate(parts)]


def find_switch(template: str) -> str:
    """The variable by which `template` lets a model think or not; empty where it has none.

    >>> find_switch("{% if enable_thinking is false %}<think></think>{% endif %}"), find_switch("thinking")
    ('enable_thinking', '')
    """
    from jinja2 import Environment, meta
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    extensions = (Jinja2ChatFormatter.IgnoreGenerationTags, "jinja2.ext.loopcontrols")
    parsed = Environment(extensions=extensions, autoescape=False).parse(template)
    read = meta.find_undeclared_variables(parsed)
    return next((name for name in SWITCHES if name in read), "")


def _without_system(turns: Sequence[Message]) -> list[Message]:
    """The same conversation, in which the user says first what the system says."""
    said = [turn.content for turn in turns if turn.role == "system"]
    others = [turn for turn in turns if turn.role != "system"]
    if said and others and others[0].role == "user":
        others[0] = Message("user", "\n\n".join([*said, others[0].content]))
    elif said:
        others.insert(0, Message("user", "\n\n".join(said)))
    return others
