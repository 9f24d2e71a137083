"""A trained network as an engine at once."""

from __future__ import annotations

import pytest
import torch

from rtseg.backends.base import Parallelism
from rtseg.errors import ConfigError
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import TrainedNetwork, load_trained


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    return load_trained("deeplabv3plus-mobilenet-v2-camvid")


def test_the_engine_says_what_it_is(trained: TrainedNetwork) -> None:
    engine = eager_engine(trained, (64, 96), "fp32", device="cpu", reason="nothing was built")
    info = engine.info
    assert str(info) == "deeplabv3plus-mobilenet-v2-camvid 96x64 eager fp32 on cpu"
    assert info.classes == trained.card.classes
    assert info.reason == "nothing was built"


@pytest.mark.parametrize("supported", [True, False])
def test_auto_takes_bf16_where_the_cpu_computes_in_it(
    trained: TrainedNetwork, supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flag in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, flag, lambda: supported)
    engine = eager_engine(trained, (64, 64), device="cpu", parallelism=Parallelism(1, 1))
    assert engine.info.precision == ("bf16" if supported else "fp32")


@pytest.mark.parametrize("precision", ["int8", "half", ""])
def test_precisions_that_eager_lacks_are_refused(trained: TrainedNetwork, precision: str) -> None:
    with pytest.raises(ConfigError, match="allowed: auto, fp32, bf16, fp16"):
        eager_engine(trained, (64, 64), precision, device="cpu")
