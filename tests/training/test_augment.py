"""Training batches: labels stay on their picture, colours do what they say, seeds repeat."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from rtseg.classes import VOID, ClassSet
from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.networks.normalisation import Normalisation
from rtseg.training.augment import AugmentConfig, Augmenter, colour_map
from rtseg.training.datasets.dataset import Sample, SegmentationDataset
from rtseg.training.memory import PictureStore
from rtseg.training.warp import DevicePixels

NORMALISATION = Normalisation()
PLAIN: dict[str, object] = {
    "scale": (1, 1), "flip": 0, "brightness": 0, "contrast": 0, "saturation": 0, "hue_deg": 0,
    "largest_class_share": 1,
}  # fmt: skip


class OnePicture(SegmentationDataset):
    def __init__(self, image_bgr: np.ndarray, labels: np.ndarray) -> None:
        classes = ClassSet("few", ("a", "b", "c"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
        super().__init__(classes, ["one"])
        self.sample = Sample(image_bgr, labels, "one")

    def __getitem__(self, index: int) -> Sample:
        return self.sample


def store_of(image: np.ndarray, labels: np.ndarray, as_on_a_gpu: bool = False) -> PictureStore:
    store = PictureStore(OnePicture(image, labels), "cpu")
    if as_on_a_gpu:
        store._on_device = DevicePixels([image], [labels], torch.device("cpu"))
    return store


def street(height: int = 60, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    coarse = np.random.default_rng(5).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :], labels[: height // 4, : width // 4] = 1, 2
    return image, labels


def augment(
    store: PictureStore, crop_hw: tuple[int, int], count: int = 1, seed: int = 0, **changes: object
) -> tuple[Tensor, Tensor]:
    augmenter = Augmenter(AugmentConfig(**{**PLAIN, **changes}), crop_hw, NORMALISATION)
    return augmenter(store, [0] * count, np.random.default_rng(seed))


def to_rgb(images: Tensor) -> Tensor:
    """Undo the normalisation: [N, 3, h, w], 0-255."""
    scale, shift = NORMALISATION.scale_shift()
    return (images - shift) / scale


def centre(mask: np.ndarray) -> np.ndarray:
    return np.array([axis.mean() for axis in np.nonzero(mask)])


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_without_changes_a_batch_is_the_normalised_picture(as_on_a_gpu: bool) -> None:
    image, labels = street()
    images, cut = augment(store_of(image, labels, as_on_a_gpu), (60, 80))
    expected = NORMALISATION(torch.from_numpy(image)[None])
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert (images.dtype, cut.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(cut[0], labels)


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
@pytest.mark.parametrize("changes", [{}, {"flip": 1}, {"rotation_deg": 20}])
def test_a_label_stays_on_its_picture(changes: dict[str, object], as_on_a_gpu: bool) -> None:
    image, labels = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
    image[24:33, 30:41], labels[24:33, 30:41] = 255, 1
    store = store_of(image, labels, as_on_a_gpu)
    images, cut = augment(store, (48, 64), 40, scale=(0.5, 2.0), **changes)
    seen = 0
    for picture, truth in zip(to_rgb(images)[:, 1].numpy(), cut.numpy(), strict=True):
        marked = truth == 1
        rim = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
        if rim.any() or marked.sum() < 20:
            continue  # cut off by the crop
        seen += 1
        assert np.abs(centre(marked) - centre(picture > 127)).max() <= 0.5
        assert (marked & (picture > 127)).sum() > 0.8 * marked.sum()
    assert seen >= 10


def test_a_point_lands_where_the_drawn_crop_says() -> None:
    image, labels = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
    labels[20:31, 40:51] = 1  # centre (25, 45) in pixel positions
    store = store_of(image, labels)
    _, cut = augment(store, (120, 160), scale=(2, 2))
    # Exactly twice as large, so the crop has one place only: position p goes to 2 p + 1/2.
    np.testing.assert_allclose(centre(cut[0].numpy() == 1), [50.5, 90.5], atol=0.5)
    _, cut = augment(store, (120, 160), scale=(2, 2), flip=1)
    np.testing.assert_allclose(centre(cut[0].numpy() == 1), [50.5, 159 - 90.5], atol=0.5)


def test_mirroring_is_exact() -> None:
    image, labels = street()
    images, cut = augment(store_of(image, labels), (60, 80), flip=1)
    expected = NORMALISATION(torch.from_numpy(image[:, ::-1].copy())[None])
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(cut[0], labels[:, ::-1])


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_labels_hold_only_what_the_source_held_and_void(as_on_a_gpu: bool) -> None:
    image, labels = street()
    labels[labels == 1] = 2
    store = store_of(image, labels, as_on_a_gpu)
    _, cut = augment(store, (64, 64), 30, scale=(0.4, 2.5), rotation_deg=30, flip=0.5)
    assert set(cut.unique().tolist()) == {0, 2, VOID}


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_padding_is_the_mean_colour_and_void(as_on_a_gpu: bool) -> None:
    image, labels = np.full((40, 40, 3), 255, np.uint8), np.ones((40, 40), np.uint8)
    images, cut = augment(store_of(image, labels, as_on_a_gpu), (60, 60), 3)
    padding = (cut == VOID).unsqueeze(1).expand_as(images)
    assert (cut == 1).sum(dim=(1, 2)).float() == pytest.approx(torch.full((3,), 1600), rel=0.06)
    assert images[padding].abs().median() < 0.01
    inside = (cut == 1).unsqueeze(1).expand_as(images)
    assert to_rgb(images)[inside].median() == pytest.approx(255, abs=0.1)


def test_a_batch_is_a_function_of_the_seed() -> None:
    store = store_of(*street())
    changes = AugmentConfig(blur=0.5, noise=0.5, rotation_deg=5).model_dump()
    first = augment(store, (48, 64), 6, seed=3, **changes)
    again = augment(store, (48, 64), 6, seed=3, **changes)
    other = augment(store, (48, 64), 6, seed=4, **changes)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_crops_that_one_class_fills_are_drawn_again() -> None:
    image, labels = np.zeros((40, 200, 3), np.uint8), np.zeros((40, 200), np.uint8)
    labels[:, 150:] = 1

    def filled(share: float) -> float:
        _, cut = augment(store_of(image, labels), (40, 40), 60, largest_class_share=share)
        shares = [(cut == class_id).float().mean(dim=(1, 2)) for class_id in (0, 1)]
        return (torch.stack(shares).amax(dim=0) > 0.76).float().mean().item()

    assert filled(1.0) > 0.7
    assert filled(0.75) < 0.35


def test_host_and_device_make_the_same_batch() -> None:
    image, labels = street()
    changes = AugmentConfig(blur=0.5, rotation_deg=5).model_dump()
    host = augment(store_of(image, labels), (48, 64), 8, **changes)
    device = augment(store_of(image, labels, as_on_a_gpu=True), (48, 64), 8, **changes)
    assert (host[1] == device[1]).float().mean() > 0.99
    off = (to_rgb(host[0]) - to_rgb(device[0])).abs()
    assert off.mean() < 1.5
    assert off.flatten().quantile(0.95) < 4


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_nothing_waits_and_the_batch_is_the_same() -> None:
    image, labels = street()
    changes = AugmentConfig(blur=0.5, rotation_deg=5).model_dump()
    store = PictureStore(OnePicture(image, labels), "cuda")
    noisy = {**changes, "noise": 1, "noise_sigma": 0.1}
    augment(store, (48, 64), 8, **noisy)  # the first call allocates and loads kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment(store, (48, 64), 8, **noisy)
        images, cut = augment(store, (48, 64), 8, **changes)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = augment(store_of(image, labels, as_on_a_gpu=True), (48, 64), 8, **changes)
    torch.testing.assert_close(images.cpu(), expected[0], atol=0.02, rtol=0)
    assert (cut.cpu() == expected[1]).float().mean() > 0.999


def changed_rgb(rgb: tuple[float, float, float], **changes: float) -> np.ndarray:
    settings = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0, "mean_grey": 100}
    matrix = colour_map(**{**settings, **changes})
    return matrix @ [*rgb[::-1], 1]


def test_each_colour_change_does_what_it_says() -> None:
    rgb = (40.0, 80.0, 200.0)
    np.testing.assert_allclose(changed_rgb(rgb), rgb, atol=1e-6)
    np.testing.assert_allclose(changed_rgb(rgb, brightness=1.5), [60, 120, 300], atol=1e-6)
    np.testing.assert_allclose(changed_rgb(rgb, contrast=0.5), [70, 90, 150], atol=1e-6)
    np.testing.assert_allclose(
        changed_rgb(rgb, contrast=0.5, brightness=2), [140, 180, 300], atol=1e-6
    )
    grey = 0.299 * 40 + 0.587 * 80 + 0.114 * 200
    np.testing.assert_allclose(changed_rgb(rgb, saturation=0), [grey] * 3, atol=1e-6)
    np.testing.assert_allclose(
        changed_rgb(rgb, saturation=0.5), (np.array(rgb) + grey) / 2, atol=1e-6
    )
    turned = changed_rgb(rgb, hue=1.0)
    assert turned @ [0.299, 0.587, 0.114] == pytest.approx(grey)
    assert np.abs(turned - rgb).max() > 20
    np.testing.assert_allclose(changed_rgb((90, 90, 90), hue=1.0, saturation=1.4), [90] * 3)
    np.testing.assert_allclose(changed_rgb(rgb, hue=2 * np.pi), rgb, atol=1e-6)


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_colours_are_clipped_to_what_a_picture_can_hold(as_on_a_gpu: bool) -> None:
    image, labels = street()
    store = store_of(image, labels, as_on_a_gpu)
    rgb = to_rgb(augment(store, (60, 80), 20, brightness=0.9, contrast=0.9, hue_deg=90)[0])
    assert rgb.min() > -0.1
    assert rgb.max() < 255.1
    assert rgb.std() > 20


def test_brightness_reaches_both_ends_of_its_range() -> None:
    image, labels = np.full((8, 8, 3), 100, np.uint8), np.zeros((8, 8), np.uint8)
    means = to_rgb(augment(store_of(image, labels), (8, 8), 300, brightness=0.5)[0])
    means = means.mean(dim=(1, 2, 3))
    assert means.min() == pytest.approx(50, abs=3)
    assert means.max() == pytest.approx(150, abs=3)
    assert means.mean() == pytest.approx(100, abs=4)


@pytest.mark.parametrize("as_on_a_gpu", [False, True])
def test_a_blurred_point_has_the_asked_width(as_on_a_gpu: bool) -> None:
    image, labels = np.zeros((41, 41, 3), np.uint8), np.zeros((41, 41), np.uint8)
    image[18:23, 18:23] = 255
    store = store_of(image, labels, as_on_a_gpu)
    images, _ = augment(store, (41, 41), blur=1, blur_sigma_px=(1.5, 1.5))
    expected = cv2.GaussianBlur(image, (13, 13), 1.5)[:, :, ::-1].transpose(2, 0, 1)
    np.testing.assert_allclose(to_rgb(images)[0], expected, atol=2)


def test_noise_has_at_most_the_asked_strength_and_not_on_every_picture() -> None:
    image, labels = np.full((40, 40, 3), 128, np.uint8), np.zeros((40, 40), np.uint8)
    rgb = to_rgb(augment(store_of(image, labels), (40, 40), 100, noise=0.6, noise_sigma=0.1)[0])
    strengths = rgb.std(dim=(1, 2, 3)) / 255
    quiet = (strengths < 1e-4).float().mean()
    assert 0.25 < quiet < 0.55
    assert 0.08 < strengths.max() < 0.105
    assert rgb.mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": [2.0, 0.5]}, "smaller factor first"),
        ({"scale": [0.0, 1.0]}, "above 0"),
        ({"blur_sigma_px": [1.0, 5.0]}, "0.1 to 2"),
        ({"flip": 1.5}, "flip is 1.5: input should be less than or equal to 1"),
        ({"flipp": 1}, "Did you mean 'flip'"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(AugmentConfig, values, "augment.yaml")
