"""OpenVINO takes the precision that it is asked for, or none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rtseg.backends import BACKENDS, Parallelism
from rtseg.backends.engine_folder import EngineFolder
from rtseg.errors import BackendUnavailableError
from rtseg.export.build import build_engine
from rtseg.export.builder import BuildRequest
from rtseg.networks.trained import TrainedNetwork

openvino = pytest.importorskip("openvino")

from rtseg.backends.openvino import (  # noqa: E402
    openvino_version,
    require_precision,
    runtime_settings,
)

MakeFolder = Callable[..., EngineFolder]

CPU = torch.device("cpu")

FIRST_CALLS_AT_ONCE = """
import os, signal, sys, threading
from pathlib import Path
import numpy as np
import openvino
from rtseg.backends import Parallelism, load_engine

def make_first_calls():
    sys.setswitchinterval(1e-6)
    engine = load_engine(Path(sys.argv[1]), "cpu", Parallelism(2, 1))
    together = threading.Barrier(2)

    def call():
        together.wait()
        engine.infer(np.zeros((1, *engine.info.input_hw, 3), np.uint8))

    threads = [threading.Thread(target=call, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        make_first_calls()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("stopped for ever, or failed")
"""
"""Three processes that have OpenVINO loaded and have not called it yet."""


def problems(folder: EngineFolder) -> list[str]:
    return BACKENDS["openvino"].mismatches(folder.manifest.spec, CPU)


def test_files_of_an_older_openvino_can_be_read(make_folder: MakeFolder) -> None:
    versions = {"openvino": "2023.1.0"}
    assert problems(make_folder(backend="openvino", versions=versions)) == []
    newer = make_folder(backend="openvino", versions={"openvino": "2199.0.0"})
    assert problems(newer) == [f"built with openvino 2199.0.0, here is {openvino_version()}"]


def test_a_precision_that_the_cpu_lacks_is_refused_and_not_replaced() -> None:
    offered = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    require_precision("fp32", "CPU")
    for precision, capability in (("bf16", "BF16"), ("fp16", "FP16")):
        if capability not in offered:
            with pytest.raises(BackendUnavailableError, match=f"doesn't compute in {precision}"):
                require_precision(precision, "CPU")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendUnavailableError, match=r"no device TPU here; found .*CPU"):
        require_precision("fp32", "TPU")


def test_workers_and_threads_reach_the_runtime() -> None:
    one = runtime_settings("fp32", "CPU", Parallelism(1, 2))
    assert (one["NUM_STREAMS"], one["INFERENCE_NUM_THREADS"]) == (1, 2)
    two = runtime_settings("bf16", "CPU", Parallelism(2, 1))
    assert (two["NUM_STREAMS"], two["INFERENCE_NUM_THREADS"]) == (2, 2)
    assert two["INFERENCE_PRECISION_HINT"] == "bf16"
    assert "INFERENCE_PRECISION_HINT" not in runtime_settings("int8", "CPU", Parallelism())
    assert "INFERENCE_NUM_THREADS" not in runtime_settings("fp32", "CPU", Parallelism())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_two_threads_may_begin_at_once(nearest_colour: TrainedNetwork, tmp_path: Path) -> None:
    """The binding's own tables, set up by two threads at once, would stop both for ever."""
    request = BuildRequest(nearest_colour, "0" * 64, (64, 96), "openvino", "fp32")
    folder = build_engine(request, tmp_path)
    command = [sys.executable, "-c", FIRST_CALLS_AT_ONCE, str(folder.path)]
    subprocess.run(command, check=True, timeout=200)


def test_nothing_is_reported_home(tmp_path: Path) -> None:
    program = "from rtseg.backends.openvino import openvino_version; openvino_version()"
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "HOME": str(tmp_path)}, check=True, timeout=120,
    )  # fmt: skip
    assert not (tmp_path / "intel").exists()
