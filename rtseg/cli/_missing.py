"""What is told to people when a package that rtseg is built on is not there, or can't be loaded."""

from __future__ import annotations

DISTRIBUTIONS = {
    "torch": "torch",
    "cv2": "opencv-python",
    "numpy": "numpy",
    "yaml": "pyyaml",
    "pydantic": "pydantic",
    "av": "av",
    "safetensors": "safetensors",
    "rich": "rich",
}
"""Import name → what pip calls it, of every package that rtseg can't do without."""

SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
}
"""Shared libraries that wheels expect of the system and slim images lack → their apt package."""


def missing(error: ImportError) -> str | None:
    """Return what is missing and the command that brings it; None where neither is known."""
    text = " ".join(str(error).split())
    for library, package in SYSTEM_LIBRARIES.items():
        if library in text:
            return f"the system lacks {library}: sudo apt install {package}"
    name = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and name in DISTRIBUTIONS:
        return (
            f"the package {DISTRIBUTIONS[name]!r} is not installed: python -m pip install . in the "
            f"folder of rtseg brings everything, python -m pip install {DISTRIBUTIONS[name]} it "
            "alone"
        )
    return None
