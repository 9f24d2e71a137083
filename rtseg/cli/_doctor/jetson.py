"""A Jetson: its model, L4T release and power mode. Other machines have no line here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding

RELEASE = Path("/etc/nv_tegra_release")
MODEL = Path("/proc/device-tree/model")
JETPACKS = {"35": "JetPack 5", "36": "JetPack 6", "38": "JetPack 7"}


def probe() -> Iterator[Finding]:
    """Look at the files that JetPack leaves."""
    if RELEASE.exists():
        yield board(RELEASE, MODEL)
        yield power_mode()


def board(release: Path, model: Path) -> Finding:
    """Return what a Jetson is and what runs on it."""
    text = release.read_text(errors="replace")
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    name = model.read_text(errors="replace").strip("\0\n ") if model.exists() else "Jetson"
    if match is None:
        return Finding("Jetson", "warn", f"{name}: {release} doesn't tell its release")
    major, revision = match.groups()
    jetpack = JETPACKS.get(major, "an unknown JetPack")
    value = f"{name}, L4T R{major}.{revision} ({jetpack})"
    if int(major) < 36:
        return Finding("Jetson", "warn", value, "JetPack 6 or newer is needed: see docs/jetson.md")
    return Finding("Jetson", "ok", value)


def power_mode() -> Finding:
    """Return the power mode, which decides how fast a Jetson is."""
    try:
        done = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("power mode", "warn", f"unknown: {error}", "sudo nvpmodel -q shows it")
    match = re.search(r"Power Mode:\s*(\S+)", done.stdout)
    mode = match.group(1) if match else "unknown"
    if mode.startswith("MAXN"):
        return Finding("power mode", "ok", mode)
    advice = "for full speed: sudo nvpmodel -m 0 && sudo jetson_clocks"
    return Finding("power mode", "warn", mode, advice)
