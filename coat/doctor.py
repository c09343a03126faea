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


def examine(name: str | None) -> dict[str, Any]:
    """Facts about the machine and the model called `name`, and its speeds in tokens a second.

    Raises:
        ModelError: there is no such model, or it does not load.
    """
    import llama_cpp

    from coat import runtime
    from coat.models.catalog import load, resolve
    from coat.models.llama import LlamaModel

    source = resolve(name)
    offload = bool(llama_cpp.llama_supports_gpu_offload())
    report: dict[str, Any] = {
        "coat": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "llama_cpp_python": llama_cpp.__version__,
        "device": "GPU" if offload else "CPU",
        "memory_gib": _memory_gib(),
        "model": source.name,
        "file": str(source.path),
        "file_mib": round(source.path.stat().st_size / 2**20, 1),
    }
    if shutil.which("nvidia-smi") and not offload:
        report["advice"] = 'there is an NVIDIA GPU, but this llama.cpp is for the CPU; see "GPU" in the README'
    model = load(name)
    assert isinstance(model, LlamaModel)
    report["threads"] = f"{model.threads} of {os.cpu_count()}"
    try:
        report |= runtime.submit(_speeds(model)).result()
    finally:
        model.close()
    return report


def _memory_gib() -> float | None:
    """Physical memory in GiB, None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


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
