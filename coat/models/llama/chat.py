"""The GGUF's own chat template, rendered so that a message's text can never become a control token."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Self

from coat.errors import ModelError
from coat.models import Message, Prompt, Text, Thinking
from coat.models.llama.bindings import Llama

SWITCHES = ("enable_thinking", "thinking")
"""What templates call the switch by which a model thinks before it answers."""

THINK = {"on": True, "off": False}
MARKERS = (
    Thinking("<think>\n", "</think>"),
    Thinking("[THINK]", "[/THINK]", ""),
    Thinking("<seed:think>", "</seed:think>", ""),
    Thinking("<mm:think>", "</mm:think>", ""),
    Thinking("<|channel>thought\n", "<channel|>", ""),
    Thinking("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>"),
    Thinking("<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant<|channel|>final<|message|>"),
)
"""Between what models think: Qwen3, DeepSeek-R1, LFM2.5, Granite and most others; Ministral and Magistral; Seed-OSS;
MiniMax; Gemma 4; Command A; gpt-oss."""

MARK = re.compile("\u2985coat:(\\d+)\u2986")
"""Stands for a message's text while the template is rendered; what is between the marks is the template's own."""


class ChatTemplate:
    """A Jinja chat template with its opening and end tokens.

    `switch` is its variable for thinking before an answer, empty where it has none; `thinking` the markers of thoughts,
    None where none are known.
    """

    def __init__(
        self,
        template: str,
        opening: str,
        end: str,
        think: str | None = None,
        is_token: Callable[[str], bool] = lambda text: False,
    ) -> None:
        """`think` is "on", "off", "auto" (as the template does by itself) or None: off where there is a switch.

        `is_token` says whether a text is one token of the model.

        Raises:
            ModelError: `template` is no Jinja, or can neither begin nor leave out a thought where that is asked for.
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
        self.thinking = find_markers(template, is_token)
        self._think = think
        if think in THINK and not self.switch and self.thinking is None:
            raise ModelError(
                "the model's chat template has no switch for thinking, and no markers for it; leave out"
                f" --think {think}"
            )
        self._variables = {self.switch: THINK[think or "off"]} if self.switch and think != "auto" else {}
        with suppress(ModelError):  # which a conversation that it cannot render raises again
            opened = self._begin(self._pieces([Message("user", "?")]))
            self.thinking = self.thinking and replace(self.thinking, opened=self._is_open(opened))

    @classmethod
    def of(cls, llama: Llama) -> Self | None:
        """The template in the GGUF's metadata, None where there is none."""
        template = llama.metadata("tokenizer.chat_template")
        if template is None and llama.options.think in THINK:
            raise ModelError("the model has no chat template, and so no switch for thinking; leave out --think")
        if template is None:
            return None
        return cls(template, *llama.markers(), llama.options.think, lambda text: len(llama.tokenize(text, True)) == 1)

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
        return tuple(piece for piece in (*self._begin(pieces), Text(begun)) if piece.text)

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

    def _begin(self, pieces: list[Text]) -> list[Text]:
        """The rendered turns, with a thought begun or left out as it is asked for, where the template did not."""
        if self.thinking is None:
            return pieces
        if self._think == "on" and not self._is_open(pieces):
            return [*pieces, Text(self.thinking.open, control=True)]
        if self._think == "off" and self._is_open(pieces):
            return [*pieces, self.thinking.ending]
        if self._think == "off" and not self.switch:
            return [*pieces, Text(self.thinking.open, control=True), self.thinking.ending]
        return pieces

    def _is_open(self, pieces: Sequence[Text]) -> bool:
        """Whether the rendered turns end inside a thought."""
        last = pieces[-1].text
        return self.thinking is not None and last.rfind(self.thinking.open.strip()) > last.rfind(self.thinking.close)


def find_markers(template: str, is_token: Callable[[str], bool]) -> Thinking | None:
    """The markers of thoughts that `template` writes, or that the vocabulary has a token for.

    >>> find_markers("...<think>...</think>...", lambda text: False).close
    '</think>'
    """
    for each in MARKERS:
        names = (each.open.strip(), each.close)
        if all(name in template for name in names) or all(map(is_token, names)):
            return each
    return None


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
