"""One frame from its parts: sky, ground with marks and shadows, then every item, far ones first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtseg._demo.camera import Motion, View
from rtseg._demo.canvas import Canvas
from rtseg._demo.ground import Decal, Ground
from rtseg._demo.items import DRAW_M, Brush, Item, Standing
from rtseg._demo.lens import Lens
from rtseg._demo.light import light_of
from rtseg._demo.noise import F64, U8, U16
from rtseg._demo.posts import SignPost
from rtseg._demo.route import Route
from rtseg._demo.shadows import foot_shadow
from rtseg._demo.sky import Sky
from rtseg._demo.street import Chunk, Street
from rtseg._demo.traffic import Traffic
from rtseg._demo.vehicles import Vehicle

_BEHIND_M = 30.0
_MARKS_M = 100.0
_FEET_M = 35.0
_SUN_SHADOW, _FOOT_SHADOW, _CONTACT_SHADOW = 190, 228, 255

Shadow = tuple[F64, int]
"""An outline [n, 2] (s, d) on the ground and its strength, 0-255."""


class Scene:
    """Everything of one drive at one picture size."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._light = light_of(seed)
        self._route = Route(seed)
        self._motion = Motion(seed, self._route)
        self._sky = Sky(seed, self._light, width, height)
        self._ground = Ground(seed, self._route.profile, self._light)
        self._traffic = Traffic(seed, self._route, self._motion, self._light)
        self._street = Street(seed, self._route, self._light, self._traffic.garage)
        self._canvas = Canvas(width, height)
        self._lens = Lens(seed, width, height, self._light)

    def render(self, index: int, time_s: float) -> tuple[U8, U8]:
        """Return picture uint8 [H, W, 3] BGR and labels uint8 [H, W] of frame `index`."""
        self._canvas.instances = None
        image = self._render(index, time_s)
        return image, self._canvas.labels.copy()

    def render_instances(self, index: int, time_s: float) -> tuple[U8, U8, U16]:
        """Return also the ids of the objects, uint16 [H, W]; 0 where there is none."""
        instances: U16 = np.zeros((self._height, self._width), np.uint16)
        self._canvas.instances = instances
        image = self._render(index, time_s)
        return image, self._canvas.labels.copy(), instances

    def _render(self, index: int, time_s: float) -> U8:
        pose = self._motion.pose(time_s)
        view = View(self._route, pose, self._width, self._height)
        canvas = self._canvas
        chunks = self._street.around(pose.s - _BEHIND_M, pose.s + DRAW_M)
        zebras = [s for chunk in chunks[-5:] for s in chunk.zebras if s > pose.s]
        movers, cars = self._traffic.items(time_s, zebras)
        everything = [item for chunk in chunks for item in chunk.items] + movers
        items = [item for item in everything if -2.0 < item.order - pose.s < item.limit_m]
        shadows = self._shadows(chunks, cars, items, view)
        self._sky.paint(canvas, view)
        self._paint_ground(canvas, view, chunks, shadows)
        _paint_items(Brush(canvas, self._light, view), sorted(items, key=_order))
        return self._lens.expose(canvas.image, index, pose.exposure)

    def _shadows(
        self, chunks: list[Chunk], cars: list[Vehicle], items: list[Item], view: View
    ) -> list[Shadow]:
        """Return what darkens the ground, the strongest last."""
        shadows = [(outline, _SUN_SHADOW) for chunk in chunks[-7:] for outline in chunk.shadows]
        if self._light.shadow > 0.2:
            cast = self._light.cast(view.heading0)
            shadows += [(car.shadow(cast), _SUN_SHADOW) for car in cars]
        near = view.pose.s + _FEET_M
        shadows += [
            (foot_shadow(item), _FOOT_SHADOW)
            for item in items
            if isinstance(item, Standing | SignPost) and item.places[0, 0] < near
        ]
        contacts = [outline for chunk in chunks[-6:] for outline in chunk.contacts]
        contacts += [car.footprint for car in cars]
        return shadows + [(outline, _CONTACT_SHADOW) for outline in contacts]

    def _paint_ground(
        self, canvas: Canvas, view: View, chunks: list[Chunk], shadows: list[Shadow]
    ) -> None:
        marks = [mark for chunk in chunks[-7:] for mark in chunk.marks]
        outlines = [mark.outline for mark in marks] + [outline for outline, _ in shadows]
        drawn = _projected(view, outlines)
        paints = [
            Decal(outline, round(255 * min(1.0, 0.25 + mark.width * view.focal / depth / 1.6)))
            for mark, (outline, depth, seen) in zip(marks, drawn[: len(marks)], strict=True)
            if seen and depth < _MARKS_M
        ]
        casts = [
            Decal(outline, strength)
            for (_, strength), (outline, _, seen) in zip(shadows, drawn[len(marks) :], strict=True)
            if seen
        ]
        roads = [road for chunk in chunks for road in chunk.side_roads]
        self._ground.paint(canvas, view, paints, casts, roads)


def _order(item: Item) -> float:
    return -item.order


def _projected(view: View, outlines: list[F64]) -> list[tuple[npt.NDArray[np.int32], float, bool]]:
    """Project flat outlines [n, 2] (s, d): each in sixteenths of a pixel, with the depth of its
    first corner, and whether it is on the picture."""
    if not outlines:
        return []
    counts = np.array([len(outline) for outline in outlines])
    ends = np.cumsum(counts)
    starts = ends - counts
    places = np.zeros((ends[-1], 3))
    places[:, :2] = np.concatenate(outlines)
    ahead = np.maximum.reduceat(places[:, 0], starts) > view.pose.s + 1.0
    places[:, 0] = np.maximum(places[:, 0], view.pose.s + 1.6)
    pixels, depths = view.project(places)
    fixed = np.clip(np.rint(pixels * 16), -(2**22), 2**22).astype(np.int32)
    x_least = np.minimum.reduceat(pixels[:, 0], starts)
    x_most = np.maximum.reduceat(pixels[:, 0], starts)
    seen = ahead & (x_most > 0) & (x_least < view.width)
    return [
        (fixed[start:end], depth, inside)
        for start, end, depth, inside in zip(
            starts.tolist(), ends.tolist(), depths[starts].tolist(), seen.tolist(), strict=True
        )
    ]


def _paint_items(brush: Brush, items: list[Item]) -> None:
    if not items:
        return
    places = np.concatenate([item.places for item in items])
    places[:, 0] = np.maximum(places[:, 0], brush.clip_s)
    pixels, depths = brush.view.project(places)
    end = 0
    for item in items:
        start, end = end, end + len(item.places)
        brush.canvas.instance = item.instance if isinstance(item, Standing | Vehicle) else 0
        item.paint(brush, pixels[start:end], depths[start:end])
