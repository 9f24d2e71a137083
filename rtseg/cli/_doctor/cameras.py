"""Cameras: the video devices that deliver pictures, and whether this user may open them."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding

DEVICES = Path("/dev")
SYSTEM = Path("/sys/class/video4linux")

VIDIOC_QUERYCAP = 0x80685600
CAPABILITY = struct.Struct("16s32s32sIII12x")
"""struct v4l2_capability: driver, card, bus, version, capabilities, device_caps."""
CAPTURES = 0x00000001 | 0x00001000
"""V4L2_CAP_VIDEO_CAPTURE and its multi-planar sibling; a camera's metadata node has neither."""

JOIN_GROUP = "sudo usermod -aG video $USER, then log out and in again"


def probe() -> Iterator[Finding]:
    """Look at the video devices of this machine."""
    yield from cameras(DEVICES, SYSTEM)


def cameras(devices: Path, system: Path) -> list[Finding]:
    """Return a line for each video device that a camera may be behind.

    Args:
        devices: the folder with video0, video1, …
        system: the folder with a folder for each of them, where its `name` is.
    """
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda node: int(node.name[5:]))
    found = [finding for node in nodes if (finding := _camera(node, system)) is not None]
    return found or [
        Finding(
            "cameras",
            "missing",
            f"no {devices}/video*",
            "plug one in; into a container: docker run --device /dev/video0",
        )
    ]


def _camera(node: Path, system: Path) -> Finding | None:
    try:
        name = (system / node.name / "name").read_text().strip()
    except OSError:
        name = "a device without a name"
    try:
        handle = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        denied = error.errno in (errno.EACCES, errno.EPERM)
        advice = JOIN_GROUP if denied else "plug it out and in again"
        return Finding(str(node), "warn", f"{name}: {error.strerror}", advice)
    try:
        return _asked(node, name, handle)
    finally:
        os.close(handle)


def _asked(node: Path, name: str, handle: int) -> Finding | None:
    try:
        answer = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
    except OSError:
        return Finding(str(node), "warn", f"{name}: no video device", "ls -l shows what it is")
    driver, card, _, _, capabilities, device = CAPABILITY.unpack(answer)
    if not (device or capabilities) & CAPTURES:
        return None
    texts = [raw.rstrip(b"\0").decode(errors="replace") for raw in (card, driver)]
    return Finding(str(node), "ok", "{} (driver {})".format(*texts))
