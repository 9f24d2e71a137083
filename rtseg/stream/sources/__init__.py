"""Where frames come from. One file = one kind of source; `SOURCES` holds them by name."""

# The order is the order in which they are asked whether a name is theirs; `video` takes the rest.
from rtseg.stream.sources import demo as _demo  # noqa: F401, I001
from rtseg.stream.sources import camera as _camera  # noqa: F401
from rtseg.stream.sources import gstreamer as _gstreamer  # noqa: F401
from rtseg.stream.sources import images as _images  # noqa: F401
from rtseg.stream.sources import video as _video  # noqa: F401
from rtseg.stream.sources.capture import SOURCES, Capture, Shot
from rtseg.stream.sources.opening import open_source
from rtseg.stream.sources.settings import ReconnectConfig, SourceConfig
from rtseg.stream.sources.source import Source, SourceInfo
from rtseg.stream.sources.uri import redact

__all__ = [
    "SOURCES",
    "Capture",
    "ReconnectConfig",
    "Shot",
    "Source",
    "SourceConfig",
    "SourceInfo",
    "open_source",
    "redact",
]
