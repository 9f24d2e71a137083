"""Where finished pictures leave a pipeline: a sink, or the caller's loop."""

from __future__ import annotations

import time

from rtseg.frames import Picture
from rtseg.stream.channel import Channel
from rtseg.stream.crew import Crew
from rtseg.stream.gate import Gate
from rtseg.stream.post import Post
from rtseg.stream.sinks.sink import Sink, StreamInfo


class Outlet:
    """A channel of finished pictures and the sink that takes them.

    Args:
        key: the name in counts, clocks and errors, such as ``"sink:out.mp4"``.
        channel: where the pictures come from.
        sink: where they go; None: only to whom `take` is called by.
        info: what the sink is told.
    """

    def __init__(self, key: str, channel: Channel, sink: Sink | None, info: StreamInfo) -> None:
        self.key = key
        self.channel = channel
        self.sink = sink
        self._info = info

    def work(self, crew: Crew, gate: Gate, post: Post) -> None:
        """Open the sink, write to the end, close it: a thread's work."""
        crew.attempt(lambda: self._write_all(gate, post))
        crew.attempt(lambda: self.close(post), on_error=crew.note)

    def open(self, gate: Gate, post: Post) -> None:
        """Open the sink, unless the pipeline is ending already, and pass the gate."""
        gate.check()
        if self.sink is not None:
            with post.call(self.key, "open"):
                self.sink.open(self._info)
        gate.arrive()

    def take(self, post: Post) -> Picture | None:
        """Wait for the next picture, write it to the sink, return it; None at the end.

        Raises:
            Cancelled: the pipeline was cancelled.
        """
        self._wait(post)
        taken = self.channel.take()
        if taken is None:
            return None
        _, item = taken
        latency, picture = self._info.latency, item.value
        latency.shown(item.index, item.captured_ns, time.monotonic_ns())
        if self.sink is not None:
            with post.call(self.key, "write") as call:
                self.sink.write(picture)
            latency.record(item.index, self.key, call.start_ns, call.end_ns)
        return picture  # type: ignore[no-any-return]

    def close(self, post: Post) -> None:
        """Close the sink."""
        if self.sink is not None:
            with post.call(self.key, "close"):
                self.sink.close()

    def _write_all(self, gate: Gate, post: Post) -> None:
        self.open(gate, post)
        while self.take(post) is not None:
            pass

    def _wait(self, post: Post) -> None:
        """Wait for a picture as long as it takes, and give the sink its idle calls."""
        sink = self.sink
        if sink is None or sink.idle_s is None:
            return
        while not self.channel.wait(sink.idle_s):
            with post.call(self.key, "idle"):
                sink.idle()
