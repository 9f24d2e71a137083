"""The maps that objects are found with, as a graph of their own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import MAIN, NETWORKS, SegmentationNetwork, build_network

K = 5
FINDERS = ["deep-watershed", "ternausnet-v2-resnet18"]


class InstanceGraph(nn.Module):
    """A network whose outputs are the maps of its objects."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.network.forward_instances(images)


@pytest.mark.parametrize("name", FINDERS)
def test_maps_are_one_graph_that_keeps_the_rules(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, K).remove_training_heads(keep_instances=True).eval()
    images = torch.randn(1, 3, 64, 96)
    program = torch.export.export(InstanceGraph(network), (images,), strict=False)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(images), network.forward_instances(images))
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    resizes = [target for target in targets if "upsample" in target]
    assert resizes
    assert all(target.startswith("aten.upsample_bilinear2d") for target in resizes)
    assert not [target for target in targets if target == "aten.max.dim" or "adaptive" in target]


def test_others_return_their_logits_alone() -> None:
    with torch.device("meta"):
        network = build_network("linknet", K)
    outputs = network.forward_instances(torch.empty(1, 3, 64, 64, device="meta"))
    assert list(outputs) == [MAIN]
    assert not network.finds_instances


def test_the_finders_are_all_that_find() -> None:
    with torch.device("meta"):
        networks = {name: build_network(name, K) for name in ("ternausnet-v2", *FINDERS)}
    assert all(network.finds_instances for network in networks.values())
    assert set(networks) <= set(NETWORKS)
