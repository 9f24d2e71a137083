"""OpenCV's own threads, held back while pipelines run: their threads keep the cores busy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_num_blocks = 0
_threads_before = 0


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Let OpenCV use the calling thread alone, in the whole process, while any such block runs."""
    global _num_blocks, _threads_before
    with _lock:
        _num_blocks += 1
        if _num_blocks == 1:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            _num_blocks -= 1
            if not _num_blocks:
                cv2.setNumThreads(_threads_before)
