"""Asking a Linux video device what it is, before OpenCV opens it and says nothing."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

from rtseg.errors import SourceError

try:
    import fcntl
except ImportError:  # not on Windows, where no such devices are
    fcntl = None  # type: ignore[assignment]

_QUERYCAP = 0x80685600
"""VIDIOC_QUERYCAP of linux/videodev2.h: struct v4l2_capability, 104 bytes."""
_REQBUFS = 0xC0145608
"""VIDIOC_REQBUFS: struct v4l2_requestbuffers, 20 bytes."""
_CAPTURE, _CAPTURE_MPLANE, _DEVICE_CAPS = 0x1, 0x1000, 0x80000000
_BUFFER_CAPTURE, _MEMORY_MMAP = 1, 1


def check_camera(device: Path) -> None:
    """Make sure that a device is a camera that may be used.

    Raises:
        SourceError: there is no such device, no permission, it is no camera, or it is in use.
    """
    handle = _open(device)
    try:
        if not _capabilities(device, handle) & (_CAPTURE | _CAPTURE_MPLANE):
            raise SourceError(
                f"{device} gives no pictures (it holds a camera's metadata, or is an output); "
                f"{others(device)}"
            )
        _check_free(device, handle)
    finally:
        os.close(handle)


def others(device: Path) -> str:
    """Return which video devices there are besides `device`, for a message."""
    names = sorted(str(path) for path in Path("/dev").glob("video*") if path != device)
    return f"other video devices: {', '.join(names)}" if names else "there is no other video device"


def _open(device: Path) -> int:
    try:
        return os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(
            f"no such camera: {device}; plug it in, or give another; {others(device)}"
        ) from None
    except PermissionError:
        raise SourceError(
            f"no permission for {device}: sudo usermod -aG video $USER, then log in again"
        ) from None
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise SourceError(_busy(device)) from None
        raise SourceError(f"{device} can't be opened: {os.strerror(error.errno or 0)}") from None


def _capabilities(device: Path, handle: int) -> int:
    answer = bytearray(104)
    try:
        fcntl.ioctl(handle, _QUERYCAP, answer)
    except OSError:
        raise SourceError(f"{device} is no camera; {others(device)}") from None
    whole, own = struct.unpack_from("=2I", answer, 84)
    return int(own if whole & _DEVICE_CAPS else whole)


def _check_free(device: Path, handle: int) -> None:
    """Ask for a buffer and give it back: what a device refuses that streams for another program."""
    for count in (1, 0):
        try:
            fcntl.ioctl(
                handle,
                _REQBUFS,
                bytearray(struct.pack("=5I", count, _BUFFER_CAPTURE, _MEMORY_MMAP, 0, 0)),
            )
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise SourceError(_busy(device)) from None
            return  # a device without memory mapping: OpenCV may know another way


def _busy(device: Path) -> str:
    return f"{device} is in use by another program; `fuser -v {device}` shows which"
