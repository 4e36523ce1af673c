"""Which precision training computes in fastest on this machine, without other scores."""

from pathlib import Path
from typing import Literal

import torch

CPU_FLAGS = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def fastest_precision(device: str) -> Literal["32-true", "bf16-mixed"]:
    """Return `bf16-mixed` where the device ("auto", "cpu", "cuda" or "mps") multiplies bfloat16 in hardware, else `32-true`.

    Weights, losses and the optimizer stay in float32 either way. docs/performance.md holds what was measured.
    """
    if device in ("auto", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "mps" or (device == "auto" and torch.backends.mps.is_available()):
        fast = False
    else:
        fast = bool(BFLOAT16_FLAGS & cpu_flags())
    return "bf16-mixed" if fast else "32-true"


def cpu_flags() -> set[str]:
    """Return what Linux says that the CPU can do; nothing on another system."""
    if not CPU_FLAGS.is_file():
        return set()
    lines = CPU_FLAGS.read_text(encoding="utf-8").splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())
