"""A camera that speaks RTSP, by GStreamer's own server; run by a Python that has its bindings.

    /usr/bin/python3 rtsp_camera.py PORT [--size 320x240] [--fps 25] [--user NAME:PASSWORD]
                   [--sound mulaw|alaw]

It serves rtsp://127.0.0.1:PORT/live, and prints "ready" once it listens.
"""

from __future__ import annotations

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--user", default="")
    parser.add_argument("--sound", choices=["mulaw", "alaw"])
    return parser.parse_args()


def launch(given: argparse.Namespace) -> str:
    width, height = given.size.split("x")
    picture = (
        f"videotestsrc is-live=true pattern=ball ! "
        f"video/x-raw,width={width},height={height},framerate={given.fps}/1 ! "
        f"x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max=10 ! "
        f"rtph264pay name=pay0 pt=96 config-interval=-1"
    )
    pay = {"mulaw": "rtppcmupay name=pay1 pt=0", "alaw": "rtppcmapay name=pay1 pt=8"}
    sound = (
        f"audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! "
        f"{given.sound}enc ! {pay.get(given.sound)}"
    )
    return f"( {picture} {sound if given.sound else ''} )"


def protect(server: GstRtspServer.RTSPServer, factory: object, user: str) -> None:
    """Let in only who knows the password."""
    name, _, password = user.partition(":")
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> None:
    given = arguments()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(given.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch(given))
    factory.set_shared(True)
    if given.user:
        protect(server, factory, given.user)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {given.port} can't be listened at")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
