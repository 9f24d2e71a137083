"""What stands in the street: each item knows its places and how to paint itself from pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtseg._demo.camera import View
from rtseg._demo.canvas import Canvas, Haze, Texture
from rtseg._demo.light import Gain, Light
from rtseg._demo.noise import F64

DRAW_M = 170.0
"""Things farther than this are not drawn."""

CLIP_M = 1.8
"""Long things that pass the camera are cut off this far ahead of it."""


@dataclass
class Brush:
    """A canvas with the light and the camera of one frame."""

    canvas: Canvas
    light: Light
    view: View

    @property
    def clip_s(self) -> float:
        """The way at which long things are cut off."""
        return self.view.pose.s + CLIP_M

    def haze(self, depth: float) -> Haze:
        """Return the share and grey of haze at `depth` metres."""
        return self.light.haze(depth), self.light.haze_grey

    def px(self, metres: float, depth: float) -> float:
        """Return how many pixels `metres` are at `depth`."""
        return metres * self.view.focal / depth

    def fade(self, depth: float, limit_m: float) -> float:
        """Return the opacity of a thing that comes into view at `limit_m` metres."""
        return float(np.clip((limit_m - depth) / (0.18 * limit_m), 0, 1))


class Item(Protocol):
    """A thing to be painted.

    `order` is the way `s` that it is sorted by, far things first. `places` float64 [n, 3] are the
    (s, d, height) that `paint` gets back as pixels and depths; `s` is cut off at the clip. It is
    not painted when `order` is more than `limit_m` ahead.
    """

    order: float
    limit_m: float
    places: F64

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the item from the pixels [n, 2] and depths [n] of its places."""
        ...


@dataclass(slots=True)
class Standing:
    """A flat picture that stands upright and always looks at the camera.

    Args:
        order: way along the street.
        places: its foot [1, 3].
        texture: the picture.
        size: width and height in metres.
        class_id: its class.
        gain: its light; none if the texture is lit already.
        limit_m: the distance at which it comes into view.
        mirror: whether left and right are swapped.
        instance: its id among the objects that are counted; 0 if it isn't one.
    """

    order: float
    places: F64
    texture: Texture
    size: tuple[float, float]
    class_id: int
    gain: Gain | None
    limit_m: float = DRAW_M
    mirror: bool = False
    instance: int = 0

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the picture at its foot."""
        depth = float(depths[0])
        if depth > self.limit_m or self.places[0, 0] < brush.clip_s:
            return
        width = brush.px(self.size[0], depth)
        brush.canvas.upright(
            self.texture,
            (float(pixels[0, 0]), float(pixels[0, 1])),
            (width, brush.px(self.size[1], depth)),
            self.class_id,
            self.gain,
            brush.haze(depth),
            brush.fade(depth, self.limit_m),
            self.mirror,
        )


def place(s: float, d: float, height: float = 0.0) -> F64:
    """Return one place [1, 3]."""
    return np.array([[s, d, height]])
