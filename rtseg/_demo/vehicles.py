"""A car in the street: the faces that look at the camera, far ones first, each in its own light."""

from __future__ import annotations

from functools import cached_property, lru_cache

import cv2
import numpy as np

from rtseg._demo.canvas import Haze, Texture
from rtseg._demo.cars import BUS, BUS_PAINTS, MODELS, PAINTS, Coachwork, coachwork, faces
from rtseg._demo.items import Brush
from rtseg._demo.light import Light
from rtseg._demo.noise import F64
from rtseg._demo.truth import CAR

_NAMES = tuple(faces(MODELS[0]))
_FACES = [faces(model) for model in MODELS]
_CORNERS = [np.concatenate([model[name] for name in _NAMES]) for model in _FACES]
_WHOLE = np.array([name in {"left", "right", "rear", "front"} for name in _NAMES])
_WHOLE_FROM_M = 42.0
LIMIT_M = 130.0
_KEPT = 32
"""So many kinds of car are kept painted, of a hundred; one takes some 2 MB."""

_NEAR_END_M = 3.0
"""Cars are sorted by about their near end, before which a railing at the kerb may stand."""


class Garage:
    """The textures of the cars of a drive, painted when first seen, the latest of them kept."""

    def __init__(self, light: Light) -> None:
        self._light = light
        self._painted = lru_cache(_KEPT)(self._paint)

    def coachwork(self, model: int, paint: int) -> Coachwork:
        """Return the textures of `model` in `paint`, both indices."""
        return self._painted(model, paint % len(PAINTS))

    def _paint(self, model: int, paint: int) -> Coachwork:
        return coachwork(MODELS[model], PAINTS[paint], self._light.lamps)


class Vehicle:
    """A car at (s, d), parallel to the street; `way` +1 drives with the camera, -1 against it.

    `instance` is its id among the objects that are counted.
    """

    def __init__(
        self,
        s: float,
        d: float,
        way: int,
        model: int,
        paint: int,
        garage: Garage,
        heading: float,
        instance: int = 0,
    ) -> None:
        self.s, self.order = s, s - _NEAR_END_M
        self.instance = instance
        self.limit_m = LIMIT_M
        self._way, self._model, self._paint = way, model, paint
        self._garage, self._heading = garage, heading
        if model == BUS:
            self._paint = BUS_PAINTS[paint % len(BUS_PAINTS)]
        corners = _CORNERS[model]
        self.places = corners * (way, way, 1.0) + (s, d, 0.0)
        self.d = d

    @cached_property
    def footprint(self) -> F64:
        """Return the outline [4, 2] (s, d) of the contact shadow."""
        model = MODELS[self._model]
        long, wide = model.length / 2 + 0.1, model.width / 2 + 0.12
        s = self.s
        return np.array(
            [[s - long, self.d - wide], [s + long, self.d - wide],
             [s + long, self.d + wide], [s - long, self.d + wide]]
        )  # fmt: skip

    def shadow(self, cast: tuple[float, float]) -> F64:
        """Return the outline [n, 2] (s, d) of the shadow in the sun."""
        base = self.footprint
        up = MODELS[self._model].roof * 0.85
        both = np.concatenate([base, base * 0.85 + base.mean(0) * 0.15 + np.array(cast) * up])
        hull = cv2.convexHull(both.astype(np.float32)[:, None])
        return np.asarray(hull[:, 0], np.float64)

    def paint(self, brush: Brush, pixels: F64, depths: F64) -> None:
        """Paint the visible faces."""
        depth = float(depths.mean())
        if depth > LIMIT_M or float(depths.max()) < 1.5:
            return
        quads = pixels.reshape(-1, 4, 2)
        area = _areas(quads)
        whole = depth > _WHOLE_FROM_M
        area[~_WHOLE if whole else _WHOLE] = 0.0
        nearness = depths.reshape(-1, 4).mean(1)
        order = [index for index in np.argsort(-nearness) if area[index] > 2.0]
        haze, opacity = brush.haze(depth), brush.fade(depth, LIMIT_M)
        if depth <= _WHOLE_FROM_M:
            self._underlay(brush, pixels, haze, opacity)
        work = self._garage.coachwork(self._model, self._paint)
        for index in order:
            name = _NAMES[index]
            span = self._span(brush, name)
            if abs(span[1] - span[0]) < 0.02:
                continue
            texture, normal = self._look(work, name)
            gain = brush.light.on(normal)
            brush.canvas.quad(texture, quads[index], CAR, gain, haze, opacity, span)

    def _underlay(self, brush: Brush, pixels: F64, haze: Haze, opacity: float) -> None:
        """A dark body under the faces, so that no street shines through their seams."""
        paint = PAINTS[self._paint % len(PAINTS)]
        level = 0.5 * sum(brush.light.sky_colour) / 3
        colour = (paint[0] * level, paint[1] * level, paint[2] * level)
        low = np.concatenate([pixels[:8], pixels[16:20], pixels[24:28]]).reshape(-1, 2, 2, 2)
        lifted = low.copy()
        lifted[:, 1] = low[:, 1] * 0.75 + low[:, 0, ::-1] * 0.25
        hull = cv2.convexHull(lifted.reshape(-1, 1, 2).astype(np.float32))
        brush.canvas.polygon(np.asarray(hull[:, 0], np.float64), CAR, colour, haze, opacity)

    def _span(self, brush: Brush, name: str) -> tuple[float, float]:
        """Return the part of a flank's texture that is ahead of the clip; all of other faces."""
        model = MODELS[self._model]
        cut = max(0.0, (brush.clip_s - (self.s - model.length / 2)) / model.length)
        if not name.startswith(("left", "right")):
            near = name.startswith("rear" if self._way > 0 else "front")
            return (0.0, 0.0) if cut > 0.9 or (near and cut > 0) else (0.0, 1.0)
        cut = min(cut, 1.0)
        rear, front = (cut, 1.0) if self._way > 0 else (0.0, 1.0 - cut)
        return (front, rear) if name.startswith("left") else (rear, front)

    def _look(self, work: Coachwork, name: str) -> tuple[Texture, tuple[float, float, float]]:
        sin, cos = (
            float(np.sin(self._heading)) * self._way,
            float(np.cos(self._heading)) * self._way,
        )
        if name.startswith("left"):
            return getattr(work, "side" + name[4:]), (-cos, sin, 0.15)
        if name.startswith("right"):
            return getattr(work, "side" + name[5:]), (cos, -sin, 0.15)
        if name.startswith("rear"):
            return getattr(work, name), (-sin, -cos, 0.2)
        if name.startswith("front"):
            return getattr(work, name), (sin, cos, 0.2)
        return getattr(work, "roof" if name == "roof" else "bonnet"), (0.0, 0.0, 1.0)


def _areas(quads: F64) -> F64:
    """Signed areas [n] of quadrangles [n, 4, 2], positive when they face the camera."""
    one, two = quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1]
    return np.asarray((one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2)
