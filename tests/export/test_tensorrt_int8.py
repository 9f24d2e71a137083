"""Quantisers in the network: close to it in what they say, and layers of TensorRT in the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rtseg.demo_drive import DemoDrive
from rtseg.errors import ConfigError, EngineError, MissingExtraError
from rtseg.export import tensorrt_int8, tensorrt_plan
from rtseg.export.calibrate import CalibrationPictures, calibration_pictures
from rtseg.export.deploy_graph import DeployGraph
from rtseg.export.tensorrt_int8 import exported_quantised, quantised, traceable_quantisers
from rtseg.export.tensorrt_plan import NetworkSummary, build_plan, summary
from rtseg.export.tensorrt_toolchain import Toolchain
from rtseg.networks.trained import load_trained

HW = (96, 160)


@pytest.fixture(scope="module")
def pictures() -> CalibrationPictures:
    drive = DemoDrive(31, 320, 192, 2.0)
    images = [drive.render(index)[0] for index in range(6)]
    return calibration_pictures(images, HW, "demo drive 31")


def test_the_quantised_network_says_nearly_the_same(
    modelopt: None, pictures: CalibrationPictures
) -> None:
    trained = load_trained("linknet-camvid")
    exact, rounded = DeployGraph(trained, HW), quantised(DeployGraph(trained, HW), pictures)
    rounded.network.float()  # the CPU has no fp16 convolutions worth the name
    rounded.dtype = torch.float32
    images = torch.from_numpy(np.stack(pictures.images_bgr))
    with torch.no_grad():
        agreement = (exact(images) == rounded(images)).float().mean()
    assert 0.9 < agreement < 1


def test_every_convolution_becomes_quantised_layers_of_tensorrt(
    modelopt: None,
    toolchain: Toolchain,
    pictures: CalibrationPictures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks: list[NetworkSummary] = []

    def remember(network: object) -> NetworkSummary:
        networks.append(summary(network))
        return networks[-1]

    monkeypatch.setattr(tensorrt_plan, "summary", remember)
    graph = DeployGraph(load_trained("linknet-camvid"), HW)
    with traceable_quantisers():
        program = exported_quantised(quantised(graph, pictures))
        # TensorRT-RTX takes the network, and then finds that it has no such kernels.
        with pytest.raises(EngineError, match="can't build this graph"):
            build_plan(toolchain, program, graph.example(), {}, lambda line: None)
    (network,) = networks
    convolutions = network.layers["CONVOLUTION"] + network.layers["DECONVOLUTION"]
    assert network.layers["QUANTIZE"] == network.layers["DEQUANTIZE"] >= 2 * convolutions - 2
    assert [each.dtype for each in (*network.inputs, *network.outputs)] == ["UINT8", "INT8"]


def test_pictures_of_another_size_are_refused(pictures: CalibrationPictures) -> None:
    graph = DeployGraph(load_trained("ddrnet-23-slim-camvid"), (64, 96))
    with pytest.raises(ConfigError, match="160x96, the engine's input is 96x64"):
        quantised(graph, pictures)


def test_without_the_package_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_int8.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rtseg\[tensorrt-int8\]'"):
        tensorrt_int8.require_quantiser()
