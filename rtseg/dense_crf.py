"""The dense CRF: class scores brought into agreement with the picture's own edges.

P. Krähenbühl, V. Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials, NIPS 2011, https://arxiv.org/abs/1210.5644. M. Teichmann, R. Cipolla: Convolutional CRFs
for Semantic Segmentation, 2018, https://arxiv.org/abs/1805.04777. As the last step of DeepLab:
L.-C. Chen et al., ICLR 2015, https://arxiv.org/abs/1412.7062.

Every pixel i has the energy of its own scores, U_i(l) = -log p_i(l), and pays for each other pixel
j of another class (Potts), the more the closer the two are and the more their colours agree:

    k(i, j) = w_a exp(-|x_i - x_j|² / 2σ_xy² - |c_i - c_j|² / 2σ_rgb²)    appearance
            + w_s exp(-|x_i - x_j|² / 2σ_s²)                              smoothness

Mean field finds the marginals Q, started from p: Q_i(l) ∝ exp(-U_i(l) + Σ_{j≠i} k(i, j) Q_j(l)),
all pixels at once, a few times. Each kernel is normalised symmetrically by its sums, n_i =
Σ_j k(i, j) with j = i included: k(i, j) / √(n_i n_j). The literature's weights are meant so.

Two things make the sum cheap, as in Convolutional CRFs. It runs over a window around the pixel
instead of the whole picture; and its senders are cells of pixels, for which their mean marginals
and their mean colour stand. All messages are one batched matrix product: each cell's pixels by the
cells of its window. With cells of one pixel and a window over the whole picture the sum is exact.
What lies outside the picture contributes nothing.

**Departures.** The receivers stay single pixels, where Convolutional CRFs work on the reduced
picture and enlarge its messages: so each pixel compares its own colour, and borders stay sharp. The
kernel of smoothness is off by default: it wipes out poles and sign posts (docs/dense_crf.md has the
figures); DeepLab's weight is 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from rtseg.config import Config
from rtseg.errors import DataError

BAND_VALUES = 1 << 22
"""Rows are worked on in bands whose kernels and windows hold about so many float32 values."""
KEPT_VALUES = 1 << 26
"""Kernels of up to so many values (256 MB) are kept between iterations, others computed anew."""

LEAST_EXPONENT = -80.0
"""Below, exp takes many times as long on a CPU, for what is nothing: 2e-35."""
LEAST = 1e-30
"""Stands for 0 where a logarithm is taken."""


class DenseCrfConfig(Config):
    """How strongly, and over what distance, pixels pull at each other.

    Lengths are in pixels of the picture that is worked on. Appearance has the values of DeepLab,
    found on pictures of 500x375.
    """

    iterations: int = Field(
        default=5,
        ge=0,
        le=100,
        description="Steps of mean field; 5 to 10 are usual, 0 changes nothing.",
    )
    reach_px: int = Field(
        default=12,
        ge=1,
        description="How far around a pixel others are looked at, to all sides. The cost grows "
        "with its square; a value as large as the picture connects all pixels.",
    )
    cell_px: int = Field(
        default=3,
        ge=1,
        le=64,
        description="Side of the cells whose mean stands for their pixels; the cost falls with its "
        "square. 1: every pixel by itself, exact.",
    )
    appearance_weight: float = Field(
        default=4.0, ge=0, description="Weight of the kernel of closeness and colour; 4 to 10."
    )
    appearance_sigma_px: float = Field(
        default=49.0, gt=0, description="Its standard deviation over distance; 49 to 80 are usual."
    )
    appearance_sigma_rgb: float = Field(
        default=5.0,
        gt=0,
        description="Its standard deviation over colours of 0 to 255; 5 to 13 are usual.",
    )
    smoothness_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the kernel of closeness alone; 3 where objects are large.",
    )
    smoothness_sigma_px: float = Field(default=3.0, gt=0, description="Its standard deviation.")


@torch.no_grad()
def dense_crf(scores: Tensor, images_bgr: Tensor, config: DenseCrfConfig) -> Tensor:
    """Return the class probabilities of pictures after mean field.

    Memory is bounded whatever the window: beyond some copies of `scores`, KEPT_VALUES and a few
    times BAND_VALUES.

    Args:
        scores: float [N, K, H, W]: logits, or logarithms of probabilities.
        images_bgr: uint8 [N, H, W, 3] on the same device; the order of the colours doesn't matter.
        config: kernels, window, iterations.

    Returns:
        float32 [N, K, H, W], on the device of `scores`.

    Raises:
        DataError: the sizes don't belong together, or the scores are not finite.
    """
    fits = scores.ndim == 4 and images_bgr.shape == (scores.shape[0], *scores.shape[2:], 3)
    if not fits:
        raise DataError(
            f"the dense CRF needs scores [N, K, H, W] and pictures [N, H, W, 3]; got "
            f"{list(scores.shape)} and {list(images_bgr.shape)}"
        )
    if not bool(scores.isfinite().all()):
        raise DataError("the dense CRF got scores that are infinite or not a number")
    with torch.autocast(scores.device.type, enabled=False):
        pairs = zip(scores.float(), images_bgr, strict=True)
        return torch.stack([_mean_field(one, image, config) for one, image in pairs])


def _mean_field(scores: Tensor, image_bgr: Tensor, config: DenseCrfConfig) -> Tensor:
    """Return the probabilities [K, H, W] of one picture."""
    grid = _Grid((scores.shape[1], scores.shape[2]), config, scores.device)
    unary = grid.cells(scores.log_softmax(0))  # [h, w, s², K]
    kernels = _Kernels(grid, image_bgr, config, unary.shape[-1])
    marginals = unary.softmax(-1)
    for _ in range(config.iterations):
        senders = grid.padded(grid.cell_means(marginals))
        for rows, kernel in kernels.bands():
            window = grid.windows(senders, rows)  # [r, w, O, K]
            energy = torch.baddbmm(unary[rows].flatten(0, 1), kernel, window.flatten(0, 1))
            marginals[rows] = energy.softmax(-1).view_as(marginals[rows])
    return grid.pixels(marginals)


class _Grid:
    """A picture cut into h x w cells of s x s pixels, and the window around each cell.

    The last row and column of cells may be cut off by the picture's edge: they are filled up with
    copies of the edge, which count nowhere.
    """

    def __init__(
        self, picture_hw: tuple[int, int], config: DenseCrfConfig, device: torch.device
    ) -> None:
        self.picture_hw, self.side = picture_hw, config.cell_px
        self.hw = tuple(-(-size // self.side) for size in picture_hw)
        reach = -(-config.reach_px // self.side)
        self.reach_hw = tuple(min(reach, size - 1) for size in self.hw)
        inside = torch.zeros(1, *(size * self.side for size in self.hw), device=device)
        inside[:, : picture_hw[0], : picture_hw[1]] = 1
        self.inside = self.cells(inside)  # [h, w, s², 1]
        self.count = self.inside.sum(2)  # [h, w, 1]

    @property
    def window_cells(self) -> int:
        """The number O of cells in a window."""
        return (2 * self.reach_hw[0] + 1) * (2 * self.reach_hw[1] + 1)

    def cells(self, planes: Tensor) -> Tensor:
        """Return [h, w, s², C] of planes [C, H, W]."""
        (height, width), side = self.hw, self.side
        right, bottom = (
            size * side - given
            for size, given in zip((width, height), planes.shape[:0:-1], strict=True)
        )
        filled = F.pad(planes[None], (0, right, 0, bottom), mode="replicate")[0]
        split = filled.reshape(-1, height, side, width, side).permute(1, 3, 2, 4, 0)
        return split.reshape(height, width, side * side, -1)

    def pixels(self, cells: Tensor) -> Tensor:
        """Return planes [C, H, W] of [h, w, s², C]."""
        (height, width), side = self.hw, self.side
        split = cells.reshape(height, width, side, side, -1).permute(4, 0, 2, 1, 3)
        planes = split.reshape(-1, height * side, width * side)
        return planes[:, : self.picture_hw[0], : self.picture_hw[1]].contiguous()

    def cell_means(self, cells: Tensor) -> Tensor:
        """Return the mean [h, w, C] over each cell's pixels inside the picture."""
        return (cells * self.inside).sum(2) / self.count

    def padded(self, grid: Tensor) -> Tensor:
        """Return [h, w, C] with zeros around it as far as windows reach."""
        down, across = self.reach_hw
        return F.pad(grid, (0, 0, across, across, down, down))

    def windows(self, padded: Tensor, rows: slice) -> Tensor:
        """Return the windows [r, w, O, C] around the cells of some rows."""
        channels = padded.shape[-1]
        down, across = (2 * reach + 1 for reach in self.reach_hw)
        lines = padded.flatten(1).unfold(
            1, across * channels, channels
        )  # a window's row is one run
        views = lines.unfold(0, down, 1)[rows].permute(0, 1, 3, 2)
        own = views.clone(memory_format=torch.contiguous_format)  # the views overlap
        return own.view(*views.shape[:2], down * across, channels)

    def distances(self) -> Tensor:
        """Return the squared distances [s², O], px², of a cell's pixels from its window's cells."""
        device, side = self.inside.device, self.side
        squares = []
        for reach in self.reach_hw:
            own = torch.arange(side, device=device, dtype=torch.float32)
            centres = torch.arange(-reach, reach + 1, device=device) * side + (side - 1) / 2
            squares.append((own[:, None] - centres) ** 2)  # [s, 2R + 1]
        rows, columns = squares
        both = rows[:, None, :, None] + columns[None, :, None, :]
        return both.reshape(side * side, self.window_cells)


class _Kernels:
    """What each pixel takes from its window's cells: both kernels, normalised and weighted.

    A cell counts as often as it has pixels, the receiver itself left out. Appearance is one batched
    product in the exponent: own [c, 1, -|c|²/2 + …] by theirs [c, -|c|²/2 + …, 1].

    Args:
        grid: the cells.
        image_bgr: uint8 [H, W, 3].
        config: weights and standard deviations.
        num_classes: K, for the size of the bands.
    """

    def __init__(
        self, grid: _Grid, image_bgr: Tensor, config: DenseCrfConfig, num_classes: int
    ) -> None:
        self._grid, self._config = grid, config
        distances = grid.distances()  # [s², O]
        self._closeness = -distances / (2 * config.appearance_sigma_px**2)
        self._smoothness = torch.exp(-distances / (2 * config.smoothness_sigma_px**2))
        self._mass = grid.padded(grid.count)
        (height, width), pixels = grid.hw, grid.side**2
        per_row = width * grid.window_cells * (pixels + num_classes + 5)
        step = max(1, BAND_VALUES // per_row)
        self._rows = [slice(top, min(top + step, height)) for top in range(0, height, step)]
        self._normalise(image_bgr)
        keeps = height * width * pixels * grid.window_cells <= KEPT_VALUES
        self._kept = [self._kernel(rows) for rows in self._rows] if keeps else None

    def bands(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows and their kernels [r * w, s², O]."""
        for index, rows in enumerate(self._rows):
            yield rows, self._kernel(rows) if self._kept is None else self._kept[index]

    def _normalise(self, image_bgr: Tensor) -> None:
        """Set both kernels' factors of the pixels, 1/√n, and of the cells."""
        grid, config = self._grid, self._config
        colours = (image_bgr.permute(2, 0, 1).float() - 128) / config.appearance_sigma_rgb
        cells = grid.cells(colours)  # [h, w, s², 3]
        means = grid.cell_means(cells)
        self._own = torch.cat([cells, torch.ones_like(grid.inside), _half_square(cells)], -1)
        theirs = torch.cat([means, _half_square(means), torch.ones_like(grid.count)], -1)
        self._theirs = grid.padded(theirs)
        appearance, smoothness = (torch.ones_like(grid.inside) for _ in range(2))  # j = i
        for rows in self._rows:
            appearance[rows] += self._appearance(rows).sum(-1).view_as(appearance[rows])
            mass = self._masses(rows) @ self._smoothness.mT  # [r * w, 1, s²]
            smoothness[rows] += mass.view_as(smoothness[rows])
        self._own[..., -1:] += math.log(config.appearance_weight or LEAST) - appearance.log() / 2
        theirs[..., -2:-1] -= grid.cell_means(appearance).log() / 2
        self._theirs = grid.padded(theirs)
        self._own_smooth = config.smoothness_weight * smoothness.rsqrt()
        self._theirs_smooth = grid.padded(grid.cell_means(smoothness).rsqrt())

    def _masses(self, rows: slice) -> Tensor:
        """Return how many pixels of each cell count for a receiver, [r * w, 1, O]."""
        mass = self._grid.windows(self._mass, rows).flatten(0, 1).mT
        mass[..., self._grid.window_cells // 2] -= 1
        return mass

    def _appearance(self, rows: slice) -> Tensor:
        """Return the kernel of closeness and colour with the factors so far, [r * w, s², O]."""
        own = self._own[rows].flatten(0, 1)
        theirs = self._grid.windows(self._theirs, rows).flatten(0, 1)
        theirs[..., -2] += self._masses(rows)[:, 0].clamp(min=LEAST).log()
        exponent = torch.baddbmm(self._closeness, own, theirs.mT)
        return exponent.clamp_(min=LEAST_EXPONENT).exp_()

    def _kernel(self, rows: slice) -> Tensor:
        total = self._appearance(rows)
        theirs = self._grid.windows(self._theirs_smooth, rows).flatten(0, 1).mT
        smoothness = self._smoothness * (theirs * self._masses(rows))
        return total.addcmul_(smoothness, self._own_smooth[rows].flatten(0, 1))


def _half_square(features: Tensor) -> Tensor:
    return (features**2).sum(-1, keepdim=True) / -2
