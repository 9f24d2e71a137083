"""What runs: the best engine that was built and works here, and why not the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rtseg.backends import BACKENDS, Wanted, choose, find_engine, load_engine
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.machine import this_machine
from rtseg.errors import (
    BackendUnavailableError,
    ConfigError,
    EngineError,
    MissingExtraError,
    UnknownNameError,
)

MakeFolder = Callable[..., EngineFolder]

CPU = torch.device("cpu")
WANTED = Wanted("linknet-camvid", (64, 96))


def found(root: Path, wanted: Wanted = WANTED) -> EngineFolder | None:
    return find_engine(root, wanted, BACKENDS["inductor"], CPU).folder


def test_without_engines_eager_runs_and_says_why(root: Path) -> None:
    choice = choose(WANTED, CPU, root)
    assert (choice.backend, choice.folder) == ("eager", None)
    assert choice.reason.startswith("eager: ")
    assert "no engine of linknet-camvid 96x64" in choice.against["inductor"]
    assert "openvino" in choice.against


def test_a_built_engine_is_taken(make_folder: MakeFolder, root: Path) -> None:
    folder = make_folder()
    choice = choose(WANTED, CPU, root)
    assert (choice.backend, choice.folder) == ("inductor", folder)
    assert choice.reason == f"inductor: {folder.path.name}, built 2026-01-02"


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("linknet-camvid", (64, 128)),
        Wanted("icnet-camvid", (64, 96)),
        Wanted("linknet-camvid", (64, 96), output="scores"),
        Wanted("linknet-camvid", (64, 96), batch=2),
        Wanted("linknet-camvid", (64, 96), precision="bf16"),
        Wanted("linknet-camvid", (64, 96), weights_sha256="1" * 64),
    ],
    ids=str,
)
def test_other_engines_are_no_match(make_folder: MakeFolder, root: Path, wanted: Wanted) -> None:
    make_folder()
    assert found(root, wanted) is None


def test_any_size_and_matching_weights_will_do(make_folder: MakeFolder, root: Path) -> None:
    folder = make_folder()
    assert found(root, Wanted("linknet-camvid", weights_sha256="0" * 64)) == folder


@pytest.mark.parametrize("computes_in_bf16", [True, False])
def test_the_newest_in_the_fastest_precision_is_taken(
    make_folder: MakeFolder,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    computes_in_bf16: bool,
) -> None:
    monkeypatch.setattr("rtseg.backends.backend.computes_in_bf16", lambda device: computes_in_bf16)
    fp32 = make_folder(precision="fp32", built_at="2026-03-01T00:00:00+00:00")
    make_folder(precision="bf16", arguments={"old": 1}, built_at="2026-01-01T00:00:00+00:00")
    bf16 = make_folder(precision="bf16", built_at="2026-02-01T00:00:00+00:00")
    assert found(root) == (bf16 if computes_in_bf16 else fp32)


def test_of_engines_for_other_numbers_of_cores_the_fitting_one_is_taken(
    make_folder: MakeFolder, root: Path
) -> None:
    one = make_folder(arguments={"threads": 1}, built_at="2026-01-01T00:00:00+00:00")
    eight = make_folder(arguments={"threads": 8}, built_at="2026-02-01T00:00:00+00:00")
    assert found(root, Wanted("linknet-camvid", (64, 96), threads=1)) == one
    assert found(root, Wanted("linknet-camvid", (64, 96), threads=8)) == eight
    assert found(root, Wanted("linknet-camvid", (64, 96), threads=4)) == eight  # the newest
    assert found(root) == eight


def test_int8_is_taken_only_when_asked_for(make_folder: MakeFolder, root: Path) -> None:
    folder = make_folder(precision="int8")
    assert found(root) is None
    assert found(root, Wanted("linknet-camvid", (64, 96), precision="int8")) == folder


def test_an_unproven_engine_is_passed_over_with_what_to_do(
    make_folder: MakeFolder, root: Path
) -> None:
    folder = make_folder(proven=False)
    choice = choose(WANTED, CPU, root)
    assert choice.backend == "eager"
    assert "was never compared with its network" in choice.against["inductor"]
    assert f"rtseg selftest {folder.path}" in choice.against["inductor"]


def test_a_damaged_engine_is_passed_over_with_the_reason(
    make_folder: MakeFolder, root: Path
) -> None:
    folder = make_folder()
    (folder.path / "engine.bin").write_bytes(b"machinE code")
    choice = choose(WANTED, CPU, root)
    assert choice.backend == "eager"
    assert "changed or damaged" in choice.against["inductor"]


def other_machine(**changes: Any) -> dict[str, Any]:
    return this_machine(CPU).model_dump() | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"versions": {"torch": "1.0"}}, r"built with torch 1\.0, here is 2"),
        (
            {"machine": other_machine(device_name="Big CPU", cpu_isa=("amx_bf16", "teleport"))},
            r"built on Big CPU.* for instructions that the processor here \(.*teleport",
        ),
        ({"machine": other_machine(arch="vax")}, r"built for cpu on .*vax, here is cpu on "),
        (
            {
                "machine": other_machine(
                    device="cuda", device_name="NVIDIA X", compute_capability="8.7", cpu_isa=()
                )
            },
            r"built for cuda on NVIDIA X.*compute capability 8\.7, here is cpu",
        ),
    ],
    ids=["version", "instructions", "architecture", "device"],
)
def test_an_engine_of_another_machine_says_so_and_how_to_rebuild(
    make_folder: MakeFolder, root: Path, changes: dict[str, Any], message: str
) -> None:
    folder = make_folder(**changes)
    rebuild = "Rebuild it with: rtseg export linknet-camvid --backend inductor --precision fp32"
    with pytest.raises(EngineError, match=f"can't run here: .*{message}.*{rebuild}"):
        load_engine(folder, device="cpu")
    assert "Rebuild it with" in choose(WANTED, CPU, root).against["inductor"]


def test_fewer_instruction_sets_than_here_are_no_obstacle(
    make_folder: MakeFolder, root: Path
) -> None:
    folder = make_folder(machine=other_machine(device_name="Old CPU", cpu_isa=()))
    assert found(root) == folder


def test_a_backend_that_is_asked_for_needs_its_engine(root: Path) -> None:
    with pytest.raises(
        EngineError, match="rtseg export linknet-camvid --backend inductor --size 96x64"
    ):
        choose(WANTED, CPU, root, "inductor")
    assert choose(WANTED, CPU, root, "eager").reason == "eager was asked for"


def test_wrong_wishes_are_refused(root: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'openvino'"):
        choose(WANTED, CPU, root, "openvin")
    with pytest.raises(BackendUnavailableError, match="cpu"):
        choose(WANTED, CPU, root, "tensorrt")
    with pytest.raises(ConfigError, match="no precision 'int8'; allowed: auto, fp32"):
        choose(Wanted("linknet-camvid", precision="int8"), CPU, root, "inductor")
    with pytest.raises(EngineError, match="no int8 engine of linknet-camvid works here"):
        choose(Wanted("linknet-camvid", precision="int8"), CPU, root)


def test_an_engine_of_an_unknown_backend_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(EngineError, match="backend 'abacus', which this rtseg doesn't have"):
        load_engine(make_folder(backend="abacus"))


@pytest.mark.parametrize("name", list(BACKENDS))
def test_requirements_are_met_or_explained_in_one_line(name: str) -> None:
    problem = ""
    try:
        BACKENDS[name].require(CPU)
    except (BackendUnavailableError, MissingExtraError) as error:
        problem = str(error)
    assert problem.isprintable()
    assert problem == "" or len(problem) > 20


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_an_engine_for_a_gpu_says_so_where_there_is_none(make_folder: MakeFolder) -> None:
    gpu = this_machine(CPU).model_copy(
        update={"device": "cuda", "device_name": "NVIDIA X", "compute_capability": "8.7"}
    )
    folder = make_folder(machine=gpu)
    with pytest.raises(EngineError, match=r"was built for cuda on NVIDIA X.*sees no CUDA device"):
        load_engine(folder)
