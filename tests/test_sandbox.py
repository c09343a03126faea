"""The sandbox: a program can compute in it, and do nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from coat import sandbox
from coat.errors import InputError

REASON = sandbox.unavailable()
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether `holds` comes true in time."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def marked(mark: str) -> list[psutil.Process]:
    """The living processes with `mark` among the words they were called with."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(mark in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@needs_sandbox
def test_a_program_computes_reads_its_input_and_uses_its_folder() -> None:
    program = """
import os, sys
with open("note.txt", "w") as file:
    file.write(input()[::-1])
print(open("note.txt").read(), os.listdir(), __name__, sys.argv)
print("é", file=sys.stderr)
raise SystemExit(3)
"""
    ran = sandbox.run(program, stdin="stressed\n")
    assert ran == sandbox.Ran("desserts ['note.txt'] __main__ ['/program.py']\n", "é\n", 3, "")
    assert sandbox.run("import os; print(os.listdir())").output == "[]\n"


@needs_sandbox
def test_two_runs_of_a_program_agree_in_the_order_of_a_set() -> None:
    program = "print(list({'red', 'green', 'blue', 'black', 'white'}))"
    assert sandbox.run(program) == sandbox.run(program)


@needs_sandbox
def test_it_sees_neither_the_environment_nor_the_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "swordfish")
    (tmp_path / "secret.txt").write_text("swordfish")
    program = f"""
import os, pathlib
print(dict(os.environ), pathlib.Path("/proc/1/environ").read_text(), os.getuid())
for place in ({str(tmp_path / "secret.txt")!r}, {str(Path(__file__))!r}, "/etc/passwd", "/proc/{os.getpid()}/environ"):
    print(os.path.exists(place))
"""
    ran = sandbox.run(program)
    assert "swordfish" not in ran.output
    assert ran.output.splitlines()[-4:] == ["False"] * 4


@needs_sandbox
@pytest.mark.parametrize(
    "place", ["/new", "/usr/new", "/dev/shm/new", "/program.py", "/proc/sys/kernel/core_pattern", f"{sys.prefix}/new"]
)
def test_it_writes_nowhere_but_in_its_folder(place: str) -> None:
    ran = sandbox.run(f"open({place!r}, 'a').write('x')")
    assert (ran.code, ran.error.strip().splitlines()[-1].partition(":")[0] in ("OSError", "PermissionError")) == (
        1,
        True,
    )


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 80), 1)", "Network is unreachable"),
        ("import os\nwhile True: os.fork()", "Operation not permitted"),
        ("import subprocess; subprocess.run(['/bin/true'])", "Operation not permitted"),
        ("import threading; threading.Thread(target=print).start()", "can't start new thread"),
        ("import os; os.memfd_create('x')", "Operation not permitted"),
        ("import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "not allowed to raise maximum limit"),
        ("for n in range(40): open(str(n), 'wb').write(bytes(10**6))", "No space left on device"),
    ],
)
def test_what_it_may_not_do_fails(program: str, error: str) -> None:
    ran = sandbox.run(program)
    assert (ran.code, ran.stopped) == (1, "")
    assert error in ran.error


@needs_sandbox
def test_it_can_make_no_namespace_of_its_own() -> None:
    program = "import ctypes\nprint(ctypes.CDLL(None).unshare(0x10000000))"
    assert sandbox.run(program).output == "-1\n"


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "stopped"),
    [
        ("while True: pass", "time"),
        ("import time; time.sleep(60)", "time"),
        ("import signal, time\nfor n in (2, 15, 24): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)", "time"),
        ("x = []\nwhile True: x.append(bytes(10**6))", "memory"),
        ("x = bytes(10**9)", "memory"),
        ("while True: print('x' * 1000)", "output"),
        ("import sys\nwhile True: sys.stderr.write('x' * 1000)", "output"),
        ("open('big', 'wb').write(bytes(5 * 10**6))", "output"),
    ],
)
def test_a_limit_that_stops_it_is_named(program: str, stopped: str) -> None:
    ran = sandbox.run(program, seconds=0.7 if stopped == "time" else 20, megabytes=128)
    assert ran.stopped == stopped
    assert ran.code != 0
    assert max(len(ran.output), len(ran.error)) <= sandbox.MOST_OUTPUT


@needs_sandbox
def test_it_uses_the_packages_of_the_running_python() -> None:
    assert sandbox.run("import numpy; print(numpy.arange(4).sum())", seconds=30).output == "6\n"


@needs_sandbox
def test_a_program_that_is_stopped_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setattr(sandbox, "PRELUDE", f"{sandbox.PRELUDE}#{mark}")
    before = psutil.Process().children()
    assert sandbox.run("import time; time.sleep(60)", seconds=0.7).stopped == "time"
    assert within(30, lambda: not marked(mark))
    assert set(psutil.Process().children()) <= set(before)


@needs_sandbox
def test_the_parents_death_ends_the_program() -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    code = "import sys; from coat import sandbox; sandbox.unavailable(); sandbox.PRELUDE += '#' + sys.argv[1];"
    code += "sandbox.run('import time; time.sleep(60)', seconds=60)"
    parent = subprocess.Popen([sys.executable, "-c", code, mark])
    try:
        assert within(30, lambda: len(marked(mark)) == 4)  # the parent, bubblewrap outside and inside, the program
    finally:
        parent.kill()
        parent.wait()
    assert within(30, lambda: not marked(mark))


def test_without_bubblewrap_no_program_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    witness = tmp_path / "ran"
    if sys.platform == "linux":
        assert "sudo apt install bubblewrap" in str(sandbox.unavailable())
    with pytest.raises(InputError, match=r"sandbox alone"):
        sandbox.run(f"open({str(witness)!r}, 'w')")
    assert not witness.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is a program of Linux")
def test_a_bubblewrap_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox, "SWITCHES", ())
    reason = str(sandbox.unavailable())
    assert "bwrap: Creating new namespace failed" in reason
    assert "docker run --security-opt" in reason
    with pytest.raises(InputError, match="Creating new namespace failed"):
        sandbox.run("print(1)")


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "riscv64")])
def test_on_another_system_the_reason_names_it(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert f"needs Linux on x86_64 or aarch64, and this is {sandbox.platform.system()} on {machine}" in str(
        sandbox.unavailable()
    )
