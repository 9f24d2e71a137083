"""OpenCV: that it can be imported, and what it was built with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding
from rtseg.cli._missing import missing


def probe() -> Iterator[Finding]:
    """Import cv2."""
    try:
        import cv2
    except ImportError as error:
        advice = (missing(error) or "").rpartition(": ")[2]
        yield Finding(
            "OpenCV",
            "missing",
            f"can't be imported: {' '.join(str(error).split())[:200]}",
            advice or "python -m pip install --force-reinstall opencv-python",
            essential=True,
        )
        return
    windows = built_with(cv2.getBuildInformation(), "GUI").partition(" ")[0]
    yield Finding("OpenCV", "ok", f"{cv2.__version__} works, windows by {windows or 'none'}")


def built_with(information: str, key: str) -> str:
    """Return what OpenCV's build information says behind `key`; empty where it says nothing."""
    match = re.search(rf"^\s*{re.escape(key)}:[ \t]*(\S.*)?$", information, re.MULTILINE)
    return (match.group(1) or "").strip() if match else ""
