"""Which engine runs: the best that was built and works here, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import OutputKind
from rtseg.backends.engine_folder import EngineFolder, engine_paths, open_engine_folder
from rtseg.errors import ConfigError, EngineError, RtsegError

PREFERENCE = {
    "cuda": ("tensorrt", "inductor", "eager"),
    "cpu": ("openvino", "inductor", "eager"),
}
"""What "auto" runs and builds by kind of device, the best first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The engine that somebody is looking for.

    Args:
        model: name of the weights.
        input_hw: height and width of the input; None takes any.
        weights_sha256: of the weights' file, where it is at hand; an engine of other weights under
            the same name is then no match.
        precision: a precision, or "auto": the fastest floating-point one that was built.
        output: labels or scores.
        batch: pictures per call.
        threads: cores per call on the CPU; among engines that are compiled for a number of them,
            those for this one come first. 0: no matter.
    """

    model: str
    input_hw: tuple[int, int] | None = None
    weights_sha256: str | None = None
    precision: str = "auto"
    output: OutputKind = "labels"
    batch: int = 1
    threads: int = 0

    def __str__(self) -> str:
        size = f" {self.input_hw[1]}x{self.input_hw[0]}" if self.input_hw else ""
        precision = "" if self.precision == "auto" else f" {self.precision}"
        return f"{self.model}{size}{precision} ({self.output}, batch {self.batch})"


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into the engines' folder gave.

    Args:
        folder: the engine, or None.
        reason: why this one, or why none, one line.
    """

    folder: EngineFolder | None
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that runs.

    Args:
        backend: its name.
        folder: the engine to open with `load_engine`; None: eager runs the network itself.
        reason: why, one line.
        against: backend to the reason why it isn't this one.
    """

    backend: str
    folder: EngineFolder | None
    reason: str
    against: dict[str, str] = field(default_factory=dict)


def find_engine(root: Path, wanted: Wanted, backend: Backend, device: torch.device) -> Found:
    """Look for the engine of a backend that fits `wanted` and runs on `device`.

    Every candidate's manifest is compared with this machine, and the files with the manifest; one
    that was never compared with its network is passed over (it runs where it is asked for by its
    folder). Of several, the one in the preferred precision is taken, then one compiled for as many
    cores, then the newest.
    """
    fitting: list[EngineFolder] = []
    refused: list[str] = []
    for folder in _candidates(root, wanted, backend):
        try:
            backend.check(folder, device)
            folder.check_files()
            _require_proof(folder)
            fitting.append(folder)
        except RtsegError as error:
            refused.append(str(error))
    if not fitting:
        return Found(None, refused[0] if refused else f"no engine of {wanted} was built for it")
    order = backend.float_precisions(device)
    order = (*order, "int8") if wanted.precision == "int8" else order
    best = min(
        reversed(sorted(fitting, key=_built_at)),
        key=lambda folder: (_rank(folder, order), _for_other_cores(folder, wanted.threads)),
    )
    return Found(best, f"{best.path.name}, built {best.manifest.built_at[:10]}")


def built_sizes(
    root: Path, wanted: Wanted, device: torch.device, backend: str = "auto"
) -> list[tuple[int, int]]:
    """Return the input sizes, height and width, at which an engine was built that runs here.

    Args:
        wanted: its size doesn't count.
        backend: a name; "auto": any but eager, which needs no build.
    """
    better = [name for name in _preferred(device) if name != "eager"]
    names = better if backend == "auto" else [backend]
    some_size = replace(wanted, input_hw=None)
    sizes: set[tuple[int, int]] = set()
    for name in names:
        if not _works(BACKENDS[name], device):
            continue
        for folder in _candidates(root, some_size, BACKENDS[name]):
            size_hw = folder.manifest.spec.input_hw
            one = replace(wanted, input_hw=size_hw)
            if size_hw not in sizes and find_engine(root, one, BACKENDS[name], device).folder:
                sizes.add(size_hw)
    return sorted(sizes)


def choose(wanted: Wanted, device: torch.device, root: Path, backend: str = "auto") -> Choice:
    """Choose what runs `wanted` on `device`.

    "auto" takes the best backend with a built engine that works here, and else eager, which needs
    no build.

    Raises:
        UnknownNameError: no such backend.
        BackendUnavailableError, MissingExtraError: the backend that was asked for can't run here.
        EngineError: it can, but no engine was built for it; names the command that does.
    """
    if backend != "auto":
        return _asked_for(wanted, device, root, backend)
    against: dict[str, str] = {}
    for name in _preferred(device):
        if name == "eager":
            continue
        try:
            BACKENDS[name].require(device)
        except RtsegError as error:
            against[name] = str(error)
            continue
        found = find_engine(root, wanted, BACKENDS[name], device)
        if found.folder:
            return Choice(name, found.folder, f"{name}: {found.reason}", against)
        against[name] = found.reason
    if wanted.precision == "int8":
        raise EngineError(
            f"no int8 engine of {wanted.model} works here, and eager has no int8. "
            f"{_reasons(against)}"
        )
    return Choice("eager", None, f"eager: {_short(against)}", against)


def _works(backend: Backend, device: torch.device) -> bool:
    try:
        backend.require(device)
    except RtsegError:
        return False
    return True


def _asked_for(wanted: Wanted, device: torch.device, root: Path, name: str) -> Choice:
    backend = BACKENDS[name]
    backend.require(device)
    if wanted.precision not in ("auto", *backend.precisions):
        raise ConfigError(
            f"the backend {name!r} has no precision {wanted.precision!r}; "
            f"allowed: auto, {', '.join(backend.precisions)}"
        )
    if name == "eager":
        return Choice(name, None, "eager was asked for")
    found = find_engine(root, wanted, backend, device)
    if found.folder is None:
        raise EngineError(
            f"{name}: {found.reason}. Engines are looked for in {root}; build one with: "
            f"{_export_command(wanted, name, device)}"
        )
    return Choice(name, found.folder, f"{name} was asked for: {found.reason}")


def _candidates(root: Path, wanted: Wanted, backend: Backend) -> Iterator[EngineFolder]:
    """Yield the engines that would be right if they run here; broken folders are passed over."""
    for path in engine_paths(root):
        try:
            folder = open_engine_folder(path)
        except EngineError:
            continue
        spec = folder.manifest.spec
        same = (spec.backend, spec.model, spec.output, spec.batch) == (
            backend.name, wanted.model, wanted.output, wanted.batch,
        )  # fmt: skip
        sized = wanted.input_hw in (None, spec.input_hw)
        weighed = wanted.weights_sha256 in (None, spec.weights_sha256)
        auto = wanted.precision == "auto" and spec.precision != "int8"
        if same and sized and weighed and (auto or wanted.precision == spec.precision):
            yield folder


def _require_proof(folder: EngineFolder) -> None:
    if folder.manifest.parity is None:
        raise EngineError(
            f"{folder.path.name} was never compared with its network (--unproven): try it with "
            f"'rtseg selftest {folder.path}', then name the folder as the model"
        )


def _preferred(device: torch.device) -> list[str]:
    """Return the registered backends, those of the table first and eager last."""
    table = [name for name in PREFERENCE.get(device.type, ()) if name in BACKENDS]
    others = [name for name in BACKENDS if name not in table]
    return [*(name for name in [*table, *others] if name != "eager"), "eager"]


def _built_at(folder: EngineFolder) -> str:
    return folder.manifest.built_at


def _rank(folder: EngineFolder, order: tuple[str, ...]) -> int:
    precision = folder.manifest.spec.precision
    return order.index(precision) if precision in order else len(order)


def _for_other_cores(folder: EngineFolder, threads: int) -> bool:
    compiled_for = folder.manifest.spec.arguments.get("threads")
    return bool(threads and compiled_for and compiled_for != threads)


def _short(against: dict[str, str]) -> str:
    built = any("was built" not in reason for reason in against.values())
    if against and not built:
        return "no engine was built yet"
    return "; ".join(f"{name}: {reason}" for name, reason in against.items()) or "nothing else here"


def _reasons(against: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in against.items())


def _export_command(wanted: Wanted, backend: str, device: torch.device) -> str:
    parts = ["rtseg export", wanted.model, f"--backend {backend}"]
    parts += [f"--precision {wanted.precision}"] * (wanted.precision != "auto")
    if wanted.input_hw:
        parts.append(f"--size {wanted.input_hw[1]}x{wanted.input_hw[0]}")
    parts += [f"--batch {wanted.batch}"] * (wanted.batch > 1)
    parts += ["--output scores"] * (wanted.output == "scores")
    return " ".join(parts + ["--device cuda"] * (device.type == "cuda"))
