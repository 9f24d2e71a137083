"""A whole stream on one screen: which thread hands what to whom.

capture        Source.read             → Frame
infer, each    Preprocess, Infer       → Inferred     one thread a worker, order kept
draw           Postprocess, Overlay    → Picture
  or, by the device path
device, each   DevicePath              → Painted      one thread a worker, order kept
draw           Overlay                 → Picture
each sink      Sink.write              a thread of its own; a window has the main thread
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from functools import partial

from rtseg.backends.base import EngineInfo, Parallelism
from rtseg.classes import ClassSet
from rtseg.closing import Closing
from rtseg.cores import usable_cores
from rtseg.device import pick_device
from rtseg.errors import EngineError
from rtseg.frames import Picture
from rtseg.stream.accuracy import AccuracySink
from rtseg.stream.controls import Controls
from rtseg.stream.device_path import DevicePath, obstacle
from rtseg.stream.engine_request import EngineConfig, EngineOpener, EngineRequest
from rtseg.stream.events import Events
from rtseg.stream.infer import Infer
from rtseg.stream.latency import Latency
from rtseg.stream.liveness import Liveness
from rtseg.stream.opencv_threads import single_threaded_opencv
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.pace.engine_ladder import EngineLadder
from rtseg.stream.pace.governed import governed
from rtseg.stream.pace.pace import Pace
from rtseg.stream.pipeline import Pipeline, Step
from rtseg.stream.postprocess import Postprocess, PostprocessConfig
from rtseg.stream.preprocess import Preprocess
from rtseg.stream.reception import Reception
from rtseg.stream.redraw import Redraw
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import open_sinks
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources import open_source
from rtseg.stream.sources.source import SourceInfo
from rtseg.stream.stage import Stage
from rtseg.stream.summary import Summary

_log = logging.getLogger(__name__)


class Stream(Closing):
    """A configured stream with its source and engine open, ready to run once.

    Args:
        config: the whole run.
        open_engine: opens the engine that the stream asks for.
        sinks: outputs besides those of the configuration.
        key: what it is called among several streams of one process; empty where it is alone.
        controls: the hand on it, for who wants to stop it while its source is being waited for.

    Raises:
        RtsegError: the source, the engine or an output can't be had; nothing is left open.
    """

    def __init__(
        self,
        config: StreamConfig,
        open_engine: EngineOpener,
        sinks: Sequence[Sink] = (),
        *,
        key: str = "",
        controls: Controls | None = None,
    ) -> None:
        self._started_ns = time.monotonic_ns()
        self._config = config
        self._pictures: Generator[Picture, None, None] | None = None
        self.controls = controls or Controls(config.overlay)
        self.latency = Latency()
        self.events = Events()
        outputs = open_sinks(config)
        source = open_source(
            config.source,
            self.events,
            newest=config.policy != "block",
            on_stop=self.controls.on_stop,
        )
        try:
            self.engine = open_engine(engine_request(config, source.info))
        except BaseException:
            source.close()
            raise
        classes = self.engine.info.classes
        try:
            check_names(config.overlay, classes)
            check_scores(config.postprocess, self.engine.info)
        except BaseException:
            source.close()
            self.engine.close()
            raise
        self._accuracy = AccuracySink(classes)
        if source.info.truth_classes == classes:
            sinks = [*sinks, self._accuracy]
        self.info = StreamInfo(
            source.info,
            classes,
            str(self.engine.info),
            self.controls,
            self.latency,
            Redraw(self._overlay),
            events=self.events,
            reception=source.reception or Reception(),
            key=key,
            outputs=config.outputs,
        )
        self._sinks = [*outputs, *sinks]
        self._source = source
        self.pace = self._open_pace()
        self._pipeline = Pipeline(
            source, self._steps(), self._sinks, self.info, policy=config.policy
        )
        self.liveness = Liveness(self._pipeline, self.info)

    def run(self) -> Summary:
        """Run to the end of the source, or until `controls.stop`; return what was done.

        Call it from the main thread where an output is a window.

        Raises:
            RtsegError: a part failed; the outputs are closed and hold what came before.
        """
        with single_threaded_opencv():
            self._pipeline.run()
        return self.summary()

    def pictures(self) -> Iterator[Picture]:
        """Run, and yield every finished picture; leaving the loop, or `close`, ends the stream."""
        self._pictures = self._pipeline.pictures()
        return self._pictures

    def summary(self) -> Summary:
        """Return the figures of the stream so far."""
        info = self.engine.info
        times, now_ns = self.latency, time.monotonic_ns()
        first_ns, shown_ns = times.first_captured_ns, times.first_shown_ns
        return Summary(
            source=self.info.source.name,
            engine=str(info),
            reason=info.reason,
            pictures=times.age().count,
            drops=times.drops,
            wall_s=((times.last_shown_ns or now_ns) - (first_ns or now_ns)) / 1e9,
            startup_s=((shown_ns or now_ns) - self._started_ns) / 1e9,
            age=times.age(),
            stages=times.stages(),
            shares=times.shares(),
            accuracy=self._accuracy.figures(),
            outputs=tuple(sink.name for sink in self._sinks if sink is not self._accuracy),
            problems=(
                *self._source.problems(),
                *(line for sink in self._sinks for line in sink.problems()),
            ),
            stopped=self.controls.stopped,
            pace=None if self.pace is None else self.pace.figures(),
        )

    def close(self) -> None:
        """End what runs and release the engine; may be called twice."""
        if self._pictures is not None:
            self._pictures.close()
        if not self._pipeline.started:
            self._source.close()
        self.engine.close()

    def _steps(self) -> list[Step]:
        config, engine = self._config, self.engine
        workers = parallelism(config.engine, self.info.source.live).workers

        if config.engine.device_path:
            reason = obstacle(config, engine)
            if reason is None:
                device = partial(DevicePath, config, engine, self._style)
                return [Step("device", device, workers), Step("draw", self._overlay)]
            _log.warning("not by the device path: %s", reason)

        def infer() -> Sequence[Stage]:
            if self.pace is not None:
                return governed(config.fit, self.pace)
            return Preprocess(config.fit, engine.info.input_hw), Infer(engine)

        def draw() -> Sequence[Stage]:
            classes = engine.info.classes
            device = pick_device(config.engine.device)
            return Postprocess(config.postprocess, classes, device), self._overlay()

        return [Step("infer", infer, workers), Step("draw", draw)]

    def _overlay(self) -> Overlay:
        return Overlay(self._style, self.engine.info.classes, self._hud)

    def _style(self) -> OverlayStyle:
        return self.controls.style

    def _open_pace(self) -> Pace | None:
        """Return what keeps the rate, where one is to be kept."""
        config, engine, live = self._config, self.engine, self.info.source.live
        if config.engine.target_fps is None:
            return None
        may_skip = config.policy == "drop_oldest" or (config.policy == "auto" and live)
        return Pace(
            engine if isinstance(engine, EngineLadder) else EngineLadder([engine]),
            config.engine.target_fps,
            workers=parallelism(config.engine, live).workers,
            live=live or may_skip,
            may_skip=may_skip,
            latency=self.latency,
            events=self.events,
        )

    def _hud(self) -> HudValues:
        times, engine = self.latency, self.engine
        drops = sum(times.drops.values())
        notice = engine.notice() if self.pace is None else self.pace.notice() or engine.notice()
        notice = next(filter(None, (sink.notice() for sink in self._sinks)), notice)
        return HudValues(times.fps, times.age_ms, str(engine.info), drops, notice)


def check_names(style: OverlayStyle, classes: ClassSet) -> None:
    """Refuse a class filter that names what the network doesn't know.

    Raises:
        UnknownNameError: names the closest class.
    """
    for name in (*style.classes, *style.hide):
        classes.id_of(name)


def check_scores(config: PostprocessConfig, info: EngineInfo) -> None:
    """Refuse an engine of labels where the dense CRF needs scores.

    Raises:
        EngineError: says how an engine of scores is made.
    """
    if config.dense_crf is not None and info.output != "scores":
        raise EngineError(
            f"{info} gives labels, but the dense CRF needs class scores: rtseg export {info.model} "
            "--output scores"
        )


def engine_request(config: StreamConfig, source: SourceInfo) -> EngineRequest:
    """Return what a stream of this source asks for: scores only where they are of use."""
    return EngineRequest(
        model=config.model,
        config=config.engine,
        frame_hw=source.hw,
        output="scores" if config.postprocess.needs_scores else "labels",
        parallelism=parallelism(config.engine, source.live),
    )


def parallelism(config: EngineConfig, live: bool) -> Parallelism:
    """Return how the engine shares the cores.

    A file wants throughput: a frame for each core at a time, as calls on one core each lose
    nothing to waiting for one another. A live source wants the newest frame soonest: one call on
    all cores. A GPU works on one frame at a time; for throughput the next is prepared meanwhile,
    which then waits, and is older when its turn comes.
    """
    latency = live if config.priority == "auto" else config.priority == "latency"
    if pick_device(config.device).type == "cuda":
        return Parallelism(workers=1 if latency else 2, threads=0)
    cores = usable_cores()
    return Parallelism(1, cores) if latency else Parallelism(cores, 1)
