"""What a training picture goes through before the network sees it: crop, colour, blur, noise.

Geometry is one affine map from crop to picture, drawn on the host, so that pixels outside the crop
are never touched; pictures are sampled bilinearly, labels take the nearest pixel. Colour is one
3x3 matrix with an offset, followed by the network's normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.config import Config
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.padding import Padding
from rtseg.training.memory import PictureStore
from rtseg.training.object_targets import ObjectTargets
from rtseg.training.warp import Matrix, UInt8, to_device

Float64 = npt.NDArray[np.float64]

_TRIES = 10
_LOOKS_PER_SIDE = 128
_BLUR_RADIUS_PX = 6

_YIQ_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
)
_RGB_FROM_YIQ = np.linalg.inv(_YIQ_FROM_RGB)


class AugmentConfig(Config):
    """How strongly training pictures are changed. Every range is drawn from evenly."""

    scale: tuple[float, float] = Field(
        default=(0.5, 2.0),
        description="Smallest and largest factor on the picture's size; above 0.",
    )
    largest_class_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="A crop in which one class fills more than this share of the labelled pixels "
        "is drawn again, up to 10 times; 1 takes every crop.",
    )
    padding: Padding = Field(
        default="mean",
        description="What a crop shows outside of its picture: mean, the mean colour; reflect, the "
        "picture's mirror image. It has no label either way. The trained network pads pictures of "
        "sizes that it can't take likewise.",
    )
    flip: float = Field(
        default=0.5, ge=0, le=1, description="Probability of mirroring left and right."
    )
    rotation_deg: float = Field(
        default=0.0, ge=0, le=45, description="Largest rotation to either side, degrees."
    )
    brightness: float = Field(
        default=0.4, ge=0, lt=1, description="x: a factor from 1 - x to 1 + x."
    )
    contrast: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="x: a factor from 1 - x to 1 + x about the picture's mean grey.",
    )
    saturation: float = Field(
        default=0.4, ge=0, le=1, description="x: a factor from 1 - x to 1 + x."
    )
    hue_deg: float = Field(
        default=6.0,
        ge=0,
        le=180,
        description="Largest turn of the colour circle to either side, degrees.",
    )
    blur: float = Field(default=0.0, ge=0, le=1, description="Probability of a Gaussian blur.")
    blur_sigma_px: tuple[float, float] = Field(
        default=(0.3, 1.5),
        description="Smallest and largest standard deviation of the blur, 0.1 to 2 px.",
    )
    noise: float = Field(default=0.0, ge=0, le=1, description="Probability of Gaussian noise.")
    noise_sigma: float = Field(
        default=0.03,
        ge=0,
        le=0.5,
        description="Largest standard deviation of the noise; white is 1.",
    )

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> AugmentConfig:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale is {self.scale}; give the smaller factor first, above 0")
        if not 0.1 <= self.blur_sigma_px[0] <= self.blur_sigma_px[1] <= 2:
            raise ValueError(
                f"blur_sigma_px is {self.blur_sigma_px}; give the smaller first, 0.1 to 2"
            )
        return self


class Augmenter:
    """Draws training batches from a `PictureStore`.

    A batch is a pure function of the store, the indices and the state of `rng`; on a CPU and on a
    GPU it is the same up to rounding, the noise apart. On a GPU nothing waits for the device.

    Args:
        config: what is changed and how strongly.
        crop_hw: height and width of the batch.
        normalisation: the network's; its mean colour fills what lies outside a picture, unless
            that is the picture's mirror image.
    """

    def __init__(
        self, config: AugmentConfig, crop_hw: tuple[int, int], normalisation: Normalisation
    ) -> None:
        self.config = config
        self.crop_hw = crop_hw
        self.normalisation = normalisation
        red, green, blue = (round(255 * mean) for mean in normalisation.mean_rgb)
        self._fill_bgr = (blue, green, red) if config.padding == "mean" else None

    def __call__(
        self, store: PictureStore, indices: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return one augmented batch on the store's device.

        Args:
            store: where the pictures are.
            indices: which pictures, N of them; one may stand twice.
            rng: the source of everything random.

        Returns:
            images: float32 [N, 3, h, w], RGB, normalised, channels last.
            labels: int64 [N, h, w], class ids, and 255 for void.

        Raises:
            DataError: a picture can't be read, where the store reads from disk.
        """
        return self._finished(store, indices, self._draw_maps(store, indices, rng), rng)

    def with_objects(
        self, store: PictureStore, indices: Sequence[int], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, ObjectTargets]:
        """Return the very batch of a call and what there is to learn of its objects."""
        maps = self._draw_maps(store, indices, rng)
        ids = store.instance_crops(indices, maps, self.crop_hw)
        images, labels = self._finished(store, indices, maps, rng)
        return images, labels, ObjectTargets.of(ids, images.device)

    def _draw_maps(
        self, store: PictureStore, indices: Sequence[int], rng: np.random.Generator
    ) -> list[Matrix]:
        store.prefetch(indices)
        return [self._draw_map(store.labels(int(index)), rng) for index in indices]

    def _finished(
        self,
        store: PictureStore,
        indices: Sequence[int],
        maps: Sequence[Matrix],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Cut the crops, change their colours, blur them and add noise."""
        config = self.config
        greys = [store.mean_grey(int(index)) for index in indices]
        colours = np.stack([self._draw_colour(grey, rng) for grey in greys])
        sigmas_px = _draw_sometimes(len(indices), config.blur, config.blur_sigma_px, rng)
        crops, labels = store.crops(indices, maps, self.crop_hw, self._fill_bgr)
        if crops.device.type == "cpu" and crops.dtype == torch.uint8:
            images = _finish_on_host(crops.numpy(), colours, sigmas_px, self.normalisation)
        else:
            images = _finish_on_device(crops.float(), colours, sigmas_px, self.normalisation)
        self._add_noise(images, rng)
        return images.permute(0, 3, 1, 2), labels.long()

    def _draw_map(self, labels: UInt8, rng: np.random.Generator) -> Matrix:
        """Draw the map from crop to picture pixels; the place again where one class fills it."""
        config = self.config
        scale = rng.uniform(*config.scale)
        angle = math.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
        flip = bool(rng.random() < config.flip)
        crop_height, crop_width = self.crop_hw
        spare_x = labels.shape[1] * scale - crop_width
        spare_y = labels.shape[0] * scale - crop_height
        for _ in range(_TRIES):
            offset_x = rng.uniform(min(spare_x, 0.0), max(spare_x, 0.0))
            offset_y = rng.uniform(min(spare_y, 0.0), max(spare_y, 0.0))
            matrix = crop_map(self.crop_hw, scale, (offset_x, offset_y), angle, flip)
            if config.largest_class_share == 1:
                break
            if _largest_class_share(labels, matrix, self.crop_hw) <= config.largest_class_share:
                break
        return matrix

    def _draw_colour(self, mean_grey: float, rng: np.random.Generator) -> Float64:
        """Draw the matrix and offset [3, 4] that make changed RGB from BGR, both 0-255."""
        config = self.config
        brightness, contrast, saturation = (
            rng.uniform(1 - reach, 1 + reach)
            for reach in (config.brightness, config.contrast, config.saturation)
        )
        hue = math.radians(rng.uniform(-config.hue_deg, config.hue_deg))
        return colour_map(brightness, contrast, saturation, hue, mean_grey)

    def _add_noise(self, images: Tensor, rng: np.random.Generator) -> None:
        """Add noise to some of the pictures [N, h, w, 3], in place."""
        sigmas = _draw_sometimes(
            len(images), self.config.noise, (0.0, self.config.noise_sigma), rng
        )
        seed = int(rng.integers(2**62))
        if not sigmas.any():
            return
        generator = torch.Generator(images.device).manual_seed(seed)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        amplitudes = sigmas[:, None] / np.array(self.normalisation.std_rgb)
        images.addcmul_(noise, _per_picture(amplitudes, images.device))


def crop_map(
    crop_hw: tuple[int, int],
    scale: float,
    offset_xy: tuple[float, float],
    angle: float = 0.0,
    flip: bool = False,
) -> Matrix:
    """Return the 2x3 map from crop to picture pixels.

    The picture is enlarged by `scale`; the crop's top left corner lies `offset_xy` px from that of
    the enlarged picture; the crop is turned by `angle` (radians) about its centre and mirrored.
    Integer positions are pixel centres, so half a pixel is added before and taken off after.
    """
    height, width = crop_hw
    centre = np.array([width / 2, height / 2])
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    linear = turn @ np.diag([-1.0 if flip else 1.0, 1.0]) / scale
    # Mirroring and turning keep the crop's centre where it is.
    shift = (centre + offset_xy) / scale - linear @ centre + linear @ [0.5, 0.5] - 0.5
    return np.column_stack([linear, shift])


def colour_map(
    brightness: float, contrast: float, saturation: float, hue: float, mean_grey: float
) -> Float64:
    """Return the matrix and offset [3, 4] that make changed RGB from BGR.

    Contrast is a factor about `mean_grey`, 0-255, then brightness a factor; saturation is a factor
    and hue (radians) a rotation of the two colour axes of YIQ, which leave greys grey.
    """
    cosine, sine = saturation * math.cos(hue), saturation * math.sin(hue)
    chroma = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    linear = brightness * _RGB_FROM_YIQ @ chroma @ _YIQ_FROM_RGB
    offset = linear.sum(axis=1) * (1 - contrast) * mean_grey
    return np.column_stack([contrast * linear[:, ::-1], offset])


def _largest_class_share(labels: UInt8, matrix: Matrix, crop_hw: tuple[int, int]) -> float:
    """Return the share of the commonest class in the labelled pixels about under a crop.

    The pixels looked at are a grid over the upright box around the crop; 1 where none has a label.
    """
    height, width = crop_hw
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]]) - 0.5
    corners[2] = 1
    low, high = (matrix @ corners).min(axis=1), (matrix @ corners).max(axis=1)
    left, top = np.maximum(np.rint(low + 0.5), 0).astype(int).tolist()
    right, bottom = np.maximum(np.rint(high + 0.5), 1).astype(int).tolist()
    window = labels[top:bottom, left:right]
    rows, columns = (max(1, size // _LOOKS_PER_SIDE) for size in window.shape)
    counts = np.bincount(window[::rows, ::columns].ravel(), minlength=VOID + 1)[:VOID]
    return float(counts.max() / counts.sum()) if counts.any() else 1.0


def _draw_sometimes(
    count: int, probability: float, low_high: tuple[float, float], rng: np.random.Generator
) -> Float64:
    """Draw `count` values, 0 where nothing is to happen."""
    return np.where(rng.random(count) < probability, rng.uniform(*low_high, count), 0.0)


def _per_picture(values: Float64, device: torch.device) -> Tensor:
    """Bring [N, 3] to the device as float32 [N, 1, 1, 3], to go with pictures [N, h, w, 3]."""
    return to_device(torch.from_numpy(values.astype(np.float32)), device)[:, None, None]


def _finish_on_host(
    crops: UInt8, colours: Float64, sigmas_px: Float64, normalisation: Normalisation
) -> Tensor:
    """Blur, change the colours and normalise: uint8 BGR [N, h, w, 3] to float32 RGB.

    The colours stay uint8, which clips them, and a table of 256 values normalises them.
    """
    images = np.empty(crops.shape, np.float32)
    scale, shift = (value.view(3).numpy() for value in normalisation.scale_shift())
    table = np.arange(256, dtype=np.float32)[:, None] * scale + shift
    side = 2 * _BLUR_RADIUS_PX + 1
    for crop, colour, sigma_px, image in zip(crops, colours, sigmas_px, images, strict=True):
        blurred = cv2.GaussianBlur(crop, (side, side), sigma_px) if sigma_px > 0 else crop
        cv2.LUT(cv2.transform(blurred, colour), table[None], dst=image)
    return torch.from_numpy(images)


def _finish_on_device(
    crops: Tensor, colours: Float64, sigmas_px: Float64, normalisation: Normalisation
) -> Tensor:
    """Do as `_finish_on_host` for float32 BGR 0-255 [N, h, w, 3], on the crops' device."""
    if sigmas_px.any():
        crops = _blur(crops, sigmas_px)
    images = _per_picture(colours[:, :, 3], crops.device)
    for channel in range(3):
        factors = _per_picture(colours[:, :, channel], crops.device)
        images = images + crops[..., channel : channel + 1] * factors
    mean, std = np.array([normalisation.mean_rgb]), np.array([normalisation.std_rgb])
    scale = _per_picture(1 / (255 * std), crops.device)
    return images.clamp(0, 255) * scale - _per_picture(mean / std, crops.device)


def _blur(images: Tensor, sigmas_px: Float64) -> Tensor:
    """Blur each picture [N, h, w, 3] by its own Gaussian; a standard deviation of 0 keeps it."""
    steps = np.arange(-_BLUR_RADIUS_PX, _BLUR_RADIUS_PX + 1)
    kernels = np.exp(-(steps**2) / (2 * np.maximum(sigmas_px, 1e-3)[:, None] ** 2))
    kernels = np.repeat(kernels / kernels.sum(axis=1, keepdims=True), 3, axis=0)
    weights = to_device(torch.from_numpy(kernels.astype(np.float32)), images.device)
    count, height, width, _ = images.shape
    planes = images.permute(0, 3, 1, 2).reshape(1, 3 * count, height, width)
    planes = F.pad(planes, [_BLUR_RADIUS_PX] * 4, mode="reflect")
    planes = F.conv2d(planes, weights[:, None, None, :], groups=3 * count)
    planes = F.conv2d(planes, weights[:, None, :, None], groups=3 * count)
    return planes.view(count, 3, height, width).permute(0, 2, 3, 1)
