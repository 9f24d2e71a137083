"""What builds TensorRT plans, where it is installed."""

from __future__ import annotations

import importlib.util
import os

import pytest

from rtseg.export.tensorrt_toolchain import Toolchain, installed_package, open_toolchain


def skip_or_fail(name: str, reason: str) -> None:
    """Skip the test, or fail it where RTSEG_REQUIRE names what is missing."""
    required = {each.strip() for each in os.environ.get("RTSEG_REQUIRE", "").split(",")}
    if name in required:
        pytest.fail(f"RTSEG_REQUIRE names {name}, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Torch-TensorRT with TensorRT-RTX, which builds without a GPU."""
    if installed_package() != "tensorrt_rtx":
        skip_or_fail("tensorrt-rtx", "torch-tensorrt-rtx is not installed")
    return open_toolchain()


@pytest.fixture(scope="session")
def modelopt() -> None:
    """NVIDIA's Model Optimizer."""
    if importlib.util.find_spec("modelopt") is None:
        skip_or_fail("modelopt", "nvidia-modelopt is not installed")
