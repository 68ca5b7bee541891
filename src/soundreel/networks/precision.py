"""float32 or bfloat16: which, and how."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


def resolve_precision(precision: Precision | Literal["auto"], device_type: str) -> Precision:
    """What "auto" means on a kind of device: bf16 where it is faster there, else fp32.

    Decided by what the hardware is, not by timing it, so that it is the same every time.
    """
    if precision != "auto":
        return precision
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device_type == "cpu":
        return "bf16" if _processor_gains() else "fp32"
    return "fp32"


def autocast(device_type: str, precision: Precision, enabled: bool = True) -> torch.autocast:
    """Convolutions in bf16 with float32 weights kept; nothing at all for fp32."""
    return torch.autocast(device_type, torch.bfloat16, enabled=enabled and precision == "bf16")


@cache
def _processor_gains() -> bool:
    """Whether this processor multiplies bf16 faster than float32.

    AMX does, and AMD's AVX-512 BF16 (1.3 times in training, twice and more in generation on Zen
    5). Intel's AVX-512 BF16 without AMX does not: a step took 1.3 times as long there. Without
    either it is emulated.
    """
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("amx_bf16"):
        return True
    processor = Path("/proc/cpuinfo")
    return bool(
        capabilities.get("avx512_bf16")
        and processor.is_file()
        and "AuthenticAMD" in processor.read_text(encoding="utf-8", errors="replace")
    )
