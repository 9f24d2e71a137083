"""Whether a running stream is alive: calls come to their end, and pictures come out."""

from __future__ import annotations

import time

from rtseg.stream.pipeline import Pipeline
from rtseg.stream.post import Call, Post
from rtseg.stream.reader import CAPTURE
from rtseg.stream.sinks.sink import StreamInfo

USUAL = 3
"""A call may take as many times the longest of its kind so far: what is slow isn't stuck."""
_NUM_FRAMES = 10
"""So many frames must have been read since the last picture until pictures are missed."""
_ONCE = ("make", "open", "close")
"""Setting up and finishing are work of their own, which others watch."""


class Liveness:
    """Looks at a stream's threads from outside; for one thread that asks again and again.

    A source that is lost and being opened anew is no trouble, nor is a stream that was paused.

    Args:
        pipeline: what runs.
        info: its clocks, controls and reception.
    """

    def __init__(self, pipeline: Pipeline, info: StreamInfo) -> None:
        self._pipeline = pipeline
        self._info = info
        self._shown_ns: int | None = None
        self._num_read = 0

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended, in whatever way."""
        return self._pipeline.ended

    def trouble(self, limit_s: float) -> str | None:
        """Return what hangs, one line; None where all is well.

        Args:
            limit_s: how long a call may take, and pictures may be missing.
        """
        limit_ns = int(limit_s * 1e9)
        for post, call in self._pipeline.calls():
            if self._hangs(post, call, limit_ns):
                seconds = (time.monotonic_ns() - call.start_ns) / 1e9
                return f"{post.name} has been in {call} for {seconds:.0f} s"
        return self._missing(limit_ns)

    def _hangs(self, post: Post, call: Call, limit_ns: int) -> bool:
        if call.method in _ONCE:
            return False
        if call.owner == "source" and self._info.reception.lost_s is not None:
            return False
        allowed_ns = max(limit_ns, USUAL * post.longest_ns(call))
        return time.monotonic_ns() - call.start_ns > allowed_ns

    def _missing(self, limit_ns: int) -> str | None:
        """Return that frames come in and no picture comes out, though nobody works on any."""
        latency, controls = self._info.latency, self._info.controls
        shown_ns, num_read = latency.last_shown_ns, latency.count(CAPTURE)
        if shown_ns != self._shown_ns or controls.paused or controls.stopped:
            self._shown_ns, self._num_read = shown_ns, num_read
        if shown_ns is None or num_read - self._num_read < _NUM_FRAMES:
            return None
        silent_ns = time.monotonic_ns() - shown_ns
        at_work = any(call.owner != "source" for _, call in self._pipeline.calls())
        if at_work or silent_ns < limit_ns:
            return None
        return f"no picture for {silent_ns / 1e9:.0f} s, though frames come in"
