"""Which packages are installed, in which versions, and which versions are known to be bad.

Nothing is imported: what can't be imported has its own probe.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

from rtseg import __version__
from rtseg.cli._doctor.bad_versions import warning
from rtseg.cli._doctor.finding import Finding
from rtseg.cli._missing import DISTRIBUTIONS

SUPPORTED_PYTHONS = ((3, 10), (3, 13))
OPENCV_WHEELS = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
"""All of them install the same module `cv2`; two of them overwrite each other's files."""

OPTIONAL = {
    "openvino": ("pip install 'rtseg[openvino]'", "fast on CPUs"),
    "tensorrt": ("pip install 'rtseg[tensorrt]'", "NVIDIA GPUs only"),
    "torch-tensorrt": ("pip install 'rtseg[tensorrt]'", "builds TensorRT engines"),
    "tensorboard": ("pip install 'rtseg[train]'", "training only"),
    "matplotlib": ("pip install 'rtseg[train]'", "charts of training and benchmark"),
}
"""Package → the command that brings it, and what for."""

ALIASES = {"tensorrt": ("tensorrt_rtx",), "torch-tensorrt": ("torch-tensorrt-rtx",)}
"""Siblings that do the same job under another name."""


def probe() -> Iterator[Finding]:
    """Look at Python, rtseg, the packages it needs and those it can use."""
    installed = {_normal(each.metadata["Name"]): each.version for each in distributions()}
    yield python(sys.version_info[:3])
    yield Finding("rtseg", "ok", f"{__version__} in {Path(__file__).resolve().parents[2]}")
    for name in DISTRIBUTIONS.values():
        yield _opencv(installed) if name == "opencv-python" else required(name, installed)
    for name, (command, purpose) in OPTIONAL.items():
        yield optional(name, command, purpose, installed)


def python(version: tuple[int, ...]) -> Finding:
    """Judge a version of Python."""
    least, most = SUPPORTED_PYTHONS
    text = ".".join(map(str, version))
    if least <= version[:2] <= most:
        return Finding("Python", "ok", f"{text} in {sys.prefix}")
    allowed = "{}.{} to {}.{}".format(*least, *most)
    return Finding("Python", "warn", text, f"rtseg is tested on Python {allowed}: use one of them")


def required(name: str, installed: Mapping[str, str]) -> Finding:
    """Judge a package that rtseg can't do without."""
    version = installed.get(_normal(name))
    if version is None:
        return Finding(name, "missing", "not installed", f"python -m pip install {name}", True)
    return _judged(name, version, installed)


def optional(name: str, command: str, purpose: str, installed: Mapping[str, str]) -> Finding:
    """Judge a package that rtseg can use."""
    for each in (name, *ALIASES.get(name, ())):
        version = installed.get(_normal(each))
        if version is not None:
            return _judged(each, version, installed)
    return Finding(name, "missing", f"not installed ({purpose})", f"if wanted: {command}")


def _opencv(installed: Mapping[str, str]) -> Finding:
    found = [name for name in OPENCV_WHEELS if name in installed]
    if len(found) == 1:
        return _judged(found[0], installed[found[0]], installed)
    if not found:
        # A distribution's own OpenCV, as on a Jetson, isn't known to pip; the next probe tells.
        return Finding(
            "opencv-python",
            "warn",
            "not installed by pip",
            "right for a system's own OpenCV; else: python -m pip install opencv-python",
        )
    return Finding(
        "opencv-python",
        "warn",
        f"installed several times: {', '.join(found)}; their files overwrite each other",
        f"python -m pip uninstall -y {' '.join(found)} && python -m pip install opencv-python",
    )


def _judged(name: str, version: str, installed: Mapping[str, str]) -> Finding:
    problem = warning(name, version, installed)
    if problem is None:
        return Finding(name, "ok", version)
    return Finding(name, "warn", f"{version}: {problem.effect}", problem.advice)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
