"""Real TensorRT plans of every network, built where there is no GPU."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest
import torch
from torch import Tensor, nn

from rtseg.classes import CAMVID
from rtseg.errors import EngineError
from rtseg.export.deploy_graph import DeployGraph
from rtseg.export.tensorrt_builder import check_precision_kept
from rtseg.export.tensorrt_hybrid import build_hybrid, torch_operations
from rtseg.export.tensorrt_plan import (
    BuiltPlan,
    NetworkSummary,
    PlanTensor,
    build_plan,
    checked_arguments,
    known_arguments,
)
from rtseg.export.tensorrt_toolchain import Toolchain, open_toolchain, replaced, without_gpu
from rtseg.networks import NETWORKS, build_network, padded_hw
from rtseg.networks.families import lightest_of_each_family
from rtseg.networks.trained import ModelCard, TrainedNetwork

HEAVY = 25e6  # parameters from which plans are left to `-m slow`
BY_DEFAULT = [name for name in lightest_of_each_family() if NETWORKS[name].card.parameters <= HEAVY]
VARIANTS = [
    pytest.param(name, marks=[] if name in BY_DEFAULT else [pytest.mark.slow]) for name in NETWORKS
]


def newborn(name: str) -> TrainedNetwork:
    network = build_network(name, len(CAMVID)).eval()
    return TrainedNetwork(network, ModelCard("newborn", name, CAMVID, (64, 96)))


def plan_of(toolchain: Toolchain, graph: DeployGraph, batch: int = 1) -> BuiltPlan:
    lines: list[str] = []
    return build_plan(toolchain, graph.exported(batch), graph.example(batch), {}, lines.append)


def what_the_runtime_says(toolchain: Toolchain, plan: bytes) -> list[str]:
    trt = toolchain.tensorrt

    class Ears(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.heard: list[str] = []

        def log(self, severity: object, message: str) -> None:
            self.heard.append(message)

    ears = Ears()
    trt.Runtime(ears).deserialize_cuda_engine(plan)
    return ears.heard


@pytest.mark.parametrize("name", VARIANTS)
def test_every_network_becomes_one_plan_in_fp16(toolchain: Toolchain, name: str) -> None:
    trained = newborn(name)
    height, width = padded_hw((64, 96), trained.network.size_multiple, trained.network.min_size)
    built = plan_of(toolchain, DeployGraph(trained, (height, width), "fp16"))
    network = built.network
    assert [(each.dtype, each.shape) for each in network.inputs] == [
        ("UINT8", (1, height, width, 3))
    ]
    assert [(each.dtype, each.shape) for each in network.outputs] == [("INT8", (1, height, width))]
    assert set(network.convolutions) == {"HALF"}
    check_precision_kept(built, "fp16")
    parameters = NETWORKS[name].card.parameters
    assert 1.5 * parameters < len(built.plan) < 3 * parameters + 10e6, "weights of two bytes"


def test_the_runtime_knows_the_plan_for_one_of_its_own(toolchain: Toolchain) -> None:
    plan = plan_of(toolchain, DeployGraph(newborn("linknet"), (64, 96), "fp16")).plan
    good, bad = (what_the_runtime_says(toolchain, each) for each in (plan, b"no plan" * 99))
    assert any("Serialization assertion" in line for line in bad)
    assert not any("Serialization" in line for line in good)
    if not torch.cuda.is_available():
        assert any("Cuda" in line for line in good), "there it ends without a GPU"


def test_scores_in_fp32_for_two_pictures_of_a_padded_size(toolchain: Toolchain) -> None:
    graph = DeployGraph(newborn("linknet"), (70, 90), "fp32", "scores")
    network = plan_of(toolchain, graph, batch=2).network
    assert network.inputs == (PlanTensor("images_bgr", "UINT8", (2, 70, 90, 3)),)
    assert network.outputs == (PlanTensor("output0", "FLOAT", (2, len(CAMVID), 70, 90)),)
    assert set(network.convolutions) == {"FLOAT"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimisation_level": 5}, r"'optimisation_level'. Did you mean 'optimization_level'\?"),
        ({"enabled_precisions": 1}, "knows no build argument 'enabled_precisions'"),
        ({"require_full_compilation": False}, "knows no build argument 'require_full"),
        ({"use_explicit_typing": False}, "knows no build argument 'use_explicit_typing'"),
    ],
)
def test_arguments_that_would_be_swallowed_are_refused(
    toolchain: Toolchain, arguments: dict[str, int | bool], message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        checked_arguments(toolchain, arguments)


def test_the_builders_own_defaults_are_known_here(toolchain: Toolchain) -> None:
    from rtseg.export.tensorrt_builder import TensorRTBuilder

    assert TensorRTBuilder.defaults.keys() <= known_arguments(toolchain).keys()
    assert "disable_tf32" in known_arguments(toolchain)


class Odd(nn.Module):
    """Convolution, an operation that no converter knows, convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 5, 3, padding=1)

    def forward(self, images_bgr: Tensor) -> Tensor:
        images = images_bgr.to(torch.float32).permute(0, 3, 1, 2) / 255
        return self.second(torch.special.i0(self.first(images))).argmax(1).to(torch.int8)


@pytest.fixture(scope="module")
def odd() -> tuple[torch.export.ExportedProgram, Tensor]:
    example = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    return torch.export.export(Odd().eval(), (example,)), example


def test_what_stays_in_torch_is_listed(
    toolchain: Toolchain, odd: tuple[torch.export.ExportedProgram, Tensor]
) -> None:
    said: list[str] = []
    assert torch_operations(toolchain, *odd, said.append) == ("aten.i0.default",)
    assert any("i0" in line for line in said)
    graph = DeployGraph(newborn("linknet"), (64, 96), "fp16")
    whole = graph.exported(), graph.example()
    assert torch_operations(toolchain, *whole, said.append) == ()


def test_a_graph_that_does_not_convert_fails_with_its_reason(
    toolchain: Toolchain, odd: tuple[torch.export.ExportedProgram, Tensor]
) -> None:
    said: list[str] = []
    with pytest.raises(EngineError, match=r"can't build this graph: .*i0"):
        build_plan(toolchain, *odd, {}, said.append)
    assert said


def test_a_hybrid_engine_needs_the_gpu(
    toolchain: Toolchain,
    odd: tuple[torch.export.ExportedProgram, Tensor],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if torch.cuda.is_available():
        pytest.skip("here is one")
    path = tmp_path_factory.mktemp("hybrid") / "engine.ep"
    with pytest.raises(EngineError, match="built on the GPU that it is for"):
        build_hybrid(toolchain, *odd, {}, path, print)


def test_a_build_leaves_the_process_as_it_was(
    toolchain: Toolchain, capfd: pytest.CaptureFixture[str]
) -> None:
    def state() -> tuple[object, ...]:
        log = logging.getLogger("torch_tensorrt")
        return (
            torch.cuda.current_device, torch.cuda.mem_get_info, toolchain.tensorrt.Builder,
            toolchain.tensorrt.Runtime, hasattr(torch._C, "_CudaDeviceProperties"), sys.stdout,
            log.level, log.propagate, tuple(log.handlers), warnings.showwarning.__module__,
        )  # fmt: skip

    before = state()
    assert open_toolchain() == toolchain
    plan_of(toolchain, DeployGraph(newborn("linknet"), (64, 96), "fp16"))
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_a_stand_in_goes_whatever_happens() -> None:
    before = torch.cuda.current_device

    def use() -> None:
        with without_gpu():
            assert torch.cuda.current_device() == 0
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert torch.cuda.current_device is before
    with replaced(Odd, "new", 1):
        assert Odd.new == 1  # type: ignore[attr-defined]
    assert not hasattr(Odd, "new")


@pytest.mark.parametrize(
    ("precision", "convolutions", "layers", "complaint"),
    [
        ("fp16", {"HALF": 3}, {}, None),
        ("fp16", {"HALF": 3, "FLOAT": 1}, {}, r"HALF \(3\), FLOAT \(1\)"),
        ("fp32", {"HALF": 3}, {}, "fp32 was asked for"),
        ("int8", {"HALF": 3}, {"QUANTIZE": 2}, None),
        ("int8", {"HALF": 3}, {}, "no quantised layer"),
    ],
)
def test_an_engine_of_another_precision_is_refused(
    precision: str, convolutions: dict[str, int], layers: dict[str, int], complaint: str | None
) -> None:
    built = BuiltPlan(b"", NetworkSummary((), (), layers, convolutions))
    if complaint is None:
        check_precision_kept(built, precision)
    else:
        with pytest.raises(EngineError, match=complaint):
            check_precision_kept(built, precision)
