"""Where a network runs and in which precision, by name."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from rtseg.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" takes CUDA where there is one, else the CPU.

    Raises:
        ConfigError: the name is unknown, or CUDA is asked for and missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdigit())):
        raise ConfigError(f"unknown device {name!r}; allowed: auto, cpu, cuda, cuda:N")
    if kind == "cuda":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= found:
            raise ConfigError(
                f"device {name!r} was asked for, but torch {torch.__version__} sees {found} CUDA "
                "devices here; take --device cpu, or look at nvidia-smi and the torch build"
            )
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the number format of convolutions: float32 or bfloat16.

    "auto" takes bfloat16 on CUDA devices and CPUs that compute in it (AVX-512 BF16, AMX), where it
    is about twice as fast; elsewhere it would be slower, so float32.

    Raises:
        ConfigError: the name is unknown.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"unknown precision {name!r}; allowed: {', '.join(PRECISIONS)}")
    if name == "fp32" or (name == "auto" and not computes_in_bf16(device)):
        return torch.float32
    return torch.bfloat16


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Return a context in which convolutions and matrix products run in `dtype`."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def precision_name(dtype: torch.dtype) -> str:
    """Return the name that `pick_precision` knows this format by."""
    return "bf16" if dtype == torch.bfloat16 else "fp32"


def device_title(device: torch.device) -> str:
    """Return what the device is called in a report: the GPU's name, or the CPU's and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_model()}, {torch.get_num_threads()} threads"


def cpu_model() -> str:
    """Return the processor's name, or "CPU" where the system doesn't tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
            return next(names, "CPU")
    except OSError:  # not Linux: the name is an extra
        return "CPU"


def computes_in_bf16(device: torch.device) -> bool:
    """Return whether the device has instructions for bfloat16, not only a way to emulate it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, flag, lambda: False)() for flag in flags)
