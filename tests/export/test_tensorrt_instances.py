"""The maps that objects are found with become one TensorRT plan, nothing of them left in torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.classes import CAMVID
from rtseg.export.tensorrt_plan import build_plan
from rtseg.export.tensorrt_toolchain import Toolchain
from rtseg.networks import SegmentationNetwork, build_network


class InstanceGraph(nn.Module):
    """A network whose outputs are the maps of its objects, in the order of its heads."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.forward_instances(images).values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deep-watershed", "ternausnet-v2-resnet18"])
def test_maps_of_objects_become_a_plan(toolchain: Toolchain, name: str) -> None:
    network = build_network(name, len(CAMVID)).remove_training_heads(keep_instances=True)
    graph = InstanceGraph(network.eval().requires_grad_(False))
    images = torch.zeros(1, 3, 64, 96)
    program = torch.export.export(graph, (images,), strict=False)
    lines: list[str] = []
    built = build_plan(toolchain, program, images, {}, lines.append)
    shapes = [tuple(output.shape) for output in built.network.outputs]
    assert shapes == [tuple(maps.shape) for maps in graph(images)]
    assert built.plan
