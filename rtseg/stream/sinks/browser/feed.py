"""A camera's picture in one size, for all clients that watch it: encoded once, at one rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from rtseg.stream.sinks.browser.camera import Camera
from rtseg.stream.sinks.browser.newest import Newest
from rtseg.stream.sinks.browser.pacer import Pacer
from rtseg.stream.sinks.browser.settings import BrowserConfig
from rtseg.stream.sinks.browser.shot import SNAPSHOT_QUALITY, Jpeg, JpegPress, Shot

Size = tuple[Camera, int]
"""A camera and the width of its pictures."""


class Feeds:
    """All sizes that are watched. They belong to the server's event loop.

    Args:
        config: the quality.
        pacer: the rate.
        press: the encoder.
    """

    def __init__(self, config: BrowserConfig, pacer: Pacer, press: JpegPress) -> None:
        self._config, self._pacer, self._press = config, pacer, press
        self._feeds: dict[Size, Feed] = {}
        self._listeners: set[tuple[Camera, asyncio.Event]] = set()
        self._encoded: dict[tuple[Camera, int | None], tuple[int, asyncio.Future[Jpeg]]] = {}

    @property
    def num_watchers(self) -> int:
        """How many clients watch."""
        return sum(feed.num_watchers for feed in self._feeds.values())

    def wake(self, camera: Camera) -> None:
        """Tell those who watch a camera that it has another shot."""
        for watched, event in self._listeners:
            if watched is camera:
                event.set()

    def is_watched(self, camera: Camera) -> bool:
        """Return whether a client waits for the camera's next shot; from any thread."""
        return any(watched is camera for watched, _ in self._listeners.copy())

    @contextmanager
    def listen(self, camera: Camera) -> Iterator[asyncio.Event]:
        """Have an event set whenever the camera has another shot."""
        listener = camera, asyncio.Event()
        self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            self._listeners.discard(listener)

    @asynccontextmanager
    async def watch(self, camera: Camera, width: int) -> AsyncIterator[Newest[Jpeg]]:
        """Keep a feed going for a client, and give its pictures."""
        size = camera, width
        feed = self._feeds.get(size)
        if feed is None:
            feed = self._feeds[size] = Feed(self, camera, width, self._pacer)
        feed.num_watchers += 1
        try:
            yield feed.pictures
        finally:
            feed.num_watchers -= 1
            if not feed.num_watchers:
                feed.stop()
                self._feeds.pop(size, None)

    async def encode(self, camera: Camera, shot: Shot, width: int | None) -> Jpeg:
        """Return a shot as JPEG; the same one twice in the same size is encoded once."""
        kept = self._encoded.get((camera, width))
        if kept is None or kept[0] != shot.number:
            quality = SNAPSHOT_QUALITY if width is None else self._config.quality
            kept = shot.number, self._press.submit(shot, width, quality)
            self._encoded[camera, width] = kept
        return await asyncio.shield(kept[1])

    def forget(self, camera: Camera) -> None:
        """Let go of what is kept of a camera that is gone."""
        for key in [key for key in self._encoded if key[0] is camera]:
            del self._encoded[key]

    def close(self) -> None:
        """End all."""
        for feed in self._feeds.values():
            feed.stop()
        self._encoded.clear()


class Feed:
    """One size of a camera's picture: takes the newest shot, encodes it, waits for the next.

    Args:
        feeds: where it encodes.
        camera: whose pictures.
        width: how wide.
        pacer: how often at most.
    """

    def __init__(self, feeds: Feeds, camera: Camera, width: int, pacer: Pacer) -> None:
        self.num_watchers = 0
        self.pictures: Newest[Jpeg] = Newest()
        self._feeds, self._camera, self._width, self._pacer = feeds, camera, width, pacer
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End it."""
        self._task.cancel()

    async def _run(self) -> None:
        with self._feeds.listen(self._camera) as event:
            async for shot in paced_shots(self._camera, event, self._pacer):
                self.pictures.set(await self._feeds.encode(self._camera, shot, self._width))


async def paced_shots(camera: Camera, event: asyncio.Event, pacer: Pacer) -> AsyncIterator[Shot]:
    """Yield a camera's newest shot, each once, as often as the pacer lets.

    Args:
        camera: whose shots.
        event: is set when there is another one.
        pacer: the rate.
    """
    last, due_s = 0, time.monotonic()
    while True:
        event.clear()
        shot = camera.shot
        if shot is None or shot.number == last:
            await event.wait()
            continue
        last = shot.number
        yield shot
        # The next one is due a period after this one was, or, late, a period from now.
        due_s = max(due_s + pacer.period_s, time.monotonic())
        await asyncio.sleep(due_s - time.monotonic())
