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
    mark = sha256(f"{code}\0{tests}".encode("utf-8", "surrogatepass")).hexdigest()
    program = RUNNER.format(stub=tests.stub, name=tests.name, code=code, tests=tests.text, mark=mark)
    ran = sandbox.run(program, seconds=SECONDS)
    return ran.code == 0 and not ran.stopped and ran.output.endswith(f"\n{mark}")


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
