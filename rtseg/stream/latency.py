"""Clocks: what each stage takes, how old a frame is when it is shown, what was dropped where."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtseg.stream.histogram import Histogram, Percentiles

__all__ = ["WAIT", "Latency", "Percentiles"]

WAIT = "wait"
"""The time of a frame in no stage: between two of them, or held up by the next one."""

MAX_TRACES = 256
_FPS_WINDOW_NS = 2_000_000_000


@dataclass(slots=True)
class _Trace:
    """One frame's way: start and end of each stage on the monotonic clock, ns."""

    spans_ns: dict[str, tuple[int, int]] = field(default_factory=dict)
    wait_ns: int | None = None
    """Set when the frame is shown."""


class Latency:
    """The times of a stream. Every method may be called from any thread; memory is bounded.

    A frame's age when it is shown is the sum of the stages that it was in since its capture and of
    `WAIT`; `shares` says how much of the age each of them makes up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, Histogram] = {}
        self._age_parts_ns: dict[str, int] = {}
        self._ages = Histogram()
        self._drops: dict[str, int] = {}
        self._traces: dict[int, _Trace] = {}
        self._last_forgotten = -1
        self._shown_ns: deque[int] = deque(maxlen=1024)
        self._age_ns = 0
        self._first_captured_ns: int | None = None
        self._first_shown_ns: int | None = None

    def record(self, index: int, stage: str, start_ns: int, end_ns: int) -> None:
        """Note that frame `index` was in `stage` from `start_ns` to `end_ns` (monotonic clock)."""
        with self._lock:
            self._count(stage, end_ns - start_ns)
            if (trace := self._trace(index)) is not None:
                trace.spans_ns[stage] = (start_ns, end_ns)

    def shown(self, index: int, captured_ns: int, now_ns: int) -> None:
        """Note that a sink has taken the finished picture of frame `index`.

        The first one counts; that the others take it too changes nothing.
        """
        with self._lock:
            trace = self._trace(index)
            if trace is None or trace.wait_ns is not None:
                return
            self._age_ns = now_ns - captured_ns
            self._ages.add(self._age_ns)
            trace.wait_ns = self._divide_age(trace, captured_ns, now_ns)
            self._count(WAIT, trace.wait_ns)
            self._note_shown(captured_ns, now_ns)

    def dropped(self, hop: str) -> None:
        """Count a frame that was left out before the stage called `hop`."""
        with self._lock:
            self._drops[hop] = self._drops.get(hop, 0) + 1

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames left out, by the stage that they didn't reach."""
        with self._lock:
            return dict(self._drops)

    @property
    def fps(self) -> float:
        """Pictures a second over the two seconds before the last one; 0 before the second."""
        with self._lock:
            if len(self._shown_ns) < 2:
                return 0.0
            span_ns = self._shown_ns[-1] - self._shown_ns[0]
            return (len(self._shown_ns) - 1) * 1e9 / span_ns if span_ns > 0 else 0.0

    @property
    def age_ms(self) -> float:
        """The age of the last picture when it was shown, milliseconds; 0 before the first."""
        return self._age_ns / 1e6

    @property
    def first_captured_ns(self) -> int | None:
        """When the first picture that was shown was captured, monotonic clock."""
        return self._first_captured_ns

    @property
    def first_shown_ns(self) -> int | None:
        """When the first picture was shown, monotonic clock."""
        return self._first_shown_ns

    @property
    def last_shown_ns(self) -> int | None:
        """When the last picture was shown, monotonic clock."""
        with self._lock:
            return self._shown_ns[-1] if self._shown_ns else None

    def trace(self, index: int) -> Mapping[str, float]:
        """Return stage → milliseconds of a recent frame; empty when it is long gone."""
        with self._lock:
            if (trace := self._traces.get(index)) is None:
                return {}
            times = {stage: (end - start) / 1e6 for stage, (start, end) in trace.spans_ns.items()}
            return times if trace.wait_ns is None else {**times, WAIT: trace.wait_ns / 1e6}

    def count(self, stage: str) -> int:
        """Return how many frames have been through a stage."""
        with self._lock:
            return self._stages[stage].count if stage in self._stages else 0

    def stages(self) -> Mapping[str, Percentiles]:
        """Return each stage's times, in the order of the way; `WAIT` and the sinks at the end."""
        with self._lock:
            return {stage: times.percentiles() for stage, times in self._stages.items()}

    def age(self) -> Percentiles:
        """Return the frame ages, captured to shown."""
        with self._lock:
            return self._ages.percentiles()

    def shares(self) -> Mapping[str, float]:
        """Return what part (0-1) of all frame ages each stage and `WAIT` made up; the sum is 1.

        Of the capture only what lies after `captured_ns` counts, and no sink, as a picture is
        shown when a sink takes it. Empty before the first picture.
        """
        with self._lock:
            total_ns = sum(self._age_parts_ns.values())
            if total_ns <= 0:
                return {}
            return {stage: part / total_ns for stage, part in self._age_parts_ns.items()}

    def _count(self, stage: str, duration_ns: int) -> None:
        if stage not in self._stages:
            self._stages[stage] = Histogram()
        self._stages[stage].add(duration_ns)

    def _trace(self, index: int) -> _Trace | None:
        """Return a frame's trace, a new one if need be; None when it has been forgotten."""
        if index not in self._traces and index > self._last_forgotten:
            self._traces[index] = _Trace()
            if len(self._traces) > MAX_TRACES:
                oldest = next(iter(self._traces))
                self._last_forgotten = max(self._last_forgotten, oldest)
                del self._traces[oldest]
        return self._traces.get(index)

    def _divide_age(self, trace: _Trace, captured_ns: int, now_ns: int) -> int:
        """Add each stage's part of the age to the sums; return what is left: the waiting."""
        left_ns = now_ns - captured_ns
        for stage, (start_ns, end_ns) in trace.spans_ns.items():
            part_ns = max(min(end_ns, now_ns) - max(start_ns, captured_ns), 0)
            self._age_parts_ns[stage] = self._age_parts_ns.get(stage, 0) + part_ns
            left_ns -= part_ns
        left_ns = max(left_ns, 0)
        self._age_parts_ns[WAIT] = self._age_parts_ns.get(WAIT, 0) + left_ns
        return left_ns

    def _note_shown(self, captured_ns: int, now_ns: int) -> None:
        if self._first_shown_ns is None:
            self._first_captured_ns, self._first_shown_ns = captured_ns, now_ns
        self._shown_ns.append(now_ns)
        while len(self._shown_ns) > 2 and now_ns - self._shown_ns[0] > _FPS_WINDOW_NS:
            self._shown_ns.popleft()
