"""How a node looks in every picture: its text, its colour, and what it is in a word."""

import unicodedata
from typing import Any, Literal, get_args

from coat.viewer.data import View, worth

SYMBOLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}
"""Control codes, and the pictures that Unicode has of them."""
UNFIT = frozenset("\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
"""What cannot be seen, or changes the direction of text that is not its own."""
STOPS = ("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725")
"""Viridis from 0 to 1 in equal steps: even to the eye and to most kinds of colour blindness."""
VERDICTS = {True: "right", False: "wrong", None: "unchecked"}
UNKNOWN = "#e4e4e7"
"""The colour of a node that nothing is known of."""


def visible(text: str) -> str:
    """`text` with a symbol for each code that is no text, so that XML can hold it and it stays in its place.

    >>> visible("a\\x1b[31m\\r\\n\\x85\\ud800\\u202eb")
    'a␛[31m\\n⟨U+0085⟩⟨U+D800⟩⟨U+202E⟩b'
    """
    text = text.replace("\r\n", "\n").translate(SYMBOLS)
    return "".join(f"⟨U+{ord(char):04X}⟩" if _unfit(char) else char for char in text)


def _unfit(char: str) -> bool:
    if char.isprintable() or char in " \t\n":
        return False
    return char in UNFIT or unicodedata.category(char) in ("Cc", "Cs") or ord(char) & 0xFFFE == 0xFFFE


def clamp(text: str, longest: int) -> str:
    """The visible `text`, cut after `longest` characters, with a mark of what was cut.

    >>> clamp("abcdef", 6), clamp("abcdefg", 6)
    ('abcdef', 'abcde…')
    """
    text = visible(text[: longest + 2])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def colour(value: float | None) -> str:
    """The colour of a value in [0, 1].

    >>> colour(0.0), colour(0.5), colour(1.0), colour(None)
    ('#440154', '#22908c', '#fde725', '#e4e4e7')
    """
    if value is None:
        return UNKNOWN
    place = min(max(value, 0.0), 1.0) * (len(STOPS) - 1)
    low = min(int(place), len(STOPS) - 2)
    pairs = zip(bytes.fromhex(STOPS[low]), bytes.fromhex(STOPS[low + 1]), strict=True)
    return "#" + bytes(round(a + (b - a) * (place - low)) for a, b in pairs).hex()


Kind = Literal["step", "answer", "dead", "step back", "by a person"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def kind(node: dict[str, Any]) -> Kind:
    """What a node is first of all; its `tags` say the rest."""
    if node["step"]["action"] == "backtrack":
        return "step back"
    if node["status"] == "dead":
        return "dead"
    if node["status"] == "terminal":
        return "answer"
    return "by a person" if author(node) else "step"


def author(node: dict[str, Any]) -> str:
    """Who wrote a step; empty for the model."""
    name: str = node["step"].get("author", "")
    return name


def figures(node: dict[str, Any]) -> str:
    """The value and the visits of a node, short."""
    value = worth(node)
    return f"×{node['visits']}" if value is None else f"{value:.2f} ×{node['visits']}"


def tags(node: dict[str, Any]) -> list[str]:
    """What is said of a node beside its shape and colour, a few letters each."""
    step, what = node["step"], kind(node)
    found = []
    if what == "answer":
        found.append("✓ right" if node["parts"].get("verifier") == 1 else "answer")
    if what == "step back":
        found.append("↶ back")
    if what == "dead":
        found.append("✕ dead")
    found += ["recall"] if step["action"] == "recall" else []
    found += ["thought"] if step["thought"] else []
    return found + ([f"✎ {clamp(author(node), 12)}"] if author(node) else [])


def note(node: dict[str, Any], hidden: int) -> str:
    """The line under a node's text: its figures, what it is, and how many nodes below it are not drawn."""
    parts = [figures(node), *tags(node)] if node["id"] else []
    return " · ".join([*parts, *([f"+{hidden} below"] if hidden else [])])


def whole(node: dict[str, Any]) -> str:
    """Everything that a person may want to read of a node, its whole text first."""
    step = node["step"]
    value = worth(node)
    lines = [step["text"], ", ".join([f"node {node['id']}", step["action"], *tags(node)])]
    known = {"value": value, "prior": node["prior"], "judged": node["judged"], **node["parts"]}
    known |= {"log-probability": step["logprob"]}
    lines += [", ".join(f"{name} {number:.3g}" for name, number in known.items() if number is not None)]
    lines += [f"{node['visits']} visits, {step['generated']} tokens, {len(node['recalled'])} facts recalled"]
    return visible("\n".join(lines))


def outcome(view: View) -> str:
    """The answer of a run and how sure it is, in a line; empty where the run has no result yet."""
    result = view["result"]
    if not result:
        return ""
    if result.get("answer") is None:
        return "No answer: no line of reasoning reached one"
    return f"{result['answer']}  ({VERDICTS[result.get('correct')]}, confidence {result.get('confidence', 0.0):.2f})"
