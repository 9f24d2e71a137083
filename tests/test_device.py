"""Devices and precisions by name."""

from __future__ import annotations

import pytest
import torch

from rtseg.device import (
    autocast,
    device_title,
    pick_device,
    pick_precision,
    precision_name,
)
from rtseg.errors import ConfigError

CPU = torch.device("cpu")


def test_auto_takes_cuda_where_there_is_one() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="allowed: auto, cpu, cuda, cuda:N"):
        pick_device(name)


@pytest.mark.parametrize("name", ["cuda:99"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"sees \d+ CUDA devices.*--device cpu"):
        pick_device(name)


def test_precisions_by_name() -> None:
    assert pick_precision("fp32", CPU) is torch.float32
    assert pick_precision("bf16", CPU) is torch.bfloat16
    assert precision_name(pick_precision("auto", CPU)) in ("fp32", "bf16")
    with pytest.raises(ConfigError, match="allowed: auto, fp32, bf16"):
        pick_precision("fp16", CPU)


@pytest.mark.parametrize("supported", [True, False])
def test_auto_takes_bf16_only_where_the_cpu_computes_in_it(
    supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flag in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, flag, lambda: supported)
    expected = torch.bfloat16 if supported else torch.float32
    assert pick_precision("auto", CPU) is expected


def test_autocast_runs_convolutions_in_the_precision() -> None:
    layer, image = torch.nn.Conv2d(3, 4, 3), torch.randn(1, 3, 8, 8)
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CPU, dtype):
            assert layer(image).dtype is dtype


def test_the_device_has_a_title() -> None:
    assert f"{torch.get_num_threads()} threads" in device_title(CPU)
