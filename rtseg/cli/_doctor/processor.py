"""The processor: model, cores that this process may use, instructions that matter to networks."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding
from rtseg.cores import usable_cores

CPUINFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")

INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"},
    "VNNI": {"avx512_vnni"},
    "AVX-VNNI": {"avx_vnni"},
    "AVX-512 BF16": {"avx512_bf16"},
    "AMX": {"amx_tile", "amx_bf16"},
    "NEON": {"asimd"},
    "FP16": {"asimdhp"},
    "dot product": {"asimddp"},
    "BF16": {"bf16"},
    "I8MM": {"i8mm"},
    "SVE": {"sve"},
}
"""Name → the flags of /proc/cpuinfo that must all be there; x86 first, then ARM."""

FAST_BF16 = {"AVX-512 BF16", "AMX", "BF16"}
FAST_INT8 = {"VNNI", "AVX-VNNI", "AMX", "dot product", "I8MM"}


def probe() -> Iterator[Finding]:
    """Look at the processor of this machine."""
    yield cores(CPUINFO, CGROUP)
    yield instructions(CPUINFO)


def cores(cpuinfo: Path, cgroup: Path) -> Finding:
    """Return the model and how many cores may be used."""
    fields = _fields(cpuinfo)
    model = fields.get("model name") or fields.get("hardware") or platform.processor() or "CPU"
    there = os.cpu_count() or 1
    usable = min(float(usable_cores()), quota(cgroup))
    text = f"{model} ({platform.machine()}), {usable:g} of {there} cores usable"
    if usable < 1:
        return Finding("processor", "warn", text, "give this container at least one whole core")
    return Finding("processor", "ok", text)


def quota(cgroup: Path) -> float:
    """Return the cores that a container's limit allows; infinity without one."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return math.inf
    return math.inf if limit == "max" else int(limit) / int(period)


def instructions(cpuinfo: Path) -> Finding:
    """Return the instruction sets that decide how fast networks run."""
    fields = _fields(cpuinfo)
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    found = [name for name, needed in INSTRUCTIONS.items() if needed <= flags]
    if not flags:
        return Finding("instructions", "warn", f"unknown: {cpuinfo} lists none")
    lacking = [
        f"no instructions for {kind}"
        for kind, any_of in (("bf16", FAST_BF16), ("int8", FAST_INT8))
        if not any_of & set(found)
    ]
    text = "; ".join([", ".join(found) or "none that help", *lacking])
    if "AVX2" in found or "NEON" in found:
        return Finding("instructions", "ok", text)
    advice = "in a virtual machine: give it the host's CPU type; else networks run slowly here"
    return Finding("instructions", "warn", text, advice)


def _fields(cpuinfo: Path) -> dict[str, str]:
    """Return the first core's lines of /proc/cpuinfo, keys in lower case."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    fields: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition(":")
        if separator:
            fields.setdefault(key.strip().lower(), value.strip())
    return fields
