"""Memory, shared memory and disk: what is there and what is free."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
SHARED = Path("/dev/shm")

GB = 1 << 30
LEAST_FREE = 1.5 * GB
"""A stream with the largest of the shipped networks takes about 1 GB."""
LEAST_SHARED = 256 << 20
"""Containers start with 64 MB, too little for the reading processes of a training."""
LEAST_DISK = 2 * GB


def probe() -> Iterator[Finding]:
    """Look at the memory of this machine and the disk of the working directory."""
    yield memory(MEMINFO, CGROUP)
    yield shared_memory(SHARED)
    yield disk(Path.cwd())


def memory(meminfo: Path, cgroup: Path) -> Finding:
    """Judge the main memory, within a container's limit where there is one."""
    sizes = {}
    for line in meminfo.read_text().splitlines():
        key, _, value = line.partition(":")
        sizes[key] = int(value.split()[0]) * 1024
    total, free = sizes["MemTotal"], sizes["MemAvailable"]
    limit, used = _bytes(cgroup / "memory.max"), _bytes(cgroup / "memory.current")
    note = ""
    if limit is not None and limit < total:
        total, free, note = limit, min(free, limit - (used or 0)), " (the container's limit)"
    text = f"{free / GB:.1f} of {total / GB:.1f} GB free{note}"
    if free < LEAST_FREE:
        return Finding("memory", "warn", text, "close other programs; 1.5 GB should be free")
    return Finding("memory", "ok", text)


def shared_memory(folder: Path) -> Finding:
    """Judge the shared memory that reading processes of a training hand pictures through."""
    if not folder.is_dir():
        return Finding("shared memory", "missing", f"no {folder}; only training uses it")
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / GB:.1f} of {usage.total / GB:.1f} GB free in {folder}"
    if usage.free < LEAST_SHARED:
        advice = f"for training: sudo mount -o remount,size=2G {folder}; docker run --shm-size=2g"
        return Finding("shared memory", "warn", text, advice)
    return Finding("shared memory", "ok", text)


def disk(folder: Path) -> Finding:
    """Judge the disk that recordings of the working directory go to."""
    free = shutil.disk_usage(folder).free
    text = f"{free / GB:.1f} GB free here"
    if free < LEAST_DISK:
        return Finding("disk", "warn", text, "make room: an hour of recording takes 1 to 4 GB")
    return Finding("disk", "ok", text)


def _bytes(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no limit reads "max"
        return None
