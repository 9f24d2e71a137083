"""One export, shared by ``rtseg export`` and ``rtseg train``: build, compare, publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rtseg.backends.engine_folder import EngineFolder, engines_root, file_sha256
from rtseg.classes import ClassSet
from rtseg.device import pick_device
from rtseg.export.build import Verify, build_engine
from rtseg.export.builder import BuildRequest
from rtseg.export.calibrate import CalibrationPictures, calibration_from
from rtseg.export.proof import Proof, unproven
from rtseg.export.settings import ExportConfig, require_proof, resolve
from rtseg.frames import Frame
from rtseg.networks.trained import TrainedNetwork, load_trained, weights_file
from rtseg.stream.sources.opening import open_source
from rtseg.stream.sources.settings import SourceConfig

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


def export_engine(
    config: ExportConfig, weights: str | Path, tell: Tell, rebuild: bool = False
) -> EngineFolder:
    """Build the engine of weights unless it is there, compared with them before it is kept.

    Args:
        config: which engine.
        weights: a shipped name, a file, or a training's folder.
        tell: called with a line for people at each step.
        rebuild: build it even where it exists.

    Raises:
        ParityError: it doesn't agree with its network; the report is in ``failed`` of the engines.
        EngineError, BackendUnavailableError, MissingExtraError: it can't be built or run here.
        ConfigError, DataError, WeightsError: a setting, a picture or the weights can't be used.
    """
    path = weights_file(weights)
    trained = load_trained(path)
    open_request = BuildRequest(
        trained=trained,
        weights_sha256=file_sha256(path),
        input_hw=config.input_hw(trained),
        backend=config.backend,
        precision="fp32",
        output=config.output,
        batch=config.batch,
        fit=config.fit,
        device=pick_device(config.device),
        threads=config.threads,
        arguments=config.arguments,
        calibration=_calibration(config, trained, tell),
    )
    resolved = resolve(config, open_request)
    for what, reason in resolved.against.items():
        tell(f"not {what}: {reason}")
    request = resolved.request
    verify = _verification(request, config, tell)
    root = engines_root(config.engines)
    return build_engine(request, root, verify=verify, progress=tell, rebuild=rebuild)


def failed_reports(error: Exception, config: ExportConfig) -> str:
    """Return where the reports of a failed export are, as the end of a message about it."""
    failed = engines_root(config.engines) / "failed"
    return f"{error}. The report is in {failed}"


@contextmanager
def telling(console: Console) -> Iterator[Tell]:
    """Give a function that shows a line and the seconds so far; a spinner shows that it goes on."""
    started = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    interactive = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not interactive) as bar:
        task = bar.add_task("starting", total=None)

        def tell(line: str) -> None:
            bar.update(task, description=line[: max(20, console.width - 20)])
            text = f"{time.monotonic() - started:6.1f} s  {line}"
            bar.console.print(text, highlight=False, markup=False, soft_wrap=True)

        yield tell


def _verification(request: BuildRequest, config: ExportConfig, tell: Tell) -> Verify:
    if not require_proof(request, config.unproven):
        tell("this engine can't run here: it is built, but not compared with its network")
        return partial(unproven, request.trained)
    frames = None
    if config.compare is not None:
        frames = partial(_frames_of, config.compare, config.compare_frames, request.trained)
    return Proof(request.trained, request.device, frames, tell)


def _frames_of(uri: str, most: int, trained: TrainedNetwork) -> Iterator[Frame]:
    """Yield the first frames of a source, with their truth where its classes are the network's."""
    with open_source(SourceConfig(uri=uri, max_frames=most)) as source:
        for frame in source:
            yield _with_usable_truth(frame, source.info.truth_classes, trained.card.classes)


def _with_usable_truth(frame: Frame, truth: ClassSet | None, classes: ClassSet) -> Frame:
    if frame.truth is None or (truth is not None and truth.names == classes.names):
        return frame
    return Frame(frame.image_bgr, frame.index, frame.pts_s, frame.captured_ns, frame.source)


def _calibration(
    config: ExportConfig, trained: TrainedNetwork, tell: Tell
) -> CalibrationPictures | None:
    if config.precision != "int8" or config.calibrate is None:
        return None
    tell(f"reading calibration pictures from {config.calibrate}")
    return calibration_from(config.calibrate, config.input_hw(trained), config.fit)
