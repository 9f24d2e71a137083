"""The check that every engine goes through before it is published, and again where it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from rtseg.backends.base import Engine
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.load import load_engine
from rtseg.backends.manifest import Manifest
from rtseg.errors import EngineError, ParityError
from rtseg.export.build import Measured
from rtseg.export.demo_frames import DemoScore, demo_frames, demo_score, demo_scores
from rtseg.export.eager import eager_engine
from rtseg.export.latency import measured_latency
from rtseg.export.parity import MOST_IOU_LOST, compare
from rtseg.export.parity_report import manifest_parity, summary_line, write_report
from rtseg.frames import Frame
from rtseg.networks.trained import TrainedNetwork

DEMO_NOTE = "demo_drive"
"""The manifest's note of what engine and network make of the demo drive."""
MOST_SHARE_MOVED = 0.02
"""How far the share of a class over the demo drive may move from what the manifest says."""
SAME_RUN = 0.005
"""How far mean IoU may be from what the very engine had where it was built: other kernels round
differently."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Compares a staged engine with its network; a `Verify` for `build_engine`.

    Args:
        trained: the network.
        device: where engine and network run.
        frames: further frames to compare on, made anew at each call; of the network's classes
            where they carry a truth.
        tell: called with a line for people.
    """

    trained: TrainedNetwork
    device: torch.device
    frames: Callable[[], Iterable[Frame]] | None = None
    tell: Callable[[str], None] | None = None

    def __call__(self, folder: EngineFolder) -> Measured:
        """Compare, time, and write the report into the folder.

        Raises:
            ParityError: they agree too little; the report is written all the same.
            EngineError: the engine can't be run.
        """
        spec = folder.manifest.spec
        with (
            _without_tf32(),
            load_engine(folder, str(self.device)) as engine,
            exact_reference(self.trained, engine, self.device) as reference,
        ):
            demo = compare(engine, reference, demo_frames(engine.info.classes), spec.fit)
            comparison = demo
            if self.frames is not None:
                comparison = demo + compare(engine, reference, self.frames(), spec.fit)
            write_report(comparison, folder.path)
            self._say(summary_line(comparison))
            if failures := comparison.failures():
                raise ParityError(
                    f"{spec.folder_name()} doesn't agree with its network: {'; '.join(failures)}. "
                    f"Worst frame: number {comparison.worst.frame.index} of "
                    f"{comparison.worst.frame.source}"
                )
            latency = measured_latency(engine)
            self._say(
                f"{latency.p50_ms:.1f} ms a call (median), {latency.fps:.1f} pictures a second"
            )
        return Measured(
            manifest_parity(comparison), latency, {DEMO_NOTE: demo_note(*demo_scores(demo))}
        )

    def _say(self, line: str) -> None:
        if self.tell:
            self.tell(line)


def exact_reference(trained: TrainedNetwork, engine: Engine, device: torch.device) -> Engine:
    """Return the network in fp32, eager, on the engine's device and at its size."""
    info = engine.info
    return eager_engine(
        trained, info.input_hw, "fp32", "labels", str(device), batch=info.batch, reason="reference"
    )


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Compute fp32 convolutions in fp32 while the block runs.

    TF32 keeps ten bits: an fp32 engine would be compared with something worse than itself.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def unproven(trained: TrainedNetwork, folder: EngineFolder) -> Measured:
    """Return what can be said of an engine that can't run where it is built.

    The network's own score on the demo drive: `self_test` compares the engine with it where it
    runs.
    """
    spec = folder.manifest.spec
    with eager_engine(trained, spec.input_hw, "fp32", device="cpu") as reference:
        return Measured(notes={DEMO_NOTE: demo_note(demo_score(reference, spec.fit), None)})


def demo_note(reference: DemoScore, engine: DemoScore | None) -> dict[str, Any]:
    """Return the manifest's note of the demo drive."""
    return {
        "reference": reference.as_json(),
        "engine": engine.as_json() if engine else None,
    }


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What `self_test` found.

    Args:
        score: of the engine, here and now.
        expected: what the manifest says.
        of_this_engine: whether that was measured with this very engine, or with its network.
        failures: what is off, a line each; none if all is well.
    """

    score: DemoScore
    expected: DemoScore
    of_this_engine: bool
    failures: tuple[str, ...]


def self_test(engine: Engine, manifest: Manifest) -> SelfTest:
    """Run an engine over the demo drive and compare with what its manifest says of it.

    Raises:
        EngineError: the manifest says nothing of the demo drive, or the engine fails.
    """
    note = manifest.notes.get(DEMO_NOTE)
    try:
        known = note["engine"] or note["reference"]  # type: ignore[index]
        of_this_engine = note["engine"] is not None  # type: ignore[index]
        expected = DemoScore(known["mean_iou"], dict(known["class_shares"]))
    except (TypeError, KeyError):
        raise EngineError(
            f"the manifest of {manifest.spec.folder_name()} has no score on the demo drive to "
            f"compare with; export it again: {manifest.spec.rebuild_command()}"
        ) from None
    score = demo_score(engine, manifest.spec.fit)
    allowed = SAME_RUN if of_this_engine else MOST_IOU_LOST[manifest.spec.precision] + SAME_RUN
    failures = _moved(score, expected)
    if score.mean_iou is not None and expected.mean_iou is not None:
        off = score.mean_iou - expected.mean_iou
        if not abs(off) <= allowed:
            failures.insert(
                0,
                f"mean IoU is {100 * score.mean_iou:.2f} %, the manifest says "
                f"{100 * expected.mean_iou:.2f} % (± {100 * allowed:.1f})",
            )
    return SelfTest(score, expected, of_this_engine, tuple(failures))


def _moved(score: DemoScore, expected: DemoScore) -> list[str]:
    """Return the classes whose share is another than expected."""
    return [
        f"{name} covers {100 * share:.1f} % of the pictures, the manifest says "
        f"{100 * expected.class_shares.get(name, 0.0):.1f} %"
        for name, share in score.class_shares.items()
        if not abs(share - expected.class_shares.get(name, 0.0)) <= MOST_SHARE_MOVED
    ]
