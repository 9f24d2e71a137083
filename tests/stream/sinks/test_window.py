"""The live view, in a real window with real keys: an X server without a screen, and xdotool."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rtseg.errors import SinkError
from rtseg.stream.overlay.lost import LostView
from rtseg.stream.sinks import display as display_module
from rtseg.stream.sinks.sink import StreamInfo
from rtseg.stream.sinks.window import WindowSink

CHILD = Path(__file__).with_name("show_window.py")
WAIT_S = 60.0
"""A display and a child take a second; a busy machine may take many."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the display keeps what it shows."""
    return tmp_path_factory.mktemp("screen")


def screenshot(screen: Path) -> np.ndarray:
    """Return what the display shows, uint8 [H, W, 3] BGR, from its memory (a file as of xwd)."""
    data = (screen / "Xvfb_screen0").read_bytes()
    head_size, *head = struct.unpack_from(">20I", data)
    width, height, colours = head[3], head[4], head[18]
    start = head_size + 12 * colours
    pixels = np.frombuffer(data, np.uint8, width * height * 4, start).reshape(height, width, 4)
    return pixels[:, :, :3]


@pytest.fixture(scope="module")
def display(screen: Path) -> Iterator[str]:
    """The name of an X display that shows nothing to anybody."""
    missing = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"missing: {', '.join(missing)}")
        pytest.skip(f"no {', '.join(missing)}")
    read, write = os.pipe()
    command = [
        "Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp",
        "-fbdir", str(screen),
    ]  # fmt: skip
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(timeout=WAIT_S)


class View:
    """A child that shows a stream; `press` presses keys in its window."""

    def __init__(self, display: str, folder: Path, *arguments: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display}
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._child = subprocess.Popen(
            [sys.executable, str(CHILD), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=self._environment,
        )

    def __enter__(self) -> View:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()
        self._child.communicate()

    def line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def go_on(self) -> None:
        """Send a line."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def state(self) -> Any:
        return json.loads(self.line())

    def until(self, holds: Callable[[Any], bool]) -> Any:
        """Read states until one does; a test that waits in vain is ended by its timeout."""
        while not holds(state := self.state()):
            pass
        return state

    def focus(self) -> str:
        window = self._xdotool("search", "--sync", "--onlyvisible", "--name", "rtseg: drive.mp4")
        window = window.splitlines()[0]
        self._xdotool("windowfocus", "--sync", window)
        return window

    def press(self, *keys: str) -> None:
        for key in keys:
            self._xdotool("key", key)

    def close_window(self, window: str) -> None:
        """Do what a click on the window's X does."""
        program = str(CHILD.with_name("close_window.py"))
        subprocess.run([sys.executable, program, window], env=self._environment, check=True)

    def wait(self) -> int:
        return self._child.wait(timeout=WAIT_S)

    def _xdotool(self, *arguments: str) -> str:
        result = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True,
            timeout=WAIT_S, check=True,
        )  # fmt: skip
        return result.stdout


def test_keys_act_on_the_stream(display: str, tmp_path: Path) -> None:
    with View(display, tmp_path, "1000000") as view:
        start = view.state()["style"]
        view.focus()
        for key, field, value in [
            ("m", "mode", "mask"),
            ("M", "mode", "side-by-side"),
            ("plus", "alpha", start["alpha"] + 0.1),
            ("minus", "alpha", start["alpha"]),
            ("o", "outlines", not start["outlines"]),
            ("i", "instances", not start["instances"]),
            ("l", "legend", not start["legend"]),
            ("h", "hud", not start["hud"]),
        ]:
            view.press(key)
            assert view.state()["style"][field] == pytest.approx(value)
        view.press("question", "f", "question", "f", "z", "space")
        paused = view.until(lambda state: state["paused"])
        view.press("n")
        assert view.state()["shown"] == paused["shown"] + 1
        view.press("period")
        assert view.state()["shown"] == paused["shown"] + 2
        view.press("space")
        assert not view.state()["paused"]
        view.press("q")
        assert view.until(lambda state: state.get("stopped"))
        assert "seconds" in view.state()
        assert view.line() == "closed"
        assert view.wait() == 0


@pytest.mark.parametrize("how", ["Escape", "closed"])
def test_the_window_ends_the_stream_while_it_is_paused_too(
    display: str, tmp_path: Path, how: str
) -> None:
    with View(display, tmp_path, "1000000") as view:
        view.state()
        window = view.focus()
        view.press("space")
        view.until(lambda state: state["paused"])
        if how == "closed":
            view.close_window(window)
        else:
            view.press(how)
        assert view.until(lambda state: state.get("stopped"))
        assert "seconds" in view.state()
        assert view.line() == "closed"
        assert view.wait() == 0


def test_snapshots_are_numbered_and_show_the_picture_without_notes(
    display: str, tmp_path: Path
) -> None:
    with View(display, tmp_path, "1000000", "--redraw") as view:
        view.state()
        view.focus()
        view.press("space")
        index = view.until(lambda state: state["paused"])["shown"] - 1
        view.press("question", "s", "s")
        view.press("o")  # drawn again, though the stream is paused
        assert view.state()["style"]["outlines"]
        view.press("s", "q")
        assert view.wait() == 0
    names = [f"drive-{index:06d}{ending}.png" for ending in ("", "-2", "-3")]
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == sorted(names)
    pictures = [cv2.imread(str(tmp_path / "snapshots" / name)) for name in names]
    assert [picture.shape for picture in pictures] == [(360, 640, 3)] * 3
    for picture, left_bgr in zip(pictures, [(0, 0, 255)] * 2 + [(0, 255, 0)], strict=True):
        assert (picture[:, :320] == left_bgr).all()
        assert (picture[:, 320:] == (255, 0, 0)).all()


def test_the_last_picture_is_grey_while_there_is_no_signal(
    display: str, screen: Path, tmp_path: Path
) -> None:
    red, blue = (0, 0, 255), (255, 0, 0)

    def has(colour: tuple[int, int, int]) -> bool:
        return bool((screenshot(screen) == colour).all(axis=2).mean() > 0.02)

    with View(display, tmp_path, "1000000", "--lose") as view:
        view.state()
        assert view.line() == "lost"
        until(lambda: has(darkened(red)) and has(darkened(blue)))
        assert not has(red)
        assert not has(blue)
        grey = screenshot(screen)
        until(lambda: (screenshot(screen) != grey).any())  # the seconds go on
        view.go_on()
        until(lambda: has(red) and has(blue))


def darkened(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the grey of a lost picture."""
    image = LostView().draw(np.full((90, 160, 3), colour, np.uint8), "")
    level = int(image[0, 0, 0])
    assert level == image[0, 0, 2] < max(colour)
    return level, level, level


def until(holds: Callable[[], bool]) -> None:
    """Wait until it does; a test that waits in vain is ended by its timeout."""
    while not holds():
        time.sleep(0.05)


def test_a_file_is_shown_at_its_own_speed_where_asked(display: str, tmp_path: Path) -> None:
    with View(display, tmp_path, "26", "--fps", "25", "--realtime") as view:
        taken = view.until(lambda state: "seconds" in state)["seconds"]
        assert taken >= 0.98, "the last picture begins a second after the first"
        assert view.line() == "closed"


def test_a_display_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with View(":4711", tmp_path, "1") as view:
        line = view.line()
        assert view.wait() == 0, "Qt would abort the process"
    assert line.startswith("SinkError: no window can be shown: the display :4711 can't be used: ")
    assert line.endswith("use -o FILE.mp4 instead")


@pytest.fixture
def fresh_probe() -> Iterator[None]:
    display_module.display_problem.cache_clear()
    yield
    display_module.display_problem.cache_clear()


@pytest.mark.usefixtures("fresh_probe")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others always have a display")
def test_without_a_display_nothing_is_tried(
    monkeypatch: pytest.MonkeyPatch, make_info: Callable[..., StreamInfo]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    start = time.monotonic()
    assert not display_module.has_display()
    assert time.monotonic() - start < 1
    with WindowSink() as sink, pytest.raises(SinkError, match="there is no display"):
        sink.open(make_info())


@pytest.mark.usefixtures("fresh_probe")
def test_an_opencv_without_windows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display_module, "_toolkit", lambda: "")
    assert "opencv-python-headless" in str(display_module.display_problem())
