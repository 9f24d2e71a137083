"""Figures of people on foot and on bicycles, drawn limb by limb for each phase of a movement."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rtseg._demo.canvas import Texture
from rtseg._demo.noise import U8, generator

PER_M = 110
PHASES = 12
"""Pictures per full cycle of the legs."""

WALKER_M = (1.3, 1.95)
CYCLIST_END_M = (1.0, 1.95)
CYCLIST_SIDE_M = (2.1, 1.95)

Ink = tuple[float, float, float]

_SKIN = ((150, 180, 224), (120, 154, 204), (70, 100, 150), (50, 72, 108))
_HAIR = ((30, 36, 48), (60, 96, 140), (90, 150, 190), (20, 20, 24), (150, 152, 156))
_CLOTH = (
    (40, 36, 34), (120, 70, 40), (50, 50, 170), (180, 180, 186), (70, 110, 60), (60, 120, 190),
    (150, 100, 60), (90, 60, 120), (210, 214, 220), (90, 92, 96), (40, 190, 230), (70, 60, 110),
)  # fmt: skip
_TROUSERS = ((72, 50, 36), (40, 38, 38), (96, 80, 64), (110, 130, 150), (60, 64, 70), (120, 96, 80))


@dataclass(frozen=True)
class Outfit:
    """What a person wears; colours BGR."""

    skin: Ink
    hair: Ink
    top: Ink
    legs: Ink
    shoes: Ink
    coat: bool
    bag: bool
    build: float


def outfit_of(seed: int, number: int) -> Outfit:
    """Return the clothes of the drive's person `number`."""
    rng = generator(seed, 30, number)

    def one(inks: tuple[Ink, ...]) -> Ink:
        b, g, r = np.clip(
            np.array(inks[int(rng.integers(len(inks)))]) * rng.uniform(0.8, 1.15), 0, 245
        )
        return float(b), float(g), float(r)

    return Outfit(
        skin=one(_SKIN),
        hair=one(_HAIR),
        top=one(_CLOTH),
        legs=one(_TROUSERS),
        shoes=(36, 34, 36),
        coat=bool(rng.random() < 0.35),
        bag=bool(rng.random() < 0.4),
        build=float(rng.uniform(0.9, 1.15)),
    )


class Sketch:
    """A picture in metres: x from its middle, y up from its foot."""

    def __init__(self, size_m: tuple[float, float]) -> None:
        width, height = (round(size * PER_M) for size in size_m)
        self.picture: U8 = np.zeros((height, width, 4), np.uint8)

    def _px(self, x: float, y: float) -> tuple[int, int]:
        height, width = self.picture.shape[:2]
        return round((width / 2 + x * PER_M) * 16), round((height - 2 - y * PER_M) * 16)

    def limb(self, points: list[tuple[float, float]], thick: float, ink: Ink) -> None:
        """Draw a bent limb with round ends, darker on its right."""
        path = np.array([self._px(x, y) for x, y in points], np.int32)
        width = max(1, round(thick * PER_M))
        dark = tuple(value * 0.72 for value in ink)
        cv2.polylines(self.picture, [path], False, (*dark, 255), width, cv2.LINE_AA, 4)
        lit = path - np.array([round(width * 2.4), 0])
        cv2.polylines(self.picture, [lit], False, (*ink, 255), max(1, width // 2), cv2.LINE_AA, 4)

    def ball(self, x: float, y: float, size: tuple[float, float], ink: Ink) -> None:
        """Draw an ellipse of `size` (half width, half height), darker on its right."""
        axes = (round(size[0] * PER_M * 16), round(size[1] * PER_M * 16))
        for tone, shift, scale in ((0.75, 0.0, 1.0), (1.0, 0.16, 0.8)):
            colour = (*(value * tone for value in ink), 255)
            centre = self._px(x - shift * size[0], y + shift * size[1] * 0.4)
            part = (round(axes[0] * scale), round(axes[1] * scale))
            cv2.ellipse(self.picture, centre, part, 0, 0, 360, colour, -1, cv2.LINE_AA, 4)

    def shape(self, points: list[tuple[float, float]], ink: Ink, tone: float = 1.0) -> None:
        """Fill a polygon."""
        path = np.array([self._px(x, y) for x, y in points], np.int32)
        colour = (*(min(value * tone, 255) for value in ink), 255)
        cv2.fillPoly(self.picture, [path], colour, cv2.LINE_AA, 4)

    def ring(self, x: float, y: float, size: tuple[float, float], thick: float, ink: Ink) -> None:
        """Draw an open ellipse."""
        axes = (round(size[0] * PER_M * 16), round(size[1] * PER_M * 16))
        width = max(2, round(thick * PER_M))
        cv2.ellipse(
            self.picture, self._px(x, y), axes, 0, 0, 360, (*ink, 255), width, cv2.LINE_AA, 4
        )


def walker_texture(outfit: Outfit, phase: int, view: str) -> Texture:
    """Return a walking person: `view` "front", "back" or "side" (walking to the right)."""
    sketch = Sketch(WALKER_M)
    swing = float(np.sin(2 * np.pi * phase / PHASES))
    lift = float(np.cos(2 * np.pi * phase / PHASES))
    bob = 0.02 * abs(swing)
    if view == "side":
        _side_legs(sketch, outfit, swing, lift)
        _side_body(sketch, outfit, swing, bob)
    else:
        _end_legs(sketch, outfit, swing)
        _end_body(sketch, outfit, swing, bob, view == "back")
    return Texture(sketch.picture)


def _side_legs(sketch: Sketch, outfit: Outfit, swing: float, lift: float) -> None:
    for sign, tone in ((-1, 0.7), (1, 1.0)):
        reach, raised = 0.3 * swing * sign, max(0.0, lift * sign) * 0.12
        ink = _toned(outfit.legs, tone)
        knee = (reach * 0.5 + 0.05, 0.5 + raised * 0.5)
        foot = (reach, 0.08 + raised)
        sketch.limb([(0, 0.92), knee, foot], 0.15 * outfit.build, ink)
        sketch.limb(
            [(reach - 0.03, 0.05 + raised), (reach + 0.13, 0.04 + raised)], 0.09, outfit.shoes
        )


def _side_body(sketch: Sketch, outfit: Outfit, swing: float, bob: float) -> None:
    wide = 0.15 * outfit.build
    back = (-0.32 * swing, 0.88)
    sketch.limb([(0, 1.4 + bob), (-0.2 * swing, 1.1), back], 0.09, _toned(outfit.top, 0.7))
    low = 0.62 if outfit.coat else 0.88
    body = [(-wide, low), (-wide - 0.02, 1.2), (-0.1, 1.5 + bob), (0.1, 1.5 + bob), (wide, 1.2)]
    sketch.shape([*body, (wide + 0.02, low)], outfit.top, 0.95)
    if outfit.bag:
        sketch.ball(-wide - 0.06, 1.2, (0.11, 0.2), _toned(outfit.legs, 0.8))
    sketch.limb([(0, 1.4 + bob), (0.22 * swing, 1.12), (0.36 * swing + 0.04, 0.9)], 0.1, outfit.top)
    sketch.ball(0.36 * swing + 0.05, 0.88, (0.05, 0.06), outfit.skin)
    sketch.ball(0.02, 1.68 + bob, (0.11, 0.14), outfit.skin)
    sketch.ball(-0.02, 1.74 + bob, (0.12, 0.1), outfit.hair)


def _end_legs(sketch: Sketch, outfit: Outfit, swing: float) -> None:
    for sign in (-1, 1):
        raised = 0.1 * max(0.0, swing * sign)
        x = sign * 0.1 * outfit.build
        ink = _toned(outfit.legs, 1.0 if raised == 0 else 0.75)
        sketch.limb([(x * 0.9, 0.9), (x, 0.5 + raised), (x * 0.9, 0.1 + raised)], 0.16, ink)
        sketch.limb([(x, 0.05 + raised), (x * 1.15, 0.05 + raised)], 0.11, outfit.shoes)


def _end_body(sketch: Sketch, outfit: Outfit, swing: float, bob: float, back: bool) -> None:
    wide = 0.23 * outfit.build
    for sign in (-1, 1):
        low = 0.9 + 0.07 * swing * sign
        sketch.limb([(sign * wide, 1.42 + bob), (sign * (wide + 0.07), low)], 0.11, outfit.top)
        sketch.ball(sign * (wide + 0.07), low - 0.05, (0.05, 0.06), outfit.skin)
    low = 0.6 if outfit.coat else 0.86
    body = [
        (-wide * 0.85, low),
        (-wide, 1.38),
        (-0.12, 1.52 + bob),
        (0.12, 1.52 + bob),
        (wide, 1.38),
    ]
    sketch.shape([*body, (wide * 0.85, low)], outfit.top, 0.8)
    sketch.shape([(-wide * 0.8, low), (-wide * 0.95, 1.36), (-0.1, 1.5), (0.02, 1.5), (0.0, low)],
                 outfit.top, 1.0)  # fmt: skip
    if back and outfit.bag:
        sketch.ball(0, 1.2, (0.17, 0.22), _toned(outfit.legs, 0.8))
    sketch.ball(0, 1.68 + bob, (0.1, 0.14), outfit.hair if back else outfit.skin)
    sketch.ball(0, 1.76 + bob, (0.11, 0.08), outfit.hair)


def cyclist_texture(outfit: Outfit, phase: int, view: str) -> Texture:
    """Return a person on a bicycle: `view` "front", "back" or "side" (riding to the right)."""
    turn = 2 * np.pi * phase / PHASES
    sketch = Sketch(CYCLIST_SIDE_M if view == "side" else CYCLIST_END_M)
    if view == "side":
        _side_rider(sketch, outfit, float(turn))
    else:
        _end_rider(sketch, outfit, float(np.sin(turn)), view == "back")
    return Texture(sketch.picture)


def bicycle_texture(seed: int, number: int) -> Texture:
    """Return a parked bicycle seen from its side."""
    sketch = Sketch((2.1, 1.2))
    _bicycle(sketch, outfit_of(seed, 900 + number).top)
    return Texture(sketch.picture)


def _bicycle(sketch: Sketch, ink: Ink) -> None:
    tyre, chain = (34, 32, 32), (60, 62, 64)
    for x in (-0.52, 0.52):
        sketch.ball(x, 0.35, (0.31, 0.31), (118, 120, 120))
        sketch.ring(x, 0.35, (0.33, 0.33), 0.055, tyre)
    sketch.limb([(-0.52, 0.35), (0.0, 0.3), (0.36, 0.85), (-0.16, 0.85), (0.0, 0.3)], 0.05, ink)
    sketch.limb([(-0.52, 0.35), (-0.16, 0.85), (-0.2, 0.98)], 0.045, ink)
    sketch.limb([(0.52, 0.35), (0.36, 0.85), (0.33, 1.05), (0.42, 1.06)], 0.05, ink)
    sketch.limb([(-0.3, 1.0), (-0.1, 1.0)], 0.07, tyre)
    sketch.ring(0.0, 0.3, (0.09, 0.09), 0.03, chain)


def _side_rider(sketch: Sketch, outfit: Outfit, turn: float) -> None:
    for sign, tone in ((-1, 0.7), (1, 1.0)):
        if sign > 0:
            _bicycle(sketch, outfit.top)
        foot = (
            0.17 * np.cos(turn + np.pi * (sign > 0)),
            0.3 + 0.17 * np.sin(turn + np.pi * (sign > 0)),
        )
        knee = (0.16 + foot[0] * 0.5, 0.66 + (foot[1] - 0.3) * 0.6)
        points = [(-0.18, 1.02), (float(knee[0]), float(knee[1])), (float(foot[0]), float(foot[1]))]
        sketch.limb(points, 0.14, _toned(outfit.legs, tone))
    sketch.shape([(-0.3, 0.98), (-0.02, 0.98), (0.3, 1.44), (0.12, 1.56), (-0.2, 1.3)], outfit.top)
    sketch.limb([(0.18, 1.44), (0.28, 1.2), (0.4, 1.07)], 0.1, _toned(outfit.top, 1.1))
    sketch.ball(0.3, 1.66, (0.1, 0.13), outfit.skin)
    sketch.ball(0.28, 1.73, (0.14, 0.09), outfit.hair)


def _end_rider(sketch: Sketch, outfit: Outfit, push: float, back: bool) -> None:
    tyre = (34, 32, 32)
    sketch.limb([(0, 0.05), (0, 0.62)], 0.085, tyre)
    sketch.limb([(-0.28, 1.06), (0.28, 1.06)], 0.05, tyre)
    for sign in (-1, 1):
        foot = 0.3 + 0.16 * push * sign
        points = [(sign * 0.1, 1.0), (sign * 0.19, 0.68 + 0.1 * push * sign), (sign * 0.13, foot)]
        sketch.limb(points, 0.14, outfit.legs)
        sketch.limb([(sign * 0.12, foot - 0.04), (sign * 0.17, foot - 0.04)], 0.09, outfit.shoes)
        sketch.limb([(sign * 0.2, 1.42), (sign * 0.3, 1.2), (sign * 0.26, 1.08)], 0.1, outfit.top)
    back_line = [(-0.19, 0.92), (-0.22, 1.4), (-0.1, 1.54), (0.1, 1.54), (0.22, 1.4), (0.19, 0.92)]
    sketch.shape(back_line, outfit.top, 0.82)
    sketch.shape(
        [(-0.17, 0.94), (-0.2, 1.38), (-0.08, 1.52), (0.02, 1.52), (0.0, 0.94)], outfit.top
    )
    if back:
        sketch.limb([(-0.03, 0.78), (0.03, 0.78)], 0.07, (40, 40, 220))
    sketch.ball(0, 1.67, (0.1, 0.13), outfit.hair if back else outfit.skin)
    sketch.ball(0, 1.75, (0.13, 0.09), _toned(outfit.top, 1.2))


def _toned(ink: Ink, tone: float) -> Ink:
    return min(ink[0] * tone, 255.0), min(ink[1] * tone, 255.0), min(ink[2] * tone, 255.0)
