"""Cameras: what is said of those that can't be used, and what those that can refuse."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.errors import SourceError
from rtseg.stream.sources import ReconnectConfig, SourceConfig, _opencv, open_source
from rtseg.stream.sources import camera as camera_module
from rtseg.stream.sources.camera import CameraCapture

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Video4Linux")


def refusal(uri: str) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(SourceConfig(uri=uri))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@linux
@pytest.mark.parametrize("uri", ["97", "/dev/video97"])
def test_no_such_camera(uri: str) -> None:
    assert "no such camera: /dev/video97" in refusal(uri)


@linux
@pytest.mark.parametrize("uri", ["/dev/null", "/dev/zero"])
def test_another_device_is_no_camera(uri: str) -> None:
    assert f"{uri} is no camera" in refusal(uri)


@linux
def test_a_terminal_is_no_camera() -> None:
    leader, follower = pty.openpty()
    try:
        assert "is no camera" in refusal(os.ttyname(follower))
    finally:
        os.close(leader)
        os.close(follower)


@linux
def test_no_permission(tmp_path: Path) -> None:
    """In a process of its own that is nobody, since root may open everything."""
    code = (
        "import os, sys\n"
        "from rtseg.errors import SourceError\n"
        "from rtseg.stream.sources._v4l2 import check_camera\n"
        "from pathlib import Path\n"
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "try:\n    check_camera(Path(sys.argv[1]))\n"
        "except SourceError as error:\n    sys.exit(f'SourceError: {error}')\n"
    )
    device = tmp_path / "video0"
    device.touch(mode=0)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code, device.name],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,  # nobody may not pass the folders above it
    )
    assert done.returncode == 1
    assert "no permission for video0: sudo usermod -aG video" in done.stderr


class FakeDriver:
    """A `cv2.VideoCapture` that grants what a common webcam grants; the real thing needs one."""

    def __init__(self) -> None:
        self.settings = {
            cv2.CAP_PROP_FRAME_WIDTH: 640.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
            cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
        }
        self.asked: list[int] = []
        self.num_grabs = 0
        self.silent_after, self.damaged = 10, {2}
        self.released = 0

    def isOpened(self) -> bool:
        return True

    def set(self, setting: int, value: float) -> bool:
        self.asked.append(setting)
        is_known_size = value in (640, 480, 1280, 720)
        if (setting in (3, 4) and is_known_size) or setting == cv2.CAP_PROP_FOURCC:
            self.settings[setting] = value
        return True

    def get(self, setting: int) -> float:
        return self.settings.get(setting, 0.0)

    def grab(self) -> bool:
        self.num_grabs += 1
        return self.num_grabs <= self.silent_after

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.num_grabs in self.damaged:
            return False, None
        height, width = self.settings[4], self.settings[3]
        return True, np.full((int(height), int(width), 3), self.num_grabs, np.uint8)

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr(camera_module, "check_camera", lambda _: None)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: fake)
    return fake


def test_what_is_granted_is_used_and_what_is_refused_is_said(driver: FakeDriver) -> None:
    config = SourceConfig(uri="0", size_wh=(1280, 720), fps=60, fourcc="MJPG")
    with open_source(config) as source:
        assert source.info.live
        assert source.info.num_frames is None
        assert source.info.hw == (720, 1280)
        assert "0 gives 30 frames per second instead of 60" in source.problems()
    assert driver.asked[0] == cv2.CAP_PROP_FOURCC, "it decides which sizes there are"
    assert cv2.CAP_PROP_BUFFERSIZE in driver.asked


def test_a_size_that_is_refused(driver: FakeDriver) -> None:
    with open_source(SourceConfig(uri="0", size_wh=(800, 600))) as source:
        assert source.info.hw == (480, 640)
        assert "0 gives 640x480 instead of 800x600" in source.problems()


def test_a_damaged_picture_is_left_out_and_silence_ends_in_an_error(driver: FakeDriver) -> None:
    config = SourceConfig(uri="0", timeout_s=0.2, reconnect=ReconnectConfig(limit=0))
    source = open_source(config, newest=False)
    numbers: list[int] = []
    with pytest.raises(SourceError, match=r"0 gave no picture for 0\.2 s"):
        numbers.extend(int(frame.image_bgr[0, 0, 0]) for frame in source)
    assert numbers == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert "0: 1 pictures were damaged" in source.problems()
    source.close()
    assert driver.released


def test_times_are_the_drivers_where_they_are_on_the_same_clock(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_ns = [5_000_000_000]
    monkeypatch.setattr(_opencv.time, "monotonic_ns", lambda: clock_ns[0])
    driver.damaged = set()
    driver.settings[cv2.CAP_PROP_POS_MSEC] = 4980.0
    capture = CameraCapture(SourceConfig(uri="0"))
    assert capture.grab() == 0
    clock_ns[0], driver.settings[cv2.CAP_PROP_POS_MSEC] = 5_050_000_000, 5013.0
    assert capture.grab() == pytest.approx(0.033)
    shot = capture.retrieve()
    assert shot is not None
    assert shot.captured_ns == 5_050_000_000
