"""Signals to a real process: the first stops the stream, the second ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rtseg.stream.controls import Controls
from rtseg.stream.signals import stop_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PROGRAM = """
import sys, threading, time
from rtseg.stream.controls import Controls
from rtseg.stream.signals import stop_on_signals

controls, stopped = Controls(), threading.Event()
controls.on_stop(stopped.set)
with stop_on_signals(controls):
    print("ready", flush=True)
    {wait}
    print("stopped", flush=True)
    {then}
print("over", flush=True)
"""
NATIVE_CODE = "__import__('hashlib').pbkdf2_hmac('sha256', b'x', b'y', 10**9)"
WAITS = {
    "event": "stopped.wait()",
    "paused": "controls.pause(); controls.wait()",
    "join": "t = threading.Thread(target=stopped.wait); t.start(); t.join()",
    "busy": "\n    while not stopped.is_set(): pass",
}


Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start_program() -> Iterator[Start]:
    """Start a program, which is killed at the end of the test, and wait until it is ready."""
    processes: list[subprocess.Popen[str]] = []

    def start(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def start(start_program: Start) -> Callable[[str, str], subprocess.Popen[str]]:
    return lambda wait, then: start_program(PROGRAM.format(wait=wait, then=then))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("wait", WAITS)
def test_the_first_signal_stops_the_stream(
    start: Callable[[str, str], subprocess.Popen[str]], number: signal.Signals, wait: str
) -> None:
    process = start(WAITS[wait], "pass")
    time.sleep(0.05)
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert out == "stopped\nover\n"
    assert process.returncode == 0


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stuck", ["time.sleep(60)", "exec('while True: pass')", NATIVE_CODE])
def test_the_second_one_ends_the_process_at_once(
    start: Callable[[str, str], subprocess.Popen[str]],
    first: signal.Signals, second: signal.Signals, stuck: str,
) -> None:  # fmt: skip
    process = start("stopped.wait()", stuck)
    process.send_signal(first)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopped\n"
    process.send_signal(second)
    out, _ = process.communicate(timeout=10)
    assert out == ""
    assert process.returncode == 128 + second


RELOADING = """
import signal, sys, threading
{before}
from rtseg.stream.controls import Controls
from rtseg.stream.signals import stop_on_signals

def reload():
    print("reloaded", flush=True)
    {in_reload}

controls, stopped = Controls(), threading.Event()
controls.on_stop(stopped.set)
with stop_on_signals(controls, reload):
    print("ready", flush=True)
    stopped.wait()
print("over", flush=True)
"""


def test_a_hang_up_reads_settings_again_as_often_as_it_comes(start_program: Start) -> None:
    process = start_program(RELOADING.format(before="", in_reload="1 / 0"))
    assert process.stdout is not None
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "reloaded\n"
    process.send_signal(signal.SIGTERM)
    out, complaints = process.communicate(timeout=10)
    assert out == "over\n"
    assert process.returncode == 0
    assert "ZeroDivisionError" in complaints, "a reload that fails is told, and no more"


def test_a_hang_up_that_is_ignored_stays_so(start_program: Start) -> None:
    ignoring = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"  # as nohup does
    process = start_program(RELOADING.format(before=ignoring, in_reload="pass"))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0] == "over\n"


def test_a_terminal_that_is_closed_stops_the_stream(start_program: Start) -> None:
    master, slave = os.openpty()
    take_it = f"import os; os.setsid(); os.open({os.ttyname(slave)!r}, os.O_RDWR)"
    process = start_program(RELOADING.format(before=take_it, in_reload="pass"))
    assert process.stdout is not None
    process.send_signal(signal.SIGHUP)
    assert process.stdout.readline() == "reloaded\n", "the terminal is still there"
    os.close(slave)
    os.close(master)
    assert process.communicate(timeout=10)[0] == "over\n"
    assert process.returncode == 0


def test_the_old_handlers_are_back_afterwards(no_thread_left: None) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signals(Controls()):
        assert signal.getsignal(signal.SIGINT) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_failure_puts_the_old_handlers_back(no_thread_left: None) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_on_signals(Controls()):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with stop_on_signals(Controls()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert seen == [before]


STREAM = """
import sys, time
import numpy as np
from rtseg.classes import CAMVID
from rtseg.frames import Frame
from rtseg.stream.controls import Controls
from rtseg.stream.latency import Latency
from rtseg.stream.pipeline import Pipeline
from rtseg.stream.signals import stop_on_signals
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import Source, SourceInfo

class Endless(Source):
    info, num_read = SourceInfo("endless", (2, 2), None, False), 0
    def read(self):
        time.sleep(0.002)
        self.num_read += 1
        image = np.zeros((2, 2, 3), np.uint8)
        return Frame(image, self.num_read - 1, 0.0, time.monotonic_ns(), "endless")

class Counting(Sink):
    name, num_written = "count", 0
    def write(self, picture):
        self.num_written += 1
        if self.num_written == 5:
            print("ready", flush=True)
            {in_write}
    def close(self):
        print("closed", self.num_written == source.num_read, flush=True)

source = Endless()
info = StreamInfo(source.info, CAMVID, "none", Controls(), Latency())
with stop_on_signals(info.controls):
    Pipeline(source, [], [Counting()], info, join_timeout_s=0.5).run()
print("over", flush=True)
"""


@pytest.fixture
def start_stream(start_program: Start) -> Start:
    return lambda in_write: start_program(STREAM.replace("{in_write}", in_write))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_is_finished(
    start_stream: Callable[[str], subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = start_stream("pass")
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert out == "closed True\nover\n"
    assert process.returncode == 0


def test_a_thread_that_hangs_does_not_keep_the_process(
    start_stream: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start_stream("time.sleep(60)")
    process.send_signal(signal.SIGINT)
    out, complaints = process.communicate(timeout=10)
    assert out == ""
    assert "PipelineError: the stream can't end: thread rtseg-sink:count has been in" in complaints
    assert process.returncode == 1


# Sixty timer signals hit this very process, whose threads of native libraries (of other tests) have
# crashed under them once: it is for a process of its own.
@pytest.mark.slow
def test_a_handler_of_ones_own_may_stop_a_stream_at_any_moment(
    parts: Any, no_thread_left: None
) -> None:
    def stop(*_: object) -> None:
        controls.stop()

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for tenths_ms in range(1, 60):
            sinks = [parts.Sink(), parts.Window()]
            source = parts.Source(parts.Behaviour(num_frames=10**6))
            pipeline, info = parts.pipeline(source, [parts.step(workers=2)], sinks)
            controls = info.controls
            signal.setitimer(signal.ITIMER_REAL, tenths_ms / 1e4)
            pipeline.run()
            assert sinks[0].written == sinks[1].written == list(range(source.num_read))
    finally:
        signal.signal(signal.SIGALRM, before)
