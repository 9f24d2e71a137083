"""GStreamer in OpenCV: what csi:// and gst:// sources need."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding
from rtseg.cli._doctor.opencv import built_with


def probe() -> Iterator[Finding]:
    """Ask OpenCV whether it was built with GStreamer."""
    import cv2

    found = built_with(cv2.getBuildInformation(), "GStreamer")
    if found.startswith("YES"):
        yield Finding("GStreamer", "ok", f"in OpenCV: {found}")
        return
    yield Finding(
        "GStreamer",
        "missing",
        "not in this OpenCV; csi:// and gst:// sources need it, nothing else does",
        "if wanted: sudo apt install python3-opencv, and a virtual environment made with "
        "--system-site-packages and without opencv-python",
    )
