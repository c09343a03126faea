"""The text of puzzles and steps, and the tokens it becomes.

A problem is one line, `24:4,9,10,13`: target, then the numbers, ascending. A step is one line,
`13-9=4:4,10`: the larger operand, operator, smaller operand, result, and after the colon the other numbers
left, ascending; the last step has none, `12+12=24`. After any line, `?` asks for a judgement, answered by
`+` (the target can still be reached) or `-`; in place of a step, `~` takes the last one back; after the
target is reached, the text ends. The target comes first so that every number is read in its light.

Every whole number to 999 is one token, larger ones are groups of three digits from the left (`1056` is `105`,
`6`); anything else is bytes. llama.cpp's "llama" tokenizer arrives at the same ids: all scores are equal, so
it merges from the left, and every prefix of a number is an entry of its own.
"""

from collections.abc import Iterable, Sequence

UNKNOWN, BEGIN, END = 0, 1, 2
FIRST_BYTE = 3
FIRST_NUMBER = FIRST_BYTE + 256
NUMBERS = 1000
VOCABULARY = FIRST_NUMBER + NUMBERS

NAME, TAG, GOOD, BAD, BACKTRACK = "puzzle", "?", "+", "-", "~"


def symbol(character: str) -> int:
    """The token id of one ASCII character that is not a digit."""
    return FIRST_BYTE + ord(character)


def number_ids(number: int) -> list[int]:
    """The token ids of a whole number.

    >>> [i - FIRST_NUMBER for i in number_ids(1056)]
    [105, 6]
    """
    if number < NUMBERS:
        return [FIRST_NUMBER + number]
    return encode(str(number))


def encode(text: str) -> list[int]:
    """The token ids of `text`, without a beginning or an end."""
    ids: list[int] = []
    place = 0
    while place < len(text):
        if not (text[place].isascii() and text[place].isdigit()):
            ids += [FIRST_BYTE + byte for byte in text[place].encode()]
            place += 1
            continue
        stop = place + 1
        while text[place] != "0" and stop < place + 3 and text[stop : stop + 1] in set("0123456789"):
            stop += 1
        ids.append(FIRST_NUMBER + int(text[place:stop]))
        place = stop
    return ids


def decode(ids: Iterable[int]) -> str:
    """The text of token ids; the control tokens have none.

    >>> decode(encode("24:4,9,10,13"))
    '24:4,9,10,13'
    """
    pieces = [
        str(i - FIRST_NUMBER).encode() if i >= FIRST_NUMBER else bytes([i - FIRST_BYTE]) for i in ids if i >= FIRST_BYTE
    ]
    return b"".join(pieces).decode(errors="replace")


def pieces() -> list[bytes]:
    """The text of every vocabulary entry, in order of its id, as the GGUF lists it."""
    control = [b"<unk>", b"<s>", b"</s>"]
    return control + [f"<0x{byte:02X}>".encode() for byte in range(256)] + [b"%d" % n for n in range(NUMBERS)]


def problem_line(numbers: Sequence[int], target: int) -> str:
    """The line that poses a puzzle.

    >>> problem_line([13, 4, 10, 9], 24)
    '24:4,9,10,13\\n'
    """
    return f"{target}:{','.join(map(str, sorted(numbers)))}\n"


def step_line(larger: int, operator: str, smaller: int, result: int, others: Sequence[int]) -> str:
    """The line of one step; `others` are the numbers that it leaves alone.

    >>> step_line(13, "-", 9, 4, [10, 4])
    '13-9=4:4,10\\n'
    """
    left = f":{','.join(map(str, sorted(others)))}" if others else ""
    return f"{larger}{operator}{smaller}={result}{left}\n"


def problem_ids(numbers: Sequence[int], target: int) -> list[int]:
    """`encode(problem_line(...))`, faster."""
    return [*number_ids(target), *_listed(":", sorted(numbers)), symbol("\n")]


def step_ids(larger: int, operator: str, smaller: int, result: int, others: Sequence[int]) -> list[int]:
    """`encode(step_line(...))`, faster."""
    head = [*number_ids(larger), symbol(operator), *number_ids(smaller), symbol("="), *number_ids(result)]
    return [*head, *_listed(":", sorted(others)), symbol("\n")]


def _listed(opening: str, numbers: Sequence[int]) -> list[int]:
    """Token ids of `numbers` behind `opening` and between commas; none for none."""
    ids: list[int] = []
    for place, number in enumerate(numbers):
        ids += [symbol(opening if place == 0 else ","), *number_ids(number)]
    return ids
