"""Colours that people with any common colour blindness tell apart, simulated independently."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rtseg.classes import CAMVID, CITYSCAPES, ClassSet
from rtseg.stream.overlay.palette import colour_blind_rgb, palette_bgr

Floats = npt.NDArray[np.float64]

# Viénot, Brettel and Mollon, "Digital video colourmaps for checking the legibility of displays by
# dichromats" (1999): not the simulation that the palette was made with.
RGB_TO_LMS = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]]
)
SIGHTS = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deuteranopia": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


def lab(rgb: Floats, sight: str) -> Floats:
    """CIELAB under D65 of sRGB 0-255, as seen."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.linalg.inv(RGB_TO_LMS) @ SIGHTS[sight] @ RGB_TO_LMS
    linear = np.clip(linear @ seen.T, 0, 1)
    to_xyz = np.array(
        [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
    )
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def least_distance(colours: list[tuple[int, int, int]], sight: str) -> float:
    seen = lab(np.array(colours, np.float64), sight)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    return float(apart[np.triu_indices(len(colours), 1)].min())


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("classes", "least"), [(CAMVID, 18.0), (CITYSCAPES, 12.0)])
def test_classes_are_told_apart(classes: ClassSet, least: float, sight: str) -> None:
    assert least_distance(list(colour_blind_rgb(classes.names)), sight) >= least


@pytest.mark.parametrize("classes", [CAMVID, CITYSCAPES])
def test_the_class_colours_alone_would_not_do(classes: ClassSet) -> None:
    """The test can fail: the data sets' own colours come close for some people."""
    worst = min(least_distance(list(classes.colours_rgb), sight) for sight in SIGHTS)
    assert worst < 10


@pytest.mark.parametrize("classes", [CAMVID, CITYSCAPES])
def test_no_class_looks_like_void(classes: ClassSet) -> None:
    seen = lab(np.array(colour_blind_rgb(classes.names), np.float64), "all cones")
    assert seen[:, 0].min() > 20


def test_the_same_thing_has_the_same_colour_in_every_class_set() -> None:
    camvid, cityscapes = (palette_bgr(classes, "colour-blind") for classes in (CAMVID, CITYSCAPES))
    for one, other in {"Road": "road", "Tree": "vegetation", "Pedestrian": "person"}.items():
        assert np.array_equal(camvid[CAMVID.id_of(one)], cityscapes[CITYSCAPES.id_of(other)])


def test_classes_of_any_name_and_number_get_different_colours() -> None:
    names = ("road", "Pavement", "sidewalk", *(f"thing {index}" for index in range(60)))
    colours = colour_blind_rgb(names)
    assert len(set(colours)) == len(names)
    assert colours == colour_blind_rgb(names)
    assert least_distance(list(colours[:12]), "deuteranopia") > 10


def test_ids_without_a_class_are_black() -> None:
    for palette in ("classes", "colour-blind"):
        assert not palette_bgr(CAMVID, palette)[11:].any()  # type: ignore[arg-type]
