"""Who writes a file: a lock that the system takes away when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """A file that this process writes; others can see that, and for how long.

    The lock binds nobody who doesn't ask. It ends with `release` or with the process, however that
    dies. On file systems without locks every file can be locked.

    Args:
        path: the file, which exists.

    Raises:
        OSError: it can't be opened.
        BlockingIOError: somebody holds it, or it was removed meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._handle: int | None = os.open(path, os.O_RDWR)
        try:
            _flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._handle).st_nlink == 0:
                raise BlockingIOError(f"{path} was removed")
        except BaseException:
            self.release()
            raise

    def sync(self) -> None:
        """Have what was written so far on the disk when this returns.

        Raises:
            OSError: the disk failed.
        """
        if self._handle is not None:
            os.fsync(self._handle)

    def release(self) -> None:
        """Let others have it; can be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def is_locked(path: Path) -> bool:
    """Return whether a living process writes the file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        _flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _flock(handle: int, how: int) -> None:
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        raise
    except OSError:  # no locks here
        return
