"""The dashcam: where it is at a frame, and how the street falls on its picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rtseg._demo.noise import F64, generator
from rtseg._demo.route import Route

FOCAL = 0.92
"""Focal length in picture widths: 57° horizontally, whatever the picture's shape."""

MOUNT = 1.45
"""Height of the lens above the road in metres."""

NEAR_M, FAR_M = 1.2, 230.0


@dataclass(frozen=True)
class Pose:
    """The camera at one moment.

    Args:
        time_s: seconds since the start of the drive.
        s: way along the street, metres.
        d: lateral place, metres right of the centre line.
        yaw: radians right of the street's heading.
        pitch: radians, looking down is negative.
        exposure: gain of the picture around 1.
    """

    time_s: float
    s: float
    d: float
    yaw: float
    pitch: float
    exposure: float


class Motion:
    """How the camera moves: an even pace with small waves in speed, place, pitch and exposure."""

    def __init__(self, seed: int, route: Route) -> None:
        rng = generator(seed, 2)
        self.speed = float(rng.uniform(7.5, 11.0))
        self._phases = rng.uniform(0, 2 * np.pi, 9)
        self._lane = route.profile.own_lane()
        self._start = float(rng.uniform(0, 5000))

    def s_at(self, time_s: float) -> float:
        """Return the way in metres at `time_s`; it always grows."""
        wave = 4.0 * float(np.sin(0.21 * time_s + self._phases[0]))
        return self._start + self.speed * time_s + wave

    def time_at(self, s: float) -> float:
        """Return when the camera is at `s` (Newton's method; the pace hardly changes)."""
        time_s = (s - self._start) / self.speed
        for _ in range(4):
            time_s += (s - self.s_at(time_s)) / self.speed
        return time_s

    def pose(self, time_s: float) -> Pose:
        """Return the pose at `time_s` seconds."""
        p, t = self._phases, time_s
        bumps = np.sin(9.1 * t + p[3]) * 0.6 + np.sin(14.3 * t + p[4]) * 0.4
        rough = 0.5 + 0.5 * np.sin(0.37 * t + p[5])
        return Pose(
            time_s=t,
            s=self.s_at(t),
            d=self._lane + 0.18 * np.sin(0.43 * t + p[1]) + 0.08 * np.sin(0.9 * t + p[2]),
            yaw=0.012 * np.sin(0.43 * t + p[1] + 1.2) + 0.006 * np.sin(1.3 * t + p[6]),
            pitch=0.0025 * rough * bumps + 0.006 * np.sin(0.5 * t + p[7]) - 0.012,
            exposure=1.0 + 0.05 * np.sin(0.6 * t + p[8]),
        )


class View:
    """Projection of places along the street (s, d, height) to pixels for one pose.

    Pixels are continuous: the middle of the top left pixel is (0.5, 0.5). The verticals of the
    street stay vertical: pitch shifts the picture and does not tilt it.
    """

    def __init__(self, route: Route, pose: Pose, width: int, height: int) -> None:
        self.pose, self.width, self.height_px = pose, width, height
        self.focal = FOCAL * width
        self._steps = _STEPS
        s = pose.s + _STEPS
        base = float(route.heading(np.array([pose.s]))[0])
        self.heading0 = base + pose.yaw
        angles = route.heading(s) - self.heading0
        middle = np.diff(_STEPS) / 2
        x = _cumulated((np.sin(angles[1:]) + np.sin(angles[:-1])) * middle)
        z = _cumulated((np.cos(angles[1:]) + np.cos(angles[:-1])) * middle)
        here = _HERE
        cos0, sin0 = np.cos(angles[here]), np.sin(angles[here])
        self._s, self._angles = s, angles
        self._x = x - x[here] - pose.d * cos0
        self._z = z - z[here] + pose.d * sin0
        ground = route.height(s)
        self._ground = ground - ground[here]
        slope = float(route.slope(np.array([pose.s]))[0])
        self.horizon = 0.5 * height + (pose.pitch + slope) * self.focal
        self._table = np.stack([self._x, self._z, np.cos(angles), np.sin(angles), self._ground])

    def project(self, places: F64) -> tuple[F64, F64]:
        """Project [n, 3] places (s, d, height) to ([n, 2] pixels x y, [n] depths in metres)."""
        s, d, h = places.T
        position = np.interp(s, self._s, _INDEX)
        low = np.minimum(position.astype(np.intp), len(_INDEX) - 2)
        part = position - low
        left, right = self._table[:, low], self._table[:, low + 1]
        x, z, cos, sin, ground = left + (right - left) * part
        depth = np.maximum(z - d * sin, 0.05)
        scale = self.focal / depth
        pixels = np.empty((len(s), 2))
        pixels[:, 0] = self.width / 2 + (x + d * cos) * scale
        pixels[:, 1] = self.horizon + (MOUNT - ground - h) * scale
        return pixels, depth

    @cached_property
    def ground_rows(self) -> tuple[int, F64, F64, F64, F64]:
        """First row that shows ground; per row from there: depth, s, street x, street angle."""
        ahead = self._z > NEAR_M * 0.4
        z, s = self._z[ahead], self._s[ahead]
        y = self.horizon + self.focal * (MOUNT - self._ground[ahead]) / z
        y = np.minimum.accumulate(y)
        first = min(max(int(np.ceil(y[-1] - 0.5)), 0), self.height_px)
        rows = np.arange(first, self.height_px) + 0.5
        depth = 1.0 / np.interp(rows, y[::-1], 1.0 / z[::-1])
        place = np.interp(depth, z, np.arange(len(z)))
        index = np.arange(len(z))
        along = np.interp(place, index, s)
        return (
            first,
            depth,
            along,
            np.interp(place, index, self._x[ahead]),
            np.interp(place, index, self._angles[ahead]),
        )


def _cumulated(steps: F64) -> F64:
    return np.concatenate([[0.0], np.cumsum(steps)])


_STEPS = np.concatenate(
    [np.arange(-14, 0, 2.0), np.arange(0, 40, 1.0), np.arange(40, FAR_M + 1, 2.5)]
)
_HERE = 7
_INDEX = np.arange(len(_STEPS), dtype=np.float64)
