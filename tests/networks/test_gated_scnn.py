"""Gated-SCNN: gates, the shape stream, the picture's gradients, and what supervises what."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rtseg.networks import build_network
from rtseg.networks.counting import count_parameters
from rtseg.networks.gated_scnn import GatedConv, GatedSCNN, PictureGradient, ShapeStream
from rtseg.training.criterion import Criterion, CriterionConfig
from rtseg.training.losses.dual_task import DualTaskConfig


def on_meta(encoder: str = "resnet18", num_classes: int = 19) -> GatedSCNN:
    with torch.device("meta"):
        network = build_network(f"gated-scnn-{encoder}", num_classes).eval()
    assert isinstance(network, GatedSCNN)
    return network


def empty(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def test_with_a_separable_decoder_it_is_the_published_re_implementation() -> None:
    network = on_meta("resnet50").remove_training_heads()
    plain = sum(9 * each * 256 for each in (304, 256))
    separable = sum((9 + 256) * each for each in (304, 256))
    assert (count_parameters(network) - plain + separable) / 1e6 == pytest.approx(39.5, rel=0.01)


@pytest.mark.parametrize(("encoder", "hw"), [("resnet18", (65, 99)), ("resnet50", (64, 96))])
def test_heads_have_their_strides(encoder: str, hw: tuple[int, int]) -> None:
    network = on_meta(encoder, 4)
    outputs = network.forward_train(empty(*hw))
    for name, channels, stride in (("main", 4, 4), ("auxiliary", 4, 8), ("boundary", 1, 2)):
        expected = (1, channels, *(-(-size // stride) for size in hw))
        assert outputs[name].shape == expected, name
    assert network.heads["boundary"].target == "boundary"


def test_the_deployed_network_keeps_its_shape_stream() -> None:
    network = on_meta().remove_training_heads()
    assert list(network.heads) == ["main"]
    assert network.shape_stream.fuse.out_channels == 1
    assert not hasattr(network, "auxiliary_head")


def test_the_stream_narrows_from_64_to_8_and_looks_at_stages_2_to_4() -> None:
    stream = on_meta("resnet50").shape_stream
    assert [(each.in_channels, each.out_channels) for each in stream.reductions] == [
        (64, 32),
        (32, 16),
        (16, 8),
    ]
    assert [each.in_channels for each in stream.views] == [512, 1024, 2048]
    assert {each.out_channels for each in stream.views} == {1}


def test_atrous_rates_are_those_of_stride_8() -> None:
    assert [conv[0].dilation[0] for conv in on_meta().aspp.atrous] == [12, 24, 36]


def test_a_gate_lets_pixels_count_once_to_twice() -> None:
    gated = GatedConv(4).eval()
    last = gated.gate[-2]
    shapes, seen = torch.randn(1, 4, 5, 5), torch.randn(1, 1, 5, 5)
    with torch.no_grad():
        plain = gated.conv(shapes)
        for bias, factor in ((-50.0, 1.0), (50.0, 2.0), (0.0, 1.5)):
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, bias)
            torch.testing.assert_close(gated(shapes, seen), factor * plain)


def test_a_gate_listens_to_the_trunk() -> None:
    gated, shapes = GatedConv(4).eval(), torch.ones(1, 4, 5, 5)
    seen = torch.zeros(1, 1, 5, 5)
    seen[..., 2, 2] = 3
    with torch.no_grad():
        out = gated(shapes, seen)
    changed = (out != out[..., :1, :1]).any(1)[0]
    assert changed.nonzero().tolist() == [[2, 2]]


def test_the_stream_runs_at_the_stems_resolution() -> None:
    stream = ShapeStream((3, 5, 7)).eval()
    trunk = [torch.randn(1, 3, 5, 6), torch.randn(1, 5, 3, 3), torch.randn(1, 7, 3, 3)]
    assert stream(torch.randn(1, 64, 18, 23), trunk).shape == (1, 1, 18, 23)


def test_gradients_of_a_picture_mark_its_edges_and_stay_below_one() -> None:
    images = torch.zeros(1, 3, 16, 24)
    images[..., 12:] = 2.0
    edges = PictureGradient()(images)
    assert edges.shape == (1, 1, 8, 12)
    # Sobel's slope on both sides of the step, columns 11 and 12, is half of it: 1, and 1 / 1.25.
    assert edges[0, 0, 4].nonzero().flatten().tolist() == [5, 6]
    assert edges.max().item() == pytest.approx(0.8)
    assert PictureGradient()(1000 * torch.randn(1, 3, 9, 11)).max() < 1


def test_gradients_see_lines_of_every_direction_alike() -> None:
    images = torch.zeros(1, 3, 16, 16)
    images[..., 8:] = 1.0
    across, down = PictureGradient()(images), PictureGradient()(images.transpose(2, 3))
    torch.testing.assert_close(across, down.transpose(2, 3))


def test_its_heads_and_its_loss_fit_the_criterion() -> None:
    network = build_network("gated-scnn-resnet18", 3).train()
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels[:, :, 32:], labels[:, 40:] = 1, 2
    terms = [*CriterionConfig().terms, DualTaskConfig()]
    criterion = Criterion(CriterionConfig(terms=terms), network.heads, 3)
    total, parts = criterion(network.forward_train(torch.randn(2, 3, 64, 64)), labels)
    total.backward()
    assert {"main/dual_task", "auxiliary/dual_task", "boundary"} <= set(parts)
    assert {"boundary_aware/cross_entropy", "boundary_aware/dual_task"} <= set(parts)
    assert total.isfinite()
    fuse = network.get_submodule("shape_stream.fuse")
    assert isinstance(fuse, nn.Conv2d)
    assert fuse.weight.grad is not None
    assert fuse.weight.grad.any()
