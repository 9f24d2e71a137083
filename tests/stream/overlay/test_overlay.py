"""Pictures of class maps: what is coloured and how, and what is never touched."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtseg.classes import CAMVID, CITYSCAPES, VOID, ClassSet
from rtseg.demo_drive import DemoDrive
from rtseg.errors import UnknownNameError
from rtseg.frames import ClassMap, Frame
from rtseg.stream.overlay.hud import HudValues
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.palette import palette_bgr
from rtseg.stream.overlay.style import OverlayStyle

Image = npt.NDArray[np.uint8]
HW = (180, 320)
VALUES = HudValues(24.8, 41.2, "net 512x288 eager fp32 on cpu", 0)
PALETTE = CAMVID.palette_bgr().astype(int)


def style_of(**changes: Any) -> OverlayStyle:
    return OverlayStyle(**({"legend": False, "hud": False} | changes))


def overlay(style: OverlayStyle, classes: ClassSet = CAMVID) -> Overlay:
    return Overlay(lambda: style, classes, lambda: VALUES)


def patches(hw: tuple[int, int] = HW, pts_s: float = 0.0) -> ClassMap:
    """Random pixels, under eleven upright stripes and one of void."""
    image = np.random.default_rng(0).integers(0, 256, (*hw, 3)).astype(np.uint8)
    stripes = (np.arange(hw[1]) * 12 // hw[1]).astype(np.uint8)
    labels = np.where(stripes == 11, VOID, stripes).astype(np.uint8)
    labels = np.ascontiguousarray(np.broadcast_to(labels, hw))
    return ClassMap(labels, CAMVID, Frame(image, 0, pts_s, 0, "test"))


def mixed(class_map: ClassMap, alpha: float) -> npt.NDArray[np.float64]:
    colours = PALETTE[class_map.labels]
    whole = (1 - alpha) * class_map.frame.image_bgr + alpha * colours
    shown = (class_map.labels != VOID)[..., None]
    return np.where(shown, whole, class_map.frame.image_bgr)


@pytest.mark.parametrize("alpha", [0.0, 0.35, 0.5, 1.0])
def test_colours_are_mixed_in_and_void_shows_the_frame(alpha: float) -> None:
    class_map = patches()
    image = overlay(style_of(alpha=alpha)).process(class_map).image_bgr
    assert np.abs(image - mixed(class_map, alpha)).max() <= 1
    void = class_map.labels == VOID
    assert np.array_equal(image[void], class_map.frame.image_bgr[void])


@pytest.mark.parametrize(
    ("choice", "coloured"),
    [
        ({"classes": ("road", "Car")}, {3, 8}),
        ({"hide": ("sky", "BUILDING")}, set(range(2, 11))),
        ({"classes": ("road", "car"), "hide": ("car",)}, {3}),
        ({"hide": CAMVID.names}, set()),
    ],
)
@pytest.mark.parametrize("outlines", [False, True])
def test_only_the_chosen_classes_are_coloured(
    choice: dict[str, Any], coloured: set[int], outlines: bool
) -> None:
    class_map = patches()
    image = overlay(style_of(outlines=outlines, **choice)).process(class_map).image_bgr
    for label in (*range(11), VOID):
        same = (image == class_map.frame.image_bgr)[class_map.labels == label].mean()
        assert (same < 0.2) if label in coloured else (same == 1)
    alone = overlay(style_of(mode="mask", **choice)).process(class_map).image_bgr
    expected = np.where(np.isin(class_map.labels, list(coloured))[..., None],
                        PALETTE[class_map.labels], 0)  # fmt: skip
    assert np.array_equal(alone, expected)


@pytest.mark.parametrize("key", ["classes", "hide"])
def test_unknown_classes_are_named_with_the_closest(key: str) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'road'"):
        overlay(style_of(**{key: ("raod",)}))


def test_a_style_that_changes_is_followed_and_checked() -> None:
    styles = [style_of(), style_of(alpha=1.0), style_of(hide=("tram",))]
    now = iter([styles[0], *styles])
    stage = Overlay(lambda: next(now), CAMVID, lambda: VALUES)
    class_map = patches()
    first, second = (stage.process(class_map).image_bgr for _ in range(2))
    assert np.abs(first - mixed(class_map, 0.5)).max() <= 1
    assert np.abs(second - mixed(class_map, 1.0)).max() <= 1
    with pytest.raises(UnknownNameError, match="tram"):
        stage.process(class_map)


@pytest.mark.parametrize("mode", ["overlay", "mask", "side-by-side", "picture"])
@pytest.mark.parametrize("palette", ["classes", "colour-blind"])
@pytest.mark.parametrize("outlines", [False, True])
def test_frame_and_class_map_are_only_read(mode: str, palette: str, outlines: bool) -> None:
    class_map = patches()
    before = class_map.frame.image_bgr.copy(), class_map.labels.copy()
    class_map.frame.image_bgr.flags.writeable = False
    class_map.labels.flags.writeable = False
    style = OverlayStyle(mode=mode, palette=palette, outlines=outlines)  # type: ignore[arg-type]
    stage = overlay(style)
    one, other = stage.process(class_map), stage.process(class_map)
    assert np.array_equal(class_map.frame.image_bgr, before[0])
    assert np.array_equal(class_map.labels, before[1])
    assert one.frame is class_map.frame
    assert one.class_map is class_map
    kept = one.image_bgr.copy()
    other.image_bgr[:] = 0  # a sink's doing
    assert np.array_equal(one.image_bgr, kept)
    assert one.image_bgr.flags.c_contiguous


def test_side_by_side_is_frame_and_overlay() -> None:
    class_map = patches()
    image = overlay(style_of(mode="side-by-side")).process(class_map).image_bgr
    assert image.shape == (HW[0], 2 * HW[1], 3)
    assert np.array_equal(image[:, : HW[1] - 2], class_map.frame.image_bgr[:, : HW[1] - 2])
    right = image[:, HW[1] + 2 :]
    assert np.abs(right - mixed(class_map, 0.5)[:, 2:]).max() <= 1


def test_picture_is_the_frame_alone() -> None:
    class_map = patches()
    image = overlay(style_of(mode="picture", outlines=True)).process(class_map).image_bgr
    assert np.array_equal(image, class_map.frame.image_bgr)
    with_legend = overlay(style_of(mode="picture", legend=True)).process(class_map).image_bgr
    assert np.array_equal(with_legend, image)


@pytest.mark.parametrize("palette", ["classes", "colour-blind"])
def test_colours_never_change_between_frames(palette: str) -> None:
    """One stage over a drive whose classes come and go, against stages that see one frame each."""
    style = style_of(mode="mask", palette=palette)
    stage = overlay(style)
    drive = DemoDrive(2, 128, 72)
    colours = palette_bgr(CAMVID, palette)  # type: ignore[arg-type]
    for index in range(0, 60, 12):
        image, labels = drive.render(index)
        class_map = ClassMap(labels, CAMVID, Frame(image, index, index / 30, 0, "demo"))
        assert np.array_equal(stage.process(class_map).image_bgr, colours[labels])


def test_each_mask_belongs_to_its_frame() -> None:
    """The picture of frame i shows the labels of frame i: neighbours' would be elsewhere."""
    stage = overlay(style_of(alpha=0.5))
    drive = DemoDrive(1, 160, 90, fps=10)
    maps = [
        ClassMap(labels, CAMVID, Frame(image, index, index / 10, 0, "demo"))
        for index, (image, labels) in enumerate(map(drive.render, range(5)))
    ]
    for position, class_map in enumerate(maps):
        image = stage.process(class_map).image_bgr.astype(int)
        off = [
            float(
                np.abs(image - (class_map.frame.image_bgr / 2 + PALETTE[other.labels] / 2)).mean()
            )
            for other in maps
        ]
        assert off.index(min(off)) == position
        assert off[position] < 1


@pytest.mark.parametrize("hw", [(180, 320), (720, 1280), (2160, 3840)])
def test_outlines_run_along_the_borders_and_grow_with_the_picture(hw: tuple[int, int]) -> None:
    labels = np.zeros(hw, np.uint8)
    labels[:, hw[1] // 2 :] = 3
    class_map = ClassMap(labels, CAMVID, Frame(np.full((*hw, 3), 90, np.uint8), 0, 0, 0, "x"))
    without, drawn = (
        overlay(style_of(outlines=outlines)).process(class_map).image_bgr
        for outlines in (False, True)
    )
    columns = np.flatnonzero((without != drawn).any(axis=(0, 2)))
    thickness = max(2, round(hw[0] / 400))
    assert len(columns) == pytest.approx(thickness, abs=1)
    assert columns[0] < hw[1] // 2 <= columns[-1]


@pytest.mark.parametrize("hw", [(1, 1), (2, 3), (48, 64), (90, 160), (181, 321), (320, 180)])
@pytest.mark.parametrize("mode", ["overlay", "mask", "side-by-side", "picture"])
def test_every_size_can_be_drawn(hw: tuple[int, int], mode: str) -> None:
    class_map = patches(hw)
    style = OverlayStyle(mode=mode, outlines=True)  # type: ignore[arg-type]
    values = HudValues(0.0, 0.0, "an engine with a long name " * 4, 12345, "signal lost 3 s")
    picture = Overlay(lambda: style, CAMVID, lambda: values).process(class_map)
    assert picture.image_bgr.shape[0] == hw[0]


def test_a_source_may_change_its_size() -> None:
    stage = overlay(OverlayStyle())
    for hw in ((180, 320), (90, 160), (360, 640), (180, 320)):
        assert stage.process(patches(hw)).image_bgr.shape == (*hw, 3)


def test_other_class_sets_and_views_of_frames() -> None:
    image = np.zeros((100, 120, 3), np.uint8)[::-1, 10:]  # no memory of its own, rows backwards
    labels = np.full((100, 110), 18, np.uint8)
    class_map = ClassMap(labels, CITYSCAPES, Frame(image, 0, 0, 0, "view"))
    picture = overlay(style_of(alpha=1.0), CITYSCAPES).process(class_map).image_bgr
    assert (picture == CITYSCAPES.palette_bgr()[18]).all()
    assert cv2.countNonZero(image[..., 0].copy()) == 0
