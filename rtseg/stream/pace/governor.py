"""Which size the network runs at, so that a stream keeps its rate: no clock here, no thread.

The governor changes gears. The first ones are the sizes, the largest first; below the smallest
come gears that let only a part of the frames through.

    load      how much of its time the network is busy: step time x rate / workers; above 1 it can't
              keep up
    down      at once to the gear that carries the load of the last second, when that was too much
    up        one gear, when for some seconds its load would have left a margin; a gear that didn't
              hold is tried again later and later
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_S = 1.0
"""Loads are means over this time: a shorter hitch changes nothing."""
FEWEST_STEPS = 3
"""A mean over fewer steps says nothing; a slow network has a longer window."""
FULL = 0.97
"""The mean load that is too much, as single steps take longer than the mean."""
NEARLY_FULL = 0.85
"""The mean load from which on a missed rate is taken for the network's fault."""
PROOF_S = 0.6
"""For how long the mean must be too much, so that it isn't one hitch."""
MISSED = 0.93
"""The part of the wanted rate below which it is missed."""
MARGIN = 1.15
"""A gear is taken on the way up when it would leave so much room; on the way down a little."""
MARGIN_DOWN = 1.03
WAIT_S = 6.0
"""For how long a larger gear must fit before it is taken; doubled when it doesn't hold."""
LONGEST_WAIT_S = 300.0
CALM_S = 3.0
"""Whether a larger gear fits is judged by a mean over about this time, so that a single busy moment
doesn't make the wait begin again."""
DOUBTFUL = 4
"""So many times longer a gear is waited for that would fit by its pixels, but not as measured: a
measurement may have met a busy moment."""
HELD_S = 20.0
"""A gear that was left sooner after it was taken on the way up didn't hold."""
FORGIVEN_S = 60.0
"""A gear that held for so long is trusted again."""
SHARES = (9 / 10, 4 / 5, 2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 12, 1 / 16, 1 / 32)
"""Parts of the frames that the gears below the smallest size let through."""


@dataclass(frozen=True, slots=True)
class Gear:
    """A size of the network and the part of the frames that it gets.

    Args:
        rung: which size, 0 is the largest.
        share: above 0, up to 1.
    """

    rung: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """The governor has changed gears.

    Args:
        old: the gear before.
        new: the gear from now on.
        load: the mean load in the old gear, 1 is all the time that there is.
        wanted_fps: the rate that is to be kept.
    """

    old: Gear
    new: Gear
    load: float
    wanted_fps: float

    @property
    def is_down(self) -> bool:
        """Whether the new gear asks less of the machine."""
        return (self.new.rung, -self.new.share) > (self.old.rung, -self.old.share)


class Governor:
    """Chooses the gear. Not safe against use from several threads at a time.

    Every method takes the time from who calls it: seconds on any clock that doesn't jump.

    Args:
        pixels: of each size, the largest first: what a frame costs until `calibrate` knows better.
        target_fps: the rate to keep, frames per second. A source that gives fewer is kept up with.
        workers: how many frames the network works on at a time.
        may_skip: whether frames may be left out where the smallest size is still too slow.
        now_s: the time at the start.
    """

    def __init__(
        self,
        pixels: Sequence[float],
        target_fps: float,
        *,
        workers: int = 1,
        may_skip: bool = True,
        now_s: float = 0.0,
    ) -> None:
        smallest = len(pixels) - 1
        self.gears = [Gear(rung) for rung in range(len(pixels))]
        self.gears += [Gear(smallest, share) for share in SHARES] if may_skip else []
        self._pixels, self._costs = list(pixels), list(pixels)
        self._target_fps = target_fps
        self._workers = workers
        self._place = 0
        self._steps: deque[tuple[float, float]] = deque()
        self._frames: deque[tuple[float, int]] = deque()
        self._waits_s = [WAIT_S] * len(self.gears)
        self._fits_since_s: float | None = None
        self._over_since_s: float | None = None
        self._calm_load: float | None = None
        self._calm_s = now_s
        self._changed_s = self._counted_s = now_s
        self._came_up = False
        self._due = 0.0
        self._seconds = [0.0] * len(pixels)
        self.num_skipped = self.num_changes = 0

    @property
    def gear(self) -> Gear:
        """The gear that the next frame is worked on in."""
        return self.gears[self._place]

    @property
    def wanted_fps(self) -> float:
        """The rate to keep: the target, or what the source gives where that is less."""
        return min(self._target_fps, self._source_fps() or self._target_fps)

    @property
    def load(self) -> float | None:
        """The mean load of late; None until there were some steps in this gear."""
        return None if len(self._steps) < FEWEST_STEPS else self._load_of(list(self._steps))

    def calibrate(self, rung: int, step_s: float) -> None:
        """Note what a frame costs at a size, seconds, measured as for the other sizes."""
        self._costs[rung] = step_s

    def begin(self, now_s: float) -> None:
        """Take the gear that what `calibrate` was told speaks for; before the first frame."""
        loads = [cost * self._target_fps / self._workers for cost in self._costs]
        fitting = (place for place, load in enumerate(loads) if load * MARGIN <= 1)
        self._place = next(fitting, len(loads) - 1)
        self._changed_s = self._counted_s = now_s

    def arrived(self, index: int, captured_s: float) -> None:
        """Note a frame of a source that goes at a rate of its own, for its rate.

        Args:
            index: the frame's number; numbers in between are frames that were dropped.
            captured_s: when it was captured.
        """
        frames = self._frames
        if frames and index <= frames[-1][1]:
            return
        frames.append((captured_s, index))
        while frames[0][0] < captured_s - (2 * WINDOW_S if len(frames) > 4 else 10 * WINDOW_S):
            frames.popleft()

    def admits(self, index: int) -> bool:
        """Return whether a frame is to be worked on; call it once for each frame."""
        share = self.gear.share
        if share == 1:
            return True
        share *= self.wanted_fps / (self._source_fps() or self.wanted_fps)
        if abs(index - self._due) > 2 / share:
            self._due = index  # the gear is new, or many frames were lost
        if index < self._due:
            self.num_skipped += 1
            return False
        self._due += 1 / share
        return True

    def stepped(
        self, rung: int, step_s: float, now_s: float, shown_fps: float | None = None
    ) -> Change | None:
        """Note that a frame was worked on; change the gear where it is time to.

        Args:
            rung: the size that it was worked on in.
            step_s: how long that took, seconds.
            now_s: when it ended.
            shown_fps: the rate of finished pictures of late, where it is known.
        """
        if now_s - self._count(now_s) > 3 * WINDOW_S:
            self._fits_since_s = None  # nothing was to be done, so nothing fitted
        if rung != self.gear.rung:
            return None  # began before the last change
        self._steps.append((now_s, step_s))
        while len(self._steps) > FEWEST_STEPS and self._steps[0][0] < now_s - WINDOW_S:
            self._steps.popleft()
        load = self.load
        if load is None or now_s - self._changed_s < WINDOW_S:
            return None
        if not self._is_too_much(load, now_s, shown_fps):
            self._over_since_s = None
        elif self._over_since_s is None:
            self._over_since_s = now_s
        elif now_s - self._over_since_s >= PROOF_S:
            return self._shift(self._lower(max(load, self._load_of_late())), load, now_s)
        if self._is_time_to_rise(self._calmed(load, now_s), now_s):
            return self._shift(self._place - 1, load, now_s)
        return None

    def is_held_up_elsewhere(self, shown_fps: float) -> bool:
        """Whether the rate is missed although the network has time left: another part is slow."""
        load = self.load
        missed = shown_fps < MISSED * self.gear.share * self.wanted_fps
        return missed and load is not None and load < NEARLY_FULL

    def time_shares(self) -> list[float]:
        """Return for each size which part (0-1) of the time it was the one that ran."""
        whole = sum(self._seconds)
        return [seconds / whole if whole else 0.0 for seconds in self._seconds]

    def _source_fps(self) -> float | None:
        if len(self._frames) < FEWEST_STEPS:
            return None
        (first_s, first), (last_s, last) = self._frames[0], self._frames[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else None

    def _is_too_much(self, load: float, now_s: float, shown_fps: float | None) -> bool:
        if load > FULL:
            return True
        if self.gear.rung == len(self._costs) - 1:
            return False  # leaving out frames can't mend that frames are missed
        settled = now_s - self._changed_s >= 3 * WINDOW_S  # the rate is a mean over two seconds
        missed = shown_fps is not None and shown_fps < MISSED * self.wanted_fps
        return missed and settled and load > NEARLY_FULL

    def _load_of(self, steps: list[tuple[float, float]]) -> float:
        mean_s = sum(step_s for _, step_s in steps) / len(steps)
        return mean_s * self.gear.share * self.wanted_fps / self._workers

    def _load_of_late(self) -> float:
        """Return the load of the last half of the window, which is still going up."""
        steps = list(self._steps)
        return self._load_of(steps[-max(FEWEST_STEPS, len(steps) // 2) :])

    def _calmed(self, load: float, now_s: float) -> float:
        """Return the load as a mean over the last seconds."""
        before, passed_s = self._calm_load, now_s - self._calm_s
        weight = 1.0 if before is None else min(1.0, passed_s / CALM_S)
        calm_load = load if before is None else before + weight * (load - before)
        self._calm_load, self._calm_s = calm_load, now_s
        return calm_load

    def _is_time_to_rise(self, load: float, now_s: float) -> bool:
        place = self._place - 1
        if place < 0 or load * MARGIN > 1:
            self._fits_since_s = None
            return False
        fits = self._in_gear(load, place) * MARGIN <= 1
        by_pixels = load * self._ratio(self._pixels, place) * MARGIN <= 1
        if not fits and not by_pixels:
            self._fits_since_s = None
            return False
        if self._fits_since_s is None:
            self._fits_since_s = now_s
        wait_s = self._waits_s[place] * (1 if fits else DOUBTFUL)
        return now_s - self._fits_since_s >= wait_s

    def _in_gear(self, load: float, place: int) -> float:
        """Return what the load of this gear would be in another one."""
        return load * self._ratio(self._costs, place)

    def _ratio(self, costs: Sequence[float], place: int) -> float:
        now, then = self.gear, self.gears[place]
        return costs[then.rung] / costs[now.rung] * then.share / now.share

    def _lower(self, load: float) -> int:
        """Return the place of the highest gear below this one that carries the load."""
        last = len(self.gears) - 1
        lower = range(self._place + 1, last + 1)
        fitting = (place for place in lower if self._in_gear(load, place) * MARGIN_DOWN <= 1)
        return next(fitting, last)

    def _shift(self, place: int, load: float, now_s: float) -> Change | None:
        if place == self._place:
            return None
        change = Change(self.gear, self.gears[place], load, self.wanted_fps)
        if place > self._place:
            self._judge(now_s - self._changed_s)
        self._came_up = place < self._place
        self._place, self._changed_s = place, now_s
        self._fits_since_s = self._over_since_s = self._calm_load = None
        self._steps.clear()
        self.num_changes += 1
        return change

    def _judge(self, held_s: float) -> None:
        """Let the gear that is left wait longer next time if it didn't hold."""
        if self._came_up and held_s < HELD_S:
            longer_s = min(2 * self._waits_s[self._place], LONGEST_WAIT_S)
            self._waits_s[self._place] = longer_s
        elif held_s > FORGIVEN_S:
            self._waits_s[self._place] = WAIT_S

    def _count(self, now_s: float) -> float:
        """Add the time since the last count to the size that runs; return when that was."""
        before_s = self._counted_s
        self._seconds[self.gear.rung] += max(0.0, now_s - before_s)
        self._counted_s = max(now_s, before_s)
        return before_s
