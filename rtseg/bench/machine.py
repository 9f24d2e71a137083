"""The machine of a benchmark: what it is, how busy it is, how fast it computes and copies."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import cv2
import torch

from rtseg import __version__
from rtseg.bench.job import Machine
from rtseg.cores import usable_cores
from rtseg.device import computes_in_bf16, cpu_model

PACKAGES = ("torch", "numpy", "opencv-python", "av", "openvino", "tensorrt", "torch-tensorrt")
MATRIX_SIDE = {"cpu": 1536, "cuda": 8192}
COPY_BYTES = {"cpu": 128 << 20, "cuda": 4 << 30}
"""Far more than any cache holds."""
RUNS = 5


def measure_machine() -> Machine:
    """Describe this machine, and measure its rates on all cores or on the first GPU."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.set_num_threads(usable_cores())
    precisions = {"fp32": torch.float32}
    if computes_in_bf16(device):
        precisions["bf16"] = torch.bfloat16
    if cuda:
        precisions["fp16"] = torch.float16
    gpu = torch.cuda.get_device_name() if cuda else ""
    return Machine(
        processor=cpu_model(),
        cores=usable_cores(),
        gpu=gpu,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30),
        versions=_versions(),
        gflops={name: _gflops(device, dtype) for name, dtype in precisions.items()},
        copy_gb_s=_copy_gb_s(device),
        rates_of=gpu or f"{usable_cores()} cores",
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "rtseg": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found.setdefault("opencv-python", cv2.__version__)
    return found


def _gflops(device: torch.device, dtype: torch.dtype) -> float:
    side = MATRIX_SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / _fastest_s(lambda: left @ right, device) / 1e9


def _copy_gb_s(device: torch.device) -> float:
    there = torch.ones(COPY_BYTES[device.type], dtype=torch.uint8, device=device)
    back = torch.empty_like(there)
    return 2 * there.numel() / _fastest_s(lambda: back.copy_(there), device) / 1e9


def _fastest_s(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the fastest of several runs; waits for the device after each."""
    times = []
    for _ in range(RUNS + 1):  # the first one warms up, and is no faster than the others
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times)
