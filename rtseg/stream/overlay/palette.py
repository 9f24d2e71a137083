"""Which colour a class is shown in: its class set's own, or one for the colour-blind.

The colour-blind palette keeps every two classes apart in the colours as they are and as people see
them who lack one kind of cone: protanopia, deuteranopia, tritanopia, simulated as in Machado,
Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency"
(2009), severity 1. Distances are Euclidean in CIELAB (D65). The table's colours were found by
simulated annealing from colours that suit the things; other classes get, one after the other, the
colour farthest from all those before.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from rtseg.classes import ClassSet, Colour

Floats = npt.NDArray[np.float64]

TABLE: dict[str, Colour] = {
    "road": (56, 58, 136),
    "sidewalk": (188, 205, 255),
    "building": (110, 41, 60),
    "wall": (116, 108, 132),
    "fence": (255, 216, 158),
    "pole": (236, 236, 238),
    "traffic light": (237, 162, 90),
    "traffic sign": (189, 205, 36),
    "vegetation": (107, 144, 39),
    "terrain": (205, 248, 125),
    "sky": (12, 157, 227),
    "person": (253, 104, 124),
    "rider": (137, 28, 25),
    "car": (53, 55, 235),
    "truck": (82, 51, 102),
    "bus": (72, 123, 172),
    "train": (124, 193, 179),
    "motorcycle": (103, 103, 250),
    "bicycle": (171, 74, 89),
}
"""Colours (RGB) of the things that driving data sets name."""

SYNONYMS = {
    "pavement": "sidewalk",
    "tree": "vegetation",
    "signsymbol": "traffic sign",
    "pedestrian": "person",
    "bicyclist": "rider",
}
"""Other data sets' words for the same things."""

_SIMULATIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]],
    ]
)  # fmt: skip
"""Linear RGB as seen: with all cones, and without the long, the middle, the short ones."""

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])
_DARKEST = 25.0
"""Least lightness of a colour, 0-100: darker ones look like void, which is black."""


def palette_bgr(
    classes: ClassSet, palette: Literal["classes", "colour-blind"]
) -> npt.NDArray[np.uint8]:
    """Return the colours as uint8 [256, 3] in BGR; ids without a class, and void, are black."""
    colours = classes.palette_bgr()
    if palette == "colour-blind":
        table = np.array(colour_blind_rgb(classes.names), np.uint8)
        colours[: len(classes)] = table[:, ::-1]
    return colours


@lru_cache(maxsize=16)
def colour_blind_rgb(names: tuple[str, ...]) -> tuple[Colour, ...]:
    """Return a colour for each class; the same names get the same colours, always."""
    known = [TABLE.get(SYNONYMS.get(name.lower(), name.lower())) for name in names]
    seen: set[Colour] = set()
    for position, colour in enumerate(known):
        if colour in seen:  # two words for one thing in one class set
            known[position] = None
        elif colour is not None:
            seen.add(colour)
    others = iter(_farthest(sorted(seen), known.count(None)))
    return tuple(colour or next(others) for colour in known)


def seen_distances(one_rgb: Floats, other_rgb: Floats) -> Floats:
    """Return how far apart colours [N, 3] and [M, 3] of 0-255 look to whom it is hardest, [N, M].

    In CIELAB units; 2 is the least that can be told apart side by side.
    """
    one, other = as_seen(one_rgb), as_seen(other_rgb)
    return np.asarray(np.linalg.norm(one[:, :, None] - other[:, None], axis=-1).min(axis=0))


def as_seen(rgb: Floats) -> Floats:
    """Return CIELAB values of sRGB colours [N, 3], for each kind of sight: [4, N, 3]."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ _SIMULATIONS.transpose(0, 2, 1), 0, 1)
    xyz = seen @ _TO_XYZ.T / _WHITE_XYZ
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _farthest(taken: list[Colour], count: int) -> list[Colour]:
    """Return `count` more colours, each as far as can be from all those before."""
    if not count:
        return []
    levels = np.linspace(0, 255, 12).round()
    candidates = np.array(list(product(levels, repeat=3)))
    candidates = candidates[as_seen(candidates)[0, :, 0] >= _DARKEST]
    start = np.array(taken or [(128, 64, 128)], np.float64)
    nearest = seen_distances(candidates, start).min(axis=1)
    chosen = []
    for _ in range(count):
        best = candidates[int(nearest.argmax())]
        red, green, blue = (int(value) for value in best)
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, seen_distances(candidates, best[None])[:, 0])
    return chosen
