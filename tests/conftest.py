"""Fixtures that every test can use."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from rtseg.training.datasets import data_root

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Start every test from the same random state and leave none of its own behind."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with CamVid, the clips and the metric fixture; skipped where it is absent."""
    folder = data_root()
    if not (folder / "camvid" / "train").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the data folder is missing: {folder}")
        pytest.skip(f"no data at {folder}; set RTSEG_DATA")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT
