"""Finds the own bonnet in a film: the edge that stays where it is while the street moves by."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.fit import resample
from rtseg.frames import Frame, Image, Labels

WIDTH_PX = 192
"""The film is watched at this width."""
HIGHEST = 0.65
"""A bonnet's contour lies below this share of the picture's height."""
MOVING_LEVELS = 2.0
"""Frames count when the picture above the bonnet changed by so many grey levels on average."""
EDGE_LEVELS = 2.0
"""The weakest edge, in grey levels per pixel of the watched picture."""
FIRST_LOOK, LOOK_EVERY, LAST_LOOK = 24, 12, 720
"""After how many frames that count the finder looks for the first time, again, and last."""
LEAST_REWARD, LEAST_STEADY_SHARE, STEADY = 0.5, 0.82, 0.8
"""What a contour must reach: reward a column; share of columns whose edge keeps its sign so often.
Bonnets reach 0.59 and 0.85 or more; the best that streets without one offer is 0.40 and 0.78."""
AGREEMENT_PX = 1.5
"""Two looks in a row must agree on the contour, in pixels of the watched picture."""
_STEP_COST = 0.2

Plane = npt.NDArray[np.float32]
Contour = npt.NDArray[np.int64]
_log = logging.getLogger(__name__)


class HoodFinder:
    """Watches a film until it knows whether there is a bonnet, then keeps to what it found.

    Over the frames in which the scene moves it counts how often each pixel has a horizontal edge
    of the same sign. The street's edges pass by; a bonnet's upper contour stays. The contour is
    the best path of such edges from the left to the right of the picture, and it is believed when
    two looks in a row find the same. Until then, and while the car stands, there is no mask. A
    change of the frame's size starts afresh.
    """

    def __init__(self) -> None:
        self._forget((0, 0))

    def mask(self, frame: Frame) -> Labels | None:
        """Watch a frame; return the bonnet's mask once it is known, uint8 [*frame.hw]."""
        if frame.hw != self._frame_hw:
            self._forget(frame.hw)
        if self._found is None and self._num_moving < LAST_LOOK:
            self._watch(_small_grey(frame.image_bgr))
        return self._found

    def _forget(self, frame_hw: tuple[int, int]) -> None:
        self._frame_hw = frame_hw
        self._num_moving = 0
        self._last: Plane | None = None
        self._signs: Plane = np.zeros((0, 0), np.float32)
        self._slopes: Plane = np.zeros((0, 0), np.float32)
        self._before: Contour | None = None
        self._found: Labels | None = None

    def _watch(self, grey: Plane) -> None:
        if self._last is not None:
            scene = slice(0, round(HIGHEST * len(grey)))
            if float(np.abs(grey - self._last)[scene].mean()) < MOVING_LEVELS:
                return
        self._last = grey
        slope = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
        sign = np.sign(slope) * (np.abs(slope) > EDGE_LEVELS)
        if not self._num_moving:
            self._signs, self._slopes = np.zeros_like(grey), np.zeros_like(grey)
        self._signs += sign
        self._slopes += slope
        self._num_moving += 1
        if self._num_moving >= FIRST_LOOK and not self._num_moving % LOOK_EVERY:
            self._look()

    def _look(self) -> None:
        count = np.float32(self._num_moving)
        steadiness, strength = np.abs(self._signs) / count, np.abs(self._slopes) / count
        contour = find_contour(steadiness, strength)
        if (
            contour is not None
            and self._before is not None
            and float(np.abs(contour - self._before).mean()) <= AGREEMENT_PX
        ):
            self._found = _below(contour, len(steadiness), self._frame_hw)
            share = float(np.count_nonzero(self._found)) / self._found.size
            _log.info("found the own bonnet: the lowest %.0f %% of the picture", 100 * share)
        elif self._num_moving >= LAST_LOOK:
            _log.info("no bonnet found in %d moving frames", self._num_moving)
        self._before = contour


def find_contour(steadiness: Plane, strength: Plane) -> Contour | None:
    """Return the row of the bonnet's contour in each column, or None where there is none.

    Args:
        steadiness: how often each pixel has an edge of the same sign, 0-1, [h, w].
        strength: the mean edge in grey levels per pixel, [h, w].
    """
    top = round(HIGHEST * len(steadiness))
    # The last row's slope looks beyond the picture.
    steady, strong = steadiness[top:-1], strength[top:-1]
    if min(steady.shape) < 2:
        return None
    rows, reward = _best_path(steady - 0.5 + 0.3 * steady * strong / (strong + 6))
    share = float((steady[rows, np.arange(len(rows))] >= STEADY).mean())
    believed = reward >= LEAST_REWARD and share >= LEAST_STEADY_SHARE
    return rows + top if believed else None


def _best_path(rewards: Plane) -> tuple[Contour, float]:
    """Return the rows of the path from left to right with the largest sum, and its mean reward.

    From column to column the row changes by one at most, at a cost.
    """
    best, came_from = rewards[:, 0], []
    index = np.arange(len(rewards))
    for column in rewards.T[1:]:
        padded = np.pad(best, 1, constant_values=-np.inf)
        choices = np.stack([padded[1:-1], padded[:-2] - _STEP_COST, padded[2:] - _STEP_COST])
        choice = choices.argmax(axis=0)
        came_from.append(index + np.array([0, -1, 1])[choice])
        best = choices.max(axis=0) + column
    rows = [int(best.argmax())]
    for back in reversed(came_from):
        rows.append(int(back[rows[-1]]))
    return np.array(rows[::-1], np.int64), float(best.max()) / rewards.shape[1]


def _below(contour: Contour, height: int, frame_hw: tuple[int, int]) -> Labels:
    """Return the mask of what lies below a contour, uint8 [*frame_hw]."""
    frame_h, frame_w = frame_hw
    window = 5
    padded = np.pad(contour.astype(np.float64), window // 2, mode="edge")
    smooth = np.convolve(padded, np.full(window, 1 / window), mode="valid")
    columns = (np.arange(frame_w) + 0.5) * len(contour) / frame_w - 0.5
    rows = np.interp(columns, np.arange(len(contour)), smooth) * frame_h / height
    below = np.arange(frame_h)[:, None] + 0.5 >= rows[None]
    return np.where(below, 255, 0).astype(np.uint8)


def _small_grey(image_bgr: Image) -> Plane:
    height, width = image_bgr.shape[:2]
    small = np.empty((max(4, round(WIDTH_PX * height / width)), WIDTH_PX, 3), np.uint8)
    resample(image_bgr, small)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
