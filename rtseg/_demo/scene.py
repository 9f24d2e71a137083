"""One frame from its parts: sky, ground with marks and shadows, then every item, far ones first."""

from __future__ import annotations

import numpy as np

from rtseg._demo.camera import Motion, View
from rtseg._demo.canvas import Canvas
from rtseg._demo.ground import Decal, Ground
from rtseg._demo.items import DRAW_M, Brush, Item
from rtseg._demo.lens import Lens
from rtseg._demo.light import light_of
from rtseg._demo.noise import F64, U8
from rtseg._demo.route import Route
from rtseg._demo.sky import Sky
from rtseg._demo.street import Chunk, Street
from rtseg._demo.traffic import Traffic
from rtseg._demo.vehicles import Vehicle

_BEHIND_M = 30.0
_MARKS_M = 100.0
_SUN_SHADOW, _CONTACT_SHADOW = 190, 255


class Scene:
    """Everything of one drive at one picture size."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._light = light_of(seed)
        self._route = Route(seed)
        self._motion = Motion(seed, self._route)
        self._sky = Sky(seed, self._light)
        self._ground = Ground(seed, self._route.profile, self._light)
        self._traffic = Traffic(seed, self._route, self._motion, self._light)
        self._street = Street(seed, self._route, self._light, self._traffic.garage)
        self._lens = Lens(seed, width, height, self._light)

    def render(self, index: int, time_s: float) -> tuple[U8, U8]:
        """Return picture uint8 [H, W, 3] BGR and labels uint8 [H, W] of frame `index`."""
        pose = self._motion.pose(time_s)
        view = View(self._route, pose, self._width, self._height)
        canvas = Canvas(self._width, self._height)
        chunks = self._street.around(pose.s - _BEHIND_M, pose.s + DRAW_M)
        movers, cars = self._traffic.items(time_s, np.empty(0))
        self._sky.paint(canvas, view)
        self._paint_ground(canvas, view, chunks, cars)
        brush = Brush(canvas, self._light, view)
        items = [item for chunk in chunks for item in chunk.items if item.order > pose.s]
        items += [mover for mover in movers if mover.order > pose.s]
        _paint_items(brush, sorted(items, key=_order))
        return self._lens.expose(canvas.image, index, pose.exposure), canvas.labels

    def _paint_ground(
        self, canvas: Canvas, view: View, chunks: list[Chunk], cars: list[Vehicle]
    ) -> None:
        near = view.pose.s
        marks = [mark for chunk in chunks[-7:] for mark in chunk.marks]
        shadows = [(outline, _SUN_SHADOW) for chunk in chunks for outline in chunk.shadows]
        contacts = [outline for chunk in chunks[-6:] for outline in chunk.contacts]
        if self._light.shadow > 0.2:
            cast = self._light.cast(view.heading0)
            shadows += [(car.shadow(cast), _SUN_SHADOW) for car in cars]
        shadows += [(outline, _CONTACT_SHADOW) for outline in contacts]
        shadows += [(car.footprint, _CONTACT_SHADOW) for car in cars]
        outlines = [mark.outline for mark in marks] + [outline for outline, _ in shadows]
        drawn = _projected(view, outlines)
        paints = []
        for mark, (pixels, depth) in zip(marks, drawn[: len(marks)], strict=True):
            width_px = mark.width * view.focal / depth
            if near < float(mark.outline[:, 0].max()) and depth < _MARKS_M:
                paints.append(Decal(pixels, round(255 * min(1.0, 0.25 + width_px / 1.6))))
        casts = [
            Decal(pixels, strength)
            for (outline, strength), (pixels, _) in zip(shadows, drawn[len(marks) :], strict=True)
            if near < float(outline[:, 0].max())
        ]
        roads = [road for chunk in chunks for road in chunk.side_roads]
        self._ground.paint(canvas, view, paints, casts, roads)


def _order(item: Item) -> float:
    return -item.order


def _projected(view: View, outlines: list[F64]) -> list[tuple[F64, float]]:
    """Project flat outlines [n, 2]; each with its mean depth."""
    if not outlines:
        return []
    flat = np.concatenate(outlines)
    places = np.zeros((len(flat), 3))
    places[:, :2] = flat
    places[:, 0] = np.maximum(places[:, 0], view.pose.s + 1.6)
    pixels, depths = view.project(places)
    ends = np.cumsum([len(outline) for outline in outlines])
    return [
        (pixels[end - len(outline) : end], float(depths[end - len(outline) : end].mean()))
        for outline, end in zip(outlines, ends.tolist(), strict=True)
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
        item.paint(brush, pixels[start:end], depths[start:end])
