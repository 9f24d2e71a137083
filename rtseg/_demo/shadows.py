"""Outlines of the shadows that the sun casts on the ground, as places (s, d)."""

from __future__ import annotations

import cv2
import numpy as np

from rtseg._demo.buildings import House
from rtseg._demo.items import Standing
from rtseg._demo.noise import F64, generator
from rtseg._demo.poles import POST_M
from rtseg._demo.posts import SignPost
from rtseg._demo.truth import BICYCLIST, PEDESTRIAN, POLE, TREE

Cast = tuple[float, float]

_FEET_M = {TREE: 0.5, POLE: 0.3, PEDESTRIAN: 0.4, BICYCLIST: 0.42}
_RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)


def house_shadow(house: House, cast: Cast) -> F64:
    """Return the outline [n, 2] of a house's shadow."""
    corners = house.places[[0, 3, 4, 4]][:, :2].copy()
    corners[3] = (corners[1, 0], corners[2, 1])
    top = corners + np.array(cast) * house.height
    hull = cv2.convexHull(np.concatenate([corners, top]).astype(np.float32)[:, None])
    return np.asarray(hull[:, 0], np.float64)


def foot_shadow(item: Standing | SignPost) -> F64:
    """Return the outline [8, 2] of the dark spot where something stands on the ground."""
    reach = 0.2 if isinstance(item, SignPost) else _FEET_M.get(item.class_id, 0.3)
    return np.asarray(item.places[0, :2] + _RING * reach)


def tree_shadow(tree: Standing, cast: Cast) -> F64:
    """Return a ragged blob [n, 2] where the crown's shadow falls."""
    s, d = float(tree.places[0, 0]), float(tree.places[0, 1])
    width, tall = tree.size
    middle = np.array([s, d]) + np.array(cast) * tall * 0.6
    rng = generator(int(s * 100))
    angles = np.arange(18) * 2 * np.pi / 18
    reach = width * 0.4 * rng.uniform(0.65, 1.1, 18)
    stretch = 1.0 + 0.35 * float(np.hypot(*cast))
    along = np.array(cast) / max(float(np.hypot(*cast)), 1e-6)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
    ring += np.outer(ring @ along, along) * (stretch - 1)
    return np.asarray(middle + ring)


def post_shadow(post: Standing, cast: Cast) -> F64:
    """Return the thin shadow [4, 2] of a lamp post."""
    foot = post.places[0, :2]
    tip = foot + np.array(cast) * post.size[1]
    along = tip - foot
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * POST_M / 2
    return np.array([foot - across, tip - across, tip + across, foot + across])
