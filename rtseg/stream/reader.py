"""The reading end of a pipeline: the source, read in one thread and closed by it."""

from __future__ import annotations

from collections.abc import Callable

from rtseg.stream.channel import Item
from rtseg.stream.controls import Controls
from rtseg.stream.crew import Crew
from rtseg.stream.gate import Gate
from rtseg.stream.latency import Latency
from rtseg.stream.post import Post
from rtseg.stream.sources.source import Source
from rtseg.stream.spare_memory import SPARE_MEMORY

CAPTURE = "capture"
"""The stage under which the time in `Source.read` is reported; of live sources most is waiting."""


class Reader:
    """Reads a source while its controls let frames pass.

    While they don't, a source that isn't live isn't read; a live one is, as it doesn't wait, and
    its frames are thrown away.

    Args:
        source: what is read.
        controls: stop, pause and step.
        latency: gets the time of each read.
    """

    def __init__(self, source: Source, controls: Controls, latency: Latency) -> None:
        self._source = source
        self._controls = controls
        self._latency = latency
        self._post: Post | None = None
        self.failed = False

    @property
    def is_in_source(self) -> bool:
        """Whether the source's code is being run at the moment."""
        return self._post is not None and self._post.current is not None

    def work(
        self,
        crew: Crew,
        gate: Gate,
        use: Callable[[Item], None],
        end: Callable[[], None],
        post: Post,
    ) -> None:
        """Read from the opening of the gate to the end, then `end`, then close: a thread's work.

        When the source fails, what was read before is still finished; `failed` says so.
        """
        self._post = post
        crew.attempt(
            lambda: self._read_all(gate, use, post), on_error=lambda error: self._fail(crew, error)
        )
        crew.begin_end(asked=False)
        end()
        crew.attempt(lambda: self._close(post), on_error=crew.note)

    def _read_all(self, gate: Gate, use: Callable[[Item], None], post: Post) -> None:
        gate.wait()
        while not self._controls.stopped and self._read_one(use, post):
            pass

    def _read_one(self, use: Callable[[Item], None], post: Post) -> bool:
        """Read a frame and hand it on; False at the end."""
        live = self._source.info.live
        if not live and not self._controls.wait():
            return False  # stopped while paused
        with post.call("source", "read") as call:
            frame = self._source.read()
        if frame is None:
            return False
        self._count_replaced(frame.index)
        if live and not self._controls.wait(0):
            return True
        self._latency.record(frame.index, CAPTURE, call.start_ns, call.end_ns)
        use(Item(frame.index, frame.captured_ns, frame))
        SPARE_MEMORY.give_back()
        return True

    def _count_replaced(self, index: int) -> None:
        """Count what the source left out for newer frames; before the first one nobody read."""
        num = self._source.take_replaced()
        for _ in range(num if index else 0):
            self._latency.dropped(CAPTURE)

    def _fail(self, crew: Crew, error: BaseException) -> None:
        self.failed = True
        crew.note(error)
        crew.begin_end(asked=True)

    def _close(self, post: Post) -> None:
        with post.call("source", "close"):
            self._source.close()
