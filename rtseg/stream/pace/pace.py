"""Keeping a rate: the governor at work in a stream, where several threads ask and tell it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rtseg.frames import Frame
from rtseg.stream.events import Events
from rtseg.stream.latency import Latency
from rtseg.stream.pace.engine_ladder import EngineLadder
from rtseg.stream.pace.governor import Change, Gear, Governor

SKIPPED = "engine"
"""The hop, in counts of drops, of frames that the governor leaves out."""
NOTICE_S = 4.0
"""How long a change is shown on the picture."""
HELD_UP_S = 5.0
"""For how long another part must have been too slow before that is told."""

SizeHW = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PaceFigures:
    """What the governor did.

    Args:
        target_fps: the rate to keep.
        sizes: input size as ``"512x288"`` → part (0-1) of the time that it was the one that ran.
        skipped: frames that were left out as the smallest size was too slow.
        changes: how often the size, or the part of the frames that was taken, has changed.
    """

    target_fps: float
    sizes: Mapping[str, float] = field(default_factory=dict)
    skipped: int = 0
    changes: int = 0


class Pace:
    """Chooses the engine's size for each frame. Every method may be called from any thread.

    Args:
        ladder: the sizes; its `rung` follows the choice.
        target_fps: the rate to keep.
        workers: how many threads run the engine.
        live: the source doesn't wait: it goes at a rate of its own, which may be below the target.
        may_skip: frames may be left out; not where every frame is wanted.
        latency: knows the rate of finished pictures; counts what is left out.
        events: gets an ``"engine size"`` for each change.
    """

    def __init__(
        self,
        ladder: EngineLadder,
        target_fps: float,
        *,
        workers: int,
        live: bool,
        may_skip: bool,
        latency: Latency,
        events: Events,
    ) -> None:
        self.ladder = ladder
        self._target_fps = target_fps
        self._live = live
        self._latency = latency
        self._events = events
        self._lock = threading.Lock()
        self._sizes_hw = ladder.sizes_hw
        pixels = [height * width for height, width in self._sizes_hw]
        self._governor = Governor(pixels, target_fps, workers=workers, may_skip=may_skip)
        self._measured = self._begun = False
        self._steps_s: dict[int, float] = {}
        self._notice: tuple[float, str] | None = None
        self._held_up_since_s: float | None = None
        self._told_held_up = False
        ladder.on_measured = self._calibrate

    def measure(self) -> None:
        """Time every rung, once, before the first frame; later calls do nothing."""
        with self._lock:
            if self._measured:
                return
            self._measured = True
        for rung in [*range(len(self._sizes_hw))] * 2:  # one busy moment doesn't meet a size twice
            self.ladder.measure(rung)

    def choose(self, frame: Frame) -> SizeHW | None:
        """Return the size at which a frame is to be segmented; None: it is to be left out."""
        with self._lock:
            if not self._begun:
                self._begin()
            if self._live:
                self._governor.arrived(frame.index, frame.captured_ns / 1e9)
            if self._governor.admits(frame.index):
                return self._sizes_hw[self._governor.gear.rung]
        self._latency.dropped(SKIPPED)
        return None

    def stepped(self, size_hw: SizeHW, step_s: float) -> None:
        """Note how long a frame took at a size, seconds."""
        now_s, rung = time.monotonic(), self._sizes_hw.index(size_hw)
        shown_fps = self._latency.fps
        with self._lock:
            change = self._governor.stepped(rung, step_s, now_s, shown_fps or None)
            if change is not None:
                self.ladder.rung = change.new.rung
                self._notice = (now_s + NOTICE_S, self._short(change))
            slow_elsewhere = change is None and self._is_held_up(shown_fps, now_s)
        if change is not None:
            self._tell(change)
        if slow_elsewhere:
            self._events.add(
                "pace",
                f"{self._target_fps:g} fps are missed ({shown_fps:.1f}), but not because of the "
                "network: another part is slower",
                level=logging.WARNING,
                fps=round(shown_fps, 2),
            )

    def notice(self) -> str | None:
        """Return what a view shows for some seconds after a change; None: nothing."""
        notice = self._notice
        return notice[1] if notice is not None and time.monotonic() < notice[0] else None

    def figures(self) -> PaceFigures:
        """Return what was done so far."""
        with self._lock:
            names = map(_name, self._sizes_hw)
            sizes = dict(zip(names, self._governor.time_shares(), strict=True))
            governor = self._governor
            return PaceFigures(self._target_fps, sizes, governor.num_skipped, governor.num_changes)

    def _begin(self) -> None:
        """Take the first gear; under the lock."""
        self._begun = True
        self._governor.begin(time.monotonic())
        self.ladder.rung = self._governor.gear.rung

    def _calibrate(self, rung: int, step_s: float) -> None:
        with self._lock:
            before_s = None if self._begun else self._steps_s.get(rung)
            self._steps_s[rung] = step_s if before_s is None else min(before_s, step_s)
            self._governor.calibrate(rung, self._steps_s[rung])

    def _is_held_up(self, shown_fps: float, now_s: float) -> bool:
        """Whether it is to be told that another part is too slow; once. Under the lock."""
        if not shown_fps or not self._governor.is_held_up_elsewhere(shown_fps):
            self._held_up_since_s = None
            return False
        self._held_up_since_s = self._held_up_since_s or now_s
        if self._told_held_up or now_s - self._held_up_since_s < HELD_UP_S:
            return False
        self._told_held_up = True
        return True

    def _tell(self, change: Change) -> None:
        old, new = self._words(change.old), self._words(change.new)
        busy = f"{100 * change.load:.0f} % of the time"
        reason = f"{old} kept it busy {busy}" if change.is_down else f"there is room: {old} {busy}"
        self._events.add(
            "engine size",
            f"the network runs at {new} for {change.wanted_fps:.3g} fps; {reason}",
            size_wh=list(self._sizes_hw[change.new.rung][::-1]),
            share=round(change.new.share, 3),
            load=round(change.load, 3),
        )

    def _short(self, change: Change) -> str:
        return f"{self._words(change.new)}, to keep {change.wanted_fps:.3g} fps"

    def _words(self, gear: Gear) -> str:
        name = _name(self._sizes_hw[gear.rung])
        return name if gear.share == 1 else f"{name}, {100 * gear.share:.0f} % of the frames"


def _name(size_hw: SizeHW) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"
