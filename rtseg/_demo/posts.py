"""Signs, boards and traffic lights on their posts."""

from __future__ import annotations

from dataclasses import dataclass

from rtseg._demo.canvas import Texture
from rtseg._demo.items import Brush
from rtseg._demo.noise import F64
from rtseg._demo.truth import POLE, SIGN

LEAST_POST = 0.0062
"""Posts are painted at least so wide, as a part of the picture's width."""


@dataclass(slots=True)
class Plate:
    """A sign on a post: texture, place right of the post, height of its middle, size; metres."""

    texture: Texture
    right: float
    up: float
    size: tuple[float, float]


@dataclass(slots=True)
class SignPost:
    """One or two posts that carry plates; all textures are lit.

    Args:
        order: way along the street.
        places: the foot [1, 3].
        post: texture of a post.
        posts: where posts stand, right of the foot.
        tall: height of the posts.
        thick: thickness of the posts.
        plates: what they carry.
        limit_m: the distance at which they come into view.
        signals: heads of a traffic light for red, amber, green; the first plate shows one.
    """

    order: float
    places: F64
    post: Texture
    posts: tuple[float, ...]
    tall: float
    thick: float
    plates: tuple[Plate, ...]
    limit_m: float = 52.0
    signals: tuple[Texture, Texture, Texture] | None = None

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the posts, then the plates."""
        depth = float(depths[0])
        if depth > self.limit_m or self.places[0, 0] < brush.clip_s:
            return
        canvas, haze = brush.canvas, brush.haze(depth)
        opacity = brush.fade(depth, self.limit_m)
        x, y = float(pixels[0, 0]), float(pixels[0, 1])
        width = max(brush.px(self.thick, depth), LEAST_POST * canvas.width)
        for right in self.posts:
            foot = (x + brush.px(right, depth), y)
            size = (width, brush.px(self.tall, depth))
            canvas.upright(self.post, foot, size, POLE, None, haze, opacity)
        for number, plate in enumerate(self.plates):
            texture = plate.texture
            if self.signals is not None and number == 0:
                texture = self.signals[0 if depth > 38 else 1 if depth > 30 else 2]
            low = y - brush.px(plate.up - plate.size[1] / 2, depth)
            size = (brush.px(plate.size[0], depth), brush.px(plate.size[1], depth))
            foot = (x + brush.px(plate.right, depth), low)
            canvas.upright(texture, foot, size, SIGN, None, haze, opacity)
