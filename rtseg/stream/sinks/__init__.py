"""Where annotated pictures go. One file = one kind of output; `SINKS` holds each by name."""

from rtseg.stream.sinks import browser as _browser  # noqa: F401
from rtseg.stream.sinks import null as _null  # noqa: F401
from rtseg.stream.sinks import pictures as _pictures  # noqa: F401
from rtseg.stream.sinks import recording as _recording  # noqa: F401
from rtseg.stream.sinks import window as _window  # noqa: F401
from rtseg.stream.sinks.class_map_reader import read_class_maps, read_classes
from rtseg.stream.sinks.class_maps import ClassMapSink
from rtseg.stream.sinks.encoder import available_encoders
from rtseg.stream.sinks.kind import SINKS, OutputSink
from rtseg.stream.sinks.opening import make_sink, open_sinks
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sinks.statistics import StatisticsSink

__all__ = [
    "SINKS",
    "ClassMapSink",
    "OutputSink",
    "Sink",
    "StatisticsSink",
    "StreamInfo",
    "available_encoders",
    "make_sink",
    "open_sinks",
    "read_class_maps",
    "read_classes",
]
