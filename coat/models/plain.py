"""What models without a chat template or without token ids share: plain texts."""

from collections.abc import Sequence

from coat.errors import InputError, ModelError
from coat.models import Message, Prompt, Text


def plain_chat(messages: Sequence[Message]) -> Prompt:
    """A conversation as plain texts, one under the other, with an empty line after each of the assistant's.

    An assistant's message at the end is left open; after any other the next line is the assistant's.

    Raises:
        InputError: there is no message.
    """
    if not messages:
        raise InputError("a conversation needs at least one message")
    pieces: list[Text] = []
    for message in messages:
        pieces += [Text(message.content), Text("\n\n" if message.role == "assistant" else "\n")]
    if messages[-1].role == "assistant":
        pieces.pop()
    return tuple(piece for piece in pieces if piece.text)


def prompt_text(prompt: Prompt, name: str) -> str:
    """The prompt as one text, for the model called `name`, which has no token ids.

    Raises:
        ModelError: a piece of the prompt is token ids.
    """
    if any(not isinstance(piece, Text) for piece in prompt):
        raise ModelError(f"{name} works on text, and this prompt holds token ids of another model; give it as text")
    return "".join(piece.text for piece in prompt if isinstance(piece, Text))


def find_stop(text: str, stop: Sequence[str], until: Sequence[str] = ()) -> tuple[int, int] | None:
    """Where the stop string that is complete first begins and ends in `text`; of two at once the longer one.

    One of `until` belongs to the text: what begins there is empty.

    >>> find_stop("one. two\\n", ("\\n", ". ")), find_stop("one!\\n", ("\\n",), ("!",))
    ((3, 5), (4, 4))
    """
    found = [(text.find(each), len(each)) for each in stop if each and each in text]
    found += [(text.find(each) + len(each), 0) for each in until if each in text]
    if not found:
        return None
    start, length = min(found, key=lambda place: (sum(place), place[0]))
    return start, start + length
