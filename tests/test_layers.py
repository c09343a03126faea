"""The layers: who may import whom, what is exported, and how little `import coat` does."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
OURS = {"search", "memory", "coat", "training", "benchmarks"}
MAY = {
    "search": {"search"},
    "memory": {"memory"},
    "coat": {"coat", "search", "memory"},
    "training": OURS - {"benchmarks"},
}
HEAVY = {
    *("numpy", "torch", "faiss", "llama_cpp", "networkx", "rich", "typer", "sentence_transformers", "httpx"),
    *("huggingface_hub", "jinja2", "sqlite3"),
}


def imported(source: str, package: str) -> Iterator[str]:
    """The absolute names of everything that a module of `package` imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            yield ".".join([*above, *filter(None, [node.module])])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (each.value for each in node.args if isinstance(each, ast.Constant) and type(each.value) is str)


def imports_of(room: str) -> dict[Path, set[str]]:
    """The top-level packages that each file of a room imports."""
    files = [file for file in sorted((HOME / room).rglob("*.py")) if "__pycache__" not in file.parts]
    found = {}
    for file in files:
        package = ".".join(file.relative_to(HOME).parent.parts)
        found[file] = {name.partition(".")[0] for name in imported(file.read_text("utf-8"), package)}
    return found


def run(code: str, *path: Path, cwd: Path = HOME) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python of its own, with `path` before everything else."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_walk_sees_every_kind_of_import() -> None:
    source = """
import a.b, c as d
from e.f import g
def late():
    from . import h
    from ..i import j
    import importlib
    importlib.import_module("k.l")
    __import__("m")
"""
    assert set(imported(source, "room.part")) == {"a.b", "c", "e.f", "room.part", "room.i", "importlib", "k.l", "m"}


@pytest.mark.parametrize("room", MAY)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = imports_of(room)
    assert found, f"{room} has no files"
    strangers = {file.name: names & OURS - MAY[room] for file, names in found.items() if names & OURS - MAY[room]}
    assert not strangers


def test_search_needs_nothing_but_the_standard_library() -> None:
    for file, names in imports_of("search").items():
        assert names <= sys.stdlib_module_names | {"search"}, file.name


@pytest.mark.parametrize("room", ["coat", "search", "memory"])
def test_what_is_exported_is_there(room: str) -> None:
    module = importlib.import_module(room)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("room", ["search", "memory"])
def test_every_public_name_is_exported(room: str) -> None:
    code = f"""
import {room} as room, types
submodules = {{name for name, value in vars(room).items() if isinstance(value, types.ModuleType)}}
print(sorted(name for name in vars(room) if not name.startswith("_") and name not in submodules - set(room.__all__)))
"""
    module = importlib.import_module(room)
    assert run(code, HOME).stdout.strip() == str(sorted(module.__all__))


def test_coat_exports_what_type_checkers_are_told_of() -> None:
    import coat

    tree = ast.parse(Path(coat.__file__).read_text("utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == set(coat.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sloth'"):
        _ = coat.sloth


def test_importing_coat_loads_nothing_heavy() -> None:
    for code in ("import coat", "import coat.models, coat.errors, coat.usage, search"):
        done = run(f"{code}; import sys; print(*sorted(set(sys.modules) & {HEAVY!r}))", HOME)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", ""), code


@pytest.mark.parametrize("room", ["search", "memory"])
@pytest.mark.parametrize("shape", ["{}.py", "{}/__init__.py"])
def test_a_strangers_package_of_the_same_name_is_refused(room: str, shape: str, tmp_path: Path) -> None:
    stranger = tmp_path / shape.format(room)
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("raise SystemExit('the stranger ran')", "utf-8")
    done = run("import coat", tmp_path, HOME, cwd=tmp_path)
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f"ImportError: coat needs its own package '{room}'")
    assert str(stranger) in sentence
    assert "rename" in sentence


def test_without_a_stranger_the_same_start_succeeds(tmp_path: Path) -> None:
    done = run("import coat; print(coat.__version__)", tmp_path, HOME, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
