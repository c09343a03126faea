"""How trees and results look in a terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search import Node, Tree

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree as RichTree

MARKS = {"dead": "✗", "terminal": "◆", "open": "○"}
LONGEST = 100
"""Characters of a step that are shown in a tree."""


def printable(text: str) -> str:
    """`text` without characters that could move the cursor or change colours.

    >>> printable("a\\x1b[31mb\\tc")
    'a�[31mb c'
    """
    return "".join(char if char.isprintable() else " " if char.isspace() else "�" for char in text)


def tree_picture(tree: Tree, question: str, limit: int, best: int | None = None) -> "RichTree":
    """The part of `tree` that matters most, at most `limit` nodes; the path to `best` is always shown, in bold."""
    from rich.text import Text
    from rich.tree import Tree as RichTree

    path = {node.id for node in tree.up(best)} if best else set()
    order = sorted(list(tree.nodes)[1:], key=lambda node: (node.id not in path, -node.visits, node.id))
    chosen = {node.id for node in order[:limit]}
    drawn = {0: RichTree(Text(printable(question), style="bold"), guide_style="dim")}
    for node in sorted(order[:limit], key=lambda node: node.id):
        parent = drawn.get(node.parent or 0)
        if parent is not None:
            drawn[node.id] = parent.add(label(node, node.id in path))
    hidden = len(tree) - 1 - len(chosen)
    if hidden > 0:
        drawn[0].add(Text(f"… and {hidden} more nodes", style="dim"))
    return drawn[0]


def label(node: Node, best: bool) -> "Text":
    """A node in a line: its mark, its text, value and visits; `best` where it lies on the best path."""
    from rich.text import Text

    value = node.value if node.visits else (node.judged or 0.0)
    mark = MARKS[node.status]
    if node.status == "terminal" and node.parts.get("verifier") == 1:
        mark = "✓"
    elif best and node.status != "terminal":
        mark = "●"
    colour = "green" if value > 0.66 else "yellow" if value > 0.33 else "red"
    if node.status == "dead" and not best:
        colour = "dim"
    text = printable(node.step.text)
    line = Text(f"{mark} ", style=colour)
    line.append(text[:LONGEST] + ("…" if len(text) > LONGEST else ""), style="bold" if best else "")
    if node.step.action not in ("think", "answer"):
        line.append(f" [{node.step.action}]", style="magenta")
    if node.step.thought:
        line.append(" [thought]", style="magenta")
    line.append(f"  {value:.2f} ×{node.visits}", style="dim")
    if node.recalled:
        line.append(f"  ⟵ {len(node.recalled)} recalled", style="cyan")
    return line


def report(result: Mapping[str, Any]) -> "Text":
    """The result as a person reads it, from the documented JSON."""
    from rich.text import Text

    text = Text()

    def line(head: str, body: str, style: str = "") -> None:
        text.append(f"{head:<9}", style="bold")
        text.append(f"{printable(body)}\n", style=style)

    verdict = {True: "right", False: "wrong", None: "unchecked"}[result["correct"]]
    if result["answer"] is None:
        line("Answer", "not solved: no line of reasoning reached an answer", "red")
    elif result["correct"] is False:
        line("Answer", f"not solved; the best attempt was {result['answer']}", "red")
    else:
        line("Answer", f"{result['answer']}  ({verdict})", "green" if result["correct"] else "")
    for number, step in enumerate(result["path"], 1):
        line("Path" if number == 1 else "", f"{number}. {step}")
    for number, hit in enumerate(result["recalled"], 1):
        line(
            "Recalled" if number == 1 else "",
            f"[{hit['id']}] {hit['text'][:200]}  ({hit['source']}, {hit['score']:.2f})",
        )
    line(
        "Stopped", f"{result['stop']}; confidence {result['confidence']:.2f}; {result['strategy']} on {result['model']}"
    )
    line("Cost", cost(result["usage"]))
    for remark in result["remarks"]:
        line("Note", remark, "yellow")
    text.rstrip()
    return text


def cost(usage: Mapping[str, Any]) -> str:
    """Usage in one line."""
    parts = [f"{usage['generated']} tokens generated", f"{usage['scored']} scored"]
    parts += [f"{usage['replayed']} replayed"] if usage["replayed"] else []
    parts += [f"{usage['evaluated']} evaluated ({usage['unique']} unique)", f"{usage['expansions']} expansions"]
    parts += [f"{usage[name]} {name}" for name in ("recalls", "illegal", "unreadable", "unclosed") if usage[name]]
    return ", ".join(parts) + f", {usage['seconds']:.1f} s"
