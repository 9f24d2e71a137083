"""The backends: which of them can run engines here."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding


def probe() -> Iterator[Finding]:
    """Ask every registered backend whether it works on this machine's best device."""
    from rtseg.backends import BACKENDS
    from rtseg.device import pick_device
    from rtseg.errors import MissingExtraError, RtsegError

    device = pick_device("auto")
    for name, backend in BACKENDS.items():
        title = f"backend {name}"
        try:
            backend.require(device)
        except MissingExtraError as error:
            reason, _, command = str(error).rpartition(": ")
            yield Finding(title, "missing", reason, f"if wanted: {command}")
        except RtsegError as error:
            yield Finding(title, "missing", str(error))
        else:
            precisions = ", ".join(backend.precisions)
            yield Finding(title, "ok", f"on {device.type}: {precisions}")
