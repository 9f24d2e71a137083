"""Weather and time of day: where the light comes from, its colours, and the haze."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from rtseg._demo.noise import F64, generator

Gain = tuple[float, float, float]
"""Factors for blue, green and red."""

CLEAR_M = 13.0
"""Haze begins at this distance."""


@dataclass(frozen=True)
class Light:
    """One drive's light; colours are BGR, 1 is the texture's own brightness.

    Args:
        kind: "sunny", "overcast" or "dusk".
        sun: unit vector to the sun: east, north (heading 0), up.
        sun_colour: what direct sunlight adds on a surface that faces it.
        sky_colour: what the sky adds everywhere.
        haze_bgr: colour that distance fades into, 0-255.
        haze_m: distance over which 63 % fade.
        shadow: how much of the direct light a cast shadow takes, 0-1.
        lamps: whether lamps and windows are lit.
    """

    kind: str
    sun: tuple[float, float, float]
    sun_colour: Gain
    sky_colour: Gain
    haze_bgr: Gain
    haze_m: float
    shadow: float
    lamps: bool

    @property
    def haze_grey(self) -> float:
        """Brightness of the haze, 0-255."""
        return sum(self.haze_bgr) / 3

    def on(self, normal: tuple[float, float, float], shaded: float = 0.0) -> Gain:
        """Return the gain of a surface with world `normal`; `shaded` 1 takes all direct sun."""
        facing = max(0.0, sum(a * b for a, b in zip(normal, self.sun, strict=True)))
        direct = facing * (1.0 - shaded)
        lift = 0.9 + 0.1 * normal[2]
        blue, green, red = (
            sky * lift + sun * direct
            for sky, sun in zip(self.sky_colour, self.sun_colour, strict=True)
        )
        return blue, green, red

    def upright(self, shaded: float = 0.0) -> Gain:
        """Return the gain of things without a clear side: people, trees, poles."""
        weight = 0.55 * (1.0 - shaded)
        blue, green, red = (
            sky + sun * weight for sky, sun in zip(self.sky_colour, self.sun_colour, strict=True)
        )
        return blue, green, red

    def haze(self, depth: float) -> float:
        """Return the share of haze colour at `depth` metres, 0-1."""
        return 1.0 - exp(-max(depth - CLEAR_M, 0.0) / self.haze_m)

    def cast(self, heading: float) -> tuple[float, float]:
        """Return where a shadow falls per metre of height: (along, to the right) of `heading`."""
        east, north, up = self.sun
        scale = -1.0 / max(up, 0.25)
        along = north * np.cos(heading) + east * np.sin(heading)
        right = east * np.cos(heading) - north * np.sin(heading)
        return float(along * scale), float(right * scale)


def facing(side: int, heading: float) -> tuple[float, float, float]:
    """Return the world normal of a wall on `side` of the street that looks at the street."""
    return -side * float(np.cos(heading)), side * float(np.sin(heading)), 0.0


def light_of(seed: int) -> Light:
    """Return the light of the drive `seed`."""
    rng = generator(seed, 3)
    kind = ("sunny", "overcast", "sunny", "dusk", "sunny", "overcast")[seed % 6]
    azimuth = float(rng.uniform(0, 2 * np.pi))
    if kind == "sunny":
        return _light(rng, kind, azimuth, rng.uniform(0.55, 0.95))
    if kind == "overcast":
        return _light(rng, kind, azimuth, 1.2)
    return _light(rng, kind, azimuth, 0.3)


_COLOURS: dict[str, tuple[Gain, Gain, Gain]] = {
    "sunny": ((0.55, 0.64, 0.72), (0.68, 0.64, 0.6), (226, 212, 200)),
    "overcast": ((0.1, 0.1, 0.1), (0.83, 0.81, 0.79), (208, 205, 201)),
    "dusk": ((0.16, 0.26, 0.4), (0.56, 0.48, 0.46), (150, 148, 178)),
}
_HAZE_M = {"sunny": 520.0, "overcast": 300.0, "dusk": 380.0}


def _light(rng: np.random.Generator, kind: str, azimuth: float, elevation: float) -> Light:
    level = float(np.cos(elevation))
    sun, sky, haze = (np.array(colour) for colour in _COLOURS[kind])
    tint = rng.uniform(0.95, 1.05, 3)
    strength = rng.uniform(0.9, 1.1)
    return Light(
        kind=kind,
        sun=(level * np.sin(azimuth), level * np.cos(azimuth), float(np.sin(elevation))),
        sun_colour=_gain(sun * strength),
        sky_colour=_gain(sky * tint * strength),
        haze_bgr=_gain(haze * tint),
        haze_m=_HAZE_M[kind] * float(rng.uniform(0.7, 1.3)),
        shadow={"sunny": 1.0, "overcast": 0.15, "dusk": 0.35}[kind],
        lamps=kind == "dusk",
    )


def _gain(values: F64) -> Gain:
    return float(values[0]), float(values[1]), float(values[2])
