"""LinkNet: the published counts, and what is added to what."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx import Node

from rtseg.networks import build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.linknet import LinkNet


def on_meta(num_classes: int = 11, encoder: str = "resnet18") -> LinkNet:
    with torch.device("meta"):
        network = LinkNet(num_classes, encoder).eval()
    network.remove_training_heads()
    return network


@pytest.mark.parametrize("num_classes", [1, 11, 19, 20])
def test_parameters_are_those_of_the_authors(num_classes: int) -> None:
    assert count_parameters(on_meta(num_classes)) == 11_533_248 + 129 * num_classes


def test_multiply_adds_are_those_of_the_authors() -> None:
    assert count_gmacs(on_meta(19), (512, 1024)) == pytest.approx(21.75, abs=0.005)


def test_resnet34_adds_only_blocks_to_the_encoder() -> None:
    small, large = on_meta(), on_meta(encoder="resnet34")
    added = count_parameters(large.encoder) - count_parameters(small.encoder)
    assert count_parameters(large) - count_parameters(small) == added == 21_284_672 - 11_176_512


def owner(node: Node) -> str:
    """Return the path of the innermost module that a node of an exported graph came from."""
    path, _ = list(node.meta["nn_module_stack"].values())[-1]
    return str(path).removeprefix("L['self'].")


def test_each_decoder_is_added_to_its_encoders_input_and_rectified() -> None:
    program = torch.export.export(on_meta(), (torch.empty(1, 3, 64, 96, device="meta"),))
    additions = {}
    for node in program.graph.nodes:
        inner = owner(node) if node.op == "call_function" else "encoder"
        if not inner.startswith("encoder") and node.target is torch.ops.aten.add.Tensor:
            encoder, decoder = (owner(operand) for operand in node.args)
            (user,) = node.users
            assert user.target is torch.ops.aten.relu.default
            additions[decoder.split(".")[0]] = encoder
    assert {decoder: ".".join(path.split(".")[:2]) for decoder, path in additions.items()} == {
        "decoder4": "encoder.layer3",
        "decoder3": "encoder.layer2",
        "decoder2": "encoder.layer1",
        "decoder1": "encoder.maxpool",
    }


def test_only_the_head_and_the_logits_have_biases() -> None:
    biased = [
        name
        for name, module in on_meta().named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None
    ]
    assert biased == ["head.0", "head.3", "classifier"]


def test_head_is_transposed_3x3_then_3x3_then_transposed_2x2() -> None:
    network = on_meta()
    convolutions = [network.head[0], network.head[3], network.classifier]
    assert [type(layer) for layer in convolutions] == [
        nn.ConvTranspose2d,
        nn.Conv2d,
        nn.ConvTranspose2d,
    ]
    assert [layer.kernel_size[0] for layer in convolutions] == [3, 3, 2]
    assert [layer.stride[0] for layer in convolutions] == [2, 1, 2]


def test_logits_have_full_resolution_and_the_auxiliary_a_sixteenth() -> None:
    network = build_network("linknet", 3).eval()
    outputs = network.forward_train(torch.zeros(1, 3, 64, 96))
    assert outputs["main"].shape == (1, 3, 64, 96)
    assert outputs["auxiliary"].shape == (1, 3, 4, 6)
    assert network.heads["auxiliary"].weight == 0.4


def test_a_step_of_training_lowers_the_loss() -> None:
    network = build_network("linknet", 2).train()
    images = torch.randn(2, 3, 64, 64)
    labels = (images.mean(1) > 0).long()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(4):
        loss = nn.functional.cross_entropy(network.forward_train(images)["main"], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
