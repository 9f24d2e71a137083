"""The picture and its truth while they are painted, back to front.

Every brush stroke warps a texture with an alpha channel onto the picture and writes its class id
wherever the alpha is more than half, so that picture and truth come from the same coverage: soft
edges in the one, the middle of the same edge in the other. A stroke belongs to one object, and the
map of object ids, where it is wanted, is written in the same place as the class ids.
"""

from __future__ import annotations

import mmap
from math import ceil, floor, log2

import cv2
import numpy as np

from rtseg._demo.light import Gain
from rtseg._demo.noise import F64, U8, U16

Haze = tuple[float, float]
"""The share of haze, 0-1, and its grey, 0-255."""

_OWN_PAGES_FROM = 1 << 16
"""Pictures of so many bytes are kept in pages of their own."""
_GAIN_ONE = 128
_CLEAR = 0.006


class Texture:
    """A picture with alpha, premultiplied, and its smaller copies, made when first needed.

    Args:
        bgra: uint8 [h, w, 4], straight (not premultiplied) alpha.
    """

    __slots__ = ("_levels", "height", "width")

    def __init__(self, bgra: U8) -> None:
        self.height, self.width = bgra.shape[:2]
        alpha = cv2.cvtColor(bgra[:, :, 3], cv2.COLOR_GRAY2BGRA)
        level = cv2.multiply(bgra, alpha, scale=1 / 255)
        level[:, :, 3] = bgra[:, :, 3]
        self._levels = {(0, 0): _kept(level)}

    def lit(self, gain: Gain) -> Texture:
        """Return this texture in a light that never changes."""
        factors = np.array([[[*gain, 1.0]]], np.float32) * _GAIN_ONE
        solid = np.broadcast_to(np.rint(factors), (self.height, self.width, 4)).astype(np.uint8)
        lit = cv2.multiply(self._levels[0, 0], solid, scale=1 / _GAIN_ONE)
        other = Texture.__new__(Texture)
        other.height, other.width = self.height, self.width
        other._levels = {(0, 0): _kept(lit)}
        return other

    def level(self, across: int, down: int) -> U8:
        """Return the copy that is 2^across times narrower and 2^down times lower."""
        found = self._levels.get((across, down))
        if found is None:
            size = (max(1, self.width >> across), max(1, self.height >> down))
            small = cv2.resize(self._levels[0, 0], size, interpolation=cv2.INTER_AREA)
            found = self._levels[across, down] = _kept(small)
        return found

    def fitting(self, width_px: float, height_px: float) -> U8:
        """Return the copy that suits a stroke of about this size in pixels."""
        return self.level(_halvings(self.width, width_px), _halvings(self.height, height_px))


def _kept(picture: cv2.typing.MatLike) -> U8:
    """Return a picture as it is kept: a large one in pages that go back to the system with it.

    On the heap, what is painted meanwhile and kept for longer would hold the room that it leaves.
    """
    pixels = np.asarray(picture, np.uint8)
    if pixels.nbytes < _OWN_PAGES_FROM or not hasattr(mmap, "MAP_PRIVATE"):
        return pixels
    pages = mmap.mmap(-1, pixels.nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    kept = np.frombuffer(pages, np.uint8).reshape(pixels.shape)
    kept[:] = pixels
    return kept


def _halvings(have: int, want_px: float) -> int:
    ratio = have / max(want_px, 1.0)
    return max(0, min(floor(log2(ratio) + 0.4), have.bit_length() - 1)) if ratio > 1 else 0


class Canvas:
    """A picture uint8 [H, W, 4] (BGR and an unused byte) and its class ids uint8 [H, W].

    `instances`, uint16 [H, W] where it is wanted and None else, takes `instance`, the id of the
    object that is being painted; 0 stands for things that aren't counted.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.image: U8 = np.zeros((height, width, 4), np.uint8)
        self.labels: U8 = np.zeros((height, width), np.uint8)
        self.instances: U16 | None = None
        self.instance = 0
        count = height * width
        self._stroke, self._alphas, self._fill = (np.empty(count * 4, np.uint8) for _ in range(3))
        self._alpha, self._where, self._mask = (np.empty(count, np.uint8) for _ in range(3))

    def quad(
        self,
        texture: Texture,
        corners: F64,
        class_id: int,
        gain: Gain | None = None,
        haze: Haze | None = None,
        opacity: float = 1.0,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        """Paint `texture` onto the quadrangle `corners` [4, 2]: top left, top right, bottom
        right, bottom left, in pixels. `span` is the part of the texture's width that is used,
        from the left corners to the right ones.
        """
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
        box = self._box(min(x0, x1, x2, x3), min(y0, y1, y2, y3),
                        max(x0, x1, x2, x3), max(y0, y1, y2, y3))  # fmt: skip
        if box is None:
            return
        width_px = (abs(x1 - x0) + abs(x2 - x3) + abs(y1 - y0) + abs(y2 - y3)) / 2
        height_px = (abs(y3 - y0) + abs(y2 - y1) + abs(x3 - x0) + abs(x2 - x1)) / 2
        used = max(abs(span[1] - span[0]), 1e-3)
        source = texture.fitting(width_px / used, height_px)
        rows, columns = source.shape[:2]
        left, right = span[0] * columns - 0.5, span[1] * columns - 0.5
        low = rows - 0.5
        there = np.array([[left, -0.5], [right, -0.5], [right, low], [left, low]], np.float32)
        x, y = box[0] + 0.5, box[1] + 0.5
        here = np.array(
            [[x0 - x, y0 - y], [x1 - x, y1 - y], [x2 - x, y2 - y], [x3 - x, y3 - y]], np.float32
        )
        matrix = cv2.getPerspectiveTransform(here, there)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (box[2] - box[0], box[3] - box[1])
        stroke = _four(self._stroke, size)
        cv2.warpPerspective(source, matrix, size, dst=stroke, flags=flags)
        self.lay(stroke, box, class_id, gain, haze, opacity)

    def upright(
        self,
        texture: Texture,
        foot: tuple[float, float],
        size: tuple[float, float],
        class_id: int,
        gain: Gain | None = None,
        haze: Haze | None = None,
        opacity: float = 1.0,
        mirror: bool = False,
    ) -> None:
        """Paint `texture` upright, its bottom middle at `foot`, `size` = (width, height) pixels."""
        edge, top = foot[0] - size[0] / 2, foot[1] - size[1]
        box = self._box(edge, top, edge + size[0], foot[1])
        if box is None:
            return
        source = texture.fitting(size[0], size[1])
        across, down = source.shape[1] / size[0], source.shape[0] / size[1]
        start = (box[0] + 0.5 - edge) * across - 0.5
        if mirror:
            start, across = source.shape[1] - 1 - start, -across
        matrix = np.array([[across, 0, start], [0, down, (box[1] + 0.5 - top) * down - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        extent = (box[2] - box[0], box[3] - box[1])
        stroke = _four(self._stroke, extent)
        cv2.warpAffine(source, matrix, extent, dst=stroke, flags=flags)
        self.lay(stroke, box, class_id, gain, haze, opacity)

    def polygon(
        self,
        points: F64,
        class_id: int,
        bgr: Gain,
        haze: Haze | None = None,
        opacity: float = 1.0,
    ) -> None:
        """Fill a polygon [n, 2] with one colour (0-255)."""
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        box = self._box(left, top, right, bottom)
        if box is None:
            return
        size = (box[2] - box[0], box[3] - box[1])
        mask, stroke = _one(self._mask, size), _four(self._stroke, size)
        mask[:] = 0
        fixed = np.rint((points - (box[0] + 0.5, box[1] + 0.5)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
        cv2.merge([mask, mask, mask, mask], stroke)
        gain = (bgr[0] / 255, bgr[1] / 255, bgr[2] / 255)
        self.lay(stroke, box, class_id, gain, haze, opacity)

    def lay(
        self,
        stroke: U8,
        box: tuple[int, int, int, int],
        class_id: int,
        gain: Gain | None,
        haze: Haze | None,
        opacity: float,
    ) -> None:
        """Lay a premultiplied `stroke`, which is changed, over the picture at `box`
        (x0, y0, x1, y1). All work is done in buffers that are there from the start."""
        size = (box[2] - box[0], box[3] - box[1])
        if opacity < 1.0:
            cv2.convertScaleAbs(stroke, stroke, opacity)
        alpha, alphas = _one(self._alpha, size), _four(self._alphas, size)
        cv2.extractChannel(stroke, 3, alpha)
        cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGRA, alphas)
        self._light(stroke, alphas, size, gain, haze)
        region = self.image[box[1] : box[3], box[0] : box[2]]
        cv2.bitwise_not(alphas, alphas)
        cv2.multiply(region, alphas, region, 1 / 255)
        cv2.add(region, stroke, region)
        truth = self.labels[box[1] : box[3], box[0] : box[2]]
        where = _one(self._where, size)
        cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY_INV, where)
        cv2.bitwise_and(truth, where, truth)
        cv2.threshold(alpha, 127, class_id, cv2.THRESH_BINARY, where)
        cv2.bitwise_or(truth, where, truth)
        if self.instances is not None:
            self.instances[box[1] : box[3], box[0] : box[2]][alpha > 127] = self.instance

    def _light(
        self,
        stroke: U8,
        alphas: U8,
        size: tuple[int, int],
        gain: Gain | None,
        haze: Haze | None,
    ) -> None:
        share, grey = haze if haze is not None else (0.0, 0.0)
        if gain is not None:
            b, g, r = (min(round(value * (1.0 - share) * _GAIN_ONE), 255) for value in gain)
            solid = _four(self._fill, size)
            solid.view(np.uint32).fill(b | g << 8 | r << 16 | _GAIN_ONE << 24)
            cv2.multiply(stroke, solid, stroke, 1 / _GAIN_ONE)
        if share > _CLEAR:
            keep = 1.0 if gain is not None else 1.0 - share
            cv2.addWeighted(stroke, keep, alphas, share * grey / 255, 0.0, stroke)

    def buffer(self, number: int, rows: int) -> U8:
        """Return one of two pictures [rows, W, 4] to work in; the next stroke overwrites them."""
        return _four((self._stroke, self._alphas)[number], (self.width, rows))

    def _box(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[int, int, int, int] | None:
        x0, y0 = max(floor(left - 0.5), 0), max(floor(top - 0.5), 0)
        x1, y1 = min(ceil(right + 0.5), self.width), min(ceil(bottom + 0.5), self.height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _one(buffer: U8, size: tuple[int, int]) -> U8:
    """The start of a buffer as a picture of one channel."""
    return buffer[: size[0] * size[1]].reshape(size[1], size[0])


def _four(buffer: U8, size: tuple[int, int]) -> U8:
    """The start of a buffer as a picture of four channels."""
    return buffer[: size[0] * size[1] * 4].reshape(size[1], size[0], 4)
