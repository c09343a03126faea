"""The advice about a GPU that the build of llama.cpp leaves idle."""

import platform
import shutil

import pytest

from coat import doctor


@pytest.mark.parametrize(
    ("tool", "system", "machine", "words"),
    [
        ("nvidia-smi", "Linux", "x86_64", ["NVIDIA", "CMAKE_ARGS=-DGGML_CUDA=on pip install"]),
        ("rocminfo", "Linux", "x86_64", ["AMD", "-DGGML_HIP=on"]),
        ("", "Darwin", "arm64", ["Apple", "-DGGML_METAL=on"]),
        ("", "Darwin", "x86_64", []),
        ("", "Linux", "aarch64", []),
    ],
)
def test_an_idle_gpu_is_told_with_the_command_that_puts_it_to_use(
    monkeypatch: pytest.MonkeyPatch, tool: str, system: str, machine: str, words: list[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == tool else None)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    advice = doctor.gpu_advice()
    assert bool(advice) == bool(words)
    assert all(word in advice for word in words)


def test_on_windows_the_command_is_powershells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "nvidia-smi.exe" if name == "nvidia-smi" else None)
    monkeypatch.setattr(doctor, "WINDOWS", True)
    assert "$env:CMAKE_ARGS='-DGGML_CUDA=on'; pip install --force-reinstall" in doctor.gpu_advice()
