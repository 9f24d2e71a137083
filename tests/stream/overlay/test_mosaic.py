"""Several pictures in one: where they lie, what stands on them, what isn't of now."""

from __future__ import annotations

import numpy as np
import pytest

from rtseg.frames import Image
from rtseg.stream.overlay.mosaic import EMPTY_BGR, GAP_BGR, Grid, Mosaic, View, choose_grid

WITHIN_WH = (1600, 900)


def plain(colour: tuple[int, int, int], width: int, height: int) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def tile_of(picture: Image, grid: Grid, number: int, num_tiles: int) -> Image:
    left, top = grid.corner(number, num_tiles)
    width, height = grid.tile_wh
    return picture[top : top + height, left : left + width]


@pytest.mark.parametrize(
    ("num_tiles", "aspect", "columns", "rows"),
    [
        (1, 16 / 9, 1, 1),
        (2, 16 / 9, 2, 1),
        (2, 4, 1, 2),
        (3, 16 / 9, 2, 2),
        (4, 16 / 9, 2, 2),
        (5, 16 / 9, 3, 2),
        (7, 16 / 9, 3, 3),
        (3, 9 / 16, 3, 1),
    ],
)
def test_the_grid_gives_the_tiles_the_most_room(
    num_tiles: int, aspect: float, columns: int, rows: int
) -> None:
    grid = choose_grid(num_tiles, aspect, WITHIN_WH)
    assert (grid.columns, grid.rows) == (columns, rows)
    width, height = grid.tile_wh
    assert width / height == pytest.approx(aspect, rel=0.02)
    assert grid.hw[0] <= WITHIN_WH[1] + 1
    assert grid.hw[1] <= WITHIN_WH[0] + 1
    assert not grid.hw[0] % 2
    assert not grid.hw[1] % 2


@pytest.mark.parametrize("num_tiles", [1, 2, 3, 5, 7, 16])
def test_tiles_lie_inside_and_apart(num_tiles: int) -> None:
    grid = choose_grid(num_tiles, 1.5, (800, 600))
    taken = np.zeros(grid.hw, int)
    width, height = grid.tile_wh
    for number in range(num_tiles):
        left, top = grid.corner(number, num_tiles)
        area = taken[top : top + height, left : left + width]
        assert area.shape == (height, width)
        area += 1
    assert taken.max() == 1


def test_a_picture_keeps_its_proportions_and_stands_in_the_middle_of_its_tile() -> None:
    views = [View("a", plain((0, 0, 250), 320, 180)), View("b", plain((0, 250, 0), 180, 320))]
    mosaic = Mosaic(2, (640, 360))
    picture = mosaic.draw(views)
    assert picture.shape[:2] == mosaic.hw
    grid = choose_grid(2, 320 / 180, (640, 360))
    wide, tall = (tile_of(picture, grid, number, 2) for number in range(2))
    assert (wide[2, 2] == (0, 0, 250)).all()
    assert (tall[2, 2] == EMPTY_BGR).all()
    green = np.flatnonzero((tall[5] == (0, 250, 0)).all(axis=1))
    width, height = grid.tile_wh
    assert green.size == pytest.approx(height * 180 / 320, abs=1)
    assert green[0] == pytest.approx((width - green.size) / 2, abs=1)
    left, _ = grid.corner(1, 2)
    assert (picture[10, left - 1] == GAP_BGR).all()


def test_the_name_stands_in_the_lower_left_corner() -> None:
    image = plain((200, 200, 200), 640, 360)
    named, other = (Mosaic(1).draw([View(name, image)]) for name in ("front", "rear"))
    differs = np.argwhere((named != other).any(axis=2))
    height, width = named.shape[:2]
    assert differs.size
    assert differs[:, 0].min() > 0.8 * height
    assert differs[:, 1].max() < 0.3 * width


def test_before_the_first_picture_there_is_black_that_says_so() -> None:
    picture = Mosaic(2).draw([View("a", plain((9, 99, 9), 640, 360)), View("b")])
    empty = picture[:, picture.shape[1] // 2 + 4 :]
    assert (empty[2, 2] == EMPTY_BGR).all()
    middle = empty[empty.shape[0] // 2 - 20 : empty.shape[0] // 2 + 20]
    assert middle.any(), "the notice"


def test_what_is_not_of_now_is_grey_and_says_why() -> None:
    image = plain((20, 60, 220), 640, 360)
    mosaic = Mosaic(1)
    now = mosaic.draw([View("a", image)])
    lost = mosaic.draw([View("a", image, "signal lost 12 s")])
    later = mosaic.draw([View("a", image, "signal lost 13 s")])
    back = mosaic.draw([View("a", image)])
    assert len(set(lost[5, 5].tolist())) == 1, "grey"
    assert (lost != later).any()
    np.testing.assert_array_equal(now, back)


def test_views_are_only_read_and_pictures_are_new() -> None:
    image = plain((20, 60, 220), 64, 36)
    before = image.copy()
    mosaic = Mosaic(1, (320, 180))
    first = mosaic.draw([View("a", image)])
    first[:] = 0
    second = mosaic.draw([View("a", image)])
    assert second.any()
    np.testing.assert_array_equal(image, before)


def test_the_proportions_settle_once_every_camera_has_shown_a_picture() -> None:
    mosaic = Mosaic(2, (640, 360))
    mosaic.draw([View("a"), View("b")])
    square = plain((1, 2, 3), 100, 100)
    mosaic.draw([View("a", square), View("b", square)])
    settled = mosaic.hw
    mosaic.draw([View("a", plain((1, 2, 3), 400, 100)), View("b", square)])
    assert mosaic.hw == settled
