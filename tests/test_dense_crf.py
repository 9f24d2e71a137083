"""The dense CRF against plain sums over all pairs of pixels, and cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError

from rtseg import dense_crf as module
from rtseg.dense_crf import DenseCrfConfig, dense_crf
from rtseg.errors import DataError

Array = npt.NDArray[np.float64]
WHOLE: dict[str, Any] = {"reach_px": 99, "cell_px": 1, "smoothness_weight": 3.0}


def softmax(values: Array) -> Array:
    powers: Array = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def picture(
    hw: tuple[int, int], seed: int, classes: int = 4
) -> tuple[Array, npt.NDArray[np.uint8]]:
    """Random scores [K, H, W], and colours that are close enough to each other to matter."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(classes, *hw)) * 2, rng.integers(100, 118, (*hw, 3), np.uint8)


def found(scores: Array, image: npt.NDArray[np.uint8], config: DenseCrfConfig) -> Array:
    result = dense_crf(torch.from_numpy(scores)[None], torch.from_numpy(image)[None], config)
    assert result.dtype == torch.float32
    values: Array = result[0].double().numpy()
    return values


def all_pairs(scores: Array, image: npt.NDArray[np.uint8], config: DenseCrfConfig) -> Array:
    """The definition in float64: every pixel with every other one no farther than the reach."""
    classes, height, width = scores.shape
    places = np.stack(np.mgrid[:height, :width], -1).reshape(-1, 2).astype(float)
    colours = image.reshape(-1, 3).astype(float)
    steps = places[:, None] - places
    near = (np.abs(steps) <= config.reach_px).all(-1)
    distance = (steps**2).sum(-1)
    contrast = ((colours[:, None] - colours) ** 2).sum(-1) / (2 * config.appearance_sigma_rgb**2)
    weights = np.zeros((len(places), len(places)))
    for weight, power in (
        (config.appearance_weight, distance / (2 * config.appearance_sigma_px**2) + contrast),
        (config.smoothness_weight, distance / (2 * config.smoothness_sigma_px**2)),
    ):
        kernel = np.exp(-power) * near
        sums = kernel.sum(1)
        weights += weight * kernel / np.sqrt(np.outer(sums, sums))
    np.fill_diagonal(weights, 0)
    unary = np.log(softmax(scores.reshape(classes, -1).T))
    marginals = softmax(unary)
    for _ in range(config.iterations):
        marginals = softmax(unary + weights @ marginals)
    return marginals.T.reshape(classes, height, width)


@pytest.mark.parametrize("hw", [(9, 13), (14, 6), (1, 11), (5, 1), (1, 1)])
@pytest.mark.parametrize("weights", [(4.0, 3.0), (10.0, 0.0), (0.0, 3.0)])
def test_a_window_over_the_whole_picture_is_the_exact_sum(
    hw: tuple[int, int], weights: tuple[float, float]
) -> None:
    scores, image = picture(hw, seed=sum(hw))
    appearance, smoothness = weights
    config = DenseCrfConfig(
        reach_px=99, cell_px=1, appearance_weight=appearance, smoothness_weight=smoothness
    )
    np.testing.assert_allclose(
        found(scores, image, config), all_pairs(scores, image, config), atol=2e-5
    )


@pytest.mark.parametrize("reach", [1, 3, 8])
def test_a_window_leaves_out_what_is_farther(reach: int) -> None:
    scores, image = picture((10, 12), seed=reach)
    config = DenseCrfConfig(**{**WHOLE, "reach_px": reach})
    result = found(scores, image, config)
    np.testing.assert_allclose(result, all_pairs(scores, image, config), atol=2e-5)
    if reach < 8:
        whole = all_pairs(scores, image, DenseCrfConfig(**WHOLE))
        assert np.abs(result - whole).max() > 0.01


def test_two_pixels_by_hand() -> None:
    """Side by side, colours 5 apart in one channel; p = (0.8, 0.2) and (0.4, 0.6)."""
    image = np.array([[[100, 100, 100], [105, 100, 100]]], np.uint8)
    scores = np.log(np.array([[[0.8, 0.4]], [[0.2, 0.6]]]))
    config = DenseCrfConfig(
        iterations=1, cell_px=1, appearance_weight=4, appearance_sigma_px=10,
        appearance_sigma_rgb=5, smoothness_weight=3, smoothness_sigma_px=1,
    )  # fmt: skip
    appearance = np.exp(-1 / 200 - 25 / 50)  # k of the two; each has n = 1 + k
    smoothness = np.exp(-1 / 2)
    pull = 4 * appearance / (1 + appearance) + 3 * smoothness / (1 + smoothness)
    assert pull == pytest.approx(2.6381, abs=1e-4)
    first = np.array([0.8 * np.exp(pull * 0.4), 0.2 * np.exp(pull * 0.6)])
    second = np.array([0.4 * np.exp(pull * 0.8), 0.6 * np.exp(pull * 0.2)])
    result = found(scores, image, config)[:, 0]
    np.testing.assert_allclose(result[:, 0], first / first.sum(), atol=1e-6)
    np.testing.assert_allclose(result[:, 1], second / second.sum(), atol=1e-6)
    assert result[:, 1].argmax() == 0  # the surer neighbour has won the other over


def by_cells(scores: Array, image: npt.NDArray[np.uint8], config: DenseCrfConfig) -> Array:
    """The windowed sum over cells, pixel by pixel, in the words of the module's docstring."""
    _, height, width = scores.shape
    side = config.cell_px
    reach = -(-config.reach_px // side)
    members: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.ndindex(height, width):
        members.setdefault((y // side, x // side), []).append((y, x))

    def mean(values: Array) -> dict[tuple[int, int], Array]:
        return {
            cell: np.mean([values[pixel] for pixel in pixels], axis=0)
            for cell, pixels in members.items()
        }

    colours = image.astype(float)
    cell_colours = mean(colours)
    pairs = []
    for pixel in np.ndindex(height, width):
        home = pixel[0] // side, pixel[1] // side
        for cell, pixels in members.items():
            if max(abs(cell[0] - home[0]), abs(cell[1] - home[1])) <= reach:
                centre = (np.array(cell) * side) + (side - 1) / 2
                distance = ((np.array(pixel) - centre) ** 2).sum()
                contrast = ((colours[pixel] - cell_colours[cell]) ** 2).sum()
                mass = len(pixels) - (cell == home)
                pairs.append((pixel, cell, mass, distance, contrast))
    total: dict[tuple[Any, Any], float] = {}
    for weight, xy, rgb in (
        (config.appearance_weight, config.appearance_sigma_px, config.appearance_sigma_rgb),
        (config.smoothness_weight, config.smoothness_sigma_px, np.inf),
    ):
        kernel = {
            (pixel, cell): mass * np.exp(-distance / (2 * xy**2) - contrast / (2 * rgb**2))
            for pixel, cell, mass, distance, contrast in pairs
        }
        sums = np.ones((height, width))
        for (pixel, _), value in kernel.items():
            sums[pixel] += value
        cell_sums = mean(sums)
        for (pixel, cell), value in kernel.items():
            scaled = weight * value / np.sqrt(sums[pixel] * cell_sums[cell])
            total[pixel, cell] = total.get((pixel, cell), 0.0) + scaled
    unary = np.log(softmax(scores.transpose(1, 2, 0)))
    marginals = softmax(unary)
    for _ in range(config.iterations):
        senders, energy = mean(marginals), unary.copy()
        for (pixel, cell), value in total.items():
            energy[pixel] += value * senders[cell]
        marginals = softmax(energy)
    return marginals.transpose(2, 0, 1)


@pytest.mark.parametrize(("hw", "cell", "reach"), [((8, 11), 3, 5), ((9, 6), 2, 3), ((5, 7), 4, 9)])
def test_cells_stand_for_their_pixels_and_cut_ones_for_fewer(
    hw: tuple[int, int], cell: int, reach: int
) -> None:
    scores, image = picture(hw, seed=cell)
    config = DenseCrfConfig(cell_px=cell, reach_px=reach, smoothness_weight=3, iterations=3)
    np.testing.assert_allclose(
        found(scores, image, config), by_cells(scores, image, config), atol=2e-5
    )


def test_no_iterations_are_the_probabilities() -> None:
    scores, image = picture((7, 9), seed=1)
    result = found(scores, image, DenseCrfConfig(iterations=0))
    np.testing.assert_allclose(result, softmax(scores.transpose(1, 2, 0)).transpose(2, 0, 1), 1e-5)


def test_little_memory_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that are computed anew for each band of one row of cells, or kept as a whole."""
    scores, image = picture((21, 17), seed=2)
    config = DenseCrfConfig(cell_px=2, reach_px=6, smoothness_weight=1)
    whole = found(scores, image, config)
    monkeypatch.setattr(module, "BAND_VALUES", 1)
    np.testing.assert_allclose(found(scores, image, config), whole, atol=1e-6)
    monkeypatch.setattr(module, "KEPT_VALUES", 0)
    np.testing.assert_allclose(found(scores, image, config), whole, atol=1e-6)


def test_a_batch_is_its_pictures_whatever_autocast_says() -> None:
    parts = [picture((10, 14), seed=seed) for seed in range(3)]
    config = DenseCrfConfig(cell_px=2, reach_px=4)
    scores = torch.from_numpy(np.stack([part[0] for part in parts]))
    images = torch.from_numpy(np.stack([part[1] for part in parts]))
    with torch.autocast("cpu", torch.bfloat16):
        result = dense_crf(scores, images, config)
    for index, part in enumerate(parts):
        np.testing.assert_allclose(result[index], found(*part, config), atol=1e-6)


def test_a_mirror_image_has_mirrored_labels() -> None:
    """So every edge of the picture is treated alike."""
    scores, image = picture((12, 16), seed=4)
    config = DenseCrfConfig(cell_px=4, reach_px=8, smoothness_weight=3)
    plain = found(scores, image, config)
    for axis in (0, 1):
        mirrored = found(np.flip(scores, axis + 1).copy(), np.flip(image, axis).copy(), config)
        np.testing.assert_allclose(np.flip(mirrored, axis + 1), plain, atol=1e-5)


def test_borders_move_to_the_edges_of_the_picture() -> None:
    """Dark and bright with some noise; the scores' border lies three pixels off."""
    rng = np.random.default_rng(5)
    image = np.full((32, 48, 3), 60, np.uint8)
    image[:, 24:] = 160
    image += rng.integers(0, 4, image.shape, np.uint8)
    scores = np.zeros((2, 32, 48))
    scores[0, :, :21], scores[1, :, 27:] = 3, 3
    scores[1, :, 21:27] = 0.8  # unsure, and wrong up to column 24
    labels = found(scores, image, DenseCrfConfig()).argmax(0)
    assert (labels[:, :24] == 0).all()
    assert (labels[:, 24:] == 1).all()
    assert (scores.argmax(0)[:, 21:24] == 1).all()


def test_what_does_not_fit_is_named() -> None:
    image = torch.zeros(1, 6, 8, 3, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"\[1, 2, 6, 9\] and \[1, 6, 8, 3\]"):
        dense_crf(torch.zeros(1, 2, 6, 9), image, DenseCrfConfig())
    with pytest.raises(DataError, match="infinite or not a number"):
        dense_crf(torch.full((1, 2, 6, 8), torch.nan), image, DenseCrfConfig())


@pytest.mark.parametrize(
    "wrong", [{"cell_px": 0}, {"reach_px": 0}, {"appearance_sigma_rgb": 0}, {"iterations": -1}]
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DenseCrfConfig(**wrong)
