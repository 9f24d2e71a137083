"""What a thread of a pipeline is doing: which part's code it is in, and since when."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from pathlib import PurePath
from types import TracebackType

_MACHINERY = {"reader.py", "bench.py", "outlet.py", "step.py"}
"""The files beside this one that call the parts."""
_DEEPEST = 3
"""How many functions of a stuck call are named, the outermost of the part's own first."""


class Call:
    """One call of a part: ``with post.call("infer", "process") as call: …``.

    Args:
        post: the thread's post.
        owner: the part: a stage's name, ``"source"``, ``"sink:…"``.
        method: the method of it that is called.
    """

    __slots__ = ("_post", "end_ns", "method", "owner", "start_ns")

    def __init__(self, post: Post, owner: str, method: str) -> None:
        self._post = post
        self.owner = owner
        self.method = method
        self.start_ns = self.end_ns = 0

    def __enter__(self) -> Call:
        self.start_ns = time.monotonic_ns()
        self._post.current = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end_ns = time.monotonic_ns()
        self._post.current = None
        self._post.note_length(self)

    def __str__(self) -> str:
        return f"{self.owner}.{self.method}()"


class Post:
    """A thread's place in the pipeline. Its own thread writes, any other may read.

    Args:
        name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.current: Call | None = None
        self._ident: int | None = None
        self._longest_ns: dict[tuple[str, str], int] = {}

    def take_up(self) -> None:
        """Make the calling thread the one that stands here."""
        self._ident = threading.get_ident()

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread stands here."""
        return self._ident == threading.get_ident()

    def call(self, owner: str, method: str) -> Call:
        """Return the note of a call that begins with the ``with`` statement and ends with it."""
        return Call(self, owner, method)

    def note_length(self, call: Call) -> None:
        """Remember how long a call took, if none of its kind took longer."""
        kind, length_ns = (call.owner, call.method), call.end_ns - call.start_ns
        if length_ns > self._longest_ns.get(kind, 0):
            self._longest_ns[kind] = length_ns

    def longest_ns(self, call: Call) -> int:
        """Return the time of the longest call of this kind that has ended; 0 for the first."""
        return self._longest_ns.get((call.owner, call.method), 0)

    def whereabouts(self) -> str:
        """Return the functions that the thread is in, as ``"read (camera.py:88) → …"``."""
        frame = sys._current_frames().get(self._ident or 0)
        if frame is None:
            return "native code"
        stack = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
        own = next((i for i, entry in enumerate(stack) if _is_machinery(entry)), len(stack))
        calls = [f"{e.name} ({PurePath(e.filename).name}:{e.lineno})" for e in stack[:own]][::-1]
        shown = calls if len(calls) <= _DEEPEST else [*calls[: _DEEPEST - 1], "…", calls[-1]]
        return " → ".join(shown) or "native code"


def _is_machinery(entry: traceback.FrameSummary) -> bool:
    path = PurePath(entry.filename)
    return path.name in _MACHINERY and path.parent == PurePath(__file__).parent
