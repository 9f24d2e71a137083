"""What every backend owes: say whether it works here, what its engines are bound to, open them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from rtseg.backends.base import Engine, Parallelism, Precision
from rtseg.backends.engine_folder import EngineFolder
from rtseg.backends.machine import this_machine
from rtseg.backends.manifest import EngineSpec
from rtseg.device import computes_in_bf16
from rtseg.errors import EngineError
from rtseg.registry import Registry


class Backend(ABC):
    """One way to run compiled networks.

    Importing the file of a backend needs no package but torch; what else it needs is imported
    when it is used.
    """

    name: ClassVar[str]
    precisions: ClassVar[tuple[Precision, ...]]
    """What its engines can be built in."""
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    """Kinds of device that it runs on."""
    bound_to_isa: ClassVar[bool] = False
    """Whether an engine holds machine code for the instruction sets of the CPU it was built on."""
    bound_to_gpu: ClassVar[bool] = True
    """Whether an engine for CUDA is bound to the compute capability it was built for."""

    @abstractmethod
    def require(self, device: torch.device) -> None:
        """Return if engines of this backend can run on `device`; cheap, and opens nothing.

        Raises:
            BackendUnavailableError: it doesn't work on this machine; says what is missing.
            MissingExtraError: a package is not installed.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the installed packages that an engine file depends on, name to version.

        Raises:
            MissingExtraError: one is not installed.
        """

    @abstractmethod
    def load(
        self, folder: EngineFolder, device: torch.device, parallelism: Parallelism, reason: str = ""
    ) -> Engine:
        """Open a folder that was checked for this machine.

        Raises:
            EngineError: a file doesn't agree with the manifest, or the runtime refuses it.
        """

    def float_precisions(self, device: torch.device) -> tuple[Precision, ...]:
        """Return the floating-point precisions by preference on `device`, for "auto"."""
        half: tuple[Precision, ...] = ("fp16", "bf16")
        if device.type != "cuda":  # emulated, bf16 takes ten times as long as fp32
            half = ("bf16",) if computes_in_bf16(device) else ()
        order: tuple[Precision, ...] = (*half, "fp32")
        return tuple(precision for precision in order if precision in self.precisions)

    def mismatches(self, spec: EngineSpec, device: torch.device) -> list[str]:
        """Return why an engine can't run on `device`, each as "built …, here …"; empty if it can.

        Raises:
            MissingExtraError: a package of the backend is not installed.
        """
        return [*self._wrong_versions(spec), *self._wrong_machine(spec, device)]

    def _wrong_versions(self, spec: EngineSpec) -> list[str]:
        here = self.versions()
        return [
            f"built with {package} {version}, here is {here.get(package, 'none')}"
            for package, version in spec.versions.items()
            if here.get(package) != version
        ]

    def _wrong_machine(self, spec: EngineSpec, device: torch.device) -> list[str]:
        built, here = spec.machine, this_machine(device)
        wrong = (built.system, built.arch, built.device) != (here.system, here.arch, here.device)
        if wrong:
            return [f"built for {built.device} on {built}, here is {here.device} on {here}"]
        if self.bound_to_gpu and built.compute_capability != here.compute_capability:
            return [f"built on {built}, here is {here}"]
        missing = [name for name in built.cpu_isa if name not in here.cpu_isa]
        if self.bound_to_isa and missing:
            return [
                f"built on {built} for instructions that the processor here ({here.device_name}) "
                f"lacks: {', '.join(missing)}"
            ]
        return []

    def check(self, folder: EngineFolder, device: torch.device) -> None:
        """Compare the manifest with this machine, before any engine file is opened.

        Raises:
            EngineError: says what it was built on, what is here, and the command that rebuilds it.
        """
        spec = folder.manifest.spec
        if problems := self.mismatches(spec, device):
            raise EngineError(
                f"the engine {folder.path.name} can't run here: {'; '.join(problems)}. "
                f"Rebuild it with: {spec.rebuild_command()}"
            )


BACKENDS: Registry[Backend] = Registry("backend")
"""Every backend by name; importing `rtseg.backends` fills it."""
