"""The machine that a benchmark ran on: without it no number means anything."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from blindspots_hub.utils.cores import cores

_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Names that Linux gives to instructions for bf16 products (x86, x86 tiles, ARM)."""


@dataclass(frozen=True)
class Machine:
    """Processor, cores that may be used, torch and its threads, bf16 products, and the GPU."""

    cpu: str
    cores: int
    torch: str
    threads: int
    bf16: bool
    gpu: str | None

    def text(self) -> str:
        """One line."""
        bf16 = "bf16 instructions" if self.bf16 else "no bf16 instructions"
        return (
            f"{self.cpu}, {self.cores} cores, {bf16}; torch {self.torch}, {self.threads} threads; "
            f"{self.gpu or 'no CUDA device'}"
        )


def this_machine() -> Machine:
    """The machine that this process runs on."""
    described = _cpuinfo()
    flags = (described.get("flags") or described.get("Features") or "").split()
    return Machine(
        cpu=described.get("model name") or platform.processor() or platform.machine(),
        cores=cores(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        bf16=any(name in flags for name in _BF16),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    )


def _cpuinfo() -> dict[str, str]:
    """What Linux tells of the first processor; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    lines = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
