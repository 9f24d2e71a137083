"""What is written on pictures: legend, head-up display, notices, and the letters themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rtseg.classes import CAMVID, CITYSCAPES, VOID, ClassSet
from rtseg.frames import ClassMap, Frame
from rtseg.stream.overlay import lettering
from rtseg.stream.overlay.hud import HudValues, figures
from rtseg.stream.overlay.layout import Layout
from rtseg.stream.overlay.legend import Legend, class_shares, percent
from rtseg.stream.overlay.lettering import Lettering, to_ascii
from rtseg.stream.overlay.overlay import Overlay
from rtseg.stream.overlay.style import OverlayStyle

Image = npt.NDArray[np.uint8]
VALUES = HudValues(24.8, 41.2, "net 512x288 eager fp32 on cpu", 0)
HW = (360, 640)


def scene(labels: npt.NDArray[np.uint8], pts_s: float, classes: ClassSet = CAMVID) -> ClassMap:
    image = np.full((*labels.shape, 3), 120, np.uint8)
    return ClassMap(labels, classes, Frame(image, 0, pts_s, 0, "test"))


def written(values: list[HudValues], times_s: list[float], **style: Any) -> list[Image]:
    """Pictures of a uniform scene, drawn by one stage."""
    shown = iter(values)
    chosen = OverlayStyle(**({"legend": False} | style))
    stage = Overlay(lambda: chosen, CAMVID, lambda: next(shown))
    labels = np.full(HW, 3, np.uint8)
    return [stage.process(scene(labels, pts_s)).image_bgr for pts_s in times_s]


def box(one: Image, other: Image) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what differs."""
    rows, columns = np.nonzero((one != other).any(axis=2))
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


@pytest.mark.parametrize(
    "change", [{"fps": 9.1}, {"age_ms": 977.0}, {"drops": 5}, {"engine": "another engine"}]
)
def test_the_display_shows_its_values(change: dict[str, Any]) -> None:
    plain = written([VALUES], [0.0], hud=False)[0]
    before, after = written([VALUES, replace(VALUES, **change)], [0.0, 1.0])
    top, left, bottom, _ = box(plain, before)
    assert top == left > 0  # one margin on both sides
    assert bottom < HW[0] / 4
    changed = box(before, after)
    assert changed[0] >= top
    assert changed[1] >= left
    assert changed[2] <= max(bottom, box(plain, after)[2])


def test_numbers_stand_still_long_enough_to_be_read() -> None:
    values = [replace(VALUES, fps=20 + 0.3 * index) for index in range(16)]
    pictures = written(values, [index / 30 for index in range(16)])
    changes = [not np.array_equal(a, b) for a, b in pairwise(pictures)]
    assert 1 <= sum(changes) <= 3


def test_drops_and_engines_are_shown_at_once() -> None:
    first, second, third = written(
        [VALUES, replace(VALUES, drops=1), replace(VALUES, drops=1, engine="x")], [0.0, 0.01, 0.02]
    )
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_a_notice_comes_and_goes_below_the_display() -> None:
    lost = replace(VALUES, notice="signal lost 3 s")
    before, during, later, after = written(
        [VALUES, lost, replace(lost, notice="signal lost 4 s"), VALUES], [0.0, 0.01, 0.02, 0.03]
    )
    plain = written([VALUES], [0.0], hud=False)[0]
    notice = box(before, during)
    assert notice[0] >= box(plain, before)[2]
    assert abs((notice[1] + notice[3]) / 2 - HW[1] / 2) <= 2
    assert not np.array_equal(during, later)
    assert np.array_equal(before, after)


def test_figures_stay_short() -> None:
    shown = figures(HudValues(0.0, 123456.0, "", 7))
    assert [cell.value for cell in shown] == ["-", "123k", "7"]
    assert [cell.alarming for cell in shown] == [False, False, True]
    assert figures(replace(VALUES, fps=240.4))[0].value == "240"


@pytest.mark.parametrize("ground", [0, 127, 255])
def test_text_is_legible_over_any_ground(ground: int) -> None:
    style = OverlayStyle(mode="picture")
    stage = Overlay(lambda: style, CAMVID, lambda: VALUES)
    image = np.full((*HW, 3), ground, np.uint8)
    labels = np.zeros(HW, np.uint8)
    picture = stage.process(ClassMap(labels, CAMVID, Frame(image, 0, 0, 0, "x"))).image_bgr
    panel = picture[12:30, 12:100].astype(float).mean(axis=2)
    assert panel.max() - np.median(panel) > 130


@pytest.mark.parametrize("hw", [(180, 320), (360, 640), (720, 1280), (2160, 3840)])
def test_text_grows_with_the_picture(hw: tuple[int, int]) -> None:
    size_px = Layout(*hw).letters.size_px
    assert size_px == pytest.approx(max(10, hw[0] / 42))


def stripes(shares: dict[int, float], hw: tuple[int, int] = HW) -> npt.NDArray[np.uint8]:
    row = np.full(hw[1], VOID, np.uint8)
    start = 0
    for label, share in shares.items():
        stop = start + round(share * hw[1])
        row[start:stop], start = label, stop
    return np.ascontiguousarray(np.broadcast_to(row, hw))


def test_shares_are_of_the_whole_picture() -> None:
    shares = class_shares(stripes({3: 0.5, 0: 0.25}, (721, 1280)), 11)
    assert shares[3] == pytest.approx(0.5)
    assert shares[0] == pytest.approx(0.25)
    assert shares.sum() == pytest.approx(0.75)


def test_percent() -> None:
    shares = {1.0: "100 %", 0.414: "41 %", 0.0096: "1 %", 0.009: "<1 %"}
    assert {share: percent(share) for share in shares} == shares


def rows(legend: Legend) -> dict[str, str]:
    return {CAMVID.names[label]: share for label, share in legend._rows}


def all_of(classes: ClassSet) -> Legend:
    return Legend(classes, tuple(range(len(classes))), classes.palette_bgr())


def test_the_legend_lists_what_is_there_in_a_fixed_order() -> None:
    legend = all_of(CAMVID)
    legend.update(stripes({8: 0.25, 3: 0.5, 0: 0.25}), 0.0)
    assert rows(legend) == {"Sky": "25 %", "Road": "50 %", "Car": "25 %"}
    assert list(rows(legend)) == ["Sky", "Road", "Car"]


def test_the_legend_follows_calmly() -> None:
    legend = all_of(CAMVID)
    seen = []
    for index in range(91):  # 3 s; after the first, cars come into the picture
        with_cars = index >= 30
        legend.update(stripes({3: 0.5, 8: 0.5} if with_cars else {3: 1.0}), index / 30)
        seen.append(dict(rows(legend)))
    assert sum(a != b for a, b in pairwise(seen)) <= 6
    assert seen[29] == {"Road": "100 %"}
    assert int(seen[-1]["Car"].split()[0]) >= 48
    for index in range(91, 300):
        legend.update(stripes({3: 1.0}), index / 30)
    assert rows(legend) == {"Road": "100 %"}


def test_a_jump_in_time_starts_the_legend_afresh() -> None:
    legend = all_of(CAMVID)
    legend.update(stripes({3: 1.0}), 10.0)
    legend.update(stripes({0: 1.0}), 0.0)
    assert rows(legend) == {"Sky": "100 %"}
    legend.update(stripes({8: 1.0}), 60.0)
    assert rows(legend) == {"Car": "100 %"}


def test_only_coloured_classes_stand_in_the_legend() -> None:
    legend = Legend(CAMVID, (3,), CAMVID.palette_bgr())
    legend.update(stripes({3: 0.5, 0: 0.5}), 0.0)
    assert rows(legend) == {"Road": "50 %"}


@pytest.mark.parametrize("hw", [(180, 320), (360, 480), (720, 1280)])
def test_the_legend_stays_inside_and_apart_from_the_display(hw: tuple[int, int]) -> None:
    classes = CITYSCAPES
    labels = stripes({label: 1 / 19 for label in range(19)}, hw)
    pictures = {}
    for legend in (False, True):
        for hud in (False, True):
            style = OverlayStyle(legend=legend, hud=hud, alpha=0.0)
            stage = Overlay(lambda style=style: style, classes, lambda: VALUES)  # type: ignore[misc]
            pictures[legend, hud] = stage.process(scene(labels, 0.0, classes)).image_bgr
    margin = Layout(*hw).margin
    both = pictures[True, True]
    for side in (both[:margin], both[-margin:], both[:, :margin], both[:, -margin:]):
        assert (side == 120).all()
    legend = (both != pictures[False, True]).any(axis=2)
    display = (pictures[False, True] != pictures[False, False]).any(axis=2)
    assert display.any()
    assert legend.any()
    # Beside a legend the display is narrower, never below it.
    assert not (legend & (both != pictures[True, False]).any(axis=2) & display).any()


def test_the_legend_shows_the_colours_of_the_palette() -> None:
    style = OverlayStyle(hud=False, alpha=0.3)
    stage = Overlay(lambda: style, CAMVID, lambda: VALUES)
    picture = stage.process(scene(stripes({3: 0.5, 8: 0.5}), 0.0)).image_bgr
    right = picture[:, HW[1] // 2 :].reshape(-1, 3)
    for label in (3, 8):
        assert (right == CAMVID.palette_bgr()[label]).all(axis=1).sum() >= 16


FONTS = ["stroke", "scalable"] if lettering.SCALABLE else ["stroke"]


@pytest.fixture(params=FONTS)
def letters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lettering:
    monkeypatch.setattr(lettering, "SCALABLE", request.param == "scalable")
    return Lettering(17.0)


def test_lines_have_one_height_and_fit_their_letters(letters: Lettering) -> None:
    for text in ("Road", "jagged", "41 %", "signal lost 3 s", "Ä"):
        for bold in (False, True):
            line = letters.line(text, bold)
            assert line.shape == (letters.line_px, letters.width_px(text, bold))
            assert line.max() > 200
            assert line[0].max() == line[-1].max() == 0  # nothing is cut off
    assert letters.width_px("") == 0
    assert letters.width_px("MMMM") > letters.width_px("iiii")
    assert not np.array_equal(letters.line("Road", True), letters.line("Road"))


def test_letters_are_smooth(letters: Lettering) -> None:
    line = letters.line("Road 8")
    assert np.count_nonzero((line > 20) & (line < 235)) > 30


def test_capitals_are_about_as_high_as_the_size_says(letters: Lettering) -> None:
    inked = np.flatnonzero((letters.line("H") > 128).any(axis=1))
    assert len(inked) == pytest.approx(0.7 * 17, abs=2.1)
    assert inked.mean() == pytest.approx(letters.middle_px, abs=1.6)


def test_long_lines_are_shortened_to_what_fits(letters: Lettering) -> None:
    text = "ddrnet-23-slim-camvid 512x288 inductor fp32 on cpu"
    for width_px in (400, 200, 100, 30):
        short = letters.shortened(text, width_px)
        assert letters.width_px(short) <= width_px
        assert short.endswith("...") or short in {text, ""}
    assert letters.shortened("Road", 400) == "Road"
    assert letters.shortened("Road", 0) == ""


def test_letters_that_ascii_lacks() -> None:
    assert to_ascii("Gehweg – Straße, café") == "Gehweg - Strasse, cafe"
    assert to_ascii("道路") == "??"
