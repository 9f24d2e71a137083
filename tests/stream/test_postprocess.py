"""From an engine's output to class maps of the frame."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from rtseg.classes import CAMVID, CITYSCAPES, VOID
from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError
from rtseg.fit import Fit, FitMode
from rtseg.frames import Frame
from rtseg.stream.inferred import Inferred
from rtseg.stream.postprocess import Postprocess, PostprocessConfig

HW = (90, 160)


@lru_cache
def drive(hw: tuple[int, int]) -> DemoDrive:
    return DemoDrive(1, hw[1], hw[0])


def frame_of(index: int = 0, hw: tuple[int, int] = HW) -> Frame:
    image, truth = drive(hw).render(index)
    return Frame(image, index, index / 30, 0, "demo", truth)


def seen_labels(frame: Frame, fit: Fit) -> npt.NDArray[np.uint8]:
    """What a perfect engine says: the truth, brought to the input like the picture."""
    assert frame.truth is not None
    labels = np.zeros(fit.engine_hw, np.uint8)
    height, width = fit.content_hw
    labels[:height, :width] = cv2.resize(
        frame.truth[fit.seen], (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return labels


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("edges", ["smooth", "nearest"])
def test_class_maps_lie_on_their_frames(mode: FitMode, edges: str) -> None:
    frame = frame_of()
    fit = Fit(mode, HW, (72, 96))
    stage = Postprocess(PostprocessConfig(edges=edges), CAMVID)  # type: ignore[arg-type]
    result = stage.process(Inferred(frame, fit, seen_labels(frame, fit)))
    assert result.frame is frame
    assert result.classes is CAMVID
    assert result.labels.shape == HW
    inside = result.labels[fit.seen] == frame.truth[fit.seen]  # type: ignore[index]
    assert inside.mean() > 0.9
    assert np.count_nonzero(result.labels == VOID) == result.labels.size - inside.size


def test_a_map_that_lags_one_frame_would_be_noticed() -> None:
    """Each map is nearer to its own frame's truth than to its neighbours'."""
    stage = Postprocess(PostprocessConfig(), CAMVID)
    fit = Fit("stretch", (180, 320), (90, 160))
    frames = [frame_of(index, (180, 320)) for index in range(0, 15, 3)]
    maps = [stage.process(Inferred(frame, fit, seen_labels(frame, fit))) for frame in frames]
    for position, found in enumerate(maps):
        right = [float((found.labels == frame.truth).mean()) for frame in frames]
        assert right.index(max(right)) == position
        assert found.frame is frames[position]


@pytest.mark.parametrize("smooth", [0.0, 0.7])
def test_scores_and_labels_give_the_same_first_map(smooth: float) -> None:
    frame = frame_of()
    fit = Fit("letterbox", HW, (72, 96))
    labels = seen_labels(frame, fit)
    scores = np.ascontiguousarray(np.eye(11, dtype=np.float32)[labels].transpose(2, 0, 1))
    config = PostprocessConfig(smooth=smooth)
    maps = [
        Postprocess(config, CAMVID).process(Inferred(frame, fit, output)).labels
        for output in (labels, scores)
    ]
    assert np.array_equal(*maps)


def test_temporal_smoothing_is_part_of_it() -> None:
    image = frame_of().image_bgr
    frames = [Frame(image, index, index / 30, 0, "still") for index in range(6)]
    fit = Fit("stretch", HW, HW)
    stage = Postprocess(PostprocessConfig(smooth=0.8), CAMVID)
    outputs = [np.full(HW, 5 if index == 4 else 3, np.uint8) for index in range(6)]
    for frame, output in zip(frames, outputs, strict=True):
        assert (stage.process(Inferred(frame, fit, output)).labels == 3).all()


def test_the_bonnet_is_void(tmp_path: Path) -> None:
    mask = np.zeros((9, 16), np.uint8)
    mask[8:] = 255
    cv2.imwrite(str(tmp_path / "hood.png"), mask)
    stage = Postprocess(PostprocessConfig(hood=str(tmp_path / "hood.png")), CAMVID)
    output = np.full(HW, 3, np.uint8)
    labels = stage.process(Inferred(frame_of(), Fit("stretch", HW, HW), output)).labels
    assert (labels[:80] == 3).all()
    assert (labels[80:] == VOID).all()
    assert (output == 3).all()


def test_a_missing_mask_ends_before_the_first_frame(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hood\.png"):
        Postprocess(PostprocessConfig(hood=str(tmp_path / "hood.png")), CAMVID)


def test_outputs_are_checked() -> None:
    frame, fit = frame_of(), Fit("stretch", HW, (72, 96))
    with pytest.raises(DataError, match="int64"):
        Inferred(frame, fit, np.zeros((72, 96), np.int64))
    with pytest.raises(DataError, match="doesn't belong"):
        Inferred(frame, fit, np.zeros((96, 72), np.uint8))
    with pytest.raises(DataError, match="doesn't belong"):
        Inferred(frame, Fit("stretch", (50, 50), (72, 96)), np.zeros((72, 96), np.uint8))
    scores = Inferred(frame, fit, np.zeros((11, 72, 96), np.float32))
    with pytest.raises(DataError, match=r"11 classes.*19"):
        Postprocess(PostprocessConfig(), CITYSCAPES).process(scores)
    assert "scores" in repr(scores)


@pytest.mark.parametrize("smooth", [-0.1, 1.0])
def test_strengths_out_of_range(smooth: float) -> None:
    with pytest.raises(ValidationError):
        PostprocessConfig(smooth=smooth)
