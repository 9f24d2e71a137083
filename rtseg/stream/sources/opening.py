"""From a name to an open source."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rtseg.errors import SourceError
from rtseg.stream.events import Events
from rtseg.stream.sources.capture import SOURCES, Capture
from rtseg.stream.sources.live.reconnecting import ReconnectingCapture
from rtseg.stream.sources.oriented import Orientation, Oriented
from rtseg.stream.sources.selection import Selection
from rtseg.stream.sources.settings import SourceConfig
from rtseg.stream.sources.source import Source
from rtseg.stream.sources.uri import NETWORK_SCHEMES, redact, scheme


def open_source(
    config: SourceConfig,
    events: Events | None = None,
    *,
    newest: bool = True,
    on_stop: Callable[[Callable[[], None]], object] = lambda interrupt: None,
) -> Source:
    """Open a source and select the wanted part of it, turned as it should be.

    A live one that is lost is opened anew (see `ReconnectConfig`).

    Args:
        config: which source, and which part of it.
        events: is told of losses and returns.
        newest: of a live source the newest frame is read, whatever came before it; else every
            frame, and the source waits.
        on_stop: is handed what ends the waiting for a live source, at its opening and later.

    >>> with open_source(SourceConfig(uri="demo:3", max_frames=2)) as source:
    ...     print([round(frame.pts_s, 3) for frame in source])
    [0.0, 0.033]

    Raises:
        SourceError: it can't be opened, or holds no picture.
    """
    config = config.model_copy(update={"uri": _plain(config.uri)})
    capture = _open(_kind_of(config.uri), config, events, newest, on_stop)
    try:
        source: Source = Selection(capture, config)
    except BaseException:
        capture.close()
        raise
    orientation = Orientation.of_config(config)
    if capture.turns_itself or orientation == Orientation():
        return source
    return Oriented(source, orientation)


def _open(
    kind: type[Capture],
    config: SourceConfig,
    events: Events | None,
    newest: bool,
    on_stop: Callable[[Callable[[], None]], object],
) -> Capture:
    if not kind.may_be_live(config.uri):
        return kind(config)
    capture = ReconnectingCapture(config, partial(kind.open_live, config), events, newest=newest)
    on_stop(capture.interrupt)
    return capture.first()


def _kind_of(uri: str) -> type[Capture]:
    for _, kind in SOURCES.items():
        if kind.matches(uri):
            return kind
    raise SourceError(
        f"{redact(uri)}: {scheme(uri)}:// is no kind of source; known are a file, a folder, demo, "
        f"a camera (0, /dev/video0), csi://0, gst://PIPELINE and "
        f"{' '.join(f'{known}://' for known in NETWORK_SCHEMES)}"
    )


def _plain(uri: str) -> str:
    """Return a path for ``file://…`` and ``~/…``, anything else as it is."""
    if scheme(uri) == "file":
        return unquote(urlsplit(uri).path)
    if uri.startswith("~"):
        try:
            return str(Path(uri).expanduser())
        except RuntimeError:  # no such user: then it is a file's name
            return uri
    return uri
