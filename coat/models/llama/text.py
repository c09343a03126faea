"""From tokens to text as they arrive: incremental UTF-8, and stop strings across token borders."""

import codecs
from collections.abc import Callable, Sequence

from coat.models import Sampling


class Transcript:
    """The text of the tokens drawn so far; `stopped` once something that ends it is complete, or the text itself is.

    Bytes that end inside a character wait for the rest of it; bytes that are no UTF-8 become U+FFFD.
    """

    def __init__(self, sampling: Sampling) -> None:
        self.tokens: list[int] = []
        self.text = ""
        self.stopped = False
        self._sampling = sampling
        self._stop = tuple(filter(None, sampling.stop))
        self._overlap = max(map(len, (*self._stop, *sampling.until)), default=1) - 1
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int, piece: bytes) -> bool:
        """Append a token that stands for `piece`; True where the text ends, and what follows its end is cut."""
        self.tokens.append(token)
        begin = max(0, len(self.text) - self._overlap)
        self.text += self._decoder.decode(piece)
        if self._sampling.complete and (whole := self._sampling.whole(self.text)) is not None:
            self.text, self.stopped = whole, True
            return True
        ends = [at for stop in self._stop if (at := self.text.find(stop, begin)) >= 0]
        if ends and self._sampling.blocks and in_block(self.text[: min(ends)]):
            ends = []
        ends += [at + len(end) for end in self._sampling.until if (at := self.text.find(end, begin)) >= 0]
        if ends:
            self.text = self.text[: min(ends)]
            self.stopped = True
        return self.stopped


def in_block(text: str) -> bool:
    """Whether a code block or a displayed formula is open at the end of `text`.

    >>> in_block("So:\\n```python\\nx = 1"), in_block("$$x$$ and \\\\[y"), in_block("```a``` \\\\[b\\\\]")
    (True, True, False)
    """
    fences = text.count("```") % 2 or text.count("$$") % 2
    return bool(fences) or text.count("\\[") > text.count("\\]") or text.count("\\begin{") > text.count("\\end{")


def cut_tokens(
    text: str, tokens: Sequence[int], piece: Callable[[int], bytes], tokenize: Callable[[str], Sequence[int]]
) -> tuple[int, ...]:
    """The longest run of `tokens` inside `text`, and the tokens of what is left where `text` ends inside a token.

    Only that last fragment, whole characters, is tokenized anew, so the prefix stays what was decoded.
    """
    data, kept, length = text.encode("utf-8", "surrogatepass"), [], 0
    for token in tokens:
        part = piece(token)
        if not data.startswith(part, length):
            break
        kept.append(token)
        length += len(part)
        if length == len(data) and part:
            break
    while kept and length < len(data) and data[length] & 0xC0 == 0x80:
        length -= len(piece(kept.pop()))
    rest = data[length:].decode("utf-8", "replace")
    return (*kept, *(tokenize(rest) if rest else ()))
