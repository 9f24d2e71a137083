"""Pictures for people: right colours in the right places, and text that fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtseg.classes import CAMVID, CITYSCAPES, VOID, ClassSet
from rtseg.errors import DataError
from rtseg.training.pictures import (
    BACKGROUND,
    RIGHT,
    TEXT,
    WRONG,
    colourise,
    comparison,
    contact_sheet,
    draw_text,
    headed,
    legend,
    overlay_labels,
    text_width,
)

MANY = ClassSet(
    "many",
    tuple(f"class number {index}" for index in range(65)),
    tuple((40 + 3 * index, 255 - index, 128) for index in range(65)),
)


def bgr(classes: ClassSet, index: int) -> tuple[int, ...]:
    return classes.colours_rgb[index][::-1]


def boxes(image: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    """Return where a colour is: bool [H, W]."""
    return (image == np.array(colour, np.uint8)).all(axis=2)


def test_colours_are_those_of_the_classes() -> None:
    labels = np.array([[0, 10, VOID]], np.uint8)
    assert colourise(labels, CAMVID).tolist() == [
        [list(bgr(CAMVID, 0)), list(bgr(CAMVID, 10)), [0, 0, 0]]
    ]


def test_an_overlay_mixes_colours_in_and_leaves_void_alone() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    labels = np.array([[3, VOID], [3, 3]], np.uint8)
    mixed = overlay_labels(image, labels, CAMVID, alpha=0.25)
    np.testing.assert_allclose(mixed[0, 0], 75 + 0.25 * np.array(bgr(CAMVID, 3)), atol=0.5)
    assert mixed[0, 1].tolist() == [100, 100, 100]
    np.testing.assert_array_equal(overlay_labels(image, labels, CAMVID, alpha=0), image)
    assert (image == 100).all()


def test_a_comparison_shows_where_the_prediction_is_wrong() -> None:
    truth = np.array([[1, 1, VOID]] * 10, np.uint8)
    prediction = np.array([[1, 2, 2]] * 10, np.uint8)
    image = np.full((10, 3, 3), 9, np.uint8)
    made = comparison(image, truth, prediction, CAMVID)
    assert made.shape[0] == 10
    np.testing.assert_array_equal(made[:, :3], image)
    assert made[5, -3:].tolist() == [list(RIGHT), list(WRONG), [0, 0, 0]]
    pitch = (made.shape[1] - 3) // 3
    np.testing.assert_array_equal(made[:, pitch : pitch + 3], colourise(truth, CAMVID))
    np.testing.assert_array_equal(made[:, 2 * pitch : 2 * pitch + 3], colourise(prediction, CAMVID))


def test_labels_of_another_size_are_refused() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    right, wrong = np.zeros((4, 6), np.uint8), np.zeros((6, 4), np.uint8)
    for labels in ((right, wrong), (wrong, right)):
        with pytest.raises(DataError, match="6x4 but its labels are 4x6"):
            comparison(image, *labels, CAMVID)
    with pytest.raises(DataError, match="6x4 but its labels are 4x6"):
        overlay_labels(image, wrong, CAMVID)


@pytest.mark.parametrize("classes", [CAMVID, CITYSCAPES, MANY], ids=lambda one: one.name)
@pytest.mark.parametrize("height", [240, 900])
def test_a_legend_shows_every_colour_once_and_cuts_nothing(classes: ClassSet, height: int) -> None:
    shares = [1 / len(classes)] * len(classes)
    made = legend(classes, shares, height)
    assert made.shape[0] == height
    for index in range(len(classes)):
        found = boxes(made, bgr(classes, index))
        assert found.sum() >= 30, classes.names[index]
    edges = [made[0], made[-1], made[:, 0], made[:, -1]]
    assert all((edge == np.array(BACKGROUND, np.uint8)).all() for edge in edges)
    assert legend(classes, None, height).shape[1] < made.shape[1]


def test_legend_text_grows_with_the_picture() -> None:
    small, large = (legend(CAMVID, None, height) for height in (300, 1200))
    assert large.shape[1] == pytest.approx(4 * small.shape[1], rel=0.15)


def test_a_sheet_keeps_shapes_and_puts_captions_below() -> None:
    red = np.zeros((50, 100, 3), np.uint8) + np.array([0, 0, 255], np.uint8)
    tall = np.zeros((300, 100, 3), np.uint8) + np.array([0, 255, 0], np.uint8)
    made = contact_sheet([red, tall, red], ["one", "two", "three"], 2, (120, 90))
    reds, greens = boxes(made, (0, 0, 255)), boxes(made, (0, 255, 0))
    assert reds.sum() == 2 * 120 * 60
    assert greens.sum() == 30 * 90
    assert np.argwhere(reds)[0].tolist() == [4 + 15, 4]
    for top in (4 + 90, made.shape[0] - 4 - 15):
        assert (made[top : top + 14, 4:40] != np.array(BACKGROUND, np.uint8)).any()
    assert contact_sheet([red], ["alone"], 5, (120, 90)).shape[1] == 120 + 2 * 4


def test_long_captions_stay_in_their_cell() -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    made = contact_sheet([image, image], ["x" * 200, ""], 2, (120, 90))
    band = made[4 + 90 : -4]
    written = (band != np.array(BACKGROUND, np.uint8)).any(axis=(0, 2))
    assert written[:124].any()
    assert not written[126:].any()


def test_a_sheet_needs_a_caption_for_each_picture() -> None:
    with pytest.raises(DataError, match="got 0 and 0"):
        contact_sheet([], [], 2, (120, 90))
    with pytest.raises(DataError, match="got 1 and 2"):
        contact_sheet([np.zeros((9, 9, 3), np.uint8)], ["a", "b"], 2, (120, 90))


@pytest.mark.parametrize("text_px", [10, 20, 40])
def test_text_is_as_high_and_wide_as_asked(text_px: int) -> None:
    canvas = np.zeros((200, 900, 3), np.uint8)
    draw_text(canvas, "HEIGHT", (50, 100), text_px, TEXT)
    rows, columns = np.nonzero(canvas.max(axis=2) > 100)
    assert rows.max() - rows.min() == pytest.approx(text_px, rel=0.35)
    assert (rows.max() + rows.min()) / 2 == pytest.approx(100, abs=0.3 * text_px)
    assert columns.max() - 50 == pytest.approx(text_width("HEIGHT", text_px), rel=0.1)


def test_letters_that_the_font_lacks_are_replaced() -> None:
    assert text_width("Fußgänger – é", 12) == text_width("Fu?ganger - e", 12)


def test_a_heading_goes_above_the_picture() -> None:
    image = np.full((90, 300, 3), 200, np.uint8)
    made = headed(image, "a heading")
    np.testing.assert_array_equal(made[-90:], image)
    assert (made[:-90] != np.array(BACKGROUND, np.uint8)).any()


def test_a_real_picture_and_its_overlay_lie_on_each_other(shared_data: Path) -> None:
    from rtseg.training.datasets import open_dataset

    configs = Path(__file__).resolve().parents[2] / "configs/datasets"
    sample = open_dataset(configs / "camvid.yaml", "val")[0]
    mixed = overlay_labels(sample.image_bgr, sample.labels, CAMVID)
    unmixed = 2.0 * mixed - colourise(sample.labels, CAMVID)
    labelled = sample.labels != VOID
    assert np.abs(unmixed - sample.image_bgr)[labelled].max() <= 1
