"""The films that the streams have recorded so far, to list and to play."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rtseg.stream.sinks.recordings import RecordingFile, find_recording, list_recordings

if TYPE_CHECKING:
    from rtseg.stream.sinks.browser.server import BrowserServer

TYPES = {".mp4": "video/mp4", ".mov": "video/mp4", ".mkv": "video/x-matroska"}


class RecordingRoutes:
    """Answers ``/api/recordings`` and ``/recordings/NAME``."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server

    async def films(self, request: web.Request) -> web.Response:
        """Return the films, the newest first."""
        files = await asyncio.to_thread(list_recordings, self._outputs())
        return web.json_response({"recordings": [_as_json(file) for file in reversed(files)]})

    async def film(self, request: web.Request) -> web.StreamResponse:
        """Send a film, or the range of it that is asked for.

        The name is looked for among those of the list: no path of a request reaches the disk.
        """
        name = request.match_info["name"]
        file = await asyncio.to_thread(find_recording, self._outputs(), name)
        if file is None:
            raise web.HTTPNotFound(text="there is no such recording")
        headers = {"Content-Type": TYPES.get(file.path.suffix.lower(), "application/octet-stream")}
        if "download" in request.query:
            headers["Content-Disposition"] = "attachment"
        return web.FileResponse(file.path, headers=headers)

    def _outputs(self) -> list[str]:
        outputs = [output for camera in self._server.cameras for output in camera.info.outputs]
        return list(dict.fromkeys(outputs))


def _as_json(file: RecordingFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "bytes": file.bytes,
        "start_s": file.start,
        "seconds": file.seconds,
        "open": file.open,
        "raw": file.raw,
    }
