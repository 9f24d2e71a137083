"""The demo drive: the same bytes everywhere, all classes, smooth motion, truth on the picture."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from rtseg._demo.noise import U8
from rtseg.classes import CAMVID
from rtseg.demo_drive import DemoDrive
from rtseg.errors import DataError

WIDTH, HEIGHT = 240, 180
DRIVE = range(0, 2400, 150)


@lru_cache(maxsize=4)
def drive(seed: int) -> DemoDrive:
    return DemoDrive(seed, WIDTH, HEIGHT)


@lru_cache(maxsize=4)
def frames(seed: int) -> tuple[tuple[U8, U8], ...]:
    return tuple(drive(seed).render(index) for index in DRIVE)


def digest(seed: int, index: int, width: int = WIDTH, height: int = HEIGHT) -> str:
    image, labels = DemoDrive(seed, width, height).render(index)
    return hashlib.sha256(image.tobytes() + labels.tobytes()).hexdigest()


def test_a_frame_is_a_picture_with_a_class_for_every_pixel() -> None:
    image, labels = drive(0).render(7)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.dtype == np.uint8
    assert labels.max() < len(CAMVID)
    assert image.flags.c_contiguous
    assert labels.flags.c_contiguous
    assert drive(0).classes is CAMVID
    assert drive(0).size == (WIDTH, HEIGHT)
    assert repr(drive(0)) == "DemoDrive(seed=0, 240x180, 30 fps)"


def test_a_frame_is_the_callers_own() -> None:
    image, labels = drive(0).render(7)
    kept = image.copy(), labels.copy()
    image[:], labels[:] = 0, 0
    again = drive(0).render(7)
    assert np.array_equal(again[0], kept[0])
    assert np.array_equal(again[1], kept[1])


def test_frames_come_in_any_order() -> None:
    one, other = DemoDrive(3, 160, 120), DemoDrive(3, 160, 120)
    forward = [one.render(index) for index in (0, 40, 900, 41)]
    backward = [other.render(index) for index in (41, 900, 40, 0)][::-1]
    for (image, labels), (image2, labels2) in zip(forward, backward, strict=True):
        assert np.array_equal(image, image2)
        assert np.array_equal(labels, labels2)


def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "import hashlib; from rtseg.demo_drive import DemoDrive\n"
        f"image, labels = DemoDrive(5, {WIDTH}, {HEIGHT}).render(123)\n"
        "print(hashlib.sha256(image.tobytes() + labels.tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == digest(5, 123)


def test_two_drives_in_two_threads_do_not_meet() -> None:
    alone = [digest(seed, 30) for seed in (1, 2)]
    together: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda seed=seed: together.update({seed: digest(seed, 30)}))
        for seed in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[1], together[2]] == alone


def test_seeds_are_different_drives() -> None:
    one, two = drive(0).render(60), drive(1).render(60)
    assert np.abs(one[0].astype(int) - two[0]).mean() > 20
    assert (one[1] != two[1]).mean() > 0.1


def test_the_drive_has_no_end() -> None:
    image, labels = drive(0).render(10**9)
    assert len(np.unique(labels)) >= 6
    assert image.std() > 20


def test_time_counts_and_not_the_frame_rate() -> None:
    slow, fast = DemoDrive(2, 96, 72, fps=10), DemoDrive(2, 96, 72, fps=40)
    assert np.array_equal(slow.render(5)[1], fast.render(20)[1])


@pytest.mark.parametrize("seed", [0, 4])
def test_every_class_is_there_and_in_its_measure(seed: int) -> None:
    counts = sum(np.bincount(labels.ravel(), minlength=len(CAMVID)) for _, labels in frames(seed))
    shares = dict(zip(CAMVID.names, (counts / counts.sum()).tolist(), strict=True))
    bounds = {
        "Sky": (0.04, 0.35), "Building": (0.08, 0.45), "Pole": (0.003, 0.04),
        "Road": (0.2, 0.5), "Pavement": (0.015, 0.15), "Tree": (0.02, 0.35),
        "SignSymbol": (0.002, 0.04), "Fence": (0.001, 0.08), "Car": (0.01, 0.2),
        "Pedestrian": (0.002, 0.05), "Bicyclist": (0.0005, 0.04),
    }  # fmt: skip
    wrong = {name: shares[name] for name, (low, high) in bounds.items()
             if not low <= shares[name] <= high}  # fmt: skip
    assert not wrong


def test_most_frames_show_most_classes() -> None:
    seen = [len(np.unique(labels)) for _, labels in frames(0)]
    assert np.median(seen) >= 10


@pytest.mark.parametrize("seed", [0, 4])
def test_the_street_moves_steadily(seed: int) -> None:
    labels = [drive(seed).render(index)[1] for index in range(200, 224)]
    steps = [(now != then).mean() for then, now in pairwise(labels)]
    assert 0.002 < np.mean(steps) < 0.08
    assert max(steps) < 0.15
    gaps = [(labels[0] != labels[gap]).mean() for gap in (1, 5, 20)]
    assert gaps[0] < gaps[1] < gaps[2]


@pytest.mark.parametrize("seed", [0, 4])
def test_the_truth_lies_on_the_picture(seed: int) -> None:
    """The picture changes most where the truth does, and less when the truth is moved away."""

    def agreement(image: U8, labels: U8, shift: tuple[int, int]) -> float:
        moved = np.roll(labels, shift, (0, 1))[4:-4, 4:-4]
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[4:-4, 4:-4].astype(float)
        edge = moved[:, 1:] != moved[:, :-1]
        return float(np.abs(np.diff(grey, axis=1))[edge].mean())

    for image, labels in frames(seed)[::5]:
        here = agreement(image, labels, (0, 0))
        assert here > 1.3 * agreement(image, labels, (0, 2))
        assert here > 1.3 * agreement(image, labels, (0, -2))


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (333, 77), (80, 200)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    image, labels = DemoDrive(1, *size).render(11)
    assert image.shape == (size[1], size[0], 3)
    assert labels.shape == (size[1], size[0])
    assert len(np.unique(labels)) >= 5


def test_a_larger_picture_shows_the_same() -> None:
    small = DemoDrive(1, 160, 90).render(50)[1]
    large = DemoDrive(1, 480, 270).render(50)[1]
    assert (large[1::3, 1::3] == small).mean() > 0.93


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1"), ({"seed": 1.5}, "seed is 1.5"),
        ({"width": 63}, "width is 63; give 64"), ({"height": 47}, "height is 47; give 48"),
        ({"width": "640"}, "width is '640'"), ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"), ({"fps": "30"}, "fps is '30'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DemoDrive(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("index", [-1, 0.5])
def test_a_bad_frame_number_is_named(index: int) -> None:
    with pytest.raises(DataError, match="frame index"):
        drive(0).render(index)
