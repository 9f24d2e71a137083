"""Engines are built once, whole or not at all, and say what they are."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtseg.backends import EngineFolder, Parallelism, list_engines, load_engine
from rtseg.backends.engine_folder import engine_paths
from rtseg.errors import ConfigError, EngineError
from rtseg.export.build import Measured, Parity, build_engine, engine_spec
from rtseg.export.builder import BUILDERS, BuildRequest
from rtseg.export.eager import eager_engine
from rtseg.networks.trained import TrainedNetwork

SCRIPT = Path(__file__).with_name("build_slowly.py")
HW = (64, 96)


@pytest.fixture(scope="module")
def request_(nearest_colour: TrainedNetwork) -> BuildRequest:
    return BuildRequest(nearest_colour, "0" * 64, HW, "eager", "fp32")


@pytest.fixture(scope="module")
def built(request_: BuildRequest, tmp_path_factory: pytest.TempPathFactory) -> EngineFolder:
    return build_engine(request_, tmp_path_factory.mktemp("engines"))


def start(root: Path, runs: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(root), str(runs), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for_line(file: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not (file.exists() and file.read_text()):
        assert process.poll() is None, "the builder ended early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hidden(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if not path.name.endswith(".lock")]


def test_the_engine_runs_as_the_network_does(request_: BuildRequest, built: EngineFolder) -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, *HW, 3), np.uint8)
    with load_engine(built, parallelism=Parallelism(1, 1)) as engine:
        labels = engine.infer(image)
    assert np.array_equal(labels, eager_engine(request_.trained, HW, "fp32").infer(image))


def test_the_manifest_says_what_was_built(request_: BuildRequest, built: EngineFolder) -> None:
    manifest, card = built.manifest, request_.trained.card
    assert manifest.spec == engine_spec(request_)
    assert manifest.class_set() == card.classes
    assert manifest.mean_rgb == card.normalisation.mean_rgb
    assert built.path.name == f"{card.name}-96x64-eager-fp32-{manifest.spec.key()[:8]}"
    assert "built in" in (built.path / "build.log").read_text()
    built.check_files()


def test_what_is_there_is_not_built_again(request_: BuildRequest, built: EngineFolder) -> None:
    lines: list[str] = []
    again = build_engine(request_, built.path.parent, progress=lines.append)
    assert again == built
    assert lines == [f"{built.path.name} is there already"]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "1" * 64},
        {"input_hw": (64, 128)},
        {"precision": "bf16"},
        {"output": "scores"},
        {"batch": 2},
        {"fit": "crop"},
        {"backend": "openvino"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_makes_another_engine_changes_the_key(
    request_: BuildRequest, change: dict[str, Any]
) -> None:
    if change.get("backend"):
        pytest.importorskip("openvino")
    other = engine_spec(dataclasses.replace(request_, **change))
    assert other.folder_name() != engine_spec(request_).folder_name()


def test_a_damaged_engine_is_built_again(request_: BuildRequest, tmp_path: Path) -> None:
    folder = build_engine(request_, tmp_path)
    program = folder.path / folder.manifest.files[0].name
    program.write_bytes(program.read_bytes()[:-1])
    build_engine(request_, tmp_path).check_files()


def test_figures_of_the_check_come_into_the_manifest(
    request_: BuildRequest, tmp_path: Path
) -> None:
    def verify(folder: EngineFolder) -> Measured:
        with load_engine(folder) as engine:
            assert engine.info.input_hw == HW
        (folder.path / "parity.json").write_text("{}")
        return Measured(Parity(frames=3, pixel_agreement=1.0, threshold=0.9999), notes={"a": [1]})

    folder = build_engine(request_, tmp_path, verify=verify)
    assert folder.manifest.parity is not None
    assert folder.manifest.parity.frames == 3
    assert folder.manifest.notes == {"a": [1]}
    assert (folder.path / "parity.json").is_file()


def test_an_engine_that_fails_its_check_is_not_published(
    request_: BuildRequest, tmp_path: Path
) -> None:
    def verify(folder: EngineFolder) -> Measured:
        (folder.path / "parity.json").write_text("{}")
        raise EngineError("only 50 % agree")

    with pytest.raises(EngineError, match="only 50 % agree"):
        build_engine(request_, tmp_path, verify=verify)
    assert list_engines(tmp_path) == []
    name = engine_spec(request_).folder_name()
    kept = tmp_path / "failed" / name
    assert sorted(path.name for path in kept.iterdir()) == ["build.log", "parity.json"]
    assert "only 50 % agree" in (kept / "build.log").read_text()
    build_engine(request_, tmp_path)
    assert not kept.exists()


def test_a_rebuild_that_fails_leaves_the_old_engine(request_: BuildRequest, tmp_path: Path) -> None:
    old = build_engine(request_, tmp_path)

    def verify(folder: EngineFolder) -> Measured:
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        build_engine(request_, tmp_path, verify=verify, rebuild=True)
    assert build_engine(request_, tmp_path) == old


def test_two_processes_build_it_once(tmp_path: Path) -> None:
    root, runs = tmp_path / "engines", tmp_path / "runs"
    processes = [start(root, runs, 1.0) for _ in range(2)]
    paths = {process.communicate(timeout=200)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(paths) == 1
    assert runs.read_text() == "started\n"
    assert (Path(paths.pop()) / "engine.bin").read_bytes() == b"halfwhole"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_builder_leaves_nothing_and_the_next_one_builds(tmp_path: Path) -> None:
    root, runs = tmp_path / "engines", tmp_path / "runs"
    first = start(root, runs, 600)
    wait_for_line(runs, first)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=30)
    assert engine_paths(root) == []
    second = start(root, runs, 0)
    path = second.communicate(timeout=200)[0].strip()
    assert second.returncode == 0
    assert (Path(path) / "engine.bin").read_bytes() == b"halfwhole"
    assert [str(found) for found in engine_paths(root)] == [path]
    assert hidden(root) == [Path(path).name]


def test_unknown_arguments_and_precisions_are_refused(
    request_: BuildRequest, tmp_path: Path
) -> None:
    inductor = dataclasses.replace(request_, backend="inductor", arguments={"max_autotun": True})
    with pytest.raises(ConfigError, match=r"no build argument 'max_autotun'.*'max_autotune'"):
        engine_spec(inductor)
    wrong = dataclasses.replace(inductor, arguments={"max_autotune": "yes"})
    with pytest.raises(ConfigError, match="'yes'; bool is needed"):
        engine_spec(wrong)
    with pytest.raises(ConfigError, match="no precision 'int8'; allowed: fp32, bf16, fp16"):
        build_engine(dataclasses.replace(request_, precision="int8"), tmp_path)


def test_int8_needs_pictures(request_: BuildRequest, tmp_path: Path) -> None:
    wanted = dataclasses.replace(request_, backend="openvino", precision="int8")
    with pytest.raises(ConfigError, match="--calibrate with a folder of pictures"):
        build_engine(wanted, tmp_path)


def test_every_builder_belongs_to_a_backend() -> None:
    from rtseg.backends import BACKENDS

    assert set(BUILDERS) <= set(BACKENDS)
    for name, builder in BUILDERS.items():
        assert set(builder.precisions) <= set(BACKENDS[name].precisions)


def test_a_folder_that_cannot_be_written_is_named(request_: BuildRequest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match="name another folder with --engines"):
        build_engine(request_, tmp_path / "file" / "engines")
