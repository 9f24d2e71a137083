"""Video encoders: which of those that recordings can use really encode a picture here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rtseg.cli._doctor.finding import Finding

SOFTWARE = "libx264"
REINSTALL = "python -m pip install --force-reinstall --only-binary=av av"


def probe() -> Iterator[Finding]:
    """Encode a picture with each encoder."""
    from rtseg.stream.sinks.encoder import available_encoders

    yield from judged(available_encoders())


def judged(encoders: Mapping[str, str]) -> list[Finding]:
    """Judge the encoders.

    Args:
        encoders: "ok" or why it doesn't work, by name.
    """
    working = [name for name, state in encoders.items() if state == "ok"]
    found = [_software(encoders.get(SOFTWARE, "not in this FFmpeg"), working)]
    for name, state in encoders.items():
        if name == SOFTWARE:
            continue
        works = state == "ok"
        found.append(Finding(name, "ok" if works else "missing", "encodes" if works else state))
    return found


def _software(state: str, working: list[str]) -> Finding:
    if state == "ok":
        return Finding(SOFTWARE, "ok", "encodes")
    if working:
        return Finding(SOFTWARE, "warn", state, REINSTALL)
    return Finding(SOFTWARE, "missing", f"{state}, so nothing can be recorded", REINSTALL)
