"""The device path on the CPU: the same class maps and pictures as the ordinary way's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.demo_drive import DemoDrive
from rtseg.errors import EngineError
from rtseg.export.eager import eager_engine
from rtseg.fit import Fit, FitMode
from rtseg.frames import ClassMap, Frame
from rtseg.networks.trained import TrainedNetwork
from rtseg.stream.device_path import DevicePath
from rtseg.stream.device_path.device_colouring import DeviceColouring
from rtseg.stream.device_path.device_fit import DeviceFit
from rtseg.stream.edges import smooth_labels_to_frame
from rtseg.stream.engine_slot import EngineSlot
from rtseg.stream.overlay.colouring import Colouring
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.style import OverlayMode, OverlayStyle
from rtseg.stream.settings import StreamConfig

CPU = torch.device("cpu")
SIZES = [
    ((96, 160), (96, 160)),
    ((190, 320), (64, 96)),
    ((75, 101), (96, 128)),
    ((64, 64), (9, 17)),
]


@lru_cache
def drive(hw: tuple[int, int]) -> DemoDrive:
    return DemoDrive(3, max(64, hw[1]), max(48, hw[0]))


def picture(hw: tuple[int, int], index: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return drive(hw).render(index)


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize(("frame_hw", "engine_hw"), SIZES)
def test_frames_are_fitted_alike(
    mode: FitMode, frame_hw: tuple[int, int], engine_hw: tuple[int, int]
) -> None:
    fit = Fit(mode, frame_hw, engine_hw)
    image, _ = picture(frame_hw)
    expected = fit.apply(image).astype(int)
    actual = DeviceFit(fit, CPU, smooth=True).apply(torch.from_numpy(image)).numpy()
    assert actual.dtype == np.uint8
    assert np.abs(actual - expected).max() <= 2
    assert np.abs(actual - expected).mean() < 0.3


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize(("frame_hw", "engine_hw"), SIZES)
def test_labels_come_back_alike(
    mode: FitMode, frame_hw: tuple[int, int], engine_hw: tuple[int, int]
) -> None:
    fit = Fit(mode, frame_hw, engine_hw)
    labels = np.random.default_rng(1).integers(0, 3, engine_hw, np.uint8)
    for smooth, way in ((True, smooth_labels_to_frame), (False, Fit.labels_to_frame)):
        actual = DeviceFit(fit, CPU, smooth=smooth).labels_to_frame(torch.from_numpy(labels))
        np.testing.assert_array_equal(actual.numpy(), way(fit, labels))


@pytest.mark.parametrize("mode", ["overlay", "mask", "side-by-side", "picture"])
@pytest.mark.parametrize("outlines", [False, True])
@pytest.mark.parametrize("hide", [(), ("Road", "Sky")])
def test_pictures_are_painted_alike(
    mode: OverlayMode, outlines: bool, hide: tuple[str, ...]
) -> None:
    hide = tuple(CAMVID.names[CAMVID.id_of(name)] for name in hide)
    style = OverlayStyle(
        mode=mode, alpha=0.4, outlines=outlines, hide=hide, legend=False, hud=False
    )
    image, labels = picture((120, 200))
    labels[:9, :9] = 255
    frame = Frame(image, 0, 0.0, time.monotonic_ns(), "test")
    overlay = Overlay(lambda: style, CAMVID, lambda: HudValues(0, 0, "", 0, None))
    expected = overlay.process(ClassMap(labels, CAMVID, frame)).image_bgr.astype(int)
    colouring = DeviceColouring(style, Colouring(style, CAMVID), CPU)
    actual = colouring.paint(torch.from_numpy(image), torch.from_numpy(labels)).numpy()
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1


@pytest.fixture
def slot(nearest_colour: TrainedNetwork) -> Iterator[EngineSlot]:
    with EngineSlot(eager_engine(nearest_colour, (64, 96), "fp32", device="cpu")) as slot:
        yield slot


def frames(hw: tuple[int, int], count: int) -> Iterator[Frame]:
    for index in range(count):
        yield Frame(picture(hw, index)[0], index, index / 30, time.monotonic_ns(), "test")


def test_a_new_size_style_or_engine_is_followed(
    slot: EngineSlot, nearest_colour: TrainedNetwork
) -> None:
    style = OverlayStyle(mode="mask")
    path = DevicePath(StreamConfig(), slot, lambda: style)
    for hw in ((96, 160), (128, 128), (96, 160)):
        for frame in frames(hw, 2):
            painted = path.process(frame)
            assert painted.class_map.frame is frame
            assert painted.image_bgr.shape == (*hw, 3)
    style = OverlayStyle(mode="picture")
    painted = path.process(frame)
    np.testing.assert_array_equal(painted.image_bgr, frame.image_bgr)
    slot.swap(eager_engine(nearest_colour, (64, 96), "fp32", device="cpu"))
    after = path.process(frame)
    np.testing.assert_array_equal(after.class_map.labels, painted.class_map.labels)
    assert after.image_bgr is not painted.image_bgr


def test_a_closed_engine_is_named(slot: EngineSlot) -> None:
    path = DevicePath(StreamConfig(), slot, OverlayStyle)
    slot.close()
    with pytest.raises(EngineError, match="no graph for pictures on the device"):
        path.process(next(frames((96, 160), 1)))


def read(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="gray") for frame in film.decode(video=0)])


def test_a_stream_by_the_device_path_gives_the_same_class_maps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    common = ("stream", "demo", "--size", "160x96", "--max-frames", "6", "--backend", "eager")
    common = (*common, "--engine-size", "96x64", "--precision", "fp32", "-q", "-o", "null")
    ways = {"ordinary": "false", "device": "true"}
    for name, on in ways.items():
        masks = str(tmp_path / f"{name}.mkv")
        assert main([*common, "--masks", masks, "--set", f"engine.device_path={on}"]) == 0
    maps = [read(tmp_path / f"{name}.mkv") for name in ways]
    assert maps[0].shape == (6, 96, 160)
    assert (maps[0] == maps[1]).mean() > 0.99  # the input may be a level off
    assert not [text for text in caplog.messages if "device path" in text]


def test_what_keeps_a_stream_from_the_device_path_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    common = ["stream", "demo", "--size", "160x96", "--max-frames", "2", "--backend", "eager"]
    common += ["--engine-size", "96x64", "-q", "-o", "null", "--set", "engine.device_path=true"]
    assert main([*common, "--smooth", "0.8"]) == 0
    assert "not by the device path: temporal smoothing" in caplog.text
