"""Every upsampling layer becomes part of one TensorRT plan."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rtseg.export.tensorrt_plan import build_plan
from rtseg.export.tensorrt_toolchain import Toolchain
from rtseg.networks.encoders.vgg import MaxPooling
from rtseg.networks.upsampling import UPSAMPLINGS, pooling_indices


class Tower(nn.Module):
    """A pooling, every layer of the registry twice as high and wide as its input, and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = MaxPooling()
        self.layers = nn.ModuleDict({name: UPSAMPLINGS[name](8, 2) for name in UPSAMPLINGS})
        self.coarse = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.narrow = nn.Conv2d(32, 8, 1)

    def forward(self, images_bgr: Tensor) -> Tensor:
        images = images_bgr.to(torch.float32).permute(0, 3, 1, 2) / 255
        fine = self.stem(images).relu()
        pooled, total = self.pool(fine), fine
        for name, layer in self.layers.items():
            if name == "max-unpooling":
                total = total + layer(pooled, pooling_indices(fine))
            elif name == "joint-pyramid":
                total = total + self.narrow(layer([fine, self.coarse(fine)]))
            else:
                total = total + layer(pooled)
        return total.argmax(1).to(torch.int8)


def test_every_upsampling_layer_becomes_part_of_a_plan(toolchain: Toolchain) -> None:
    example = torch.zeros(1, 32, 48, 3, dtype=torch.uint8)
    program = torch.export.export(Tower().eval(), (example,))
    network = build_plan(toolchain, program, example, {}, [].append).network
    assert [each.shape for each in network.outputs] == [(1, 32, 48)]
    assert network.layers["DECONVOLUTION"] == 1
