"""How an engine folder comes to be: built once, whole or not at all, however builders die.

A builder holds a lock on a file beside the folder; the system lets go of it when its holder dies.
It works in a hidden folder, which becomes the engine by one rename. What a dead builder left is
cleared away by the next one that holds the lock.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rtseg.errors import EngineError

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.2


@contextmanager
def build_lock(root: Path, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of the engine `name` while the block runs; waits for another holder.

    Args:
        root: the folder of engines; made where it is missing.
        name: of the engine's folder.
        waiting: called once where another process holds the lock.

    Raises:
        EngineError: the folder can't be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / f".{name}.lock")
        try:
            lock.acquire(timeout=FIRST_WAIT_S)
        except Timeout:
            if waiting:
                waiting()
            lock.acquire()
    except OSError as error:
        raise EngineError(
            f"engines can't be written to {root}: {error.strerror or error}; "
            "name another folder with --engines"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def staging(root: Path, name: str) -> Iterator[Path]:
    """Give an empty folder that becomes ``root/name`` when the block ends well.

    An engine that was there is replaced. When the block fails, the text that it left (log and
    reports) is kept in ``root/failed/name``. Needs the lock of `name`.
    """
    folder = root / f".{name}.building"
    _clear(folder)
    folder.mkdir()
    try:
        yield folder
    except BaseException as error:
        _keep_reports(folder, root / "failed" / name)
        _clear(folder)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise EngineError(f"no space left in {root} for the engine {name}") from error
        raise
    _sync(folder)
    final = root / name
    old = root / f".{name}.old"
    _clear(old)
    if final.exists():
        final.rename(old)
    folder.rename(final)
    _clear(old)
    _clear(root / "failed" / name)


REPORTS = (".log", ".json", ".png", ".txt", ".md")
"""What is kept of a failed build."""


def _keep_reports(folder: Path, kept: Path) -> None:
    try:
        _clear(kept)
        for path in sorted(folder.rglob("*")):
            if path.suffix in REPORTS and path.is_file():
                target = kept / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target)
        (kept / "manifest.json").unlink(missing_ok=True)  # what failed must not look like an engine
    except OSError as error:
        log.warning("the log of the failed build could not be kept in %s: %s", kept, error)


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _sync(folder: Path) -> None:
    """Bring every file to the disk before the rename makes the folder an engine."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
