"""Each stage of the stream alone, in a plain loop over the same frames.

In the stream the stages run side by side and wait for one another; here each shows what it costs.
OpenCV has one thread, so that a millisecond of wall time is a millisecond of one core; only the
encoder and the decoder bring threads of their own, which the CPU figures count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.backends.base import Engine, Parallelism
from rtseg.bench.job import Job, Part, Parts
from rtseg.bench.measure import TimedOpener, case_of, frame_hw, stream_config
from rtseg.bench.meter import PartMeter
from rtseg.cores import usable_cores
from rtseg.device import pick_device
from rtseg.frames import ClassMap, Frame, Picture
from rtseg.stream.controls import Controls
from rtseg.stream.engine_request import EngineOpener, EngineRequest
from rtseg.stream.infer import Infer
from rtseg.stream.inferred import Inferred
from rtseg.stream.latency import Latency
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.postprocess import Postprocess, PostprocessConfig
from rtseg.stream.preprocess import Preprocess
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import open_sinks
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sources import open_source
from rtseg.stream.sources.source import SourceInfo
from rtseg.stream.stage import Stage

HD_HW = (720, 1280)
"""Height and width of the frames that the overlay's promise is about."""


def measure_parts(job: Job, open_engine: EngineOpener) -> Parts:
    """Measure decoding, every stage and encoding.

    Args:
        job: the video, how many of its frames, and the engine.
        open_engine: opens the engine, twice: for one core and for all.

    Raises:
        RtsegError: the source or the engine can't be had, or failed.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _measure(job, open_engine)
    finally:
        cv2.setNumThreads(threads)


def _measure(job: Job, open_engine: EngineOpener) -> Parts:
    config = stream_config(job, job.folder / "parts.mp4")
    source, frames, decode = _decode(config)
    opener = TimedOpener(open_engine)
    inferred, engine, engine_parts = _segment(job, config, frames, opener)
    classes = engine.info.classes
    maps, post_parts = _postprocess(config, engine, inferred)
    overlay = Overlay(lambda: config.overlay, classes, lambda: _hud(engine))
    pictures, overlay_part = _loop("overlay", overlay, maps)
    larger = [_enlarged(each) for each in maps]
    _, hd_part = _loop("overlay and HUD at 1280x720", overlay, larger, on_the_way=False)
    info = StreamInfo(source, classes, str(engine.info), Controls(config.overlay), Latency())
    encode = _encode(config, info, pictures)
    return Parts(
        engine=str(engine.info),
        precision=engine.info.precision,
        input_wh=(engine.info.input_hw[1], engine.info.input_hw[0]),
        source_wh=(source.hw[1], source.hw[0]),
        open_s=opener.first_s,
        parts=(decode, *engine_parts, *post_parts, overlay_part, encode, hd_part),
    )


def _decode(config: StreamConfig) -> tuple[SourceInfo, list[Frame], Part]:
    meter = PartMeter("decode")
    frames: list[Frame] = []
    with open_source(config.source) as source:
        while (frame := meter.run(source.read)) is not None:
            frames.append(frame)
        meter.forget_last()
        # Its sound would be recorded with the pictures; the parts are about pictures.
        return replace(source.info, audio=None), frames, meter.part()


def _segment(
    job: Job, config: StreamConfig, frames: list[Frame], open_engine: EngineOpener
) -> tuple[list[Inferred], Engine, list[Part]]:
    """Return the outputs of the engine on one core, or on the GPU; it; and the parts until then."""
    case, cores = case_of(job), usable_cores()
    parts: list[Part] = []
    inferred: list[Inferred] = []
    on_gpu = pick_device(case.engine.device).type == "cuda"
    for count in (0,) if on_gpu else dict.fromkeys((cores, 1)):
        name = engine_part(count)
        request = EngineRequest(
            case.model, case.engine, frame_hw(job.source), "labels", Parallelism(1, count)
        )
        engine = open_engine(request)
        with engine:
            preprocess = Preprocess(config.fit, engine.info.input_hw)
            prepared, prepare_part = _loop("preprocess", preprocess, frames)
            inferred, part = _loop(name, Infer(engine), prepared, on_the_way=count <= 1)
        parts = [prepare_part, *(each for each in parts if each.name != "preprocess"), part]
    return inferred, engine, parts


def engine_part(cores: int) -> str:
    """Return what the engine's part on so many cores is called; 0: on a GPU."""
    return {0: "engine", 1: "engine, 1 core"}.get(cores, f"engine, {cores} cores")


def _postprocess(
    config: StreamConfig, engine: Engine, inferred: list[Inferred]
) -> tuple[list[ClassMap], list[Part]]:
    """Return the class maps of the default way, and its part, without and with more."""
    classes, plain = engine.info.classes, config.postprocess
    nearest = PostprocessConfig(edges="nearest")
    smooth = plain.model_copy(update={"smooth": 0.5})
    scores = [_with_scores(each, len(classes)) for each in inferred]
    maps, default = _loop("postprocess", Postprocess(plain, classes), inferred)
    _, edges = _loop(
        "postprocess, edges nearest", Postprocess(nearest, classes), inferred, on_the_way=False
    )
    _, temporal = _loop(
        "postprocess, temporal smoothing", Postprocess(smooth, classes), scores, on_the_way=False
    )
    return maps, [default, edges, temporal]


def _encode(config: StreamConfig, info: StreamInfo, pictures: Sequence[Picture]) -> Part:
    """Record the pictures; finishing the file is counted with them."""
    meter = PartMeter("encode")
    with open_sinks(config)[0] as sink:
        sink.open(info)
        for picture in pictures:
            meter.run(sink.write, picture)
        meter.spend(sink.close)
    return meter.part()


def _loop(
    name: str, stage: Stage, items: Sequence[Any], on_the_way: bool = True
) -> tuple[list[Any], Part]:
    """Run a stage over all items; its first run is not counted."""
    stage.process(items[0])
    meter = PartMeter(name, on_the_way)
    results = [meter.run(stage.process, item) for item in items]
    stage.close()
    return results, meter.part()


def _hud(engine: Engine) -> HudValues:
    return HudValues(24.9, 41.0, str(engine.info), 0)


def _with_scores(item: Inferred, num_classes: int) -> Inferred:
    """Return the item with probabilities in place of its labels; the cost isn't in the values."""
    chosen = np.eye(num_classes, dtype=np.float32)[np.minimum(item.output, num_classes - 1)]
    scores: npt.NDArray[np.float32] = np.ascontiguousarray(chosen.transpose(2, 0, 1))
    return replace(item, output=0.9 * scores + 0.1 / num_classes)


def _enlarged(item: ClassMap) -> ClassMap:
    """Return a class map and its frame at 1280x720."""
    size_wh = HD_HW[1], HD_HW[0]
    image = np.asarray(cv2.resize(item.frame.image_bgr, size_wh), np.uint8)
    frame = replace(item.frame, image_bgr=image, truth=None)
    labels = cv2.resize(item.labels, size_wh, interpolation=cv2.INTER_NEAREST)
    return ClassMap(np.asarray(labels, np.uint8), item.classes, frame)
