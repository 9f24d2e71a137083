"""What the page knows of one stream: its newest picture, its figures, and its controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rtseg.frames import Picture
from rtseg.stream.latency import WAIT
from rtseg.stream.overlay.legend import class_shares
from rtseg.stream.overlay.lost import LostView
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.sinks.browser.shot import Shot
from rtseg.stream.sinks.sink import StreamInfo

STALE_S = 5.0
STALE_PERIODS = 10
STAGES_NS = 200_000_000
SETTLED_NS = 2_000_000_000
"""So long after a change of the style every picture is drawn in it."""


@dataclass(slots=True)
class StageSums:
    """Times of stages, summed over the pictures since the last reading."""

    since_ns: int = field(default_factory=time.monotonic_ns)
    count: int = 0
    sums_ms: dict[str, float] = field(default_factory=dict)

    def add(self, times_ms: Mapping[str, float]) -> None:
        """Count the stages of one picture."""
        self.count += 1
        for stage, time_ms in times_ms.items():
            self.sums_ms[stage] = self.sums_ms.get(stage, 0.0) + time_ms

    def means_ms(self, order: Iterable[str]) -> list[tuple[str, float]]:
        """Return each stage's mean, milliseconds, in an order; the waiting last."""
        names = [*(name for name in order if name != WAIT), WAIT]
        return [(name, self.sums_ms.get(name, 0.0) / self.count) for name in names]


class Camera:
    """One stream on the page. The sink's thread writes, the server's thread reads.

    Args:
        key: what it is called in addresses; empty where it is alone.
        info: the stream.
        changed: called in the sink's thread when there is another shot.
        saw_age: called with the age of each picture, seconds.
    """

    def __init__(
        self,
        key: str,
        info: StreamInfo,
        changed: Callable[[Camera], None],
        saw_age: Callable[[str, float], None],
    ) -> None:
        self.key, self.info = key, info
        self.opened_ns = time.monotonic_ns()
        self.num_pictures = 0
        self.age_ms = 0.0
        self.written_ns: int | None = None
        self.shot: Shot | None = None
        self._picture: Picture | None = None
        self._drawn: tuple[OverlayStyle | None, str | None] = None, None
        self._style, self._style_ns = info.controls.style, 0
        self._changed, self._saw_age = changed, saw_age
        self._lock = threading.Lock()
        self._sums = StageSums()
        self._stages: dict[str, None] = {}
        self._means_ms: list[tuple[str, float]] = []
        self._lost_view = LostView()

    def write(self, picture: Picture) -> None:
        """Take the next picture."""
        frame, now_ns = picture.frame, time.monotonic_ns()
        self.age_ms = (now_ns - frame.captured_ns) / 1e6
        self.num_pictures += 1
        self.written_ns = now_ns
        self._picture, self._drawn = picture, (self._drawn_in(now_ns), None)
        trace = self.info.latency.trace(frame.index)
        # other outputs are no part of a picture's way to this one
        times_ms = {name: ms for name, ms in trace.items() if not name.startswith("sink:")}
        with self._lock:
            self._sums.add(times_ms)
            self._stages |= dict.fromkeys(times_ms)
        self._saw_age(self.key, self.age_ms / 1e3)
        self._show(picture)

    def idle(self) -> None:
        """Show that the signal is lost, or the last picture in the style of a paused stream."""
        picture = self._picture
        if picture is None:
            return
        style = self.info.controls.style if self.info.controls.paused else self._drawn[0]
        notice = self.info.reception.notice()
        if (style, notice) == self._drawn:
            return
        if style != self._drawn[0]:
            picture = self._picture = self._redrawn(picture)
        self._drawn = style, notice
        image = picture.image_bgr
        if notice is not None:
            image = self._lost_view.draw(image, notice)
        self._show(Picture(image, picture.frame, picture.class_map), again=True)

    @property
    def name(self) -> str:
        """The source, for people."""
        return self.info.source.name

    def stage_means_ms(self) -> list[tuple[str, float]]:
        """Return each stage's mean time of the last quarter of a second, about."""
        with self._lock:
            sums, now_ns = self._sums, time.monotonic_ns()
            if sums.count and now_ns - sums.since_ns > STAGES_NS:
                self._means_ms = sums.means_ms(self._stages)
                self._sums = StageSums()
            return self._means_ms

    def shares(self) -> list[float]:
        """Return each class's share of the newest picture, 0-1."""
        picture = self._picture
        classes = self.info.classes
        if picture is None:
            return [0.0] * len(classes)
        return [float(share) for share in class_shares(picture.class_map.labels, len(classes))]

    def silent_s(self) -> float:
        """Return for how long there has been no new picture, seconds."""
        return (time.monotonic_ns() - (self.written_ns or self.opened_ns)) / 1e9

    def fps(self) -> float:
        """Return the pictures a second of late; 0 when they have stopped coming."""
        fps = self.info.latency.fps
        return fps if fps > 0 and self.silent_s() < max(2.0, 3 / fps) else 0.0

    def stale_after_s(self) -> float:
        """Return how long without a picture is too long, seconds."""
        fps = self.info.latency.fps or self.info.source.fps or 0.0
        return max(STALE_S, STALE_PERIODS / fps if fps > 0 else 0.0)

    def is_stale(self) -> bool:
        """Return whether pictures should come and don't; a paused stream's needn't."""
        return not self.info.controls.paused and self.silent_s() > self.stale_after_s()

    def _show(self, picture: Picture, again: bool = False) -> None:
        number = self.shot.number + 1 if self.shot else 1
        frame = picture.frame
        self.shot = Shot(number, picture.image_bgr, frame.index, frame.captured_ns, again)
        self._changed(self)

    def _drawn_in(self, now_ns: int) -> OverlayStyle | None:
        """Return the style that a picture was drawn in; None where it may be an older one."""
        style = self.info.controls.style
        if style != self._style:
            self._style, self._style_ns = style, now_ns
        return style if now_ns - self._style_ns > SETTLED_NS else None

    def _redrawn(self, picture: Picture) -> Picture:
        """Return a picture in the style of the moment."""
        redraw = self.info.redraw
        return picture if redraw is None else redraw(picture.class_map)
