"""Programs that a model wrote, run where they can do no harm: inside bubblewrap, or not at all.

A program is one process without network, in an empty folder of its own, the one place where it can write. It sees the
system's libraries and the running Python, read-only, and neither the user's files nor the environment. The kernel
limits its memory, time and output, and by a seccomp filter forbids what these limits do not reach: further processes
and threads, further namespaces, memory that belongs to no process, and the user's keys.
"""

import math
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from coat.errors import InputError

Stopped = Literal["", "time", "memory", "output"]

MOST_OUTPUT = 1 << 20
"""Bytes that a program may write to each of its outputs, or to one file."""
FOLDER = 16 << 20
"""Bytes that the folder of a program holds."""
OPEN_FILES = 64
OUT_OF_MEMORY = 99
"""The exit code of a program that a MemoryError ended."""

SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/nix/store")

PRELUDE = f"""
import gc, resource, runpy, signal, sys
bytes_, seconds = map(int, sys.argv.pop().split())
limits = {{"AS": bytes_, "CPU": seconds, "FSIZE": {MOST_OUTPUT}, "NOFILE": {OPEN_FILES}, "CORE": 0}}
for name, most in limits.items():
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
try:
    runpy.run_path("/program.py", run_name="__main__")
except MemoryError:
    gc.collect()
    sys.stderr.write("MemoryError\\n")
    sys.exit({OUT_OF_MEMORY})
"""

BOX = "/box"
"""The folder of a program; no system has one of this name, so nothing of it is seen there."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": BOX, "TMPDIR": BOX, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
ENVIRONMENT |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""All of it. The order of a set is the same in every run."""

X86_64 = {"clone": 56, "fork": 57, "vfork": 58, "clone3": 435, "unshare": 272, "setns": 308}
X86_64 |= {"memfd_create": 319, "memfd_secret": 447, "shmget": 29, "keyctl": 250, "io_uring_setup": 425}
AARCH64 = {"clone": 220, "clone3": 435, "unshare": 97, "setns": 268}
AARCH64 |= {"memfd_create": 279, "memfd_secret": 447, "shmget": 194, "keyctl": 219, "io_uring_setup": 425}
FORBIDDEN = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}
"""By machine, its number in linux/audit.h, and the system calls that fail, by name."""

SWITCHES = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)
"""Settings of the kernel, the value that forbids a user to make a namespace, and one that allows it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program wrote, its exit code (negative or above 128: a signal), and which limit stopped it, if one did."""

    output: str
    error: str
    code: int
    stopped: Stopped


def unavailable() -> str | None:
    """Why no program can run here, as a sentence with what would allow it; None where one can."""
    if sys.platform != "linux" or platform.machine() not in FORBIDDEN:
        place = f"{platform.system()} on {platform.machine()}"
        return f"programs run in a sandbox alone, which needs Linux on x86_64 or aarch64, and this is {place}"
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "programs run in a sandbox alone, and bubblewrap is missing; install it: sudo apt install bubblewrap"
    return _trial(bwrap)


def run(program: str, *, stdin: str = "", seconds: float = 5, megabytes: int = 512) -> Ran:
    """Run the text of a Python program as a script, for up to `seconds` of wall and processor time.

    `megabytes` (of 2**20 bytes) of address space are all that it and its libraries may take. Output beyond
    `MOST_OUTPUT` is cut. When this process ends, so does the program.

    Raises:
        InputError: there is no sandbox here; the program was not run.
    """
    reason = unavailable()
    bwrap = shutil.which("bwrap")
    if reason is not None or bwrap is None:
        raise InputError(reason or "bubblewrap went missing; install it: sudo apt install bubblewrap")
    return _run(bwrap, program, stdin, seconds, megabytes)


def _run(bwrap: str, program: str, stdin: str, seconds: float, megabytes: int) -> Ran:
    with ExitStack() as stack:
        rules, text, given, output, error, status = (stack.enter_context(TemporaryFile()) for _ in range(6))
        for file, data in ((rules, _filter()), (text, _encoded(program)), (given, _encoded(stdin))):
            file.write(data)
            file.seek(0)
        fds = (rules.fileno(), text.fileno(), status.fileno())
        command = _command(bwrap, fds, f"{megabytes << 20} {math.ceil(seconds)}")
        process = subprocess.Popen(command, stdin=given, stdout=output, stderr=error, env=ENVIRONMENT, pass_fds=fds)
        late = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _kill(process, status)
        code = process.returncode
        return Ran(_written(output), _written(error), code, "time" if late else _stopped(code))


def _kill(process: subprocess.Popen[bytes], status: IO[bytes]) -> None:
    """End what still runs: the first process inside, and with it the kernel ends all others; bubblewrap then follows.

    Where there is none inside yet, bubblewrap itself.
    """
    if process.poll() is None:
        child = re.search(r'"child-pid": *(\d+)', _written(status))
        with suppress(ProcessLookupError):
            os.kill(int(child[1]) if child else process.pid, signal.SIGKILL)
    process.wait()


def _command(bwrap: str, fds: tuple[int, int, int], limits: str) -> list[str]:
    """The call of bubblewrap. Root keeps none of its powers; with --die-with-parent, all ends with this process.

    `fds`: open files with the filter and the program, and one for what bubblewrap tells of the first process.
    """
    rules, program, status = fds
    command = [bwrap, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    command += ["--die-with-parent", "--new-session", "--seccomp", str(rules), "--info-fd", str(status)]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(FOLDER), "--tmpfs", BOX, "--chdir", BOX]
    for folder in (*SYSTEM, *_pythons()):
        command += ["--ro-bind-try", folder, folder]
    for link in _links():
        command += ["--symlink", str(link.readlink()), str(link)]
    command += ["--ro-bind-data", str(program), "/program.py"]
    for folder in ("/dev", "/proc", "/"):
        command += ["--remount-ro", folder]
    return [*command, "--", sys.executable, "-s", "-P", "-B", "-X", "utf8", "-c", PRELUDE, limits]


def _pythons() -> list[str]:
    """The folders of the running Python that are no part of the system; never one that holds the user's home."""
    folders = {sys.prefix: None, sys.base_prefix: None, sys.base_exec_prefix: None}
    return [each for each in folders if not Path(each).is_relative_to("/usr") and not Path.home().is_relative_to(each)]


def _links() -> list[Path]:
    """The links outside of those folders by which the executable is found."""
    found, file = [], Path(sys.executable)
    while file.is_symlink():
        if not any(file.is_relative_to(folder) for folder in (*SYSTEM, *_pythons())):
            found.append(file)
        file = file.parent / file.readlink()
    return found


def _filter() -> bytes:
    """Instructions of classic BPF after which a forbidden system call, or one of another machine, fails with EPERM.

    An instruction is a code, how many to skip where it holds and where not, and a number (linux/bpf_common.h,
    linux/seccomp.h). Calls from 2**30 are those of x32 in disguise.
    """
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    machine, calls = FORBIDDEN[platform.machine()]
    left = len(calls) + 3
    lines = [(load, 0, 0, 4), (equal, 0, left - 1, machine), (load, 0, 0, 0), (at_least, left - 2, 0, 1 << 30)]
    lines += [(equal, len(calls) - place, 0, number) for place, number in enumerate(calls.values())]
    lines += [(end, 0, 0, 0x7FFF0000), (end, 0, 0, 0x00050001)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _stopped(code: int) -> Stopped:
    """Which limit an exit code speaks of; bubblewrap says 128 + n for a signal."""
    if code in (128 + signal.SIGXCPU, -signal.SIGXCPU):
        return "time"
    if code in (128 + signal.SIGXFSZ, -signal.SIGXFSZ):
        return "output"
    return "memory" if code == OUT_OF_MEMORY else ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MOST_OUTPUT).decode("utf-8", "replace")


@lru_cache
def _trial(bwrap: str) -> str | None:
    """Why `bwrap` cannot run a program, None where it can."""
    ran = _run(bwrap, "print(6 * 7)", "", 30, 512)
    if ran.output == "42\n":
        return None
    for name, bad, good in SWITCHES:
        file = Path("/proc/sys", *name.split("."))
        if file.exists() and file.read_text().strip() == bad:
            return f"programs run in a sandbox alone, and {name} forbids it; allow it: sudo sysctl -w {name}={good}"
    said = (ran.error.strip().splitlines() or [f"exit code {ran.code}"])[-1]
    if "--size" in said:
        return f"programs run in a sandbox alone, which needs bubblewrap 0.7 or newer, without setuid; it says: {said}"
    options = " ".join(f"--security-opt {each}=unconfined" for each in ("seccomp", "apparmor", "systempaths"))
    return (
        f"programs run in a sandbox alone, and bubblewrap cannot make one here: {said};"
        f" in a container, start that with: docker run {options}"
    )
