"""One frame against many: what `engine.priority` means, and that order is kept either way."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from rtseg.backends.base import Engine, EngineInfo, Parallelism
from rtseg.classes import CAMVID
from rtseg.cores import usable_cores
from rtseg.stream import run as run_module
from rtseg.stream.engine_request import EngineConfig
from rtseg.stream.run import Stream, parallelism
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks.sink import Sink

ALL = Parallelism(1, usable_cores())
EACH = Parallelism(usable_cores(), 1)


@pytest.mark.parametrize(
    ("priority", "live", "processor", "gpu_workers"),
    [
        ("auto", True, ALL, 1),
        ("auto", False, EACH, 2),
        ("latency", True, ALL, 1),
        ("latency", False, ALL, 1),
        ("throughput", True, EACH, 2),
        ("throughput", False, EACH, 2),
    ],
)
def test_what_a_priority_means(
    priority: Any, live: bool, processor: Parallelism, gpu_workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert parallelism(EngineConfig(priority=priority, device="cpu"), live) == processor
    monkeypatch.setattr(run_module, "pick_device", lambda name: torch.device("cuda"))
    assert parallelism(EngineConfig(priority=priority), live) == Parallelism(gpu_workers, 0)


class Uneven(Engine):
    """Takes 5 or 25 ms, and knows how many are in it at a time."""

    info = EngineInfo("uneven", "eager", "fp32", "cpu", CAMVID, (32, 48))

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self._num = 0
        self.most_inside = 0

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        with self._lock:
            self._num += 1
            self._inside += 1
            self.most_inside = max(self.most_inside, self._inside)
            slow = self._num % 3 == 0
        time.sleep(0.025 if slow else 0.005)
        with self._lock:
            self._inside -= 1
        return np.zeros((1, 32, 48), np.uint8)


class Indices(Sink):
    """Notes which frames come."""

    name = "indices"

    def __init__(self) -> None:
        self.seen: list[int] = []

    def write(self, picture: Any) -> None:
        self.seen.append(picture.frame.index)


@pytest.mark.parametrize(("priority", "workers"), [("latency", 1), ("throughput", 4)])
def test_the_newest_frames_come_in_their_order_with_several_workers_too(
    priority: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "usable_cores", lambda: 4)
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((48, 64, 3), np.uint8))
    engine, indices = Uneven(), Indices()
    config = StreamConfig.model_validate(
        {
            "source": {"uri": str(tmp_path), "loop": True, "max_frames": 1000},
            "engine": {"priority": priority, "device": "cpu"},
            "policy": "drop_oldest",
            "overlay": {"legend": False, "hud": False},
            "outputs": ("null",),
        }
    )
    with Stream(config, lambda request: engine, [indices]) as stream:
        summary = stream.run()
    assert indices.seen == sorted(set(indices.seen))
    assert 1 < len(indices.seen) <= 1000
    drops = dict(summary.drops)
    left_out_here = drops.pop("sink:indices", 0)  # each output leaves out its own
    finished = 1000 - sum(num for hop, num in drops.items() if not hop.startswith("sink:"))
    assert len(indices.seen) + left_out_here == finished
    assert engine.most_inside <= workers
    if workers > 1:
        assert engine.most_inside > 1
