"""The viewer's script that ships is the one that its sources make."""

import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent / "coat" / "viewer"
NPM = shutil.which("npm")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with the packages of the lockfile."""
    if NPM is None or shutil.which("node") is None:
        pytest.skip("node and npm build the viewer, and they are not installed")
    copy = tmp_path_factory.mktemp("viewer") / "web"
    shutil.copytree(HOME / "web", copy, ignore=shutil.ignore_patterns("node_modules"))
    if (HOME / "web" / "node_modules").is_dir():
        (copy / "node_modules").symlink_to(HOME / "web" / "node_modules")
        return copy
    got = subprocess.run(
        [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"npm cannot install what the viewer is built with: {got.stderr.strip()[-300:]}")
    return copy


def npm(sources: Path, *arguments: str) -> None:
    done = subprocess.run([str(NPM), "run", "--silent", *arguments], cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["viewer.js", "tidy.js", "LICENSES.txt"])
def test_what_ships_is_what_is_built(sources: Path, tmp_path: Path, name: str) -> None:
    npm(sources, "build", "--", str(tmp_path))
    assert (tmp_path / name).read_bytes() == (HOME / "static" / name).read_bytes()


def test_the_types_hold(sources: Path) -> None:
    npm(sources, "check")


def test_nothing_in_the_script_ends_the_element_that_holds_it() -> None:
    text = (HOME / "static" / "viewer.js").read_text(encoding="ascii")
    assert "</script" not in text.lower()
    assert "<!--" not in text


def test_every_bundled_library_has_its_licence_beside_it() -> None:
    text = (HOME / "static" / "LICENSES.txt").read_text(encoding="utf-8")
    for name in ("d3-hierarchy", "d3-zoom", "d3-selection", "d3-shape", "d3-scale-chromatic"):
        assert f"\n{name} " in text
    assert text.count("Copyright") >= text.count("-" * 80) + 1
