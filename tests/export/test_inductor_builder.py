"""What inductor is told, and what it says where it can't build."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._inductor import config

from rtseg.errors import BackendUnavailableError
from rtseg.export.build import build_engine
from rtseg.export.builder import BuildRequest
from rtseg.export.inductor_builder import compiler, inductor_settings
from rtseg.networks.trained import TrainedNetwork

CPU = torch.device("cpu")


def test_a_missing_compiler_is_named(nearest_colour: TrainedNetwork, tmp_path: Path) -> None:
    request = BuildRequest(nearest_colour, "0" * 64, (64, 64), "inductor", "fp32")
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(BackendUnavailableError, match=r"C\+\+ compiler.*install g\+\+.*CXX"),
    ):
        build_engine(request, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_compiler_is_found_where_there_is_one() -> None:
    try:
        found = compiler()
    except BackendUnavailableError:
        pytest.skip("no C++ compiler is installed")
    assert found


def test_settings_are_ones_that_this_torch_knows() -> None:
    for device in (CPU, torch.device("cuda")):
        settings = inductor_settings({"max_autotune": True}, device)
        assert settings["max_autotune"] is True
        with config.patch(settings):  # an unknown name is an error
            assert config.freezing
    assert settings.get("cpp.dynamic_threads") is None
