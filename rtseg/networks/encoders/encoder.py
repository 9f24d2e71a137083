"""What every encoder owes: a list of maps, with their channels and strides known beforehand."""

from __future__ import annotations

from torch import Tensor, nn

from rtseg.errors import ConfigError

OUTPUT_STRIDES = (8, 16, 32)


class Encoder(nn.Module):
    """The convolutional trunk of a network.

    `forward` takes [N, 3, H, W] and returns one map per entry of `channels` and `strides`, from
    fine to coarse; a map of stride s has ceil(H / s) rows and ceil(W / s) columns.

    Args:
        output_stride: the stride of the last map, 8, 16 or 32. A stage that would go beyond it
            keeps its resolution and widens its kernels by an atrous rate instead.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __init__(self, output_stride: int) -> None:
        super().__init__()
        if output_stride not in OUTPUT_STRIDES:
            raise ConfigError(
                f"an encoder can't have output stride {output_stride}; choose one of "
                f"{', '.join(map(str, OUTPUT_STRIDES))}"
            )
        self.output_stride = output_stride

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps [N, channels[i], ceil(H / strides[i]), ceil(W / strides[i])]."""
        raise NotImplementedError

    def map_of_stride(self, stride: int) -> int:
        """Return the index of the last map of that stride."""
        return max(index for index, each in enumerate(self.strides) if each == stride)


class StrideBudget:
    """Turns strides into atrous rates once the output stride is reached.

    A layer whose stride is taken away keeps the rate that holds so far; the layers behind it get
    that rate times its stride, so every kernel still sees the samples that it saw before
    (DeepLabV3, section 3.1).
    """

    def __init__(self, output_stride: int) -> None:
        self.output_stride = output_stride
        self.stride = 1
        self.rate = 1

    def spend(self, stride: int) -> tuple[int, int]:
        """Return the (stride, rate) of the next layer, which would like to have `stride`."""
        rate = self.rate
        if self.stride * stride <= self.output_stride:
            self.stride *= stride
            return stride, rate
        self.rate *= stride
        return 1, rate
