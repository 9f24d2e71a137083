"""No engine is published that doesn't say what its network says: three sabotaged builds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rtseg.backends import EngineFolder, list_engines, load_engine
from rtseg.backends.eager import PROGRAM
from rtseg.demo_drive import DemoDrive
from rtseg.errors import EngineError, ParityError
from rtseg.export import demo_frames, proof
from rtseg.export.build import build_engine
from rtseg.export.builder import BUILDERS, BuildRequest, Built, Log, deploy_graph
from rtseg.export.deploy_graph import DeployGraph
from rtseg.export.eager_builder import EagerBuilder, save_program
from rtseg.export.latency import measured_latency
from rtseg.export.proof import DEMO_NOTE, Proof, self_test, unproven
from rtseg.frames import Frame
from rtseg.networks.trained import TrainedNetwork, load_trained

CPU = torch.device("cpu")
HW = (144, 256)
Sabotage = Callable[[DeployGraph], nn.Module]


class Wrapped(nn.Module):
    """A graph whose input or output is changed on the way."""

    def __init__(self, graph: nn.Module, before: Callable[[Tensor], Tensor] | None = None,
                 after: Callable[[Tensor], Tensor] | None = None) -> None:  # fmt: skip
        super().__init__()
        self.inner = graph
        self.before = before or (lambda images: images)
        self.after = after or (lambda labels: labels)

    def forward(self, images_bgr: Tensor) -> Tensor:
        return self.after(self.inner(self.before(images_bgr)))


def feed_bgr_for_rgb(graph: DeployGraph) -> nn.Module:
    return Wrapped(graph, before=lambda images: images.flip(3))


def shuffle_one_layer(graph: DeployGraph) -> nn.Module:
    layers = [module for module in graph.network.modules() if isinstance(module, nn.Conv2d)]
    weight = layers[len(layers) // 2].weight
    mixed = weight.flatten()[torch.randperm(weight.numel())].view_as(weight)
    weight.data.copy_(mixed)
    return graph


def shift_the_mask(graph: DeployGraph) -> nn.Module:
    return Wrapped(graph, after=lambda labels: torch.roll(labels, 1, dims=2))


class SabotagedBuilder(EagerBuilder):
    """Builds what somebody got wrong."""

    def __init__(self, sabotage: Sabotage) -> None:
        self.sabotage = sabotage

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        graph = deploy_graph(request)
        example = graph.example(request.batch)
        with torch.no_grad():
            program = torch.export.export(self.sabotage(graph), (example,), strict=False)
        save_program(program, folder / PROGRAM)
        return Built((PROGRAM,))


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(demo_frames, "FRAMES_EACH", 2)
    patch.setattr(proof, "measured_latency", partial(measured_latency, calls=5))


@pytest.fixture(autouse=True)
def _short_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@pytest.fixture(scope="module")
def trained() -> TrainedNetwork:
    return load_trained("ddrnet-23-slim-camvid")


@pytest.fixture(scope="module")
def wanted(trained: TrainedNetwork) -> BuildRequest:
    return BuildRequest(trained, "0" * 64, HW, "eager", "fp32")


@pytest.mark.parametrize("sabotage", [feed_bgr_for_rgb, shuffle_one_layer, shift_the_mask])
def test_a_sabotaged_engine_is_not_exported(
    sabotage: Sabotage, wanted: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILDERS._items, "eager", SabotagedBuilder(sabotage))
    with pytest.raises(ParityError, match="doesn't agree with its network") as raised:
        build_engine(wanted, tmp_path, verify=Proof(wanted.trained, CPU))
    assert "of the pixels agree" in str(raised.value)
    assert list_engines(tmp_path) == []
    (left,) = (tmp_path / "failed").iterdir()
    assert {path.name for path in left.iterdir()} == {"build.log", "parity.json", "parity.png"}
    values = json.loads((left / "parity.json").read_text())
    assert values["passed"] is False
    # None of them would have passed for rounding in half precision either.
    assert values["pixel_agreement"] < 0.995
    assert not list(tmp_path.rglob(PROGRAM))


@pytest.fixture(scope="module")
def proven(
    wanted: BuildRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[EngineFolder, list[str]]:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        verify = Proof(wanted.trained, CPU, more_frames, lines.append)
        folder = build_engine(wanted, tmp_path_factory.mktemp("engines"), verify=verify)
    return folder, lines


def more_frames() -> list[Frame]:
    drive = DemoDrive(11, 320, 180, 5.0)
    return [Frame(drive.render(index)[0], index, index / 5, 0, "own film") for index in range(3)]


def test_a_right_engine_is_published_with_its_proof(
    proven: tuple[EngineFolder, list[str]],
) -> None:
    folder, lines = proven
    parity, latency = folder.manifest.parity, folder.manifest.latency
    assert parity is not None
    assert parity.pixel_agreement >= 0.9999
    assert parity.frames == 2 * 2 + 3
    assert parity.pictures == "demo drive 300, demo drive 301, own film"
    assert parity.mean_iou_change is not None
    assert latency is not None
    assert latency.p50_ms <= latency.p90_ms <= latency.p99_ms
    assert (folder.path / "parity.png").is_file()
    note = folder.manifest.notes[DEMO_NOTE]
    assert note["engine"]["mean_iou"] == pytest.approx(note["reference"]["mean_iou"], abs=1e-3)
    assert sum(note["engine"]["class_shares"].values()) == pytest.approx(1)
    assert any("as in fp32" in line for line in lines)
    assert any("ms a call" in line for line in lines)


def test_the_self_test_knows_the_engine_again(proven: tuple[EngineFolder, list[str]]) -> None:
    folder, _ = proven
    with load_engine(folder) as engine:
        found = self_test(engine, folder.manifest)
        assert found.failures == ()
        assert found.of_this_engine
        assert found.score.mean_iou == pytest.approx(found.expected.mean_iou, abs=1e-4)


def test_the_self_test_finds_another_score(proven: tuple[EngineFolder, list[str]]) -> None:
    folder, _ = proven
    note = json.loads(json.dumps(folder.manifest.notes[DEMO_NOTE]))
    note["engine"]["mean_iou"] += 0.02
    note["engine"]["class_shares"]["Road"] -= 0.1
    manifest = folder.manifest.model_copy(update={"notes": {DEMO_NOTE: note}})
    with load_engine(folder) as engine:
        failures = self_test(engine, manifest).failures
        assert "mean IoU is" in failures[0]
        assert failures[1].startswith("Road covers")
        with pytest.raises(EngineError, match="no score on the demo drive"):
            self_test(engine, folder.manifest.model_copy(update={"notes": {}}))


def test_an_engine_that_never_ran_is_compared_with_its_network(
    proven: tuple[EngineFolder, list[str]], wanted: BuildRequest
) -> None:
    folder, _ = proven
    measured = unproven(wanted.trained, folder)
    assert measured.parity is None
    assert measured.notes[DEMO_NOTE]["engine"] is None
    manifest = folder.manifest.model_copy(update={"notes": measured.notes})
    with load_engine(folder) as engine:
        found = self_test(engine, manifest)
    assert not found.of_this_engine
    assert found.failures == ()


def test_other_classes_are_compared_without_truth(
    nearest_colour: TrainedNetwork, tmp_path: Path
) -> None:
    classes = dataclasses.replace(
        nearest_colour.card.classes, names=tuple(f"class {index}" for index in range(11))
    )
    card = dataclasses.replace(nearest_colour.card, classes=classes)
    trained = TrainedNetwork(nearest_colour.network, card)
    wanted = BuildRequest(trained, "0" * 64, (96, 128), "eager", "fp32", batch=3, output="scores")
    folder = build_engine(wanted, tmp_path, verify=Proof(trained, CPU))
    assert folder.manifest.parity is not None
    assert folder.manifest.parity.mean_iou_change is None
    assert folder.manifest.notes[DEMO_NOTE]["engine"]["mean_iou"] is None
    with load_engine(folder) as engine:
        assert self_test(engine, folder.manifest).failures == ()


def test_latency_is_timed_within_its_time(proven: tuple[EngineFolder, list[str]]) -> None:
    with load_engine(proven[0]) as engine:
        latency = measured_latency(engine, calls=3, longest_s=1.0)
    assert 0 < latency.p50_ms <= latency.p99_ms
    assert latency.fps == pytest.approx(1e3 / latency.p50_ms)
