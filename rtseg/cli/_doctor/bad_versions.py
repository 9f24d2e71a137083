"""Versions of packages that are known to misbehave, and what to install instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadVersion:
    """A range of versions that misbehaves.

    Args:
        package: what pip calls it, lower case with hyphens; wheels of one family share an entry.
        first: the first bad version.
        end: the first good one after it.
        effect: what goes wrong, in a few words.
        advice: what to do.
        beside: only bad beside this package at this version or a later one.
    """

    package: str
    first: str
    end: str
    effect: str
    advice: str
    beside: tuple[str, str] | None = None

    def fits(self, package: str, version: str, installed: Mapping[str, str]) -> bool:
        """Say whether an installed package is one of these."""
        if package != self.package:
            return False
        if not parts(self.first) <= parts(version) < parts(self.end):
            return False
        if self.beside is None:
            return True
        name, least = self.beside
        return name in installed and parts(installed[name]) >= parts(least)


def _pip(requirement: str) -> str:
    return f"python -m pip install '{requirement}'"


BAD_VERSIONS = (
    BadVersion("torch", "0", "2.8", "too old for rtseg", _pip("torch>=2.8,<2.14")),
    BadVersion("torch", "2.14", "99", "newer than rtseg was tested with", _pip("torch<2.14")),
    BadVersion("numpy", "0", "1.26", "too old for rtseg", _pip("numpy>=1.26,<3")),
    BadVersion("opencv-python", "0", "4.8", "too old for rtseg", _pip("opencv-python>=4.12")),
    BadVersion(
        "opencv-python",
        "4.8",
        "4.10.0.84",
        "built for numpy 1, crashes beside numpy 2",
        _pip("opencv-python>=4.12"),
        beside=("numpy", "2"),
    ),
    BadVersion(
        # opencv/opencv#27091: Linux wheels only.
        "opencv-python",
        "4.11.0.86",
        "4.11.0.87",
        "ignores OPENCV_FFMPEG_CAPTURE_OPTIONS",
        _pip("opencv-python>=4.12"),
    ),
    BadVersion("av", "0", "14", "too old for rtseg's recordings", _pip("av>=14")),
    BadVersion(
        # PyAV-Org/PyAV#2411
        "av",
        "16",
        "17",
        "a hardware decoder that fails ends the whole process",
        _pip("av>=17") + ", or don't ask for hardware decoding",
    ),
    BadVersion(
        # ultralytics/ultralytics#24367
        "tensorrt",
        "10.2",
        "10.2.1",
        "can't load its own builder library",
        _pip("tensorrt!=10.2.0"),
    ),
    BadVersion(
        # openvinotoolkit/openvino#38256
        "openvino",
        "2026.4.0",
        "2026.4.1",
        "wrong bf16 matrix products on CPUs with AVX-512 BF16 but no AMX",
        "take --precision fp32 or int8 there, or another version of openvino",
    ),
)


def warning(package: str, version: str, installed: Mapping[str, str]) -> BadVersion | None:
    """Return the known problem of an installed package, if it has one.

    Args:
        package: what pip calls it.
        version: its version.
        installed: all packages and their versions.
    """
    family = package.replace("-contrib", "").removesuffix("-headless")
    return next((bad for bad in BAD_VERSIONS if bad.fits(family, version, installed)), None)


def parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a version for comparing: ``"2.13.0+cpu"`` is (2, 13, 0)."""
    release = re.split(r"[^0-9.]", version, maxsplit=1)[0]
    return tuple(int(part) for part in release.split(".") if part)
