"""What this machine has to offer: model, device, threads, memory, and measured speeds."""

import os
import platform
import shutil
import time
from typing import TYPE_CHECKING, Any

from coat import __version__
from coat.models import SampleRequest, Sampling, Text
from coat.usage import Usage

if TYPE_CHECKING:
    from coat.models.llama import LlamaModel

PROMPT = "The quick brown fox jumps over the lazy dog. " * 24
LONGEST = 256
"""Tokens of the prompt, or half of the model's context."""
TOKENS = 32
WINDOWS = os.name == "nt"


def examine(name: str | None) -> dict[str, Any]:
    """Facts about the machine and the model called `name`, and its speeds in tokens a second.

    Raises:
        ModelError: there is no such model, or it does not load.
    """
    import llama_cpp
    import psutil

    from coat import runtime
    from coat.models.catalog import load, resolve
    from coat.models.llama import LlamaModel
    from coat.models.llama.devices import devices

    source = resolve(name)
    offload = bool(llama_cpp.llama_supports_gpu_offload())
    report: dict[str, Any] = {
        "coat": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "llama_cpp_python": llama_cpp.__version__,
        "device": "GPU" if offload else "CPU",
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "free": ", ".join(f"{each.free / 2**30:.1f} GiB of the {each.kind} ({each.description})" for each in devices()),
        "model": source.name,
        "file": str(source.path),
        "file_mib": round(source.path.stat().st_size / 2**20, 1),
    }
    if not offload and (advice := gpu_advice()):
        report["advice"] = advice
    model = load(name)
    assert isinstance(model, LlamaModel)
    report["threads"] = f"{model.threads} of {os.cpu_count()}"
    try:
        report |= runtime.submit(_speeds(model)).result()
    finally:
        model.close()
    return report


def gpu_advice() -> str:
    """The command that puts a GPU to use which this build of llama.cpp leaves idle; empty where there is none."""
    if shutil.which("nvidia-smi"):
        what, flag = "an NVIDIA GPU", "-DGGML_CUDA=on"
    elif platform.system() == "Darwin" and platform.machine() == "arm64":
        what, flag = "an Apple GPU", "-DGGML_METAL=on"
    elif shutil.which("rocminfo"):
        what, flag = "an AMD GPU", "-DGGML_HIP=on"
    else:
        return ""
    setting = f"$env:CMAKE_ARGS='{flag}';" if WINDOWS else f"CMAKE_ARGS={flag}"
    install = "pip install --force-reinstall --no-deps --no-cache-dir --no-binary llama-cpp-python llama-cpp-python"
    return f"there is {what}, and this llama.cpp is built for the CPU; mend it with: {setting} {install}"


async def _speeds(model: "LlamaModel") -> dict[str, float]:
    """Prompt tokens a second, and tokens a second with 1 and with 16 siblings of one prompt."""
    usage = Usage()
    began = time.perf_counter()
    prompt = model.path((Text(PROMPT),))[: min(LONGEST, model.capabilities.context // 2)]
    await model.sample(SampleRequest((prompt,), (0,), Sampling(max_tokens=1)), usage)
    rates = {"prompt_tokens_per_second": round(usage.evaluated / (time.perf_counter() - began), 1)}
    for lanes in (1, 16):
        usage, began = Usage(), time.perf_counter()
        sampling = Sampling(max_tokens=TOKENS, temperature=1.5)
        await model.sample(SampleRequest((prompt, Text(f" {lanes}")), tuple(range(lanes)), sampling), usage)
        rates[f"tokens_per_second_{lanes}"] = round(usage.generated / (time.perf_counter() - began), 1)
    return rates
