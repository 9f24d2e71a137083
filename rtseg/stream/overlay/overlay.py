"""The overlay stage: a class map becomes a picture for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rtseg.classes import ClassSet
from rtseg.frames import ClassMap, Image, Picture
from rtseg.instances.instance_map import countable_ids
from rtseg.stream.overlay.colouring import Colouring
from rtseg.stream.overlay.hud import Hud, HudValues, least_width_px
from rtseg.stream.overlay.instance_outlines import InstanceOutlines
from rtseg.stream.overlay.layout import Layout
from rtseg.stream.overlay.legend import Legend
from rtseg.stream.overlay.painted import Painted
from rtseg.stream.overlay.style import OverlayStyle
from rtseg.stream.stage import Stage

DIVIDER_BGR = (20, 20, 20)


class Overlay(Stage):
    """Draws class maps onto their frames.

    A class has one colour, whatever else is in the picture. Frames and class maps are only read;
    each picture is its own.

    Args:
        style: asked for each frame, so that it can change while the stream runs.
        classes: what the labels mean.
        hud: asked for each frame whose style shows the head-up display.

    Raises:
        UnknownNameError: the style names a class that there isn't; `process` raises it when the
            style changes to such a one.
    """

    name = "overlay"

    def __init__(
        self, style: Callable[[], OverlayStyle], classes: ClassSet, hud: Callable[[], HudValues]
    ) -> None:
        self._ask_style, self._classes, self._ask_hud = style, classes, hud
        self._hud = Hud()
        self._layout = Layout(1, 1)
        self._instances: InstanceOutlines | None = None
        self._take_style(style())

    def process(self, item: ClassMap | Painted) -> Picture:
        """Return the picture of a class map: of the frame's size, or twice as wide side by side.

        What was painted elsewhere is taken over, and written on.
        """
        style = self._ask_style()
        if style != self._style:
            self._take_style(style)
        if isinstance(item, Painted):
            image, item = item.image_bgr, item.class_map
        else:
            image = self._paint(item)
        self._outline_instances(item, image)
        if self._layout.hw != image.shape[:2]:
            self._layout = Layout(*image.shape[:2])
        self._write(image, item)
        return Picture(image, item.frame, item)

    def _write(self, image: Image, item: ClassMap) -> None:
        """Draw legend, figures and notice; where the picture is narrow, one below the other."""
        style, layout, pts_s = self._style, self._layout, item.frame.pts_s
        has_legend = style.legend and style.mode != "picture" and bool(self._colouring.coloured)
        values = self._ask_hud() if style.hud else None
        whole = room = layout.width - 2 * layout.margin
        if has_legend:
            room -= self._legend.width_px(layout) + layout.margin
        top = below = layout.margin
        if values is not None:
            is_narrow = room < least_width_px(layout, values)
            bottom = self._hud.draw(image, layout, values, pts_s, whole if is_narrow else room)
            below = bottom + layout.margin
            top = below if is_narrow else top
        if has_legend:
            self._legend.update(item.labels, pts_s)
            self._legend.draw(image, layout, top)
        if values is not None and values.notice:
            self._hud.draw_notice(image, layout, values.notice, below, layout.margin + room)

    def _take_style(self, style: OverlayStyle) -> None:
        self._colouring = Colouring(style, self._classes)
        self._legend = Legend(self._classes, self._colouring.coloured, self._colouring.palette)
        things = set(countable_ids(self._classes)) & set(self._colouring.coloured)
        if not style.instances:
            self._instances = None
        elif self._instances is None or self._instances.things != tuple(sorted(things)):
            self._instances = InstanceOutlines(sorted(things))
        self._style = style

    def _paint(self, item: ClassMap) -> Image:
        frame_bgr, mode = item.frame.image_bgr, self._style.mode
        if mode == "picture":
            return np.array(frame_bgr, np.uint8, order="C")
        if mode == "side-by-side":
            return self._side_by_side(frame_bgr, item)
        image: Image = np.empty(frame_bgr.shape, np.uint8)
        if mode == "mask":
            self._colouring.paint_alone(item.labels, image)
        else:
            self._colouring.paint(frame_bgr, item.labels, image)
        return image

    def _outline_instances(self, item: ClassMap, image: Image) -> None:
        if self._instances is not None and self._style.mode != "picture":
            self._instances.draw(item.labels, image[:, -item.frame.hw[1] :])

    def _side_by_side(self, frame_bgr: Image, item: ClassMap) -> Image:
        height, width = frame_bgr.shape[:2]
        image: Image = np.empty((height, 2 * width, 3), np.uint8)
        image[:, :width] = frame_bgr
        self._colouring.paint(frame_bgr, item.labels, image[:, width:])
        image[:, divider_columns((height, width))] = DIVIDER_BGR
        return image


def divider_columns(frame_hw: Sequence[int]) -> slice:
    """Return the columns of the line between frame and overlay, side by side."""
    height, width = frame_hw[:2]
    half_px = max(1, round(height / 720))
    return slice(width - half_px, width + half_px)
