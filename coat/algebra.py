"""Whether two answers in LaTeX are equal, by computer algebra (math-verify and sympy), in a process of its own.

Simplifying what a model wrote can take for ever, or all the memory, and a thread cannot be broken off. So a second
process does it, started at the first question, killed where one takes too long, and ended with this one.
"""

import atexit
import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from coat.errors import BackendError, UnreadableAnswerError

SECONDS = 10.0
"""The longest that one comparison may take."""
BYTES = 4 << 30
"""The most address space that the process may take, where the system can limit it."""
LONGEST = 500
"""Characters of an answer; more is no answer but a derivation."""
READY = "ready\n"


class Algebra:
    """Compares answers; threads take turns."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def equal(self, gold: str, answer: str) -> bool:
        """Whether `answer` is equal to `gold`, both in LaTeX, without `$`.

        Raises:
            UnreadableAnswerError: `answer` is no mathematics, is too long, or takes too long to compare.
            BackendError: the process does not start.
        """
        if len(answer) > LONGEST:
            raise UnreadableAnswerError(f"{len(answer)} characters are more than an answer has ({LONGEST})")
        with self._lock:
            reply = self._ask(json.dumps([gold, answer]))
        if not reply:
            raise UnreadableAnswerError(f"{answer[:80]!r} takes too much time or memory to compare")
        if (found := json.loads(reply)) is None:
            raise UnreadableAnswerError(f"{answer[:80]!r} is no mathematics")
        return bool(found)

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, line: str) -> str:
        """The process's reply, empty where there is none in time."""
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(self.seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()
            if process.poll() is not None:
                self.close()
        if not reply:
            self.close()
        return reply


def _started() -> "subprocess.Popen[str]":
    """The process, when it is ready for questions."""
    if importlib.util.find_spec("math_verify") is None:
        raise BackendError(
            "answers in LaTeX are compared by math-verify, which is not installed: pip install math-verify"
        )
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "coat.algebra"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert process.stdout is not None
    if process.stdout.readline() != READY:
        process.kill()
        process.communicate()
        raise BackendError("the process that compares answers in LaTeX did not start; reinstall math-verify")
    return process


def serve() -> None:
    """Answer questions, a line of JSON each, until standard input ends: true, false, or null for no mathematics."""
    import math_verify  # noqa: F401 - loaded before the first question, whose time is limited

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too; the one that asks decides
    warnings.simplefilter("ignore")
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    _limit_memory()
    sys.stdout.write(READY)
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_compared(*json.loads(line))) + "\n")
        sys.stdout.flush()


def _compared(gold: str, answer: str) -> bool | None:
    """Whether they are equal, None where the answer is no mathematics, or more than sympy can handle."""
    import math_verify

    try:
        right, given = _read(gold), _read(answer)
        same: bool = math_verify.verify(right, given, timeout_seconds=None, allow_set_relation_comp=True)
    except Exception:  # noqa: BLE001 - sympy raises errors of any kind over what it cannot handle
        return None
    return same if given else None


def _read(text: str) -> list[Any]:
    """What `text` says, in which i is the imaginary unit; empty where it is no mathematics."""
    import math_verify
    import sympy

    how = [math_verify.LatexExtractionConfig(boxed_match_priority=-1)]
    found = math_verify.parse(f"${text}$", how, fallback_mode="no_fallback", parsing_timeout=None)
    unit = {each: sympy.I for value in found for each in value.free_symbols if each.name == "i"}
    return [value.subs(unit) if unit else value for value in found]


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        if most == resource.RLIM_INFINITY or most > BYTES:
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, most))


ALGEBRA = Algebra()
"""The one that tasks share."""
atexit.register(ALGEBRA.close)

if __name__ == "__main__":
    serve()
