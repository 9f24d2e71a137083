"""What one export is: the flags of ``rtseg export``, and an entry of ``export:`` of a training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from rtseg.backends.backend import BACKENDS
from rtseg.backends.base import OutputKind, Precision
from rtseg.backends.choice import PREFERENCE
from rtseg.backends.manifest import Argument
from rtseg.config import Config
from rtseg.errors import BackendUnavailableError, RtsegError
from rtseg.export import build as _build  # noqa: F401  # it fills BUILDERS
from rtseg.export.builder import BUILDERS, BuildRequest
from rtseg.fit import FitMode
from rtseg.networks.trained import TrainedNetwork

Side = Annotated[int, Field(ge=8, le=16384)]


class ExportConfig(Config):
    """Which engine is built."""

    backend: str = Field(
        default="auto", description="auto: the best that can be built here; or a backend's name."
    )
    precision: Literal["auto", "fp32", "fp16", "bf16", "int8"] = Field(
        default="auto", description="auto: the backend's fastest floating-point one."
    )
    size_wh: tuple[Side, Side] | None = Field(
        default=None,
        description="Width and height in pixels of the engine's input; by default what the "
        "network was trained for.",
    )
    output: OutputKind = Field(
        default="labels", description="labels; or scores, for smoothing over time."
    )
    batch: int = Field(default=1, ge=1, le=64, description="Pictures per call.")
    fit: FitMode = Field(default="stretch", description="How frames are fitted for the comparison.")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Cores that one call will use on the CPU, for inductor, which compiles for a "
        "number of them; 0: all. Films run a call on each core, live sources one on all.",
    )
    calibrate: Path | None = Field(
        default=None, description="Folder of pictures or film that int8 measures its ranges on."
    )
    compare: str | None = Field(
        default=None,
        description="Film or folder of pictures that engine and network are compared on besides "
        "the demo drive.",
    )
    compare_frames: int = Field(default=60, ge=1, description="So many frames of it at most.")
    arguments: dict[str, Argument] = Field(
        default_factory=dict, description="Of the backend's build, such as optimization_level: 5."
    )
    engines: Path | None = Field(
        default=None, description="The folder of engines; by default engines/ or the cache."
    )
    unproven: bool = Field(
        default=False,
        description="Build an engine that can't run here, and so can't be compared here.",
    )

    def input_hw(self, trained: TrainedNetwork) -> tuple[int, int]:
        """Return height and width of the engine's input."""
        if self.size_wh is None:
            return trained.card.input_hw
        width, height = self.size_wh
        return height, width

    def beside(self, folder: Path) -> ExportConfig:
        """Return the same with the paths that exist beside a file in `folder` found there."""
        found: dict[str, Path | str] = {}
        if self.calibrate is not None and (folder / self.calibrate).exists():
            found["calibrate"] = folder / self.calibrate
        if self.compare is not None and (folder / self.compare).exists():
            found["compare"] = str(folder / self.compare)
        return self.model_copy(update=found)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request in which nothing is left open.

    Args:
        request: what is built.
        against: what was preferred to it and can't be built, and why.
    """

    request: BuildRequest
    against: dict[str, str]


def resolve(config: ExportConfig, request: BuildRequest) -> Resolved:
    """Fill in backend and precision where the configuration leaves them open.

    Args:
        config: what was asked for.
        request: everything but backend and precision.

    Raises:
        UnknownNameError: no backend has the name.
        BackendUnavailableError, MissingExtraError, ConfigError: what was asked for can't be built.
    """
    against: dict[str, RtsegError] = {}
    for backend, precision in _candidates(config, request):
        wanted = replace(request, backend=backend, precision=precision)
        try:
            BUILDERS[backend].check_precision(wanted)
            BUILDERS[backend].require(wanted)
            if config.backend == "auto":
                BACKENDS[backend].require(request.device)
        except RtsegError as error:
            against[f"{backend} {precision}"] = error
            continue
        return Resolved(wanted, {what: str(error) for what, error in against.items()})
    reasons = {str(error): error for error in against.values()}
    if len(reasons) == 1:
        raise next(iter(reasons.values()))
    raise BackendUnavailableError(
        f"no {config.precision} engine can be built for {request.device.type}: "
        f"{'; '.join(reasons) or 'no backend has that precision'}"
    )


def _candidates(config: ExportConfig, request: BuildRequest) -> list[tuple[str, Precision]]:
    """Return backends and precisions by preference; one pair where nothing was left open."""
    if config.backend != "auto":
        names: tuple[str, ...] = (BACKENDS[config.backend].name,)
    else:
        names = PREFERENCE[request.device.type]
    pairs: list[tuple[str, Precision]] = []
    for name in names:
        known = BUILDERS[name].precisions
        if config.precision == "auto":
            # A plan for a GPU that isn't here is for a GPU all the same.
            target = torch.device("cuda") if name == "tensorrt" else request.device
            order = BACKENDS[name].float_precisions(target)
            pairs += [(name, precision) for precision in order if precision in known]
        elif config.precision in known or config.backend != "auto":
            pairs.append((name, config.precision))
    return pairs


def require_proof(request: BuildRequest, unproven: bool) -> bool:
    """Return whether the engine of a request can be compared with its network here.

    Raises:
        BackendUnavailableError: it can't, and an unproven engine was not asked for.
    """
    try:
        BACKENDS[request.backend].require(request.device)
    except BackendUnavailableError as error:
        if unproven:
            return False
        raise BackendUnavailableError(
            f"{error}: the engine can't be compared with its network here, so it is not built. "
            "--unproven builds it all the same; then run 'rtseg selftest' where it is to run"
        ) from error
    return True
