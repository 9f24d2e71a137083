"""Who may ask for what: the host that was asked, the origin of the asking page, and the token."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from rtseg.stream.sinks.browser.address import is_loopback_name
from rtseg.stream.sinks.browser.connection import Connection

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/healthz", "/api/login"})
"""What needs no token, besides the page's own files, which hold nothing of the stream."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Server": "rtseg",
}


class Guard:
    """Stands before every request.

    Args:
        token: what clients must know; None: nothing.
        checks_host: the page is for this machine alone, so it is asked for by a loopback name, or
            else by a web site whose name was made to point here.
        hosts: further names that may be asked for.
        page: the paths of the page's own files.
    """

    def __init__(
        self, token: str | None, *, checks_host: bool, hosts: Iterable[str], page: Iterable[str]
    ) -> None:
        self._token = token
        self._checks_host = checks_host
        self._hosts = frozenset(host.lower() for host in hosts)
        self._open_paths = OPEN_PATHS | frozenset(page)
        self.num_refused: dict[str, int] = {}

    @property
    def needs_token(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    def middleware(self) -> Middleware:
        """Return what the server calls for every request."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = Connection.of(request)
            connection.has_request()
            try:
                self.check(request)
                return await handler(request)
            except web.HTTPException as error:
                return as_json(error)
            finally:
                connection.expect_request()

        return guarded

    def check(self, request: web.Request) -> None:
        """Refuse a request that may not be.

        Raises:
            HTTPException: 400 without a host, 401 without the token, 403 from elsewhere.
        """
        try:
            self._check_host(request)
            check_origin(request)
            if request.path not in self._open_paths and not self.knows_token(request):
                raise web.HTTPUnauthorized(
                    text="the token is missing or wrong", headers={"WWW-Authenticate": "Bearer"}
                )
        except web.HTTPException as error:
            self.count(f"{error.status}")
            raise

    def count(self, why: str) -> None:
        """Count a request that was refused."""
        self.num_refused[why] = self.num_refused.get(why, 0) + 1

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token, in the same time whatever it is."""
        return self._token is None or _same(text, self._token)

    def session(self, port: int) -> tuple[str, str]:
        """Return name and value of the cookie that stands for the token.

        Cookies don't know ports, so the port is in the name; the token itself isn't in the value.
        """
        key = (self._token or "").encode()
        return f"rtseg_{port}", hmac.new(key, b"rtseg page", hashlib.sha256).hexdigest()

    def _check_host(self, request: web.Request) -> None:
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not hosts[0]:
            raise web.HTTPBadRequest(text="a request names one host")
        if not self._checks_host:
            return
        try:
            name = urlsplit(f"//{hosts[0]}").hostname or ""
        except ValueError:
            name = ""
        if not is_loopback_name(name) and name.lower() not in self._hosts:
            raise web.HTTPForbidden(
                text="this page is for its own machine, as http://127.0.0.1 or http://localhost; "
                "other names are listed in browser.hosts"
            )

    def knows_token(self, request: web.Request) -> bool:
        """Return whether a request brings the token, or its cookie, or needs none."""
        if self._token is None:
            return True
        name, value = self.session(port_of(request))
        if _same(request.cookies.get(name, ""), value):
            return True
        offered = offered_token(request.headers.get("Authorization", ""))
        return offered is not None and self.is_token(offered)


def check_origin(request: web.Request) -> None:
    """Refuse what another site's page asks for.

    Raises:
        HTTPForbidden: the request comes from another site.
    """
    headers = request.headers
    origins = headers.getall("Origin", [])
    if origins:
        try:
            asking = urlsplit(origins[0]).netloc.lower()
        except ValueError:
            asking = ""
        if len(origins) > 1 or not asking or asking != headers["Host"].lower():
            raise web.HTTPForbidden(text="requests from other sites are refused")
    is_visit = headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin") and not (is_visit and request.path == "/"):
        raise web.HTTPForbidden(text="requests from other sites are refused")


def port_of(request: web.Request) -> int:
    """Return the server's port that a request came to."""
    assert request.transport is not None
    return int(request.transport.get_extra_info("sockname")[1])


def offered_token(authorization: str) -> str | None:
    """Return the token of an Authorization header: Bearer, or the password of Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


def as_json(error: web.HTTPException) -> web.Response:
    """Return an error as programs read it, with its headers."""
    if error.status < 400:
        raise error
    response = web.json_response({"error": error.text or error.reason}, status=error.status)
    for name in ("Allow", "WWW-Authenticate"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Give every response the headers that tell browsers what not to do with it."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
