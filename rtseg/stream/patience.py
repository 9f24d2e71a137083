"""How long a call of a part may take once the stream is to end."""

from __future__ import annotations

import time

from rtseg.stream.post import Call, Post

_CLOSING = 5
"""Finishing an output is work: `close` gets this many times the patience of other calls."""
_UNASKED = 30
"""The patience after the source's own end, where nobody waits for the stream to let go."""


class Patience:
    """The clock that runs from a stop, a failure or the source's end.

    What a call may take is `join_timeout_s` times a factor, and as long again as the longest call
    of its kind so far: a network that takes 3 s for a frame isn't stuck after 2 s. Before the
    stream is to end every call may take for ever. Not safe against use from several threads at a
    time.

    Args:
        join_timeout_s: the patience after a stop or a failure, seconds.
    """

    def __init__(self, join_timeout_s: float) -> None:
        self._timeout_ns = int(join_timeout_s * 1e9)
        self._since_ns: int | None = None
        self._asked = False

    def begin(self, asked: bool) -> None:
        """Start the clock: `asked` at a stop or failure, which overrules the source's own end."""
        if self._since_ns is None or (asked and not self._asked):
            self._since_ns, self._asked = time.monotonic_ns(), asked

    def is_half_over(self) -> bool:
        """Whether half of `join_timeout_s` has passed since a stop or a failure."""
        half_ns = self._half_ns()
        return half_ns is not None and time.monotonic_ns() >= half_ns

    def is_over(self, post: Post) -> bool:
        """Whether a thread's call has taken too long."""
        end_ns = self._end_ns(post.current, post)
        return end_ns is not None and time.monotonic_ns() >= end_ns

    def next_look_s(self, posts: list[Post]) -> float | None:
        """Return when to look again, in seconds from now; None: not before the clock is started.

        A call that begins meanwhile lasts at least `join_timeout_s`, so looking that often does.
        """
        if self._since_ns is None:
            return None
        now_ns = time.monotonic_ns()
        ends_ns = [self._half_ns(), *(self._end_ns(post.current, post) for post in posts)]
        later_ns = [end_ns for end_ns in ends_ns if end_ns is not None and end_ns > now_ns]
        return (min([*later_ns, now_ns + self._timeout_ns]) - now_ns) / 1e9

    def _half_ns(self) -> int | None:
        if self._since_ns is None or not self._asked:
            return None
        return self._since_ns + self._timeout_ns // 2

    def _end_ns(self, call: Call | None, post: Post) -> int | None:
        if call is None or self._since_ns is None:
            return None
        factor = 1 if self._asked else _UNASKED
        if self._asked and call.method == "close":
            factor = _CLOSING
        start_ns = max(call.start_ns, self._since_ns)
        return start_ns + factor * self._timeout_ns + post.longest_ns(call)
