"""Programs put to the test in the sandbox: the problem's own code, the answer, and statements that must not fail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from coat import sandbox
from coat.tasks import examples

SECONDS = 10.0
"""What a program may take for all of its tests."""
CALL_SECONDS = 1.0
"""Processor time that a call may take whose outcome is looked at."""
SHOWN = 300
"""Characters that are shown of an outcome."""

RUNNER = """
import sys
space = {{"__name__": "answer"}}
exec(compile({stub!r}, "problem", "exec"), space)
space.pop({name!r}, None)
exec(compile({code!r}, "answer", "exec"), space)
space = dict(space)
exec(compile({tests!r}, "tests", "exec"), space)
sys.stdout.write("\\n" + {mark!r})
"""
"""The problem's helpers, the answer, and the tests, which see its names without changing them."""

COMPARED = """
{compare}
import copy, json
known = {{}}
exec(compile({solution!r}, "solution", "exec"), known)
for inputs in json.loads({inputs!r}):
    try:
        shown = known[{name!r}](*copy.deepcopy(inputs))
    except Exception:
        continue
    assert {same}({name}(*copy.deepcopy(inputs)), shown), inputs
"""
"""EvalPlus (arXiv 2305.01210): what the canonical solution gives is right; inputs on which it fails tell nothing."""

OUTCOME = f"""
import contextlib, io, json, re, signal

class _Late(BaseException):
    pass

def _late(*_):
    raise _Late

signal.signal(signal.SIGVTALRM, _late)

_MARKS = {{{{list: "[]", tuple: "()", set: "{{{{}}}}", frozenset: "{{{{}}}}", dict: "{{{{}}}}"}}}}

def _text(value):
    kind = type(value)
    if kind is float:
        value = float(format(value, ".9g"))
        return repr(int(value) if value.is_integer() and abs(value) < 1e15 else value)
    if kind not in _MARKS or not value:
        return repr(value)
    if kind is dict:
        texts = [_text(key) + ": " + _text(each) for key, each in value.items()]
    else:
        texts = list(map(_text, value))
    if kind not in (list, tuple):
        texts.sort()
    start, end = _MARKS[kind]
    return start + ", ".join(texts) + "," * (kind is tuple and len(texts) == 1) + end

def _outcome(code, mode, space, why):
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, {CALL_SECONDS})
        with contextlib.redirect_stdout(io.StringIO()):
            text = _text(eval(compile(code, "call", mode), space))
    except _Late:
        text = "runs too long"
    except BaseException as error:
        text = "raises " + type(error).__name__ + (": " + str(error) if why and str(error) else "")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    text = re.sub(" at 0x[0-9a-f]+", "", text)
    return text if len(text) <= {SHOWN} else text[:{SHOWN}] + f"... ({{{{len(text)}}}} characters)"

def _tell(*texts):
    print({{mark!r}} + json.dumps(texts), flush=True)
"""
"""What a call gives, or which error it raises, as a text in which equal values look alike.

Sets and dictionaries are in order, 2.0 is 2, fractions have nine digits, and addresses in memory are left out.
"""

CALLED = """
for _call in json.loads({calls!r}):
    _tell(_outcome(_call, "eval", globals(), False))
"""

REPORTED = """
for _statement, _call in json.loads({statements!r}):
    _said = _outcome(_statement, "exec", globals(), True)
    if _said != "None":
        _tell(_statement, _outcome(_call, "eval", globals(), True) if _call else _said)
        break
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """What a program is tested with: the `name` of the function, the problem's own code, and statements."""

    name: str
    stub: str
    text: str


@lru_cache(maxsize=1024)
def passes(code: str, tests: Suite) -> bool:
    """Whether `code` runs through `tests` in the sandbox; to leave before their end is to fail.

    Raises:
        InputError: there is no sandbox.
    """
    ran, mark = _run(code, tests)
    return ran.code == 0 and not ran.stopped and ran.output.endswith(f"\n{mark}")


def _run(code: str, tests: Suite) -> tuple[sandbox.Ran, str]:
    """The run of `code` through `tests`, and what it writes at its end."""
    mark = sha256(f"{code}\0{tests}".encode("utf-8", "surrogatepass")).hexdigest()
    program = RUNNER.format(stub=tests.stub, name=tests.name, code=code, tests=tests.text, mark=mark)
    return sandbox.run(program, seconds=SECONDS), mark


@lru_cache(maxsize=1024)
def failure(code: str, name: str, stub: str, statements: tuple[str, ...]) -> str:
    """The first of the `statements` that fails after `code`, with what came out or the error; empty where none does.

    Raises:
        InputError: there is no sandbox.
    """
    if passes(code, Suite(name, stub, "\n".join((examples.COMPARE, *statements)))):
        return ""
    listed = json.dumps([(statement, examples.shown(statement)[0]) for statement in statements])
    found, end = _told(code, name, stub, examples.COMPARE, REPORTED.format(statements=listed), 2)
    if not found:
        return f"Got: {end}"
    statement, outcome = found[0]
    call, given = examples.shown(statement)
    return f"Test: {call}\nExpected: {given}\nGot: {outcome}" if call else f"Test: {statement}\nGot: {outcome}"


@lru_cache(maxsize=1024)
def outputs(code: str, name: str, stub: str, calls: tuple[str, ...]) -> tuple[str, ...]:
    """What each of `calls` gives after `code`, or the error that it raises.

    Raises:
        InputError: there is no sandbox.
    """
    found, end = _told(code, name, stub, "", CALLED.format(calls=json.dumps(calls)), 1)
    given = [outcome for (outcome,) in found][: len(calls)]
    return (*given, *[end] * (len(calls) - len(given)))


def _told(code: str, name: str, stub: str, before: str, work: str, width: int) -> tuple[list[list[str]], str]:
    """What `work` tells after `code`, `width` texts at a time, and how the program ended."""
    mark = sha256(f"{code}\0{work}".encode("utf-8", "surrogatepass")).hexdigest()
    ran, _ = _run(code, Suite(name, stub, f"{before}\n{OUTCOME.format(mark=mark)}\n{work}"))
    lines = [line.partition(mark)[2] for line in ran.output.splitlines() if mark in line]
    said = (ran.error.strip().splitlines() or [f"ends early, with exit code {ran.code}"])[-1]
    end = {"time": f"runs longer than {SECONDS:g} seconds", "memory": "takes too much memory"}
    end |= {"output": "prints too much", "": said[:SHOWN]}
    return [texts for texts in map(_texts, lines) if len(texts) == width], end[ran.stopped]


def _texts(line: str) -> list[str]:
    """The texts in a line that was told; none where the program itself wrote it, or it was cut."""
    try:
        texts = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return [str(text).encode("utf-8", "replace").decode() for text in texts] if isinstance(texts, list) else []


def hidden(data: Mapping[str, Any], name: str) -> str | None:
    """The hidden tests of a record as statements; None where it has none."""
    if test := data.get("test"):
        return f"{test}\ncheck({name})\n" if "def check(" in test else str(test)
    inputs = [*(data.get("base_input") or ()), *(data.get("plus_input") or ())]
    if not inputs or "canonical_solution" not in data:
        return None
    solution = data["prompt"] + data["canonical_solution"]
    return COMPARED.format(
        compare=examples.COMPARE, same=examples.SAME, solution=solution, inputs=json.dumps(inputs), name=name
    )
