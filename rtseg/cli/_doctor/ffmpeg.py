"""FFmpeg inside PyAV: that it can be imported, and what it decodes."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding

CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg")
PROTOCOLS_HINT = "python -m pip install --force-reinstall --only-binary=av av"


def probe() -> Iterator[Finding]:
    """Import av, and look for the codecs of cameras and dashcams."""
    try:
        import av
    except Exception as error:
        yield Finding(
            "PyAV",
            "missing",
            f"can't be imported: {' '.join(str(error).split())[:200]}",
            PROTOCOLS_HINT,
            essential=True,
        )
        return
    libraries = ", ".join(
        f"{name.removeprefix('lib')} {'.'.join(map(str, av.library_versions[name]))}"
        for name in ("libavcodec", "libavformat", "libavutil")
        if name in av.library_versions
    )
    yield Finding("PyAV", "ok", f"{av.__version__} with {libraries}")
    lacking = [name for name in CODECS if not decodes(name)]
    if lacking:
        yield Finding("decoders", "warn", f"lacking: {', '.join(lacking)}", PROTOCOLS_HINT)
    else:
        yield Finding("decoders", "ok", ", ".join(CODECS))


def decodes(name: str) -> bool:
    """Say whether FFmpeg has a decoder of this codec."""
    import av

    try:
        av.codec.Codec(name, "r")
    except ValueError:  # av.codec.codec.UnknownCodecError
        return False
    return True
