"""The built engines: how many there are, and which of them can't be used here."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding

TITLE = "engines"
SHOWN = 6


def probe() -> Iterator[Finding]:
    """Read the manifest of every engine in the folder that streams look into, and compare."""
    from rtseg.backends import BACKENDS
    from rtseg.backends.engine_folder import BrokenFolder, engines_root, list_engines
    from rtseg.device import pick_device
    from rtseg.errors import RtsegError

    root = engines_root()
    fitting, problems = [], []
    for engine in list_engines(root):
        if isinstance(engine, BrokenFolder):
            problems.append((engine.path.name, engine.reason))
            continue
        spec = engine.manifest.spec
        try:
            BACKENDS[spec.backend].check(engine, pick_device(spec.machine.device))
            fitting.append(engine.path.name)
        except RtsegError as error:
            problems.append((engine.path.name, str(error)))
    yield found(str(root), fitting)
    for name, reason in problems[:SHOWN]:
        advice = "rtseg engines lists, checks and removes engines"
        yield Finding(TITLE, "warn", f"{name}: {reason}", advice)
    if len(problems) > SHOWN:
        rest = f"{len(problems) - SHOWN} more can't be used here"
        yield Finding(TITLE, "warn", rest, "rtseg engines lists them all")


def found(root: str, fitting: list[str]) -> Finding:
    """Return the line about the engines that can be used."""
    if not fitting:
        advice = "faster streams: rtseg export linknet-camvid"
        return Finding(TITLE, "missing", f"none in {root}; networks run without", advice)
    more = f" and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
    return Finding(TITLE, "ok", f"{', '.join(fitting[:SHOWN])}{more} in {root}")
