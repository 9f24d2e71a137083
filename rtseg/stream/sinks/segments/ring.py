"""What a segmented recording takes on the disk, and which of its segments go first."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rtseg.stream.sinks.segments.segment_names import SegmentNames

log = logging.getLogger(__name__)

_CLOCK_IS_SET_S = 1_577_836_800.0
"""The year 2020: files from before were written while the machine's clock was not set yet, and
nothing is known of their age."""


@dataclass(slots=True)
class _Kept:
    """One finished segment: its files with their bytes, and when it ended (since 1970)."""

    files: dict[Path, int] = field(default_factory=dict)
    ended_s: float = 0.0

    @property
    def num_bytes(self) -> int:
        return sum(self.files.values())


class Ring:
    """The finished segments of one recording; the oldest are deleted where room is needed.

    Nothing is deleted whose name isn't of this very recording, no file that is still written, and
    never the newest finished segment. Every method may be called from any thread.

    Args:
        names: of the recording's files.
        keep_bytes: what all of them may take together, those being written included; None: all.
        keep_s: how long ago a kept segment may have ended; None: for ever.
    """

    def __init__(
        self, names: SegmentNames, keep_bytes: int | None = None, keep_s: float | None = None
    ) -> None:
        self._names = names
        self._keep_bytes, self._keep_s = keep_bytes, keep_s
        self._lock = threading.RLock()
        self._kept: dict[int, _Kept] = {}
        self._last: tuple[int, float] | None = None
        self._bytes_per_s = 0
        self.num_deleted = 0

    def look(self) -> None:
        """Find out which segments there are on the disk."""
        kept: dict[int, _Kept] = {}
        for file in self._names.files():
            if file.part:
                continue
            with contextlib.suppress(OSError):
                status = file.path.stat()
                segment = kept.setdefault(file.number, _Kept())
                segment.files[file.path] = status.st_size
                segment.ended_s = max(segment.ended_s, status.st_mtime)
        with self._lock:
            self._kept = dict(sorted(kept.items()))

    @property
    def num_bytes(self) -> int:
        """What the finished segments take."""
        with self._lock:
            return sum(segment.num_bytes for segment in self._kept.values())

    def tend(self, written: Iterable[Path]) -> None:
        """Delete what is too old or too much; leave room for what comes until the next call.

        Args:
            written: the files that are being written.
        """
        open_bytes = sum(_size(path) for path in written)
        with self._lock:
            self._measure(self.num_bytes + open_bytes)
            self._delete_old()
            if self._keep_bytes is not None:
                limit = self._keep_bytes - open_bytes - 2 * self._bytes_per_s
                while self.num_bytes > limit and self.drop_oldest():
                    pass
            self.make_room(self.needed_bytes)
            self._last = self.num_bytes + open_bytes, time.monotonic()

    def make_room(self, num_bytes: int) -> bool:
        """Delete segments until so much is free; return whether it is."""
        while self.free_bytes() < num_bytes:
            if not self.drop_oldest():
                return False
        return True

    def drop_oldest(self) -> bool:
        """Delete the oldest segment but for the newest; return whether there was one."""
        with self._lock:
            if len(self._kept) < 2:
                return False
            number = next(iter(self._kept))
            self._delete(number)
            return True

    def share_bytes(self, written: Iterable[Path]) -> int:
        """Return what a single segment may take so that there is room for four of them."""
        with self._lock:
            own = self.num_bytes + sum(_size(path) for path in written)
            most = own + self.free_bytes()
            return min(most, self._keep_bytes or most) // 4

    @property
    def needed_bytes(self) -> int:
        """What should be free for the recording to go on: enough for seconds, if it isn't tiny."""
        seconds = max(4 * self._bytes_per_s, 2**20)
        status = self._disk()
        return seconds if status is None else min(seconds, status.f_blocks * status.f_frsize // 8)

    def free_bytes(self) -> int:
        """Return what is free on the disk; plenty where nobody knows."""
        status = self._disk()
        return 2**62 if status is None else status.f_bavail * status.f_frsize

    def _disk(self) -> os.statvfs_result | None:
        try:
            return os.statvfs(self._names.folder)
        except OSError:
            return None

    def _measure(self, num_bytes: int) -> None:
        """Learn how fast the recording grows; a sudden rest is not believed at once."""
        if self._last is not None:
            last_bytes, last_s = self._last
            seconds = max(time.monotonic() - last_s, 0.2)
            now = round(max(num_bytes - last_bytes, 0) / seconds)
            self._bytes_per_s = max(now, self._bytes_per_s // 2)

    def _delete_old(self) -> None:
        if self._keep_s is None:
            return
        limit_s = time.time() - self._keep_s
        for number, segment in list(self._kept.items())[:-1]:
            if _CLOCK_IS_SET_S < segment.ended_s < limit_s:
                self._delete(number)

    def _delete(self, number: int) -> None:
        segment = self._kept.pop(number)
        for path in segment.files:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("can't delete %s: %s", path, error.strerror)
        self.num_deleted += 1
        log.debug("deleted the oldest segment, number %d", number)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
