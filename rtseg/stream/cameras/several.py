"""Several cameras on one engine: each its own stream, in a thread of its own.

camera 1   Stream ─┐
camera 2   Stream ─┼─ lanes of one SharedEngine
camera 3   Stream ─┘
   └ BoardSink, each  →  BoardSource  →  a window, in the main thread; a recording of the mosaic
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from rtseg.closing import Closing
from rtseg.errors import SinkError, SourceError
from rtseg.stream.cameras.board import NAME, AsPicture, BoardSink, BoardSource
from rtseg.stream.cameras.cameras import WINDOW, Camera, cameras_of
from rtseg.stream.cameras.joint_controls import JointControls
from rtseg.stream.cameras.member import Member
from rtseg.stream.cameras.several_summary import SeveralSummary
from rtseg.stream.cameras.shared_opener import SharedOpener
from rtseg.stream.engine_request import EngineOpener
from rtseg.stream.latency import Latency
from rtseg.stream.opencv_threads import single_threaded_opencv
from rtseg.stream.pipeline import Pipeline, Step
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks import make_sink
from rtseg.stream.sinks.sink import Sink, StreamInfo

_PATIENCE_S = 15.0
"""How long at the end it is waited for a camera that is being opened just then."""
_CHECK_S = 0.25
"""How often a wait in the main thread looks up: Ctrl-C must get through."""


class Several(Closing):
    """The cameras of a configuration with their sources and the engine open, ready to run once.

    The cameras are opened at the same time. One that fails, then or later, leaves the others
    alone: `summary` tells of it; one that is to be waited for (`SourceConfig.wait`) joins the
    others when it comes. Where no engine size is set, the first camera in order that is there at
    the beginning decides on it.

    Args:
        config: the whole run; its `cameras` count, `source` doesn't.
        open_engine: opens the engine that the streams ask for; called once.
        sinks: makes outputs besides those of the configuration, for each camera.
        on_open: is told of each camera that was opened, in a thread of its own.

    Raises:
        RtsegError: no camera at all can be opened, or the engine, or what concerns them all can't
            be had; nothing is left open.
    """

    def __init__(
        self,
        config: StreamConfig,
        open_engine: EngineOpener,
        sinks: Callable[[Camera], Sequence[Sink]] | None = None,
        on_open: Callable[[Camera, Stream], None] | None = None,
    ) -> None:
        self._config = config
        self._make_sinks = sinks or (lambda camera: ())
        self._on_open = on_open or (lambda camera, stream: None)
        self.controls = JointControls(config.overlay)
        self._views = _views(config)
        self.members = [Member(camera) for camera in cameras_of(config)]
        prompt = [n for n, one in enumerate(self.members) if not one.may_come_later]
        self._opener = SharedOpener(open_engine, prompt, alone=len(self.members) == 1)
        self._changed = threading.Condition()
        self._begun = threading.Event()
        self._threads = [
            threading.Thread(
                name=f"rtseg-{member.camera.key}", target=self._work, args=(n, member), daemon=True
            )
            for n, member in enumerate(self.members)
        ]
        for member in self.members:
            self.controls.add(member.controls)
        try:
            self._open_all()
        except BaseException:
            self.close()
            raise

    @property
    def streams(self) -> dict[str, Stream]:
        """The streams of the cameras that could be opened so far, by their keys."""
        return {m.camera.key: m.stream for m in self.members if m.stream is not None}

    def run(self) -> SeveralSummary:
        """Run until every camera has ended or failed, or until `controls.stop`.

        Call it from the main thread where an output is a window.

        Raises:
            RtsegError: the view of all cameras failed; all streams are stopped.
        """
        with single_threaded_opencv():
            self._begun.set()
            try:
                self._run_views()
            finally:
                self._wait()
        return self.summary()

    def summary(self) -> SeveralSummary:
        """Return the figures of all cameras so far."""
        return SeveralSummary(tuple(member.result() for member in self.members))

    def close(self) -> None:
        """End what runs and release the engine; may be called twice."""
        self.controls.stop()
        self._begun.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_PATIENCE_S)
        for stream in self.streams.values():
            stream.close()
        self._opener.close()

    def _open_all(self) -> None:
        """Open every camera that is there, and one at least."""
        for thread in self._threads:
            thread.start()
        with self._changed:
            while not self._is_open():
                self._changed.wait(_CHECK_S)
        errors = [member.error for member in self.members if member.error is not None]
        for error in errors:
            if not isinstance(error, SourceError | SinkError):
                raise error  # it concerns them all
        if not self.streams:
            raise _none_open(self.members)

    def _is_open(self) -> bool:
        """Whether every camera that is there is open, and one at least."""
        prompt = [member for member in self.members if not member.may_come_later]
        settled = all(member.is_settled for member in prompt)
        return settled and (bool(self.streams) or all(one.is_settled for one in self.members))

    def _work(self, number: int, member: Member) -> None:
        """Open a camera and run its stream to its end: a thread's work."""
        try:
            stream = self._open(number, member)
            if stream is None:
                return
            self._on_open(member.camera, stream)
            self._begun.wait()
            if not member.controls.stopped:
                stream.run()
        except BaseException as error:
            member.fail(error)
        finally:
            member.place.end("ended")
            if member.stream is not None:
                member.stream.close()  # its lane: nobody waits for its pictures any more

    def _open(self, number: int, member: Member) -> Stream | None:
        """Return the camera's stream; None where it was stopped before it was open."""
        camera = member.camera
        sinks = [*self._make_sinks(camera)]
        if self._views:
            sinks.append(BoardSink(member.place, realtime=_is_only_shown(camera)))
        try:
            member.stream = Stream(
                camera.config,
                self._opener.of(number),
                sinks,
                key=camera.key,
                controls=member.controls,
            )
        except BaseException as error:
            if not member.controls.stopped:
                member.fail(error)
        finally:
            self._opener.absent(number)
            with self._changed:
                self._changed.notify_all()
        return member.stream

    def _run_views(self) -> None:
        """Show the mosaic until all cameras have ended; without a view there is nothing to do."""
        if not self._views:
            return
        stream = next(iter(self.streams.values()))
        source = BoardSource([member.place for member in self.members])
        info = StreamInfo(
            source.info, stream.info.classes, stream.info.engine, self.controls, Latency(), key=NAME
        )
        step = Step("draw", lambda: AsPicture(stream.info.classes))
        Pipeline(source, [step], self._views, info).run()

    def _wait(self) -> None:
        try:
            for thread in self._threads:
                thread.join()
        except BaseException:  # Ctrl-C, where no handler was set
            self.controls.stop()
            raise


def _none_open(members: Sequence[Member]) -> Exception:
    """Return what is raised where no camera could be opened."""
    errors = [(m.camera.name, m.error) for m in members if isinstance(m.error, Exception)]
    if len({str(error) for _, error in errors}) == 1:
        return errors[0][1]
    lines = "; ".join(f"{name}: {error}" for name, error in errors)
    return SourceError(f"none of {len(errors)} cameras can be opened: {lines}")


def _is_only_shown(camera: Camera) -> bool:
    """Whether the camera's pictures go to the window and nowhere else."""
    own = camera.config
    return not (own.outputs or own.masks or own.stats or own.mosaic)


def _views(config: StreamConfig) -> list[Sink]:
    """Return the outputs that show all cameras in one picture."""
    outputs = [output for output in config.outputs if output == WINDOW]
    outputs += [] if config.mosaic is None else [str(config.mosaic)]
    configs = {"recording": config.recording.model_copy(update={"audio": False, "raw": False})}
    return [make_sink(output, configs, overwrite=config.overwrite) for output in outputs]
