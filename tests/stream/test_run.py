from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from rtseg.backends.base import Engine, EngineInfo
from rtseg.backends.eager import EagerEngine
from rtseg.classes import ClassSet
from rtseg.demo_drive import DemoDrive
from rtseg.errors import EngineError, SourceError
from rtseg.metrics import confusion_counts, mean_iou
from rtseg.networks.trained import load_trained
from rtseg.opening import open_engine
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import read_class_maps
from rtseg.training.predictor import Predictor

NUM_LEVELS = 40
LEVELS = ClassSet(
    "levels",
    tuple(f"level {index}" for index in range(NUM_LEVELS)),
    tuple((6 * index, 0, 0) for index in range(NUM_LEVELS)),
)


class Levels(torch.nn.Module):
    """The brightness of each pixel in steps of 6 as its class: knows each frame exactly."""

    def forward(self, images_bgr: torch.Tensor) -> torch.Tensor:
        return (images_bgr[..., 0].to(torch.int32) // 6).to(torch.int8)


def open_levels(request: EngineRequest) -> Engine:
    info = EngineInfo("levels", "eager", "fp32", "cpu", LEVELS, (32, 48))
    return EagerEngine(Levels(), info, torch.device("cpu"), request.parallelism)


def write_levels(folder: Path) -> Path:
    folder.mkdir()
    for index in range(NUM_LEVELS):
        image = np.full((64, 96, 3), 6 * index + 3, np.uint8)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    return folder


def test_every_mask_is_that_of_its_own_frame(tmp_path: Path) -> None:
    masks = tmp_path / "masks.mkv"
    config = StreamConfig.model_validate(
        {"source": {"uri": str(write_levels(tmp_path / "in"))}, "masks": masks}
    )
    with Stream(config, open_levels) as stream:
        summary = stream.run()
    assert summary.pictures == NUM_LEVELS
    seen = [np.unique(labels).tolist() for _, labels in read_class_maps(masks)]
    assert seen == [[index] for index in range(NUM_LEVELS)]


def test_a_view_can_draw_a_finished_picture_in_another_style(tmp_path: Path) -> None:
    overlay = {"hud": False, "legend": False, "alpha": 0.5}
    config = StreamConfig.model_validate(
        {"source": {"uri": str(write_levels(tmp_path / "in"))}, "overlay": overlay}
    )
    with Stream(config, open_levels) as stream:
        pictures = stream.pictures()
        next(pictures)
        picture = next(pictures)
        redraw, level = stream.info.redraw, LEVELS.palette_bgr()[1]
        assert redraw is not None
        assert np.array_equal(redraw(picture.class_map).image_bgr, picture.image_bgr)
        stream.controls.style = stream.controls.style.model_copy(update={"mode": "mask"})
        redrawn = redraw(picture.class_map)
    assert redrawn.frame is picture.frame
    assert (redrawn.image_bgr == level).all()
    assert (picture.image_bgr != redrawn.image_bgr).any()


def test_masks_of_the_demo_drive_fit_their_own_truth_best(tmp_path: Path) -> None:
    stride, count, masks = 15, 5, tmp_path / "masks.mkv"
    config = StreamConfig.model_validate(
        {
            "source": {"uri": "demo:3", "stride": stride, "max_frames": count},
            "engine": {"size_wh": (320, 192), "backend": "eager"},
            "masks": masks,
        }
    )
    with Stream(config, open_engine) as stream:
        stream.run()
    labels = [labels for _, labels in read_class_maps(masks)]
    drive = DemoDrive(seed=3)
    truths = [drive.render(stride * index)[1] for index in range(count)]

    def fit(shift: int) -> float:
        pairs = [(truths[i], labels[i - shift]) for i in range(1, count - 1)]
        return mean_iou(sum(confusion_counts(truth, mask, 11) for truth, mask in pairs))

    assert fit(0) > 1.2 * max(fit(-1), fit(1))


def test_a_film_scores_as_its_pictures_do(shared_data: Path, tmp_path: Path) -> None:
    """The whole way through decoder, fit and lossless masks costs at most half a point of mIoU."""
    masks = tmp_path / "masks.mkv"
    film = shared_data / "videos" / "camvid_val_0016E5_15hz.mp4"
    config = StreamConfig.model_validate(
        {
            "source": {"uri": str(film), "stride": 4},
            "model": "icnet-camvid",
            "engine": {"precision": "fp32", "backend": "eager"},
            "masks": masks,
        }
    )
    with Stream(config, open_engine) as stream:
        stream.run()
    pictures = sorted((shared_data / "camvid" / "val").glob("*.png"))[::4]
    trained = load_trained("icnet-camvid")
    predictor = Predictor(trained.network, trained.card.normalisation, torch.device("cpu"))
    of_film = of_pictures = np.zeros((11, 12), np.int64)
    for picture, (_, labels) in zip(pictures, read_class_maps(masks), strict=True):
        truth = cv2.imread(str(shared_data / "camvid" / "valannot" / picture.name), -1)
        truth = np.where(truth == 11, 255, truth).astype(np.uint8)
        of_film = of_film + confusion_counts(truth, labels, 11)
        predicted = predictor.labels([cv2.imread(str(picture))])[0]
        of_pictures = of_pictures + confusion_counts(truth, predicted, 11)
    assert abs(mean_iou(of_film) - mean_iou(of_pictures)) < 0.005


def test_a_missing_source_leaves_nothing_open(tmp_path: Path) -> None:
    config = StreamConfig.model_validate({"source": {"uri": "nothing.mp4"}, "outputs": ("null",)})
    with pytest.raises(SourceError, match=r"nothing\.mp4"):
        Stream(config, open_levels)


def test_an_engine_that_can_not_be_had_is_an_error_of_the_start() -> None:
    def refuse(request: EngineRequest) -> Engine:
        raise EngineError(f"no {request.model} here")

    config = StreamConfig.model_validate({"outputs": ("null",)})
    with pytest.raises(EngineError, match="ddrnet"):
        Stream(config, refuse)


def test_the_engine_follows_the_sources_proportions() -> None:
    requests: list[EngineRequest] = []

    def note(request: EngineRequest) -> Engine:
        requests.append(request)
        return open_levels(request)

    for size, smooth, output in (((640, 360), 0.0, "labels"), ((480, 360), 0.5, "scores")):
        config = StreamConfig.model_validate(
            {"source": {"size_wh": size}, "postprocess": {"smooth": smooth}, "outputs": ("null",)}
        )
        with Stream(config, note):
            pass
        assert requests[-1].frame_hw == size[::-1]
        assert requests[-1].output == output
