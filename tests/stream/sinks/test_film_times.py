"""The times of a film's frames."""

from __future__ import annotations

import pytest

from rtseg.stream.sinks.film_times import TICKS_PER_S, FilmTimes


def test_times_are_the_sources_and_never_stand_still() -> None:
    times = FilmTimes(30.0)
    ticks = [times.next(pts_s) for pts_s in (0.0, 1 / 30, 1 / 30, 1 / 30, 2 / 30, 1.0)]
    assert ticks == [0, 3000, 3001, 3002, 6000, 90_000]


@pytest.mark.parametrize("fps", [24000 / 1001, 25, 30000 / 1001, 60, 59.94])
def test_no_error_adds_up(fps: float) -> None:
    times = FilmTimes(fps)
    for index in range(100_000):
        times.next(index / fps)
    assert times.last == round(99_999 / fps * TICKS_PER_S)


@pytest.mark.parametrize(
    ("fps", "pts_s", "end_s"),
    [
        (None, [], 0.0),
        (10.0, [0.0], 0.1),
        (None, [0.0], 0.04),
        (float("nan"), [0.0], 0.04),
        (25.0, [0.0, 0.1, 0.2], 0.3),
        (25.0, [0.0, 0.1, 20.0], 20.1),  # a gap isn't counted twice
        (25.0, [0.0, 0.1, 20.0, 20.1], 20.2),
    ],
)
def test_the_last_picture_lasts_as_long_as_those_before(
    fps: float | None, pts_s: list[float], end_s: float
) -> None:
    times = FilmTimes(fps)
    for value in pts_s:
        times.next(value)
    assert times.end_s == pytest.approx(end_s)
