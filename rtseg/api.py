"""The two doors for Python: `Segmenter` labels single pictures, `stream` a camera or a video."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtseg.closing import Closing
from rtseg.config import load_yaml, set_keys, validate
from rtseg.errors import ConfigError
from rtseg.frames import ClassMap, Frame, Image, Picture
from rtseg.opening import open_engine
from rtseg.stream.engine_request import EngineConfig, EngineRequest
from rtseg.stream.infer import Infer
from rtseg.stream.postprocess import Postprocess, PostprocessConfig
from rtseg.stream.preprocess import Preprocess
from rtseg.stream.run import Stream, parallelism
from rtseg.stream.settings import DEFAULT_MODEL, StreamConfig

__all__ = ["Segmenter", "open_engine", "stream"]


class Segmenter(Closing):
    """Labels single pictures.

    The engine's size follows the first picture; later ones may have any size.

    >>> import numpy as np
    >>> from rtseg import Segmenter
    >>> with Segmenter("ddrnet-23-slim-camvid") as segment:
    ...     class_map = segment(np.zeros((360, 480, 3), np.uint8))
    >>> class_map.labels.shape
    (360, 480)

    Args:
        model: shipped weights by name, a weights file, a training's folder or an engine's folder.
        settings: keys of `EngineConfig`, such as ``backend="eager"``, ``device="cuda:0"``,
            ``size_wh=(512, 288)``.

    Raises:
        ConfigError: a setting is unknown or out of range.
        WeightsError, EngineError: there is no such model, or it can't be run here. Raised at the
            first picture.
    """

    def __init__(self, model: str = DEFAULT_MODEL, **settings: Any) -> None:
        self._model = model
        self._config = validate(EngineConfig, {"build": "never", **settings}, "Segmenter")
        self._stages: tuple[Preprocess, Infer, Postprocess] | None = None
        self._index = 0

    def __call__(self, image_bgr: Image) -> ClassMap:
        """Return the class of every pixel of a picture, uint8 [H, W, 3] BGR.

        Raises:
            DataError: the picture is of another type or shape.
        """
        now_ns = time.monotonic_ns()
        frame = Frame(image_bgr, self._index, 0.0, now_ns, "picture")
        preprocess, infer, postprocess = self._stages or self._open(frame.hw)
        self._index += 1
        return postprocess.process(infer.process(preprocess.process(frame)))

    def _open(self, frame_hw: tuple[int, int]) -> tuple[Preprocess, Infer, Postprocess]:
        request = EngineRequest(
            self._model, self._config, frame_hw, "labels", parallelism(self._config, live=True)
        )
        self._engine = open_engine(request)
        info = self._engine.info
        self._stages = (
            Preprocess("auto", info.input_hw),
            Infer(self._engine),
            Postprocess(PostprocessConfig(), info.classes),
        )
        return self._stages

    def close(self) -> None:
        """Release the engine; the next picture opens it again."""
        if self._stages is not None:
            self._stages = None
            self._engine.close()


def stream(
    source: str | None = None,
    model: str | None = None,
    *,
    outputs: Sequence[str] | None = None,
    config: str | Path | StreamConfig | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Picture]:
    """Yield the labelled pictures of a camera or a video, as `rtseg stream` makes them.

    Threads read, segment and draw ahead while the loop's body works; of a live source the body
    gets the newest picture. Leaving the loop ends the stream and closes its outputs.

    >>> import rtseg
    >>> for picture in rtseg.stream("demo", settings={"source.max_frames": 2}):
    ...     labels = picture.class_map.labels
    ...     print(picture.frame.index, labels.shape, picture.image_bgr.shape)
    0 (360, 640) (360, 640, 3)
    1 (360, 640) (360, 640, 3)

    Args:
        source: as on the command line: a file, ``"demo"``, ``"0"``, ``"rtsp://…"``.
        model: as on the command line.
        outputs: recordings besides, such as ``["labelled.mp4"]``.
        config: a file as in configs/stream/, or a `StreamConfig`, that the rest builds on.
        settings: any other keys of the configuration by their paths, such as
            ``{"overlay.alpha": 0.3, "source.start_s": 10}``.

    Raises:
        ConfigError: a setting is unknown or out of range.
        RtsegError: the source, the model or an output can't be had, or failed on the way.
    """
    run = _config(source, model, outputs, config, settings or {})
    if run.cameras:
        raise ConfigError(
            f"stream() yields the pictures of one source; {len(run.cameras)} cameras are run by "
            "'rtseg stream', or by rtseg.stream.cameras.several.Several"
        )
    with Stream(run, open_engine) as opened:
        yield from opened.pictures()


def _config(
    source: str | None,
    model: str | None,
    outputs: Sequence[str] | None,
    config: str | Path | StreamConfig | None,
    settings: Mapping[str, Any],
) -> StreamConfig:
    values = load_yaml(Path(config)) if isinstance(config, str | Path) else {}
    if isinstance(config, StreamConfig):
        values = config.model_dump()
    wanted = {"source.uri": source, "model": model, "outputs": outputs, **settings}
    given = {key: value for key, value in wanted.items() if value is not None}
    return validate(StreamConfig, set_keys(values, given), "stream()")
