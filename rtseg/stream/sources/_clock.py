"""The times of a film's frames from its presentation times, whatever these are like."""

from __future__ import annotations

from fractions import Fraction

_LEAST_STEP_S = 0.001
_JITTER_S = 0.5
"""A step back of less is a mistake of one frame; a longer one begins a new timeline."""
_LONGEST_GAP_S = 3600.0


class FrameClock:
    """Turns presentation times into seconds from the first frame, never going back.

    Frames without a time come one frame duration after the one before. Where times start anew
    (a joined transport stream, a camera that restarted) or jump by more than an hour, they go on
    from the last frame.

    Args:
        frame_s: how long a frame is shown where nothing says it.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._anchor: int | None = None
        self._anchor_s = Fraction(0)
        self._last_s: float | None = None
        self._offset_s = 0.0

    @property
    def is_anchored(self) -> bool:
        """Whether the first frame has a time written in the file."""
        return self._anchor is not None

    def time_s(self, pts: int | None, time_base: Fraction | None) -> float:
        """Return the time of the next frame in seconds from the first one."""
        if pts is None or not time_base:
            time_s = 0.0 if self._last_s is None else self._last_s + self._frame_s
        else:
            if self._anchor is None:
                self._anchor, self._anchor_s = pts, pts * time_base
                # Frames without a time may have come before the first with one.
                self._offset_s = 0.0 if self._last_s is None else self._last_s + self._frame_s
            written_s = (pts - self._anchor) * time_base.numerator / time_base.denominator
            time_s = self._mended(written_s + self._offset_s)
        self._last_s = time_s
        return time_s

    def seconds(self, pts: int, time_base: Fraction) -> float:
        """Return the time of something else on the same clock (sound), without going on."""
        return float(pts * time_base - self._anchor_s) + self._offset_s

    def ticks(self, time_s: float, time_base: Fraction) -> int:
        """Return what is written in the file, in ticks of `time_base`, for a time of this clock."""
        return int((Fraction(time_s - self._offset_s) + self._anchor_s) / time_base)

    def jumped(self) -> None:
        """Take note that the next frame is not the one after the last (after a seek)."""
        self._last_s = None
        self._offset_s = 0.0

    def _mended(self, time_s: float) -> float:
        last_s = self._last_s
        if last_s is None or last_s < time_s <= last_s + _LONGEST_GAP_S:
            return time_s
        if last_s - _JITTER_S < time_s <= last_s:
            return last_s + _LEAST_STEP_S
        mended_s = last_s + self._frame_s
        self._offset_s += mended_s - time_s
        return mended_s
