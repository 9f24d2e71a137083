"""Lines around single objects, each in a colour of its own that it keeps from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.frames import Image, Labels
from rtseg.instances.components import connected_instances
from rtseg.instances.instance_map import UInt16
from rtseg.instances.tracking import InstanceTracks
from rtseg.stream.overlay.outlines import LINE

LEAST_AREA = 1 / 4000
"""Smaller objects get no outline, as a share of the picture's pixels."""

_GOLDEN = 0.6180339887


class InstanceOutlines:
    """Draws the outlines of a film's objects; its class maps go through it in order.

    An object is a connected part of a countable class: what a class map tells. It keeps its colour
    for as long as it overlaps itself from one frame to the next.

    Args:
        things: ids of the classes whose objects are outlined.
    """

    def __init__(self, things: Sequence[int]) -> None:
        self.things = tuple(things)
        self._tracks = InstanceTracks()
        self._colours = outline_colours()

    def ids(self, labels: Labels) -> UInt16:
        """Return the lasting id of every pixel's object, uint16 [H, W], 0 for none."""
        min_area_px = max(4, round(labels.size * LEAST_AREA))
        return self._tracks.follow(connected_instances(labels, self.things, None, min_area_px))

    def draw(self, labels: Labels, out: Image) -> None:
        """Outline the objects of the next class map uint8 [H, W] on a picture [H, W, 3]."""
        draw_outlines(self.ids(labels), out, self._colours)


def draw_outlines(ids: UInt16, out: Image, colours: npt.NDArray[np.uint8]) -> None:
    """Outline objects [H, W] (0: none) on a picture [H, W, 3], in colours [N, 3] by their ids."""
    lines = inner_outline(ids)
    out[lines] = colours[ids[lines] % len(colours)]


def inner_outline(ids: UInt16) -> npt.NDArray[np.bool_]:
    """Return the pixels of objects that are near something else, bool [H, W].

    Every line is within its own object, so objects that touch have two lines side by side. The
    picture's edge is no border. Lines grow with the picture as those of classes do.
    """
    reach_px = max(1, round(len(ids) * LINE))
    kernel = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    near = (cv2.dilate(ids, kernel) != ids) | (cv2.erode(ids, kernel) != ids)
    return np.asarray((ids > 0) & near)


def outline_colours(count: int = 256) -> npt.NDArray[np.uint8]:
    """Return bright colours, uint8 [count, 3] BGR, of which neighbours are far apart in hue."""
    hues = (np.arange(count) * _GOLDEN % 1) * 180
    shades = np.stack([hues, np.full(count, 170), np.full(count, 255)], axis=1)
    return np.asarray(cv2.cvtColor(shades.astype(np.uint8)[None], cv2.COLOR_HSV2BGR)[0], np.uint8)
