"""Fifty clients, ten of them dead, on a real stream: what they take from it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from rtseg.api import open_engine
from rtseg.stream.run import Stream
from rtseg.stream.settings import StreamConfig
from rtseg.stream.sinks.browser import BrowserSink

WATCH_PAGE = Path(__file__).with_name("watch_page.py")
NUM_READING, NUM_DEAD = 40, 10
ROUNDS = int(os.environ.get("RTSEG_ROUNDS", "4"))
ROUND_S, SETTLE_S = 6.0, 3.0


@contextmanager
def clients(port: int) -> Iterator[list[str]]:
    """Let many clients watch; at the end the list holds what they tell."""
    command = [sys.executable, str(WATCH_PAGE), str(port), str(NUM_READING), str(NUM_DEAD)]
    told: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        time.sleep(SETTLE_S)
        yield told
        told += process.communicate("", timeout=20)[0].splitlines()
    time.sleep(1)


@pytest.mark.slow
def test_many_clients_leave_the_stream_its_rate_and_take_no_memory(shared_data: Path) -> None:
    film = shared_data / "videos" / "udacity_p1_solidWhiteRight.mp4"
    config = StreamConfig.model_validate(
        {
            "source": {"uri": str(film), "loop": True},
            "model": "linknet-camvid",
            "engine": {"size_wh": (256, 144), "backend": "eager", "build": "never"},
        }
    )
    sink = BrowserSink("http://127.0.0.1:0")
    memory = psutil.Process()
    with Stream(config, open_engine, [sink]) as stream:
        thread = threading.Thread(target=stream.run)
        thread.start()
        try:
            while stream.latency.age().count < 20:
                time.sleep(0.1)
            port = int(sink.url.rpartition(":")[2])
            with clients(port):  # the first ones warm everything up
                pass
            ratios, before = [], memory.memory_info().rss
            for _ in range(ROUNDS):
                alone = _fps(stream)
                with clients(port) as told:
                    watched = _fps(stream)
                num_bytes, num_pictures, _ = map(int, told[-1].split())
                assert num_pictures > NUM_READING * ROUND_S * 0.5
                ratios.append(watched / alone)
                sys.stdout.write(
                    f"{alone:.1f} fps alone, {watched:.1f} with clients, who took "
                    f"{num_pictures} pictures, {num_bytes / 1e6:.0f} MB\n"
                )
            growth = memory.memory_info().rss - before
            sys.stdout.write(f"{statistics.median(ratios):.3f}, {growth / 1e6:.1f} MB more\n")
        finally:
            stream.controls.stop()
            thread.join(30)
    assert growth < 40e6
    assert statistics.median(ratios) > 0.8, ratios  # a busy machine's; the tool for it is -s


def _fps(stream: Stream) -> float:
    before, began_s = stream.latency.age().count, time.monotonic()
    time.sleep(ROUND_S)
    return (stream.latency.age().count - before) / (time.monotonic() - began_s)
