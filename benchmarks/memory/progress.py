"""Where a benchmark is, on standard error."""

import sys
import time

BEGUN = time.perf_counter()


def say(what: str) -> None:
    """One line, with the seconds since the start."""
    print(f"[{time.perf_counter() - BEGUN:6.0f} s] {what}", file=sys.stderr, flush=True)
