"""The layout "salt_standin": drawn seismic sections with bodies of salt, and their exact masks.

A stand-in for the pictures of the TGS Salt Identification Challenge, so that its task can be tried
with nothing downloaded: grey, square, 101 pixels a side, layers that a low, chaotic body cuts off,
and no body in many pictures. It resembles them in kind, not in detail: what is learned from it
says nothing about real sections.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from rtseg.classes import ClassSet
from rtseg.config import Config
from rtseg.errors import ConfigError
from rtseg.training.datasets.dataset import (
    DATASETS,
    DatasetConfig,
    Sample,
    SegmentationDataset,
    UInt8,
)

Float32 = npt.NDArray[np.float32]

SALT = ClassSet("salt", ("background", "salt"), ((40, 60, 90), (240, 200, 90)))
"""The classes of the challenge, here and in configs/datasets/tgs_salt.yaml."""
TRACE_SAMPLES = 512


class StandinSplit(Config):
    """The pictures of a split."""

    seed: int = Field(ge=0, description="Of everything drawn; no two splits may have the same.")
    pictures: int = Field(ge=1, description="How many.")


class SaltStandinConfig(DatasetConfig):
    """Drawn seismic sections."""

    side_px: int = Field(101, ge=32, le=1024, description="Width and height of the pictures.")
    empty_share: float = Field(
        0.39,
        ge=0,
        le=1,
        description="Probability of a picture without salt; that of the challenge.",
    )
    splits: dict[str, StandinSplit] = Field(min_length=1, description="The splits by name.")

    @model_validator(mode="after")
    def _check(self) -> SaltStandinConfig:
        owner: dict[int, str] = {}
        for name, split in self.splits.items():
            if (other := owner.setdefault(split.seed, name)) != name:
                raise ConfigError(
                    f"the seed {split.seed} stands in {other!r} and in {name!r}; splits that "
                    "share a seed share pictures"
                )
        return self

    def read_classes(self, folder: Path) -> ClassSet:
        """Return background and salt."""
        return SALT

    def split_names(self, folder: Path) -> list[str]:
        """Return the splits."""
        return list(self.splits)

    def open(self, split: str, folder: Path) -> SegmentationDataset:
        """Return the pictures of a split; draws nothing yet."""
        return SaltStandinDataset(self, split)


class SaltStandinDataset(SegmentationDataset):
    """One split; a picture is drawn when it is asked for."""

    def __init__(self, config: SaltStandinConfig, split: str) -> None:
        self._config = config
        self._seed = config.splits[split].seed
        count = config.splits[split].pictures
        super().__init__(SALT, [f"seed{self._seed:04d}_{index:06d}" for index in range(count)])

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        config = self._config
        grey, labels = draw_section(self._seed, index, config.side_px, config.empty_share)
        return Sample(
            cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8), labels, self.names[index]
        )


def draw_section(
    seed: int, index: int, side_px: int = 101, empty_share: float = 0.39
) -> tuple[UInt8, UInt8]:
    """Return a grey picture and its mask, uint8 [H, W] each, the mask 1 in salt and else 0.

    A pure function of its arguments.
    """
    rng = np.random.default_rng([seed, index])
    is_empty = rng.random() < empty_share
    depth = -np.ones((side_px, side_px), np.float32) if is_empty else _body(rng, side_px)
    salt = depth > 0
    distance_px = _distance_px(salt)  # inside above 0
    layers = _layers(rng, side_px, distance_px)
    chaos = rng.uniform(0.15, 0.4) * _grain(rng, side_px, rng.uniform(0.7, 1.4))
    chaos += 0.25 * _smooth(rng, side_px, 7)
    share = cv2.GaussianBlur(salt.astype(np.float32), (0, 0), 0.8)
    section = layers * (1 - share) + chaos * share
    if not is_empty:
        section += _edge(rng, side_px, distance_px)
    section += rng.uniform(0.08, 0.25) * _grain(rng, side_px, 0.5)
    grey = rng.uniform(105, 140) + rng.uniform(26, 42) * section
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8), salt.astype(np.uint8)


def _body(rng: np.random.Generator, side_px: int) -> Float32:
    """Return the field of a body, above 0 inside: an island, a flank, or a dome from below."""
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) / side_px
    kind = rng.choice(["island", "flank", "dome"], p=[0.4, 0.25, 0.35])
    if kind == "island":
        middle = rng.uniform(0.15, 0.85, 2)
        radii = rng.uniform(0.15, 0.45, 2)
        field = 1 - np.hypot((x - middle[0]) / radii[0], (y - middle[1]) / radii[1])
    elif kind == "flank":
        side, lean = rng.choice([-1, 1]), rng.uniform(-0.5, 0.5)
        field = side * (x - rng.uniform(0.25, 0.75) + lean * (y - 0.5)) * 2
    else:
        top, width = rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.9)
        sag = ((x - rng.uniform(0.1, 0.9)) / width) ** 2
        field = (y - top - 0.6 * sag) * 2.5
    field = field + 0.22 * _smooth(rng, side_px, 5) + 0.05 * _smooth(rng, side_px, 14)
    return np.asarray(field, np.float32)


def _distance_px(salt: npt.NDArray[np.bool_]) -> Float32:
    """Return each pixel's distance to the body's edge, above 0 inside, below 0 outside."""
    if not salt.any() or salt.all():
        return np.full(salt.shape, 1e3 if salt.all() else -1e3, np.float32)
    inside, outside = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for mask in (salt, ~salt)
    )
    return np.asarray(inside - outside, np.float32)


def _layers(rng: np.random.Generator, side_px: int, distance_px: Float32) -> Float32:
    """Return the layers' reflections: one trace along a depth that is tilted, bent and broken."""
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) / side_px
    depth = y + rng.uniform(-0.35, 0.35) * (x - 0.5) + 0.05 * _smooth(rng, side_px, 4)
    # Salt that rises drags the layers beside it upwards.
    reach_px = rng.uniform(0.08, 0.2) * side_px
    depth += rng.uniform(0.0, 0.12) * np.exp(-np.abs(distance_px) / reach_px)
    if rng.random() < 0.4:  # a fault
        across = x - rng.uniform(0.2, 0.8) + rng.uniform(-0.6, 0.6) * (y - 0.5)
        depth += rng.uniform(0.02, 0.07) * (across > 0)
    places = np.clip(0.25 + 0.5 * depth, 0, 1) * (TRACE_SAMPLES - 1)
    reflections = np.interp(places, np.arange(TRACE_SAMPLES), _trace(rng))
    strength = 1 + 0.35 * _smooth(rng, side_px, 4)
    if rng.random() < 0.4:  # a quiet stretch, which is no salt
        strength *= 1 - 0.7 / (1 + np.exp(-8 * (_smooth(rng, side_px, 3) - 1)))
    return np.asarray(reflections * np.clip(strength, 0.1, 2), np.float32)


def _trace(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return one column's reflections: a random series seen through a wavelet, deviation 1."""
    width = rng.uniform(2.5, 7)
    at = np.arange(-24, 25) / width
    ricker = (1 - at**2) * np.exp(-(at**2) / 2)
    series = rng.standard_normal(TRACE_SAMPLES + 48) * (rng.random(TRACE_SAMPLES + 48) < 0.5)
    trace = np.convolve(series, ricker, "valid")
    return np.asarray(trace / max(float(trace.std()), 1e-6))


def _edge(rng: np.random.Generator, side_px: int, distance_px: Float32) -> Float32:
    """Return the reflection of the body's edge, strong in some places and gone in others."""
    at = distance_px / rng.uniform(1.5, 2.5)
    strength = np.clip(rng.uniform(0.6, 1.6) * (0.6 + 0.7 * _smooth(rng, side_px, 4)), 0, 2.5)
    return np.asarray(strength * (1 - at**2) * np.exp(-(at**2) / 2), np.float32)


def _smooth(rng: np.random.Generator, side_px: int, knots: int) -> Float32:
    """Return smooth noise, deviation about 1, with `knots` free values along each side."""
    values = rng.standard_normal((knots, knots)).astype(np.float32)
    smooth = cv2.resize(values, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def _grain(rng: np.random.Generator, side_px: int, sigma_px: float) -> Float32:
    """Return noise without direction, deviation 1, with spots about `sigma_px` large."""
    noise = rng.standard_normal((side_px, side_px)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), sigma_px)
    return np.asarray(blurred / blurred.std(), np.float32)


DATASETS.add("salt_standin", SaltStandinConfig)
