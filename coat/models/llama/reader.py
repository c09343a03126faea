"""From conversations and texts to a GGUF's token ids."""

import re
from collections.abc import Sequence
from functools import lru_cache

from coat.errors import ModelError
from coat.models import Message, Prompt, Scope, Text, Tokens
from coat.models.llama.bindings import Llama
from coat.models.llama.chat import ChatTemplate
from coat.models.plain import plain_chat


class Reader(Scope):
    """What all models over a GGUF share: its chat template and its vocabulary."""

    def __init__(self, llama: Llama) -> None:
        """Raises ModelError where the template cannot be used; `llama` is closed then."""
        self._opening = llama.opening()
        self._tokenize = lru_cache(maxsize=4096)(llama.tokenize)
        try:
            self._template = ChatTemplate.of(llama)
        except ModelError:
            llama.close()
            raise
        self.thinking = None if self._template is None else self._template.thinking
        self._markers: re.Pattern[str] | None = None
        if self.thinking is not None:
            names = (self.thinking.open.strip(), self.thinking.close)
            self._markers = re.compile(f"({'|'.join(map(re.escape, names))})")
            for name in names:
                llama.show(name)

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """See `LanguageModel`; uses the GGUF's own chat template."""
        return plain_chat(messages) if self._template is None else self._template.render(messages)

    def path(self, prompt: Prompt) -> Tokens:
        """The token ids of `prompt`, opened as the vocabulary asks for; each piece is tokenized by itself."""
        ids: list[int] = []
        for piece in prompt:
            ids += self._tokens(piece) if isinstance(piece, Text) else piece
        opening = self._opening
        return tuple(ids) if tuple(ids[: len(opening)]) == opening else (*opening, *ids)

    def _tokens(self, piece: Text) -> Sequence[int]:
        """The tokens of a text, in which data cannot forge the markers of a thought, as some vocabularies let it."""
        if piece.control or self._markers is None or not self._markers.search(piece.text):
            return self._tokenize(piece.text, piece.control)
        parts = self._markers.split(piece.text)
        halves = [half for i, part in enumerate(parts) for half in ((part[:1], part[1:]) if i % 2 else (part,)) if half]
        return [token for half in halves for token in self._tokenize(half, False)]
