"""The newest pictures of several cameras in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rtseg.frames import Image
from rtseg.stream.overlay.layout import Layout
from rtseg.stream.overlay.lost import LostView
from rtseg.stream.overlay.panel import TEXT, Panel

GAP_BGR = (34, 30, 28)
EMPTY_BGR = (0, 0, 0)
_GAP_PX = 4
_SMALLEST_TEXT_TILE = 240
"""A tile's letters are as large as if the tile were at least so high, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a camera shows at a moment.

    Args:
        name: what people call the camera.
        image_bgr: its newest picture, uint8 [H, W, 3]; None before the first.
        notice: why the picture isn't of now, such as ``"signal lost 12 s"``.
    """

    name: str
    image_bgr: Image | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """How many tiles lie side by side and one above the other, and how large each is, pixels."""

    columns: int
    rows: int
    tile_wh: tuple[int, int]

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the whole, gaps between the tiles counted; even, as films need."""
        width, height = self.tile_wh
        whole_h = self.rows * height + (self.rows - 1) * _GAP_PX
        whole_w = self.columns * width + (self.columns - 1) * _GAP_PX
        return whole_h + whole_h % 2, whole_w + whole_w % 2

    def corner(self, number: int, num_tiles: int) -> tuple[int, int]:
        """Return left and top of a tile; a last row that isn't full stands in the middle."""
        width, height = self.tile_wh
        row, column = divmod(number, self.columns)
        in_row = min(self.columns, num_tiles - row * self.columns)
        indent = (self.columns - in_row) * (width + _GAP_PX) // 2
        return indent + column * (width + _GAP_PX), row * (height + _GAP_PX)


def choose_grid(num_tiles: int, aspect: float, within_wh: tuple[int, int]) -> Grid:
    """Return the grid whose tiles of `aspect` (width / height) are largest in so much room."""
    best = Grid(1, num_tiles, (0, 0))
    for columns in range(1, num_tiles + 1):
        rows = math.ceil(num_tiles / columns)
        room_w = (within_wh[0] - (columns - 1) * _GAP_PX) / columns
        room_h = (within_wh[1] - (rows - 1) * _GAP_PX) / rows
        width = max(16, int(min(room_w, room_h * aspect)))
        if width > best.tile_wh[0]:
            best = Grid(columns, rows, (width, max(16, round(width / aspect))))
    return best


class Mosaic:
    """Draws the newest pictures of several cameras as tiles of one, each with its name.

    A picture is fitted into its tile with its own proportions; one that isn't of now is grey and
    says so; before the first there is black. What hasn't changed isn't drawn anew. Not for several
    threads at a time.

    Args:
        num_tiles: how many cameras there are.
        within_wh: the most room in pixels, width and height.
    """

    def __init__(self, num_tiles: int, within_wh: tuple[int, int] = (1600, 900)) -> None:
        self._within_wh = within_wh
        self._tiles = [_Tile() for _ in range(num_tiles)]
        self._grid = choose_grid(num_tiles, 16 / 9, within_wh)
        self._has_pictures = False
        self._canvas: Image = np.empty((0, 0, 3), np.uint8)
        self._placed: list[Image | None] = []

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the picture now; the tiles' proportions follow the first views."""
        return self._grid.hw

    def draw(self, views: Sequence[View]) -> Image:
        """Return a new picture [H, W, 3] of what each camera shows."""
        self._take_proportions(views)
        if self._canvas.shape[:2] != self._grid.hw:
            self._canvas = np.full((*self._grid.hw, 3), GAP_BGR, np.uint8)
            self._placed = [None] * len(self._tiles)
        for number, (tile, view) in enumerate(zip(self._tiles, views, strict=True)):
            self._place(number, tile.draw(view, self._grid.tile_wh))
        whole: Image = self._canvas.copy()
        return whole

    def _place(self, number: int, image: Image) -> None:
        if self._placed[number] is image:
            return
        self._placed[number] = image
        left, top = self._grid.corner(number, len(self._tiles))
        self._canvas[top : top + image.shape[0], left : left + image.shape[1]] = image

    def _take_proportions(self, views: Sequence[View]) -> None:
        """Fit the tiles to the median of the pictures, once every camera has shown one."""
        images = [view.image_bgr for view in views if view.image_bgr is not None]
        if self._has_pictures or not images:
            return
        aspects = sorted(image.shape[1] / image.shape[0] for image in images)
        self._grid = choose_grid(len(views), aspects[len(aspects) // 2], self._within_wh)
        self._has_pictures = len(images) == len(views)


class _Tile:
    """One camera's place; keeps what is the same from one time to the next."""

    def __init__(self) -> None:
        self._lost = LostView()
        self._fitted: tuple[Image | None, tuple[int, int], Image] | None = None
        self._panel: tuple[str, tuple[int, int], Panel] | None = None
        self._drawn: tuple[Image, str, str | None, Image] | None = None

    def draw(self, view: View, tile_wh: tuple[int, int]) -> Image:
        """Return the tile; don't write to it."""
        image = self._fit(view.image_bgr, tile_wh)
        notice = view.notice or ("no picture yet" if view.image_bgr is None else None)
        drawn = self._drawn
        if drawn is None or drawn[0] is not image or drawn[1:3] != (view.name, notice):
            shown: Image = image.copy() if notice is None else self._lost.draw(image, notice)
            self._write(view.name, shown)
            drawn = self._drawn = image, view.name, notice, shown
        return drawn[3]

    def _fit(self, image_bgr: Image | None, tile_wh: tuple[int, int]) -> Image:
        last = self._fitted
        if last is None or last[0] is not image_bgr or last[1] != tile_wh:
            last = self._fitted = image_bgr, tile_wh, _letterboxed(image_bgr, tile_wh)
        return last[2]

    def _write(self, name: str, tile: Image) -> None:
        tile_wh = tile.shape[1], tile.shape[0]
        if self._panel is None or self._panel[:2] != (name, tile_wh):
            self._panel = name, tile_wh, _label(name, tile_wh)
        panel = self._panel[2]
        margin = panel.corner_px
        panel.blend(tile, margin, tile_wh[1] - panel.height - margin)


def _letterboxed(image_bgr: Image | None, tile_wh: tuple[int, int]) -> Image:
    width, height = tile_wh
    tile: Image = np.empty((height, width, 3), np.uint8)
    tile[:] = EMPTY_BGR
    if image_bgr is None:
        return tile
    rows, columns = image_bgr.shape[:2]
    scale = min(width / columns, height / rows)
    inner_w, inner_h = min(width, round(columns * scale)), min(height, round(rows * scale))
    inner_wh = max(1, inner_w), max(1, inner_h)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (width - inner_wh[0]) // 2, (height - inner_wh[1]) // 2
    inner = tile[top : top + inner_wh[1], left : left + inner_wh[0]]
    inner[:] = cv2.resize(image_bgr, inner_wh, interpolation=how)
    return tile


def _label(name: str, tile_wh: tuple[int, int]) -> Panel:
    width, height = tile_wh
    layout = Layout(max(height, _SMALLEST_TEXT_TILE), max(width, _SMALLEST_TEXT_TILE))
    letters, pad = layout.letters, layout.pad
    line = letters.line(letters.shortened(name, width - 4 * pad, bold=True), bold=True)
    panel = Panel(pad + layout.pitch, line.shape[1] + 2 * pad, layout.corner)
    panel.draw(line, pad, (panel.height - letters.line_px) // 2, TEXT)
    return panel
