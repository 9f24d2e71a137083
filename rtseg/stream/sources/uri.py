"""What a source is called: its scheme, and its name without credentials."""

from __future__ import annotations

import re

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp")
"""Network streams; all are read through FFmpeg."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s\"'!]*)")
_SECRET_PARAMETER = re.compile(
    r"(?i)(?<=[?&;])([^=&;\s]*(?:pass|pwd|token|secret|key|auth|sig|user)[^=&;\s]*=)[^&;#\s\"']+"
)
_SECRET_PROPERTY = re.compile(
    r"(?i)\b([a-z-]*(?:pass(?:word|phrase|wd)?|user-id|user-pw|pw|token|secret)\s*=\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s!&;]+)"
)
"""As elements of a GStreamer pipeline take them: ``rtspsrc user-id=me user-pw=…``."""


def scheme(uri: str) -> str:
    """Return what stands before ``://`` in lower case; empty for a path.

    >>> scheme("RTSP://camera/1")
    'rtsp'
    """
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def redact(uri: str) -> str:
    """Return `uri` as it may be shown: user names, passwords and keys are taken out.

    >>> redact("rtsp://me:secret@camera:554/1?token=abc&profile=2")
    'rtsp://camera:554/1?token=***&profile=2'
    """
    shown = _URL.sub(lambda found: found[1] + _without_user(found[2]), uri)
    shown = _SECRET_PARAMETER.sub(r"\1***", shown)
    return _SECRET_PROPERTY.sub(r"\1***", shown) if scheme(uri) == "gst" else shown


def _without_user(rest: str) -> str:
    """Return what follows ``://`` without the user and password before the host."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return rest[authority.rindex("@") + 1 :]
    _, colon, port = authority.rpartition(":")
    if colon and "@" in rest and not port.isdigit():  # a password with a slash that is not escaped
        return rest[rest.rindex("@") + 1 :]
    return rest
