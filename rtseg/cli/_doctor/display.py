"""The display: whether a window can really be opened on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding

TIMEOUT_S = 8.0
VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY")
WITHOUT = "record instead: rtseg stream SOURCE -o FILE.mp4; over SSH: ssh -X"
OPEN_WINDOW = """
import cv2
cv2.namedWindow("rtseg doctor", cv2.WINDOW_NORMAL)
cv2.waitKey(1)
cv2.destroyAllWindows()
"""


def probe() -> Iterator[Finding]:
    """Open a window and close it again."""
    names = [f"{name}={os.environ[name]}" for name in VARIABLES if os.environ.get(name)]
    if not names and sys.platform == "linux":
        yield Finding("display", "missing", "none (DISPLAY is not set)", WITHOUT)
        return
    problem = window_problem()
    where = ", ".join(names) or "the desktop"
    if problem:
        yield Finding("display", "warn", f"{where}: no window opens: {problem}", _advice(problem))
    else:
        yield Finding("display", "ok", f"{where}: a window opens")


def window_problem() -> str:
    """Return why no window can be opened; empty when one can.

    In a process of its own: without a reachable display Qt ends the whole process.
    """
    command = [sys.executable, "-c", OPEN_WINDOW]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"the display doesn't answer within {TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if "display" in line or "not implemented" in line]
    return (telling or lines or [f"exit status {done.returncode}"])[0][:160]


def _advice(problem: str) -> str:
    if "not implemented" in problem:
        return (
            "this OpenCV has no windows: python -m pip uninstall -y opencv-python-headless && "
            "python -m pip install --force-reinstall opencv-python"
        )
    return WITHOUT
