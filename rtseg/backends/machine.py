"""What a compiled file is bound to: system, processor, GPU."""

from __future__ import annotations

import functools
import platform
import sys

import torch
from pydantic import Field

from rtseg.config import Config
from rtseg.device import cpu_model

ISA_OF_INTEREST = (
    "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512cd", "avx512dq",
    "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "sve", "sve2", "bf16", "i8mm",
)  # fmt: skip
"""Instruction sets that compilers of networks make use of, by the kernel's names."""


class Machine(Config):
    """The part of a machine that decides whether a compiled file runs on it."""

    system: str = Field(max_length=64, description="linux, windows, darwin.")
    arch: str = Field(max_length=64, description="x86_64, aarch64.")
    device: str = Field(pattern=r"^(cpu|cuda)$")
    device_name: str = Field(max_length=256, description="Name of the GPU or the processor.")
    compute_capability: str | None = Field(default=None, description="Of the GPU, such as 8.7.")
    cpu_isa: tuple[str, ...] = Field(
        default=(), max_length=64, description="The processor's instruction sets, where it matters."
    )

    def __str__(self) -> str:
        what = f"{self.device_name}, {self.system} {self.arch}"
        if self.compute_capability:
            return f"{what}, compute capability {self.compute_capability}"
        return what


def this_machine(device: torch.device) -> Machine:
    """Describe this machine for engines that run on `device`."""
    gpu = device.type == "cuda"
    return Machine(
        system=sys.platform,
        arch=platform.machine(),
        device=device.type,
        device_name=torch.cuda.get_device_name(device) if gpu else cpu_model(),
        compute_capability=_capability(device) if gpu else None,
        cpu_isa=() if gpu else cpu_isa(),
    )


@functools.cache
def cpu_isa() -> tuple[str, ...]:
    """Return which instruction sets of interest this processor has; empty where nobody tells."""
    flags = _kernel_flags()
    return tuple(name for name in ISA_OF_INTEREST if name in flags)


def device_label(device: torch.device) -> str:
    """Return the device as an engine's `info` names it: ``cpu`` or ``cuda:0 (NVIDIA …)``."""
    if device.type != "cuda":
        return device.type
    index = device.index if device.index is not None else torch.cuda.current_device()
    return f"cuda:{index} ({torch.cuda.get_device_name(device)})"


def _capability(device: torch.device) -> str:
    major, minor = torch.cuda.get_device_capability(device)
    return f"{major}.{minor}"


def _kernel_flags() -> frozenset[str]:
    """Return the flags of the first processor as Linux lists them, else torch's own view."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            for line in lines:
                name, _, values = line.partition(":")
                if name.strip() in ("flags", "Features"):
                    return frozenset(values.split())
    except OSError:  # not Linux
        pass
    level = torch.backends.cpu.get_cpu_capability()
    return frozenset({"avx", "fma", "avx2"} if "AVX2" in level else ()) | frozenset(
        {"avx", "fma", "avx2", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
        if "AVX512" in level
        else ()
    )
