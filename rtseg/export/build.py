"""From a trained network to an engine folder: built once, measured, and published whole."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rtseg
from rtseg.backends.engine_folder import (
    BUILD_LOG,
    EngineFolder,
    describe_file,
    open_engine_folder,
    write_manifest,
)
from rtseg.backends.manifest import (
    Argument,
    ClassTable,
    EngineSpec,
    Latency,
    Manifest,
    Parity,
    safe_model_name,
)
from rtseg.backends.publish import build_lock, staging
from rtseg.errors import EngineError, RtsegError
from rtseg.export import eager_builder as _eager  # noqa: F401
from rtseg.export import inductor_builder as _inductor  # noqa: F401
from rtseg.export import openvino_builder as _openvino  # noqa: F401
from rtseg.export import tensorrt_builder as _tensorrt  # noqa: F401
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """What a check of a new engine found, for its manifest."""

    parity: Parity | None = None
    latency: Latency | None = None
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)


Verify = Callable[[EngineFolder], Measured]
"""Runs an engine that isn't published yet; raises EngineError to keep it from being published."""


def engine_spec(request: BuildRequest) -> EngineSpec:
    """Return everything that decides what the engine of a request is.

    Raises:
        UnknownNameError: no builder for the backend.
        ConfigError: a precision or argument that the backend doesn't have.
        MissingExtraError: a package of the backend is not installed.
    """
    builder = BUILDERS[request.backend]
    builder.check_precision(request)
    card = request.trained.card
    return EngineSpec(
        model=safe_model_name(card.name),
        network=card.network,
        weights_sha256=request.weights_sha256,
        input_hw=request.input_hw,
        batch=request.batch,
        output=request.output,
        fit=request.fit,
        precision=request.precision,
        backend=request.backend,
        versions=builder.versions(),
        machine=builder.machine(request),
        arguments=builder.arguments(request) | _of_calibration(request),
    )


def build_engine(
    request: BuildRequest,
    root: Path,
    *,
    verify: Verify | None = None,
    progress: Log | None = None,
    rebuild: bool = False,
) -> EngineFolder:
    """Return the engine of a request, built unless it is there already.

    Two processes that want the same engine build it once: the second waits for the first.

    Args:
        request: what to build.
        root: the folder of engines.
        verify: measures the engine before it is published.
        progress: called with a line for people at each step.
        rebuild: build it even where it exists.

    Raises:
        BackendUnavailableError: the backend can't build here.
        EngineError: the build failed, or `verify` refused the engine; its log and reports are
            then in ``root/failed`` under the engine's name.
        ConfigError, MissingExtraError: as `engine_spec`.
    """
    tell = progress or log.info
    builder = BUILDERS[request.backend]
    builder.check_precision(request)
    builder.require(request)
    spec = engine_spec(request)
    name = spec.folder_name()
    with build_lock(root, name, lambda: tell(f"another process builds {name}: waiting for it")):
        if not rebuild and (existing := _existing(root / name, spec)):
            tell(f"{name} is there already")
            return existing
        with staging(root, name) as folder, _build_log(folder / BUILD_LOG, tell) as line:
            _build_into(folder, builder, request, spec, verify, line)
    return open_engine_folder(root / name)


def _build_into(
    folder: Path,
    builder: Builder,
    request: BuildRequest,
    spec: EngineSpec,
    verify: Verify | None,
    line: Log,
) -> None:
    started = time.monotonic()
    line(f"building {spec.folder_name()} for {spec.machine}")
    try:
        built = builder.build(request, folder, line)
    except RtsegError:
        raise
    except Exception as error:  # a compiler raises what it likes
        log.debug("the build failed", exc_info=True)
        raise EngineError(
            f"{request.backend} could not build {request.trained.card.name}: {_first_line(error)}"
        ) from error
    build_s = time.monotonic() - started
    staged = write_manifest(folder, _manifest(request, spec, built, folder, build_s))
    line(f"built in {build_s:.1f} s, {staged.size_bytes() / 1e6:.1f} MB")
    if verify:
        measured = verify(staged)
        manifest = staged.manifest.model_copy(
            update={
                "parity": measured.parity,
                "latency": measured.latency,
                "notes": staged.manifest.notes | measured.notes,
            }
        )
        write_manifest(folder, manifest)


def _manifest(
    request: BuildRequest, spec: EngineSpec, built: Built, folder: Path, build_s: float
) -> Manifest:
    card = request.trained.card
    now = datetime.datetime.now(datetime.timezone.utc)
    return Manifest(
        spec=spec,
        classes=ClassTable.model_validate(card.classes.to_dict()),
        mean_rgb=card.normalisation.mean_rgb,
        std_rgb=card.normalisation.std_rgb,
        files=tuple(describe_file(folder / name) for name in built.files),
        notes=built.notes | ({} if card.threshold is None else {"threshold": card.threshold}),
        built_at=now.isoformat(timespec="seconds"),
        build_s=round(build_s, 3),
        rtseg_version=rtseg.__version__,
    )


def _existing(path: Path, spec: EngineSpec) -> EngineFolder | None:
    """Return the engine that is there if it is whole and of this very spec."""
    try:
        folder = open_engine_folder(path)
        folder.check_files()
    except EngineError:
        return None
    return folder if folder.manifest.spec == spec else None


def _of_calibration(request: BuildRequest) -> dict[str, Argument]:
    if request.precision != "int8" or request.calibration is None:
        return {}
    pictures = request.calibration
    return {"calibration": f"{len(pictures.images_bgr)} of {pictures.origin}"[:200],
            "calibration_digest": pictures.digest()}  # fmt: skip


@contextmanager
def _build_log(path: Path, tell: Log) -> Iterator[Log]:
    """Give a function that writes a line, with the seconds so far, to the log and to `tell`."""
    started = time.monotonic()
    with path.open("w", encoding="utf-8") as file:

        def line(text: str) -> None:
            file.write(f"{time.monotonic() - started:8.1f} s  {text}\n")
            file.flush()
            tell(text)

        try:
            yield line
        except BaseException as error:
            file.write(f"{time.monotonic() - started:8.1f} s  failed: {error!r}\n")
            raise


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
