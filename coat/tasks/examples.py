"""The examples in a function's docstring, as statements that fail where a program does not do what they show."""

import ast
import doctest
import re
import warnings
from collections.abc import Iterator

SAME = "_same_as_shown"
"""What the statements call to compare; `COMPARE` defines it."""
COMPARE = f"""
def {SAME}(got, shown):
    if isinstance(shown, float) and isinstance(got, (int, float)):
        return got == shown or abs(got - shown) <= 1e-6 * max(1.0, abs(shown))
    if isinstance(shown, (list, tuple)) and type(got) is type(shown):
        return len(got) == len(shown) and all(map({SAME}, got, shown))
    return got == shown
"""

_SAYS = re.compile(r"[ \t]*(?:#[ \t]*)?(=+>|==+|=|-+>|[➞→⇒]|(?:should )?returns?\b|should be\b)[ \t]*")
_END = re.compile(r"[ \t]*[.,;]?[ \t]*(?:\n|$)|[ \t]+[#(A-Za-z]")
LONGEST = 2000
"""Characters of a call, or of what it gives, that are looked at."""


def syntax(code: str) -> ast.Module | None:
    """The syntax tree of a program; None where it has none, or one too deep to be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def documentation(program: ast.Module, name: str) -> str:
    """The docstring of the last function called `name`, or else of the module; empty where there is none."""
    functions = [node for node in program.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return (ast.get_docstring(functions[-1]) if functions else None) or ast.get_docstring(program) or ""


def statements(text: str, name: str) -> list[str]:
    """What the docstring `text` of the function `name` shows, a statement each.

    Sessions (`>>>`) where there are any; else lines that assert, as MBPP has them, and calls followed by what they
    give, as in `f(2) == 4`, `f(2) ➞ 4`, `f(2) => 4` or `f(2) returns 4`. What is no Python literal is left out.

    >>> statements("Doubles.\\n>>> f(2)\\n4", "f"), statements("f(x) => y; f(2) => 4", "f")
    (["assert _same_as_shown(f(2), 4), 'f(2)'"], ["assert _same_as_shown(f(2), 4), 'f(2)'"])
    """
    if session := _session(text):
        return session
    asserted = [line.strip() for line in text.splitlines() if line.strip().startswith("assert ")]
    valid = [line for line in asserted if f"{name}(" in line and syntax(line) is not None]
    return valid or list(dict.fromkeys(_shown(call, given) for call, given in _calls(text, name)))


def calls(text: str, name: str) -> list[str]:
    """The calls of the function `name` in `text` whose arguments are literals, each once.

    >>> calls("- f([1, 2], x='a')  # two\\n>>> f(f(3)) == f(a) or f(3)\\nf(open('x'))", "f")
    ["f([1, 2], x='a')", 'f(3)']
    """
    starts = re.finditer(rf"\b{re.escape(name)}\(", text)
    return list(dict.fromkeys(call for start in starts for call, _ in _call(text, start) if call))


def shown(statement: str) -> tuple[str, str]:
    """The call and what it gives, of an example's statement; empty of another kind of statement.

    >>> shown("assert _same_as_shown(f(2), 4), 'f(2)'"), shown("x = 2")
    (('f(2)', '4'), ('', ''))
    """
    program = syntax(statement)
    match program and program.body:
        case [ast.Assert(test=ast.Call(func=ast.Name(id=name), args=[call, given]))] if name == SAME:
            return ast.unparse(call), ast.unparse(given)
    return "", ""


def _session(text: str) -> list[str]:
    try:
        session = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return []
    found = []
    for example in session:
        source = example.source.strip()
        program = syntax(source)
        if program is None or len(program.body) != 1:
            continue
        if not isinstance(program.body[0], ast.Expr):
            found.append(source)
        elif given := _literal(example.want):
            found.append(_shown(ast.unparse(program), given))
    return found if any(line.startswith("assert ") for line in found) else []


def _shown(call: str, given: str) -> str:
    return f"assert {SAME}({call}, {given}), {call!r}"


def _calls(text: str, name: str) -> Iterator[tuple[str, str]]:
    """The calls of `name` on literals, each with the literal that is said to come of it.

    A single `=` may also belong to a definition, so that it counts only where all calls are on literals.
    """
    calls = [
        (call, rest) for start in re.finditer(rf"\b{re.escape(name)}\(", text) for call, rest in _call(text, start)
    ]
    defined = any(not call for call, _ in calls)
    for call, rest in calls:
        says = _SAYS.match(rest)
        if call and says and not (says[1] == "=" and defined) and (given := _leading(rest[says.end() :])):
            yield call, given


def _call(text: str, start: re.Match[str]) -> Iterator[tuple[str, str]]:
    """The call that begins at `start`, empty unless its arguments are literals, and what follows; or nothing."""
    window = text[start.start() : start.start() + LONGEST]
    for end in re.finditer(r"\)", window):
        source, rest = window[: end.end()], window[end.end() :]
        program = syntax(source)
        node = program.body[0] if program is not None else None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            values = [*node.value.args, *(each.value for each in node.value.keywords)]
            yield ast.unparse(node) if all(_literal(ast.unparse(value)) for value in values) else "", rest
            return


def _leading(text: str) -> str:
    """The longest literal on the first line of `text` after which a sentence may go on; empty where there is none."""
    line = text.partition("\n")[0][:LONGEST]
    ends = (end for end in range(len(line), 0, -1) if _END.match(line, end) or end == len(line))
    return next(filter(None, (_literal(line[:end].rstrip(" \t.,;")) for end in ends)), "")


def _literal(text: str) -> str:
    """The Python literal that `text` is, without comments; empty where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(text.strip(), mode="eval")
            ast.literal_eval(node)
            return ast.unparse(node)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return ""
