"""Fixtures that every test can use."""

from __future__ import annotations

import gc
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtseg.classes import CAMVID
from rtseg.networks import SegmentationNetwork
from rtseg.networks.trained import ModelCard, TrainedNetwork
from rtseg.training.datasets import data_root

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Leave one core to each of the processes that share the tests, and to what they start.

    These hear SIGHUP, also where the tests run under nohup, which would leave it ignored.
    """
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _ignored_here)
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep modules and tests, which stay, from the garbage collector.

    It goes through all that there is, again and again: a quarter of the collection's time was its.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def _ignored_here(number: int, frame: FrameType | None) -> None:
    """Do nothing: unlike SIG_IGN a handler isn't inherited by a program that is started."""


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


class NearestColour(SegmentationNetwork):
    """Gives every cell of four pixels the class whose colour is nearest: small, quick and sure."""

    size_multiple = 4
    min_size = 4

    def __init__(self, colours_rgb: Tensor) -> None:
        super().__init__(len(colours_rgb))
        self.blur = nn.Conv2d(3, 3, 8, 4, 2, groups=3, bias=False)
        nn.init.constant_(self.blur.weight, 1 / 64)
        self.classifier = nn.Conv2d(3, len(colours_rgb), 1)
        with torch.no_grad():  # |x - c|^2 without |x|^2, which is the same for all classes
            self.classifier.weight.copy_(2 * colours_rgb[:, :, None, None])
            self.classifier.bias.copy_(-(colours_rgb**2).sum(1))

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        return self.classifier(self.blur(images))


@pytest.fixture(scope="session")
def nearest_colour() -> TrainedNetwork:
    """A network of two convolutions that is as good as trained, under a registered name."""
    card = ModelCard("nearest-colour", "linknet", CAMVID, (96, 128))
    scale, shift = (values.flatten() for values in card.normalisation.scale_shift())
    colours = torch.tensor(CAMVID.colours_rgb, dtype=torch.float32) * scale + shift
    return TrainedNetwork(NearestColour(colours).eval(), card)
