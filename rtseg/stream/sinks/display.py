"""Whether this machine can show a window, found out without a risk to this process."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys

import cv2

_TIMEOUT_S = 15.0
_PROBE = """
import importlib, sys
libraries, sys.path[:] = sys.argv[1].split(), sys.argv[2:]
for library in libraries:
    importlib.import_module(library)
import cv2
cv2.namedWindow("rtseg")
cv2.destroyAllWindows()
"""
_RIVALS = ("cv2", "av")
"""Both bring X11 libraries of their own, of the same names: in some versions and orders of import
a window then hangs for ever."""


def has_display() -> bool:
    """Return whether a window can be shown; the first call may take half a second."""
    return display_problem() is None


@functools.cache
def display_problem() -> str | None:
    """Return why no window can be shown, in one line; None where one can be.

    Qt ends the whole process where it can't reach the display, and hangs where PyAV's libraries
    got in its way. So the first window is opened by a process of its own, with the same libraries
    in the same order.
    """
    if not _toolkit():
        return (
            "this OpenCV can't show windows (opencv-python-headless?): pip uninstall "
            "opencv-python-headless, then pip install --force-reinstall opencv-python"
        )
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return _probe()


def _toolkit() -> str:
    """Return the name of OpenCV's window toolkit; empty where it was built without one."""
    if hasattr(cv2, "currentUIFramework"):
        return str(cv2.currentUIFramework())
    found = re.search(r"^\s*GUI:[ \t]*(\S*)", cv2.getBuildInformation(), re.MULTILINE)
    return found[1].replace("NONE", "") if found else ""


def _probe() -> str | None:
    libraries = " ".join(name for name in sys.modules if name in _RIVALS)
    try:
        result = subprocess.run(
            [sys.executable, "-c", _PROBE, libraries, *sys.path],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return (
            f"a window hangs for {_TIMEOUT_S:.0f} s: the display doesn't answer, or this OpenCV "
            "and this PyAV don't go together (pip install --upgrade opencv-python av)"
        )
    except OSError as error:
        return f"the display can't be tried: {error.strerror}"
    if result.returncode == 0:
        return None
    return f"the display {_display_name()} can't be used: {_reason(result.stderr)}"


def _display_name() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""


def _reason(stderr: str) -> str:
    lines = [" ".join(line.split()) for line in stderr.splitlines() if line.strip()]
    told = [line for line in lines if "could not" in line.lower() or "error" in line.lower()]
    return (told or lines or ["no reason was given"])[0][:200]
