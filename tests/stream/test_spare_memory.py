"""Memory that is free again goes back to the system, and not more often than it may."""

from __future__ import annotations

import sys
import threading

import numpy as np
import psutil
import pytest

from rtseg.stream.spare_memory import SpareMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc_trim")


def rss() -> int:
    return int(psutil.Process().memory_info().rss)


def with_holes() -> list[np.ndarray]:
    """Fill 96 MB with blocks below the size that is mapped on its own, and free all but the last
    of every hundred: the heap can't shrink, as something lies on top."""
    blocks = [np.ones(96_000, np.uint8) for _ in range(1000)]
    return blocks[99::100]


def test_what_is_free_goes_back() -> None:
    kept: list[list[np.ndarray]] = []
    thread = threading.Thread(target=lambda: kept.append(with_holes()))
    thread.start()
    thread.join()
    held = rss()
    assert SpareMemory(every_s=0.0).give_back()
    assert held - rss() > 60e6
    assert all((block == 1).all() for block in kept[0])


def test_it_is_done_once_in_a_while() -> None:
    spare = SpareMemory(every_s=3600.0)
    assert not spare.give_back()
    often = SpareMemory(every_s=0.0)
    assert often.give_back()
    assert often.give_back()
