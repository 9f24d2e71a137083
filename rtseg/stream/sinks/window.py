"""The live view: a window whose keys act on the running stream."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

import cv2
from pydantic import Field

from rtseg.config import Config
from rtseg.errors import SinkError
from rtseg.frames import Image, Picture
from rtseg.stream.overlay.lost import LostView
from rtseg.stream.sinks.destination import make_folder
from rtseg.stream.sinks.display import display_problem, has_display
from rtseg.stream.sinks.kind import OutputSink, register
from rtseg.stream.sinks.note import with_note
from rtseg.stream.sinks.picture_file import write_picture
from rtseg.stream.sinks.playback import Playback
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.window_keys import HELP, stream_action

__all__ = ["WindowConfig", "WindowSink", "has_display"]

_NOTE_S = 2.0
"""How long the viewer is told what a key has done."""
_POLL_MS = 20
_LARGEST_WH = (1600, 900)
"""A window starts no larger; it can be resized."""


class WindowConfig(Config):
    """How the live view behaves."""

    realtime: bool = Field(
        default=False, description="Show a file at its own speed, not as fast as it can be made."
    )
    snapshots: Path = Field(
        default=Path("snapshots"), description="The folder for pictures saved with the key s."
    )


@register("window")
class WindowSink(OutputSink):
    """Shows pictures; ``?`` shows its keys. Closing the window ends the stream.

    While the source's signal is lost, the last picture stays, grey, and says for how long.

    All of its methods are called from the program's main thread.
    """

    outputs: ClassVar[str] = "window"
    example: ClassVar[str] = "window"
    config_class: ClassVar[type[Config]] = WindowConfig
    main_thread: ClassVar[bool] = True
    idle_s: ClassVar[float | None] = 0.03

    def __init__(
        self, output: str = "window", config: Config | None = None, *, overwrite: bool = False
    ) -> None:
        self.name = output
        self._config = config if isinstance(config, WindowConfig) else WindowConfig()
        self._title = ""
        self._picture: Picture | None = None
        self._note, self._note_until = "", 0.0
        self._lost_view, self._loss = LostView(), ""
        self._shows_help = self._is_full_screen = False
        self._playback = Playback()

    @classmethod
    def matches(cls, output: str) -> bool:
        """Return whether the output is the word."""
        return output == "window"

    def open(self, info: StreamInfo) -> None:
        """Make sure that there is a display; the window comes with the first picture.

        Raises:
            SinkError: there is none; the message says why, and what to use instead.
        """
        if (problem := display_problem()) is not None:
            raise SinkError(f"no window can be shown: {problem}; use -o FILE.mp4 instead")
        self._info = info
        self._is_paced = self._config.realtime and not info.source.live
        self._tell("? shows the keys")

    def write(self, picture: Picture) -> None:
        """Show a picture, at its time where the view is paced."""
        if self._is_paced:
            self._wait_for(picture.frame.pts_s)
        self._picture, self._loss = picture, ""
        if not self._title:
            self._make_window(picture.image_bgr)
        self._show()
        self._poll(1)

    def idle(self) -> None:
        """Look after keys, take away a note whose time is over, and say that a signal is lost."""
        if not self._title:
            return
        before = self._note, self._loss
        if time.monotonic() > self._note_until:
            self._note = ""
        self._loss = self._info.reception.notice() or ""
        if (self._note, self._loss) != before:
            self._show()
        self._poll(1)

    def close(self) -> None:
        """Close the window."""
        title, self._title = self._title, ""
        if title and _is_visible(title):
            cv2.destroyWindow(title)
            cv2.waitKey(1)  # the toolkit closes it in here

    def _make_window(self, image_bgr: Image) -> None:
        self._title = f"rtseg: {self._info.source.name}"
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(self._title, flags)
        height, width = image_bgr.shape[:2]
        scale = min(1.0, _LARGEST_WH[0] / width, _LARGEST_WH[1] / height)
        cv2.resizeWindow(self._title, round(width * scale), round(height * scale))

    def _show(self) -> None:
        if self._picture is None or not self._title:
            return
        image = self._picture.image_bgr
        if self._loss:
            image = self._lost_view.draw(image, self._loss)
        if self._shows_help:
            image = with_note(image, HELP, centred=True)
        elif self._note:
            image = with_note(image, [self._note])
        cv2.imshow(self._title, image)

    def _wait_for(self, pts_s: float) -> None:
        """Look after keys until a picture is due."""
        due = self._playback.due_s(pts_s)
        while (left_s := due - time.monotonic()) > 0.001 and not self._info.controls.stopped:
            self._poll(min(round(left_s * 1000), _POLL_MS))

    def _poll(self, wait_ms: int) -> None:
        """Give the window `wait_ms` for its events, act on a key, end where it was closed."""
        if not self._title:
            time.sleep(wait_ms / 1000)
            return
        key = cv2.waitKey(max(wait_ms, 1))
        if not _is_visible(self._title):
            self._info.controls.stop()
            return
        if key >= 0:
            self._press(key)

    def _press(self, key: int) -> None:
        letter = chr(key & 0xFF).lower()
        if letter == "?":
            self._shows_help = not self._shows_help
        elif letter == "f":
            self._toggle_full_screen()
        elif letter == "s":
            self._tell(self._save())
        elif (action := stream_action(key)) is not None:
            style = self._info.controls.style
            self._tell(action(self._info.controls))
            if self._info.controls.style != style:
                self._redraw()
        self._show()

    def _redraw(self) -> None:
        """Draw the picture that a paused stream shows in its new style."""
        if self._picture is None or not self._info.controls.paused:
            return
        if self._info.redraw is not None:
            self._picture = self._info.redraw(self._picture.class_map)
        else:
            self._tell(f"{self._note}, from the next picture on")

    def _tell(self, note: str) -> None:
        self._note, self._note_until = note, time.monotonic() + _NOTE_S

    def _toggle_full_screen(self) -> None:
        self._is_full_screen = not self._is_full_screen
        how = cv2.WINDOW_FULLSCREEN if self._is_full_screen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, how)

    def _save(self) -> str:
        """Save the picture as it was drawn; return what to tell."""
        if self._picture is None:
            return "there is no picture yet"
        frame = self._picture.frame
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(frame.source).stem)
        path = _free_path(self._config.snapshots / f"{stem or 'picture'}-{frame.index:06d}.png")
        try:
            make_folder(path.parent)
            write_picture(path, self._picture.image_bgr)
        except SinkError as error:
            return str(error)
        return f"saved {path}"


def _is_visible(title: str) -> bool:
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:  # a window that is gone, in some toolkits
        return False


def _free_path(path: Path) -> Path:
    """Return the path, or with a number behind the name where it exists."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
