"""NVIDIA GPUs: what the driver shows, what torch can use, and why not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtseg.cli._doctor.finding import Finding

TITLE = "NVIDIA GPU"
QUERY = "name,driver_version,compute_cap,memory.total,memory.free"
DEVICE_NODES = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu")
CPU_BUILD = "python -m pip install --force-reinstall torch brings the CUDA build"


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU as the driver shows it; memory in MiB."""

    name: str
    driver: str
    capability: str
    total_mib: str
    free_mib: str


def probe() -> Iterator[Finding]:
    """Ask the driver and torch, and compare."""
    import torch

    cards = driver_cards()
    if torch.cuda.is_available():
        drivers = {card.name: card.driver for card in cards}
        for index in range(torch.cuda.device_count()):
            yield _usable(torch, index, drivers)
        return
    yield unusable(cards, torch.__version__, torch.version.cuda, _nodes())


def unusable(cards: list[Card], torch_version: str, cuda: str | None, node: str) -> Finding:
    """Say why torch can't use a GPU.

    Args:
        cards: what the driver shows.
        torch_version: the installed torch.
        cuda: the CUDA version that torch was built for, None for another build.
        node: a device file of the driver, empty where there is none.
    """
    if not cards and not node:
        return Finding(TITLE, "missing", "none; the CPU is used")
    name = f"{cards[0].name}, driver {cards[0].driver}" if cards else f"there is {node}"
    if cuda is None:
        return Finding(TITLE, "warn", f"{name}; but torch {torch_version} can't use it", CPU_BUILD)
    advice = f"update the driver to one for CUDA {cuda}, or take an older torch; nvidia-smi helps"
    return Finding(TITLE, "warn", f"{name}; but torch (CUDA {cuda}) can't open it", advice)


def driver_cards() -> list[Card]:
    """Return the GPUs that nvidia-smi lists; none where there is no nvidia-smi."""
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[field.strip() for field in line.split(",")] for line in done.stdout.splitlines()]
    return [Card(*row) for row in rows if len(row) == 5 and done.returncode == 0]


def _nodes() -> str:
    return next((node for node in DEVICE_NODES if Path(node).exists()), "")


def _usable(torch: Any, index: int, drivers: dict[str, str]) -> Finding:
    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    capability = f"{properties.major}.{properties.minor}"
    text = (
        f"{properties.name}, compute capability {capability}, {free / 2**30:.1f} of "
        f"{total / 2**30:.1f} GB free, driver {drivers.get(properties.name, 'unknown')}, CUDA "
        f"{torch.version.cuda}"
    )
    try:
        torch.ones(8, device=f"cuda:{index}").sum().item()
    except RuntimeError as error:
        built_for = ", ".join(torch.cuda.get_arch_list())
        reason = str(error).splitlines()[0]
        advice = f"this torch is built for {built_for}: install one for this GPU"
        return Finding(TITLE, "warn", f"{text}; but it doesn't compute: {reason}", advice)
    return Finding(TITLE, "ok", text)
