"""The live view in a browser: ``-o http://127.0.0.1:8080``."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console

from rtseg.config import Config
from rtseg.errors import MissingExtraError
from rtseg.frames import Picture
from rtseg.stream.sinks.browser.address import Address
from rtseg.stream.sinks.browser.settings import BrowserConfig
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.sink import StreamInfo

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.camera import Camera
    from rtseg.stream.sinks.browser.server import BrowserServer

_log = logging.getLogger(__name__)


@register("browser")
class BrowserSink(OutputSink):
    """Shows pictures, figures and controls on a page that this process serves.

    Streams of one process that name the same address are on one page. A client never delays the
    stream: it gets the newest picture when it has taken the one before.
    """

    outputs: ClassVar[str] = "http://HOST:PORT"
    example: ClassVar[str] = "http://127.0.0.1:0"
    config_class: ClassVar[type[Config]] = BrowserConfig
    idle_s: ClassVar[float | None] = 0.25

    def __init__(
        self, output: str, config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        self._address = Address.parse(output)
        self._config = config if isinstance(config, BrowserConfig) else BrowserConfig()
        self._server: BrowserServer | None = None
        self._camera: Camera | None = None

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is a web address."""
        return output.lower().startswith(("http://", "https://"))

    @property
    def url(self) -> str:
        """Where the page is while the sink is open, with the port that was got; else empty."""
        return self._server.url if self._server is not None else ""

    def open(self, info: StreamInfo) -> None:
        """Begin to serve, and tell the person where; a token that was made is told here alone.

        Raises:
            SinkError: the address is in use or can't be had, or the token is too short.
            MissingExtraError: the packages of the extra ``browser`` are missing.
        """
        for package in ("aiohttp", "prometheus_client"):
            if find_spec(package) is None:
                raise MissingExtraError(package, "browser", "the view in a browser")
        from rtseg.stream.sinks.browser.shared_server import server_for

        self._server, is_new = server_for(self._address, self._config)
        self._camera = self._server.add(info)
        if is_new:
            _tell(f"the page is at {self._server.link}")

    def write(self, picture: Picture) -> None:
        """Show a picture to whoever watches."""
        if self._camera is not None:
            self._camera.write(picture)

    def idle(self) -> None:
        """Show that the signal is lost, or a changed style while the stream is paused."""
        if self._camera is not None:
            self._camera.idle()

    def close(self) -> None:
        """Take the stream off the page; with its last stream the page ends."""
        server, self._server = self._server, None
        camera, self._camera = self._camera, None
        if server is None:
            return
        from rtseg.stream.sinks.browser.shared_server import release

        if camera is not None:
            server.remove(camera)
        release(server)


def _tell(line: str) -> None:
    """Tell whoever started the program; in the log only where that is all there is."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    if any(getattr(formatter, "for_programs", False) for formatter in formatters):
        _log.info("%s", line, extra={"event": "page"})
    else:
        Console(stderr=True, soft_wrap=True, highlight=False).print(line, markup=False)
