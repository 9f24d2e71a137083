"""DANet: both attentions against their formulas, the published counts, half precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rtseg.networks import build_network
from rtseg.networks.counting import count_gmacs, count_parameters
from rtseg.networks.danet import ChannelAttention, DANet, PositionAttention


def on_meta(name: str, num_classes: int = 4) -> DANet:
    with torch.device("meta"):
        network = build_network(name, num_classes).eval()
    assert isinstance(network, DANet)
    return network


def attended_pixel(attention: PositionAttention, x: Tensor, row: int, column: int) -> Tensor:
    """The formula of section 3.2 for one pixel, in a loop over all others."""
    query = attention.query(x)[0, :, row, column]
    places = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
    keys, values = attention.key(x)[0], attention.value(x)[0]
    weights = torch.stack([query @ keys[:, i, j] for i, j in places]).softmax(0)
    total = sum(weight * values[:, i, j] for weight, (i, j) in zip(weights, places, strict=True))
    return attention.alpha * total + x[0, :, row, column]


def test_position_attention_is_the_papers_formula() -> None:
    attention = PositionAttention(16)
    torch.nn.init.constant_(attention.alpha, 0.7)
    x = torch.randn(1, 16, 3, 5)
    with torch.no_grad():
        out = attention(x)
        for place in ((0, 0), (1, 4), (2, 2)):
            expected = attended_pixel(attention, x, *place)
            torch.testing.assert_close(out[0, :, place[0], place[1]], expected)


def test_channel_attention_is_the_papers_formula() -> None:
    attention = ChannelAttention()
    torch.nn.init.constant_(attention.beta, 0.7)
    x = 0.3 * torch.randn(1, 6, 2, 4)
    flat = x[0].reshape(6, 8)
    scores = torch.tensor([[float(a @ b) for b in flat] for a in flat])
    weights = torch.exp(scores.max(1).values[:, None] - scores)
    weights = weights / weights.sum(1, keepdim=True)
    expected = 0.7 * (weights @ flat).reshape(x.shape) + x
    with torch.no_grad():
        torch.testing.assert_close(attention(x), expected)


def test_a_channel_attends_to_what_is_unlike_it() -> None:
    attention = ChannelAttention()
    torch.nn.init.ones_(attention.beta)
    x = torch.stack([torch.full((4, 4), value) for value in (3.0, 3.0, -3.0)])[None]
    with torch.no_grad():
        out = attention(x)
    torch.testing.assert_close(out, torch.zeros_like(x), atol=1e-4, rtol=0)


def test_sums_over_many_pixels_stay_finite_in_half_precision() -> None:
    attention = ChannelAttention().half()
    x = torch.full((1, 4, 128, 256), 2.0, dtype=torch.float16)
    assert x[0, 0].float().square().sum() > torch.finfo(torch.float16).max
    with torch.no_grad():
        out = attention(x)
    assert out.dtype == torch.float16
    torch.testing.assert_close(out, torch.full_like(out, 2.02), rtol=2e-3, atol=0)


def test_queries_and_keys_have_an_eighth_of_the_channels() -> None:
    attention = on_meta("danet-resnet50").position[1]
    assert isinstance(attention, PositionAttention)
    assert attention.query.out_channels == attention.key.out_channels == 512 // 8
    assert attention.value.out_channels == 512


def test_parameters_and_multiply_adds_are_the_published_ones() -> None:
    network = on_meta("danet-resnet50", 19).remove_training_heads()
    assert count_parameters(network) == pytest.approx(47.5e6, rel=0.01)
    pixels = (512 // 8) * (1024 // 8)
    attention = (pixels**2 * (64 + 512) + 2 * 512**2 * pixels) / 1e9  # the source leaves them out
    assert count_gmacs(network, (512, 1024)) - attention == pytest.approx(398.5, rel=0.01)


def test_three_heads_of_stride_8_in_training_one_in_use() -> None:
    network = on_meta("danet-resnet18")
    outputs = network.forward_train(torch.empty(1, 3, 65, 99, device="meta"))
    assert list(outputs) == ["main", "position", "channel"]
    assert [each.shape for each in outputs.values()] == [(1, 4, 9, 13)] * 3
    assert {head.weight for head in network.heads.values()} == {1.0}
