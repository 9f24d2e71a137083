"""What every builder owes: turn a deploy graph into the engine files of its backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch

from rtseg.backends.base import OutputKind, Precision
from rtseg.backends.machine import Machine, this_machine
from rtseg.backends.manifest import Argument
from rtseg.errors import ConfigError, closest
from rtseg.export.calibrate import CalibrationPictures
from rtseg.export.deploy_graph import DeployGraph, FloatPrecision, Labelling
from rtseg.fit import FitMode
from rtseg.networks.trained import TrainedNetwork
from rtseg.registry import Registry

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The engine that is to be built.

    Args:
        trained: the network with its card.
        weights_sha256: of the file it was loaded from.
        input_hw: height and width of the input in pixels.
        backend: registered name.
        precision: one of the builder's.
        output: labels or scores.
        batch: pictures per call.
        fit: how frames are brought to the input where it is measured.
        device: where the engine is to run.
        threads: cores that one call will use on the CPU; 0: all that this process may use. Only
            inductor compiles for a number of cores.
        arguments: of the builder, by name; what is left out takes the builder's default.
        calibration: pictures for int8.
    """

    trained: TrainedNetwork
    weights_sha256: str
    input_hw: tuple[int, int]
    backend: str
    precision: Precision
    output: OutputKind = "labels"
    batch: int = 1
    fit: FitMode = "stretch"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int = 0
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    calibration: CalibrationPictures | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a builder left in its folder.

    Args:
        files: names of the engine files.
        notes: what else the manifest should say, JSON values.
    """

    files: tuple[str, ...]
    notes: dict[str, Any] = field(default_factory=dict)


class Builder(ABC):
    """Builds the engines of one backend."""

    backend: ClassVar[str]
    precisions: ClassVar[tuple[Precision, ...]]
    defaults: ClassVar[Mapping[str, Argument]] = {}
    """The arguments of a build and their defaults, whose types theirs must have."""

    @abstractmethod
    def require(self, request: BuildRequest) -> None:
        """Return if the engine can be built here; cheap.

        Raises:
            BackendUnavailableError: something is missing; says what.
            MissingExtraError: a package is not installed.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the packages that the engine file depends on, as the backend names them."""

    @abstractmethod
    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        """Write the engine files into `folder`.

        Raises:
            EngineError: the graph can't be built.
        """

    def machine(self, request: BuildRequest) -> Machine:
        """Return what the engine will be bound to: by default, this machine."""
        return this_machine(request.device)

    def arguments(self, request: BuildRequest) -> dict[str, Argument]:
        """Return every argument of the build.

        Raises:
            ConfigError: an unknown name, or a value of another type than the default's.
        """
        for name, value in request.arguments.items():
            if name not in self.defaults:
                known = ", ".join(sorted(self.defaults)) or "none"
                raise ConfigError(
                    f"the backend {self.backend!r} has no build argument {name!r}."
                    f"{closest(name, self.defaults)} Known: {known}"
                )
            wanted = type(self.defaults[name])
            if type(value) is not wanted and self.defaults[name] is not None:
                raise ConfigError(
                    f"the build argument {name!r} is {value!r}; {wanted.__name__} is needed"
                )
        return {**self.defaults, **request.arguments}

    def check_precision(self, request: BuildRequest) -> None:
        """Refuse a precision that the backend doesn't have, and int8 without pictures.

        Raises:
            ConfigError: so it is.
        """
        if request.precision not in self.precisions:
            raise ConfigError(
                f"the backend {self.backend!r} has no precision {request.precision!r}; "
                f"allowed: {', '.join(self.precisions)}"
            )
        if request.precision == "int8" and request.calibration is None:
            raise ConfigError(
                "int8 needs pictures to measure ranges on: --calibrate with a folder of pictures "
                "or a film like those that the engine will see"
            )


BUILDERS: Registry[Builder] = Registry("builder")
"""Every builder by its backend's name; importing `rtseg.export.build` fills it."""


def deploy_graph(request: BuildRequest, labelling: Labelling = "argmax") -> DeployGraph:
    """Return the graph of a request on its device; that of int8 is float32, to be quantised."""
    precision: FloatPrecision = "fp32" if request.precision == "int8" else request.precision
    graph = DeployGraph(request.trained, request.input_hw, precision, request.output, labelling)
    return graph.to(request.device)
