"""Tells of a live source's losses and returns: in its reception, as events, and at the end."""

from __future__ import annotations

import logging

from rtseg.errors import SourceError
from rtseg.stream.events import Events
from rtseg.stream.reception import Reception
from rtseg.stream.sources.capture import Capture, Shot
from rtseg.stream.sources.live.failures import Failures

Description = tuple[str, float | None, str]
"""Size, frames per second, codec."""

_RATE_TOLERANCE = 0.1


class Announcer:
    """Notes what happens to a source's signal; each thing is told once, and counted after.

    Args:
        name: how the source is shown.
        events: gets ``lost``, ``retry failed``, ``waiting``, ``back``, ``size`` and
            ``left behind``.
        reception: gets the state.
    """

    def __init__(self, name: str, events: Events, reception: Reception) -> None:
        self.name = name
        self._events = events
        self._reception = reception
        self._failures = Failures()
        self._kind: Description | None = None
        self._num_lost, self._lost_s = 0, 0.0
        self._has_signal = False

    @property
    def num_failures(self) -> int:
        """Failed attempts since the last picture."""
        return self._failures.num

    def loss(self, error: SourceError) -> None:
        """Tell that the signal was lost, or, once for each kind, that an attempt has failed."""
        if self._has_signal:
            self._has_signal = False
            self._num_lost += 1
            self._reception.lose(str(error))
            self._warn("lost", f"signal lost: {error}", error)
            return
        if self._reception.lost_s is None:
            self._reception.lose(str(error))
        self._reception.attempt(str(error))
        if self._failures.add(error):
            kind = "waiting" if self._kind is None else "retry failed"
            self._warn(kind, f"{kind}: {error}", error)

    def left_behind(self, thread: str, what: str) -> None:
        """Tell that a thread did not come back."""
        text = f"{self.name}: thread {thread} hangs in {what}; it is left behind"
        self._events.add("left behind", text, level=logging.WARNING, thread=thread)

    def picture(self, capture: Capture, shot: Shot) -> None:
        """Take note of a picture: the signal is there."""
        height, width = shot.image_bgr.shape[:2]
        kind = f"{width}x{height}", capture.fps, capture.codec
        before, self._kind = self._kind, kind
        self._has_signal = True
        if self._reception.lost_s is not None:
            self._back(kind, before)
        elif before is not None and kind[0] != before[0]:
            text = f"{self.name}: pictures are {kind[0]} now, {before[0]} before"
            self._events.add("size", text, width=width, height=height)

    def problems(self) -> list[str]:
        """Return how often and for how long the signal was lost."""
        if not self._num_lost:
            return []
        lost_s = self._lost_s + (self._reception.lost_s or 0.0)
        times = "once" if self._num_lost == 1 else f"{self._num_lost} times"
        return [f"{self.name}: the signal was lost {times}, for {lost_s:.1f} s in all"]

    def _warn(self, kind: str, text: str, error: SourceError) -> None:
        self._events.add(kind, text, level=logging.WARNING, reason=error.kind)

    def _back(self, kind: Description, before: Description | None) -> None:
        self._reception.attempt()
        gap_s = self._reception.find()
        self._lost_s += 0.0 if before is None else gap_s
        what = "signal there" if before is None else "signal back"
        changes = _changes(kind, before)
        failures = f" ({self._failures})" if self._failures.num else ""
        changed = f"; {', '.join(changes)}" if changes else ""
        self._events.add(
            "back",
            f"{self.name}: {what} after {gap_s:.1f} s{failures}{changed}",
            gap_s=round(gap_s, 3),
            attempts=self._failures.num + 1,
            failures=self._failures.counts,
            changes=changes,
        )
        self._failures.clear()


def _changes(kind: Description, before: Description | None) -> list[str]:
    """Return what is other than before: size, rate, codec."""
    if before is None:
        return []
    (size, fps, codec), (old_size, old_fps, old_codec) = kind, before
    changes = [f"{size} instead of {old_size}"] if size != old_size else []
    if fps and old_fps and abs(fps - old_fps) > _RATE_TOLERANCE * old_fps:
        changes.append(f"{fps:g} instead of {old_fps:g} frames per second")
    if codec != old_codec:
        changes.append(f"{codec} instead of {old_codec}")
    return changes
