"""The TensorRT runtime as far as it can be tried without a GPU: its bindings, its refusals."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rtseg.backends import _tensorrt_hybrid, _tensorrt_kernels, tensorrt
from rtseg.backends._tensorrt_kernels import KernelCache
from rtseg.backends.backend import BACKENDS
from rtseg.backends.machine import Machine
from rtseg.backends.manifest import EngineSpec
from rtseg.backends.tensorrt import Plan, TensorRTBackend, import_runtime, runtime_of
from rtseg.errors import BackendUnavailableError, EngineError, MissingExtraError

CUDA = torch.device("cuda")
ORIN = Machine(
    system="linux", arch="aarch64", device="cuda", device_name="Orin", compute_capability="8.7"
)


@pytest.fixture(scope="module")
def runtime() -> Any:
    """The bindings of TensorRT-RTX, or of TensorRT where those are installed."""
    for package in ("tensorrt_rtx", "tensorrt"):
        if importlib.util.find_spec(package):
            return import_runtime(package)
    required = os.environ.get("RTSEG_REQUIRE", "").split(",")
    if {"tensorrt-rtx", "tensorrt"} & set(required):
        pytest.fail("RTSEG_REQUIRE names TensorRT, but no runtime is installed")
    pytest.skip("no TensorRT runtime is installed")


def spec(**changes: Any) -> EngineSpec:
    values = {
        "model": "linknet-camvid",
        "network": "linknet",
        "weights_sha256": "0" * 64,
        "input_hw": (64, 96),
        "precision": "fp16",
        "backend": "tensorrt",
        "versions": {"tensorrt": "10.3.0.26"},
        "machine": ORIN,
        **changes,
    }
    return EngineSpec.model_validate(values)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> TensorRTBackend:
    """The backend on an Orin with TensorRT 10.7."""
    found = TensorRTBackend()
    monkeypatch.setattr(tensorrt, "this_machine", lambda device: ORIN)
    monkeypatch.setattr("rtseg.backends.backend.this_machine", lambda device: ORIN)
    monkeypatch.setattr(TensorRTBackend, "versions", lambda self: {"tensorrt": "10.7.0.23"})
    return found


ATTRIBUTES = {
    "engine": "ICudaEngine", "_engine": "ICudaEngine", "context": "IExecutionContext",
    "_runtime": "Runtime", "config": "IRuntimeConfig", "_config": "IRuntimeConfig",
    "_cache": "IRuntimeCache",
}  # fmt: skip
"""Names in the backend's files, and the class of the bindings that they stand for."""


def used_attributes() -> list[tuple[str, str]]:
    """Return (class, attribute) for each use of a TensorRT object in the backend's files."""
    found = set()
    for module in (tensorrt, _tensorrt_kernels):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                if owner in ATTRIBUTES:
                    found.add((ATTRIBUTES[owner], node.attr))
                elif owner in ("trt", "_trt") and node.attr[0].isupper():
                    found.add(("", node.attr))
    return sorted(found)


def test_what_the_backend_uses_is_found_by_this_test() -> None:
    used = used_attributes()
    assert ("IExecutionContext", "execute_async_v3") in used
    assert ("ICudaEngine", "get_tensor_shape") in used
    assert ("", "Runtime") in used
    assert len(used) > 12


def test_the_bindings_have_all_that_the_backend_uses(runtime: Any) -> None:
    rtx_only = {"IRuntimeCache"}
    for owner, attribute in used_attributes():
        if owner in rtx_only and not hasattr(runtime, owner):
            continue
        if (owner, attribute) == ("IRuntimeConfig", "create_runtime_cache"):
            continue  # asked for with hasattr
        holder = getattr(runtime, owner) if owner else runtime
        assert hasattr(holder, attribute), f"{owner}.{attribute}"
    context = runtime.IExecutionContext
    assert "stream_handle:" in context.execute_async_v3.__doc__
    assert "name: str, memory:" in context.set_tensor_address.__doc__
    assert hasattr(runtime.TensorIOMode, "INPUT")
    assert hasattr(runtime.TensorIOMode, "OUTPUT")
    names = {*tensorrt.INPUT_DTYPES, *tensorrt.OUTPUT_DTYPES}
    assert names <= runtime.DataType.__members__.keys()
    assert {"ERROR", "INTERNAL_ERROR", "WARNING"} <= set(dir(runtime.ILogger))


def test_a_plan_that_is_none_is_refused_with_the_reason(runtime: Any, tmp_path: Path) -> None:
    path = tmp_path / "engine.plan"
    path.write_bytes(b"not a plan" * 100)
    with pytest.raises(EngineError, match=r"refuses .*engine.plan: .*Serialization"):
        Plan(runtime.__name__, path, (1, 64, 96, 3), torch.device("cpu"))


def test_a_runtime_that_is_missing_names_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"'rtseg\[no-such-runtime\]'"):
        import_runtime("no_such_runtime")


def test_a_runtime_whose_library_is_missing_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_runtime.py").write_text("raise OSError('libnvinfer.so.11 not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendUnavailableError, match=r"libnvinfer.so.11 not found"):
        import_runtime("broken_runtime")


def test_without_gpu_or_runtime_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailableError, match="the device is cpu"):
        BACKENDS["tensorrt"].require(torch.device("cpu"))
    monkeypatch.setattr(tensorrt, "RUNTIMES", ())
    with pytest.raises(MissingExtraError, match=r"pip install 'rtseg\[tensorrt\]'"):
        BACKENDS["tensorrt"].require(CUDA)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"versions": {"tensorrt": "10.7.0.23"}}, None),
        ({}, "built with tensorrt 10.3.0.26, here is 10.7.0.23"),
        ({"arguments": {"version_compatible": True}}, None),
        (
            {"versions": {"tensorrt": "10.9.0.1"}, "arguments": {"version_compatible": True}},
            "built with tensorrt 10.9.0.1",
        ),
        (
            {"versions": {"tensorrt": "8.6.1"}, "arguments": {"version_compatible": True}},
            "built with tensorrt 8.6.1",
        ),
        ({"versions": {"tensorrt_rtx": "1.5.0.114"}}, "tensorrt_rtx 1.5.0.114, here is none"),
    ],
)
def test_versions(backend: TensorRTBackend, changes: dict[str, Any], problem: str | None) -> None:
    assert_problem(backend.mismatches(spec(**changes), CUDA), problem)


@pytest.mark.parametrize(
    ("machine", "arguments", "problem"),
    [
        ({}, {}, None),
        ({"compute_capability": "8.6", "device_name": "RTX A2000"}, {}, "built on RTX A2000"),
        ({"compute_capability": "8.6"}, {"hardware_compatible": True}, None),
        ({"compute_capability": None}, {}, None),
        ({"compute_capability": "8.6", "arch": "x86_64"}, {"hardware_compatible": True}, "x86_64"),
        ({"system": "win32"}, {}, "win32"),
    ],
)
def test_machines(
    backend: TensorRTBackend,
    machine: dict[str, Any],
    arguments: dict[str, Any],
    problem: str | None,
) -> None:
    built = spec(
        versions={"tensorrt": "10.7.0.23"},
        machine=ORIN.model_copy(update=machine),
        arguments=arguments,
    )
    assert_problem(backend.mismatches(built, CUDA), problem)


def test_portable_plans_need_ampere(
    backend: TensorRTBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    turing = ORIN.model_copy(update={"compute_capability": "7.5"})
    monkeypatch.setattr(tensorrt, "this_machine", lambda device: turing)
    built = spec(versions={"tensorrt": "10.7.0.23"}, arguments={"hardware_compatible": True})
    assert_problem(backend.mismatches(built, CUDA), "8.0 and later, here is 7.5")


def test_the_runtime_is_the_one_that_built_it() -> None:
    assert runtime_of(spec()) == "tensorrt"
    assert runtime_of(spec(versions={"tensorrt_rtx": "1.5"})) == "tensorrt_rtx"
    with pytest.raises(EngineError, match="neither tensorrt nor tensorrt_rtx"):
        runtime_of(spec(versions={"torch": "2.13"}))


class Engine:
    """The part of TensorRT-RTX that keeps compiled kernels."""

    def __init__(self, kernels: bytes = b"", fits: bool = True) -> None:
        self.loaded = b""
        self.kernels = kernels
        self.fits = fits

    def create_runtime_config(self) -> Any:
        return SimpleNamespace(
            create_runtime_cache=lambda: self,
            set_runtime_cache=lambda cache: None,
        )

    def deserialize(self, blob: bytes) -> bool:
        self.loaded = blob if self.fits else b""
        return self.fits

    def serialize(self) -> bytes:
        return self.kernels

    def create_execution_context(self, config: Any = None) -> Any:
        return ("context", config is not None)


def test_kernels_are_kept_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "kernels.cache"
    first = KernelCache(Engine(b"compiled"), path)
    assert first.execution_context() == ("context", True)
    first.save()
    assert path.read_bytes() == b"compiled"
    second = Engine(b"compiled")
    KernelCache(second, path).save()
    assert second.loaded == b"compiled"
    KernelCache(Engine(b"anew", fits=False), path).save()
    assert path.read_bytes() == b"anew"
    assert [each.name for each in tmp_path.iterdir()] == ["kernels.cache"]


def test_a_folder_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    KernelCache(Engine(b"compiled"), tmp_path / "gone" / "kernels.cache").save()


def test_standard_tensorrt_keeps_no_kernels(tmp_path: Path) -> None:
    for engine in (
        SimpleNamespace(create_execution_context=lambda: "context"),
        SimpleNamespace(
            create_execution_context=lambda: "context", create_runtime_config=lambda: object()
        ),
    ):
        kernels = KernelCache(engine, tmp_path / "kernels.cache")
        assert kernels.execution_context() == "context"
        kernels.save()
    assert not list(tmp_path.iterdir())


def test_a_hybrid_engine_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise Exception(f"{name}: Could not find libnvinfer.so.11")

    monkeypatch.setattr(_tensorrt_hybrid.importlib, "import_module", missing)
    info: Any = None
    with pytest.raises(BackendUnavailableError, match=r"needs torch_tensorrt: .*libnvinfer"):
        _tensorrt_hybrid.load_hybrid(tmp_path / "engine.ep", info, CUDA, info)


def assert_problem(problems: list[str], wanted: str | None) -> None:
    if wanted is None:
        assert not problems
    else:
        assert wanted in "; ".join(problems)
