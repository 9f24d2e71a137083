"""Crops: where a point of the picture lands, and that host and device cut alike."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from rtseg.classes import VOID
from rtseg.training.augment import crop_map
from rtseg.training.warp import DevicePixels, warp_on_host

FILL = (10, 20, 30)


def smooth_picture(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    labels = cv2.resize(
        rng.integers(0, 5, (6, 8), dtype=np.uint8),
        (width, height),
        interpolation=cv2.INTER_NEAREST,
    )
    return image, labels


def on_device(images: list, labels: list, indices: list, maps: list, crop_hw: tuple) -> tuple:
    pixels = DevicePixels(images, labels, torch.device("cpu"))
    matrices = torch.from_numpy(np.stack(maps).astype(np.float32))
    crops, cut = pixels.warp(torch.tensor(indices), matrices, crop_hw, FILL)
    return crops.numpy(), cut.numpy()


def test_the_identity_changes_nothing() -> None:
    image, labels = smooth_picture(20, 31)
    identity = crop_map((20, 31), 1.0, (0.0, 0.0))
    cut_image, cut_labels = warp_on_host(image, labels, identity, (20, 31), FILL)
    np.testing.assert_array_equal(cut_image, image)
    np.testing.assert_array_equal(cut_labels, labels)
    crops, cut = on_device([image], [labels], [0], [identity], (20, 31))
    np.testing.assert_array_equal(crops[0], image)
    np.testing.assert_array_equal(cut[0], labels)


def test_half_size_takes_the_mean_of_four_pixels() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    labels = np.zeros((4, 6), np.uint8)
    half = crop_map((2, 3), 0.5, (0.0, 0.0))
    expected = image.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    crops, _ = on_device([image], [labels], [0], [half], (2, 3))
    np.testing.assert_allclose(crops[0], expected, atol=1e-4)
    cut, _ = warp_on_host(image, labels, half, (2, 3), FILL)
    np.testing.assert_allclose(cut, expected, atol=0.51)


def test_outside_the_picture_lie_the_fill_and_void() -> None:
    image, labels = np.full((4, 4, 3), 200, np.uint8), np.ones((4, 4), np.uint8)
    outside = crop_map((8, 8), 1.0, (-2.0, -3.0))
    crops, cut = on_device([image], [labels], [0], [outside], (8, 8))
    for image_cut, labels_cut in (
        warp_on_host(image, labels, outside, (8, 8), FILL),
        (crops[0], cut[0]),
    ):
        inside = np.zeros((8, 8), bool)
        inside[3:7, 2:6] = True
        np.testing.assert_array_equal(labels_cut, np.where(inside, 1, VOID))
        assert (image_cut[inside] == 200).all()
        assert (image_cut[~inside] == FILL).all()


@pytest.mark.parametrize(
    ("scale", "angle", "flip"), [(0.6, 0.0, False), (1.7, 0.15, True), (1.0, -0.4, False)]
)
def test_host_and_device_cut_alike(scale: float, angle: float, flip: bool) -> None:
    pictures = [smooth_picture(50, 70), smooth_picture(64, 48, seed=1)]
    images, labels = [one[0] for one in pictures], [one[1] for one in pictures]
    maps = [crop_map((40, 56), scale, (offset, 3.3), angle, flip) for offset in (-4.2, 5.7, 0.0)]
    indices = [0, 1, 0]
    crops, cut = on_device(images, labels, indices, maps, (40, 56))
    for place, index in enumerate(indices):
        expected = warp_on_host(images[index], labels[index], maps[place], (40, 56), FILL)
        known = (expected[1] != VOID) & (cut[place] != VOID)
        off = np.abs(crops[place] - expected[0].astype(float))[known]
        # OpenCV rounds positions to a fraction of a pixel; at the rim that mixes in the fill.
        assert np.quantile(off, 0.98) <= 4
        assert off.mean() < 1
        assert (cut[place] == expected[1]).mean() > 0.98


def test_pictures_of_different_sizes_share_the_device_memory() -> None:
    pictures = [smooth_picture(10, 12), smooth_picture(7, 30, seed=3)]
    pixels = DevicePixels(
        [one[0] for one in pictures], [one[1] for one in pictures], torch.device("cpu")
    )
    assert pixels.num_bytes == 4 * (10 * 12 + 7 * 30)
    identity = torch.from_numpy(crop_map((7, 12), 1.0, (0.0, 0.0)).astype(np.float32))[None]
    crops, _ = pixels.warp(torch.tensor([1]), identity, (7, 12), FILL)
    np.testing.assert_array_equal(crops[0].numpy(), pictures[1][0][:, :12])


@pytest.mark.parametrize("size", [(9, 7), (40, 33), (1, 5)])
def test_outside_the_picture_may_lie_its_mirror_image_but_no_label(size: tuple[int, int]) -> None:
    image, labels = smooth_picture(*size)
    crop_hw = (size[0] + 19, size[1] + 12)
    matrix = crop_map(crop_hw, 1.0, (-5.0, -12.0))
    cut, ids = warp_on_host(image, labels, matrix, crop_hw, None)
    pads = ((12, 7), (5, 7))
    np.testing.assert_array_equal(cut, np.pad(image, (*pads, (0, 0)), "reflect"))
    assert (ids[:12] == VOID).all()
    assert (ids[:, :5] == VOID).all()
    np.testing.assert_array_equal(ids[12 : 12 + size[0], 5 : 5 + size[1]], labels)
    pixels = DevicePixels([image], [labels], torch.device("cpu"))
    matrices = torch.from_numpy(matrix[None].astype(np.float32))
    on_the_device, ids_too = pixels.warp(torch.tensor([0]), matrices, crop_hw, None)
    np.testing.assert_array_equal(on_the_device[0].numpy(), cut)
    np.testing.assert_array_equal(ids_too[0].numpy(), ids)
