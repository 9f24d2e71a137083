"""`rtseg stream` as a service: a real process, a real datagram socket, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from rtseg.demo_drive import DemoDrive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

DEADLINE_S = 90.0
RUN: dict[str, Any] = {
    "source": {"uri": "demo:1", "size_wh": [160, 96], "duration_s": None},
    "engine": {"size_wh": [96, 64], "backend": "eager", "precision": "fp32"},
    "overlay": {"mode": "picture", "legend": False, "hud": False},
    "recording": {"crf": 10},
}


class Served:
    """The process, what it notifies, and what it logs."""

    def __init__(self, folder: Path) -> None:
        self.config, self.film = folder / "run.yaml", folder / "film.mkv"
        self.configure()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(0.2)
        self.heard: list[str] = []
        self._log = folder / "log"
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "4000000",
            "OMP_NUM_THREADS": "1",
        }
        command = ["nice", sys.executable, "-m", "rtseg", "stream", "--config", str(self.config)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "-o", str(self.film), "--log-json"], stderr=log, env=environment
            )

    def configure(self, **overlay: Any) -> None:
        run = {**RUN, "overlay": {**RUN["overlay"], **overlay}}
        self.config.write_text(yaml.safe_dump(run))

    def hear(self, wanted: str, times: int = 1) -> None:
        """Wait until a line was heard so often."""
        end_s = time.monotonic() + DEADLINE_S
        while sum(line.startswith(wanted) for line in self.heard) < times:
            assert self.process.poll() is None or wanted.startswith("STOPPING"), self.log_text()
            assert time.monotonic() < end_s, f"no {wanted} among {self.heard}"
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except TimeoutError:
                continue

    def wait_for_event(self, kind: str) -> dict[str, Any]:
        end_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < end_s:
            for line in self.log_text().splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line).get("event") == kind:
                    found: dict[str, Any] = json.loads(line)
                    return found
            time.sleep(0.1)
        raise AssertionError(f"no {kind} in {self.log_text()}")

    def log_text(self) -> str:
        return self._log.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._socket.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    process = Served(tmp_path)
    yield process
    process.close()


def differences(film: Path) -> list[float]:
    """Return how far the first and the last picture are from the drive's own, in grey levels."""
    drive = DemoDrive(seed=1, width=160, height=96)
    with av.open(str(film)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    chosen = [0, len(pictures) - 1]
    drawn = [drive.render(index)[0].astype(int) for index in chosen]
    return [
        float(np.abs(pictures[index].astype(int) - picture).mean())
        for index, picture in zip(chosen, drawn, strict=True)
    ]


def test_a_service_tells_how_it_is_reloads_its_style_and_ends_well(served: Served) -> None:
    served.hear("READY=1")
    served.hear("STATUS=")
    served.hear("WATCHDOG=1", times=2)

    served.configure(alpha=7)
    served.process.send_signal(signal.SIGHUP)
    assert "alpha" in served.wait_for_event("reload failed")["message"]
    served.hear("READY=1", times=2)

    served.configure(mode="mask")
    served.process.send_signal(signal.SIGHUP)
    served.wait_for_event("reloaded")
    served.hear("RELOADING=1", times=2)
    served.hear("READY=1", times=3)
    time.sleep(1)

    served.process.send_signal(signal.SIGTERM)
    served.hear("STOPPING=1")
    assert served.process.wait(timeout=DEADLINE_S) == 0
    assert any(" fps, age " in line for line in served.heard)
    lines = [json.loads(line) for line in served.log_text().splitlines()]
    assert lines[-1]["event"] == "summary"
    assert lines[-1]["values"]["stopped"] is True
    assert lines[-1]["values"]["pictures"] > 0
    first, last = differences(served.film)
    assert first < 12, "a picture without colours"
    assert last > 25, "colours without a picture"
