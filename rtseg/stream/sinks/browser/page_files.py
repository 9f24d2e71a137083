"""The page's own files, which come with the package: read once, served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources

from aiohttp import web

PAGE_FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/api.js": ("api.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
    "/panels.js": ("panels.js", "text/javascript"),
    "/picture.js": ("picture.js", "text/javascript"),
    "/webrtc.js": ("webrtc.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Paths of requests, and the files and types that they stand for: nothing else can be asked for."""


def page_files() -> dict[str, Callable[[web.Request], Awaitable[web.Response]]]:
    """Return what answers each path."""
    folder = resources.files("rtseg.stream.sinks.browser") / "page"
    return {
        path: _answer((folder / name).read_bytes(), kind)
        for path, (name, kind) in PAGE_FILES.items()
    }


def _answer(body: bytes, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)

    return answer
