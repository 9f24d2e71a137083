"""Video encoders: which of those that recordings can use really open here."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding

TITLE = "encoders"
SOFTWARE = "libx264"
REINSTALL = "python -m pip install --force-reinstall --only-binary=av av"


def probe() -> Iterator[Finding]:
    """Open each encoder on a small picture."""
    from rtseg.stream.sinks.encoder import available_encoders

    yield judged(list(available_encoders()))


def judged(encoders: list[str]) -> Finding:
    """Judge the encoders that open."""
    if SOFTWARE in encoders:
        return Finding(TITLE, "ok", ", ".join(encoders))
    if encoders:
        text = f"{', '.join(encoders)}; but not {SOFTWARE}"
        return Finding(TITLE, "warn", text, f"recordings may fail without a GPU: {REINSTALL}")
    return Finding(TITLE, "missing", "none opens: nothing can be recorded", REINSTALL)
