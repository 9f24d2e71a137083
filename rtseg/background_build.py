"""Building an engine in a process of its own while a stream already runs on eager."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_log = logging.getLogger(__name__)


class BackgroundBuild:
    """An `rtseg export` at the lowest priority, and a thread that waits for its end.

    Args:
        arguments: of ``rtseg export``.
        on_built: called from the waiting thread when the export has succeeded.
    """

    def __init__(self, arguments: Sequence[str], on_built: Callable[[], None]) -> None:
        self._on_built = on_built
        self._started_s = time.monotonic()
        self._stopped = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # the waiting thread closes it
        self._process = subprocess.Popen(
            [*_lowest_priority(), sys.executable, "-m", "rtseg", "export", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the stream, which then ends the build
        )
        self._thread = threading.Thread(target=self._wait, name="rtseg-build", daemon=True)
        self._thread.start()

    @property
    def running_s(self) -> float | None:
        """For how long it has been running, seconds; None when it has ended."""
        return time.monotonic() - self._started_s if self._thread.is_alive() else None

    def wait(self) -> None:
        """Wait for the end of the build and of what follows it."""
        self._thread.join()

    def stop(self) -> None:
        """End the build, which leaves nothing half-made, and wait for its thread."""
        self._stopped = True
        if self._process.poll() is None:
            self._process.kill()
        self._thread.join()

    def _wait(self) -> None:
        status = self._process.wait()
        with self._output as output:
            output.seek(0)
            lines = output.read().decode(errors="replace").split("\n")
        if self._stopped:
            return
        if status != 0:
            last = next((line for line in reversed(lines) if line.strip()), f"status {status}")
            _log.warning("no engine was built, eager goes on: %s", last.strip())
            return
        try:
            self._on_built()
        except Exception:
            _log.exception("the engine that was built can't be used, eager goes on")


def _lowest_priority() -> list[str]:
    nice = shutil.which("nice")
    return [nice, "-n", "19"] if nice else []


def _environment() -> dict[str, str]:
    """Return an environment in which the child finds this very package, on one core."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
