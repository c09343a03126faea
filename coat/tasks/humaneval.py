"""HumanEval: functions written after their signature and docstring, tested by running them (arXiv 2107.03374)."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from coat import prompts, sandbox
from coat.errors import IllegalStepError, InputError
from coat.models import LanguageModel, Message, Prompt
from coat.problem import Kind, Problem
from coat.tasks import examples, suite
from coat.tasks.qa import is_unicode
from search import Action

END = "\n\n"
CALLS = 10
"""Calls of a program that are run, of those that were written."""
LONGEST = 20_000
"""Characters in a problem; more is a file given by mistake."""
BLOCK = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)

RULES = (
    "Write the Python function. First think in a few short paragraphs, with a blank line after each. Then give the"
    " whole function, with the imports that it needs, in one ```python block."
)
RUN = """
def longest_run(bits: str) -> int:
    \"\"\"The length of the longest run of ones in bits.

    >>> longest_run("0110111")
    3
    \"\"\"
"""
RUN_THOUGHT = "Zeros separate the runs, so splitting at them leaves the runs themselves, some of them empty."
RUN_CODE = """
def longest_run(bits: str) -> int:
    return max(len(run) for run in bits.split("0"))
"""
COMMON = """
def most_common(words):
    \"\"\"Return the word that occurs most often; of several, the first in alphabetical order.
    most_common(["b", "a", "b", "a"]) == "a"
    most_common([]) == None
    \"\"\"
"""
COMMON_THOUGHT = "Count the words, and take the least by the negative count and then by the word; without words, None."
COMMON_CODE = """
from collections import Counter


def most_common(words):
    counts = Counter(words)
    return min(counts, key=lambda word: (-counts[word], word), default=None)
"""
WORKED = ((RUN, RUN_THOUGHT, RUN_CODE), (COMMON, COMMON_THOUGHT, COMMON_CODE))
"""Problems, a thought each, and the functions that solve them."""


class HumanEval:
    """A function to be written. Examples in its docstring verify it, hidden tests grade it; both run in the sandbox."""

    name = "humaneval"
    summary = "write a Python function that its examples and tests accept; needs bubblewrap to run it"
    sample = 'def triple(x: int) -> int:\n    """Three times x.\n    >>> triple(2)\n    6\n    """'
    source = "github.com/openai/human-eval, data/HumanEval.jsonl.gz (MIT); github.com/evalplus/evalplus (Apache-2.0)"
    step_tokens: int = 512
    temperature: float = 0.8
    step_end: tuple[str, ...] = (END,)
    step_complete: tuple[str, ...] = ()
    kind: Kind = "program"
    verifies: bool = True
    model: str | None = None
    knobs: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def read(self, text: str) -> Problem:
        """A function's signature and docstring, or a JSON object as the public files have it.

        `prompt` is the problem and `entry_point` the function's name. The hidden tests are `test`, or `base_input` and
        `plus_input` beside `canonical_solution`.

        Raises:
            InputError: the text holds no such problem.
        """
        data: dict[str, Any] = {"prompt": text}
        if text.lstrip().startswith("{"):
            data = _record(text)
        prompt = data["prompt"].strip("\n").rstrip()
        if not prompt or len(prompt) > LONGEST:
            raise InputError(f"the problem has {len(prompt)} characters; give 1 to {LONGEST}")
        stub = next((each for each in (prompt, f"{prompt}\n    pass") if examples.syntax(each) is not None), None)
        program = examples.syntax(stub or "")
        if stub is None or program is None:
            raise InputError(f"this is no function in Python, such as {self.sample!r}: {prompt[:80]!r}")
        functions = [node.name for node in program.body if isinstance(node, ast.FunctionDef)]
        name = data.get("entry_point") or (functions[-1] if functions else "")
        if not name.isidentifier():
            raise InputError(f'there is neither a function nor an "entry_point" that names it in {prompt[:80]!r}')
        shown = examples.statements(examples.documentation(program, name), name)
        given = {"name": name, "stub": stub, "examples": tuple(shown)}
        return Problem(prompt, self.name, given, suite.hidden(data, name))

    def prompt(self, problem: Problem, model: LanguageModel) -> Prompt:
        """Instructions, worked examples as earlier turns, and the problem."""
        turns: list[Message] = []
        for asked, thought, code in WORKED:
            turns += [Message("user", _block(asked)), Message("assistant", f"{thought}{END}{_block(code)}")]
        turns[0] = Message("user", f"{RULES}\n\n{turns[0].content}")
        ask = f"\n\nThe function is called {problem.given['name']}."
        known = f"def {problem.given['name']}(" in problem.question
        return model.chat([*turns, Message("user", _block(problem.question) + ("" if known else ask))])

    def remarks(self, problem: Problem) -> list[str]:
        """That no answer can be tested before it is graded, and why."""
        reason = sandbox.unavailable()
        if reason is not None:
            return [f"no answer was tested: {reason}"]
        if not problem.given["examples"]:
            return ["no answer was tested: the problem shows no example that can be run"]
        return []

    def depth(self, problem: Problem) -> int:
        """Up to eight steps: some thoughts, and the function."""
        return 8

    def parse(self, problem: Problem, path: Sequence[str], text: str, last: bool = False) -> tuple[Action, str]:
        """A block of Python code, or without a block the function itself, ends the path; all else is a thought.

        A block that its step does not close goes on in the next, unless the model ended its turn with it.

        Raises:
            IllegalStepError: a step without content, one that the path already holds, one that poses as the memory's,
                or a step back from where no step was taken.
        """
        inside = _open(path)
        step = text.strip("\n").rstrip() if inside else text.strip()
        if prompts.steps_back(step, path):
            return "backtrack", step
        if not step:
            raise IllegalStepError("the step says nothing")
        if not is_unicode(step):
            raise IllegalStepError("the step is not valid Unicode")
        if _open([*path, step]) and not last:
            return "think", step
        if _code([*path, step], problem.given["name"]):
            return "answer", step
        if step in path:
            raise IllegalStepError(f"{step!r} was said before")
        if prompts.label(step)[0] in (prompts.FACTS, prompts.TRIED):
            raise IllegalStepError("what was looked up or tried comes from the memory alone")
        return "think", step

    def possible(self, problem: Problem, path: Sequence[str]) -> None:
        """Nothing can, before the step is complete."""

    def note(self, problem: Problem, path: Sequence[str]) -> str:
        """Nothing."""
        return ""

    def state(self, problem: Problem, path: Sequence[str]) -> str:
        """Unknown."""
        return ""

    def answer(self, problem: Problem, path: Sequence[str]) -> str:
        """The code in the last step."""
        return _code(path, problem.given["name"]) if path else ""

    def key(self, answer: str) -> str:
        """The code without comments, blank lines and the manner of its writing."""
        program = examples.syntax(answer)
        try:
            return answer.strip() if program is None else ast.unparse(program)
        except RecursionError:
            return answer.strip()

    def verify(self, problem: Problem, path: Sequence[str]) -> bool | None:
        """Whether the function does what its examples show; None where there are none, or no sandbox."""
        shown = problem.given["examples"]
        if not shown or sandbox.unavailable() is not None:
            return None
        text = "\n".join((examples.COMPARE, *shown))
        return suite.passes(self.answer(problem, path), suite.Suite(problem.given["name"], problem.given["stub"], text))

    def grade(self, problem: Problem, answer: str) -> bool | None:
        """Whether the function passes the hidden tests; None where there are none, or no sandbox."""
        if problem.gold is None or sandbox.unavailable() is not None:
            return None
        return suite.passes(answer, suite.Suite(problem.given["name"], problem.given["stub"], problem.gold))

    def failure(self, problem: Problem, path: Sequence[str]) -> str:
        """What the first example says that the function fails, or how it fails before; empty where it does neither."""
        given = problem.given
        return suite.failure(self.answer(problem, path), given["name"], given["stub"], given["examples"])

    def calls(self, problem: Problem, text: str) -> list[str]:
        """The calls of the function on literals that `text` holds; nothing of it is run."""
        return examples.calls(text, problem.given["name"])[:CALLS]

    def outputs(self, problem: Problem, path: Sequence[str], calls: Sequence[str]) -> list[str]:
        """What the function gives for each of `calls`."""
        given = problem.given
        return list(suite.outputs(self.answer(problem, path), given["name"], given["stub"], tuple(calls)))

    def score(self, problem: Problem, answer: str) -> float | None:
        """None: there is right and wrong."""
        return None

    def generate(self, lot: Random) -> str | None:
        """None: functions are not made up."""
        return None


def _record(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {text[:80]!r}") from error
    names = ("prompt", "entry_point", "test", "canonical_solution")
    if "prompt" not in data or any(not isinstance(data.get(name, ""), str) for name in names):
        raise InputError(f'this is not a JSON object with texts, a "prompt" and perhaps a "test": {text[:80]!r}')
    return dict(data)


def _block(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _open(path: Sequence[str]) -> bool:
    """Whether `path` ends inside a code block."""
    return len(FENCE.findall(END.join(path))) % 2 == 1


def _code(path: Sequence[str], name: str) -> str:
    """The code that the last step of `path` gives, with what the steps before it hold of its block; empty without any.

    Of several blocks, the last that defines the function.
    """
    text = END.join(path) if _open(path[:-1]) else path[-1]
    defines = re.compile(rf"^(?:async )?def {re.escape(name)}\(", re.MULTILINE)
    blocks: list[tuple[str, str]] = BLOCK.findall(text)
    found = [code for kind, code in blocks if kind.lower() in ("python", "python3", "py") or defines.search(code)]
    if not found and not blocks and defines.search(text):
        return text
    return next((code for code in reversed(found) if defines.search(code)), found[-1] if found else "").strip("\n")
