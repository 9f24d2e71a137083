"""The dense CRF in a stream: on the engine's grid, within what shows the frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from rtseg.backends.base import Engine, EngineInfo
from rtseg.backends.eager import EagerEngine
from rtseg.classes import CAMVID, VOID
from rtseg.dense_crf import DenseCrfConfig
from rtseg.errors import DataError, EngineError
from rtseg.fit import Fit
from rtseg.frames import Frame
from rtseg.stream.engine_request import EngineRequest
from rtseg.stream.inferred import Inferred
from rtseg.stream.postprocess import Postprocess, PostprocessConfig
from rtseg.stream.refinement import Refinement
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.smoothing import best_class

HW = (90, 160)
CPU = torch.device("cpu")
CRF = PostprocessConfig(dense_crf=DenseCrfConfig())


def street() -> tuple[Frame, npt.NDArray[np.uint8]]:
    """A picture of sky, a house, the road and a car, in noisy colours, and its labels."""
    truth = np.zeros(HW, np.uint8)
    truth[52:] = 3
    cv2.fillPoly(truth, [np.array([[90, 51], [90, 20], [118, 8], [146, 24], [146, 51]])], 1)
    cv2.circle(truth, (50, 56), 13, 8, -1)
    colours = np.random.default_rng(1).integers(40, 220, (len(CAMVID), 3))
    noise = np.random.default_rng(2).integers(-3, 4, (*HW, 3))
    return Frame((colours[truth] + noise).astype(np.uint8), 0, 0.0, 0, "street"), truth


def blurred_scores(truth: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What an unsure network of a coarse grid says: the truth, its borders washed out."""
    planes = np.stack([truth == label for label in range(len(CAMVID))]).astype(np.float32)
    coarse = [cv2.resize(plane, (40, 22), interpolation=cv2.INTER_AREA) for plane in planes]
    fine = np.stack([cv2.resize(plane, HW[::-1]) for plane in coarse])
    shares: npt.NDArray[np.float32] = (fine + 0.02) / (fine + 0.02).sum(axis=0)
    return shares.astype(np.float32)


def test_borders_come_closer_to_the_truth() -> None:
    frame, truth = street()
    scores = blurred_scores(truth)
    item = Inferred(frame, Fit("stretch", HW, HW), scores)
    assert (best_class(scores) == truth).mean() < 0.998
    assert (Postprocess(CRF, CAMVID).process(item).labels == truth).mean() > 0.9995


def test_bars_stay_void_and_do_not_matter() -> None:
    frame, truth = street()
    fit = Fit("letterbox", HW, (112, 160))
    height = fit.content_hw[0]
    refinement = Refinement(DenseCrfConfig(), CPU)
    maps = []
    for noise in (0.0, 1.0):
        scores = np.full((len(CAMVID), 112, 160), noise, np.float32)
        scores[:, :height] = blurred_scores(truth)
        maps.append(refinement.labels(Inferred(frame, fit, scores)))
    assert (maps[0][height:] == VOID).all()
    assert (maps[0][:height] < len(CAMVID)).all()
    assert np.array_equal(*maps)


def test_scores_of_zero_are_no_obstacle() -> None:
    frame, truth = street()
    certain = np.eye(len(CAMVID), dtype=np.float32)[truth].transpose(2, 0, 1)
    item = Inferred(frame, Fit("stretch", HW, HW), np.ascontiguousarray(certain))
    assert (Postprocess(CRF, CAMVID).process(item).labels == truth).mean() > 0.98


def test_what_is_smoothed_over_time_is_refined() -> None:
    frame, truth = street()
    config = CRF.model_copy(update={"smooth": 0.9})
    stage, fit = Postprocess(config, CAMVID), Fit("stretch", HW, HW)
    plain = Postprocess(CRF, CAMVID)
    for index in range(4):
        item = Inferred(Frame(frame.image_bgr, index, index / 30, 0, "still"), fit,
                        blurred_scores(truth))  # fmt: skip
        calm = stage.process(item).labels
    assert np.array_equal(calm, plain.process(item).labels)
    wrong = np.roll(blurred_scores(truth), 1, axis=0)
    odd = Inferred(Frame(frame.image_bgr, 4, 4 / 30, 0, "still"), fit, wrong)
    assert (stage.process(odd).labels == calm).mean() > 0.95


def test_labels_are_refused_with_what_to_do() -> None:
    frame, truth = street()
    with pytest.raises(DataError, match="--output scores"):
        Postprocess(CRF, CAMVID).process(Inferred(frame, Fit("stretch", HW, HW), truth))


class Grey(torch.nn.Module):
    """Says the first class everywhere."""

    def forward(self, images_bgr: torch.Tensor) -> torch.Tensor:
        return torch.zeros(images_bgr.shape[:3], dtype=torch.int8)


def test_a_stream_asks_for_scores_and_refuses_an_engine_of_labels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((*HW, 3), np.uint8))
    config = StreamConfig.model_validate(
        {"source": {"uri": str(tmp_path)}, "postprocess": {"dense_crf": {}}, "outputs": ["null"]}
    )
    asked: list[EngineRequest] = []

    def open_grey(request: EngineRequest) -> Engine:
        asked.append(request)
        info = EngineInfo("grey", "eager", "fp32", "cpu", CAMVID, (32, 48))
        return EagerEngine(Grey(), info, CPU, request.parallelism)

    with pytest.raises(EngineError, match="rtseg export grey --output scores"):
        Stream(config, open_grey)
    assert asked[0].output == "scores"
    config = config.model_copy(update={"postprocess": PostprocessConfig()})
    with Stream(config, open_grey) as stream:
        assert stream.run().pictures == 1
    assert asked[1].output == "labels"
