"""Where the street runs: its heading, height and cross-section along the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtseg._demo.noise import F64, generator


@dataclass(frozen=True)
class Profile:
    """The cross-section of a street, metres from the centre line (right is positive).

    Args:
        traffic_side: +1 where traffic keeps right, -1 where it keeps left.
        lane: width of one traffic lane.
        half_road: distance from the centre line to the kerb, left and right.
        pavement: width of the pavement, left and right.
        parking: whether cars park at the kerb, left and right.
    """

    traffic_side: int
    lane: float
    half_road: tuple[float, float]
    pavement: tuple[float, float]
    parking: tuple[bool, bool]

    def kerb(self, side: int) -> float:
        """Return the signed lateral place of the kerb on `side` (-1 left, +1 right)."""
        return side * self.half_road[side > 0]

    def frontage(self, side: int) -> float:
        """Return the signed lateral place where the pavement ends and plots begin."""
        return side * (self.half_road[side > 0] + self.pavement[side > 0])

    def own_lane(self) -> float:
        """Return the middle of the lane that the camera drives in."""
        return self.traffic_side * self.lane / 2


class Route:
    """A street without end: heading and height are sums of sines of the way `s` in metres."""

    def __init__(self, seed: int) -> None:
        rng = generator(seed, 1)
        self._waves = rng.uniform([90, 170, 300, 700], [140, 260, 520, 1100])
        bend = rng.uniform(0.4, 1.6)
        self._turns = bend * np.array([0.07, 0.11, 0.2, 0.3]) * rng.uniform(0.5, 1, 4)
        self._turn_phases = rng.uniform(0, 2 * np.pi, 4)
        self._hill_waves = rng.uniform([260, 500], [400, 900])
        self._hills = rng.uniform(0.3, 1.0) * np.array([0.5, 1.6])
        self._hill_phases = rng.uniform(0, 2 * np.pi, 2)
        self.profile = _profile(rng)

    def heading(self, s: F64) -> F64:
        """Return the heading at `s` in radians, right turns positive."""
        angles = np.multiply.outer(s, 2 * np.pi / self._waves) + self._turn_phases
        return np.asarray(np.sin(angles) @ self._turns)

    def height(self, s: F64) -> F64:
        """Return the height of the ground at `s` in metres."""
        angles = np.multiply.outer(s, 2 * np.pi / self._hill_waves) + self._hill_phases
        return np.asarray(np.sin(angles) @ self._hills)

    def slope(self, s: F64) -> F64:
        """Return the gradient of the ground at `s`."""
        rates = 2 * np.pi / self._hill_waves
        angles = np.multiply.outer(s, rates) + self._hill_phases
        return np.asarray(np.cos(angles) @ (self._hills * rates))


def _profile(rng: np.random.Generator) -> Profile:
    lane = float(rng.uniform(2.75, 3.1))
    parks = rng.random()
    parking = (bool(0.2 < parks < 0.7), bool(parks > 0.55))
    gutter = float(rng.uniform(0.45, 0.75))
    half = tuple(lane + gutter + (2.1 if parks else 0.0) for parks in parking)
    pavement = rng.uniform(3.2, 5.4, 2)
    return Profile(
        traffic_side=1 if rng.random() < 0.65 else -1,
        lane=lane,
        half_road=(half[0], half[1]),
        pavement=(float(pavement[0]), float(pavement[1])),
        parking=parking,
    )
