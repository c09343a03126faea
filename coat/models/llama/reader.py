"""From conversations and texts to a GGUF's token ids."""

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

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """See `LanguageModel`; uses the GGUF's own chat template."""
        return plain_chat(messages) if self._template is None else self._template.render(messages)

    def path(self, prompt: Prompt) -> Tokens:
        """The token ids of `prompt`, opened as the vocabulary asks for; each piece is tokenized by itself."""
        ids: list[int] = []
        for piece in prompt:
            ids += self._tokenize(piece.text, piece.control) if isinstance(piece, Text) else piece
        opening = self._opening
        return tuple(ids) if tuple(ids[: len(opening)]) == opening else (*opening, *ids)
